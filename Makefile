# Two commands do everything on a fresh machine: `make demo` and `make test`.
VENV    ?= .venv
PYTHON  ?= python3
BIN     := $(VENV)/bin
STAMP   := $(VENV)/.installed
# Every worker process computes on one thread: two workers on two cores, not four threads fighting.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
# Compiled modules are kept, whatever the machine's default: two hundred processes that tests start would compile them anew.
export PYTHONDONTWRITEBYTECODE :=
# Each file by one worker, in the order that tests/conftest.py gives them.
SPREAD := -n 2 --dist loadfile --no-loadscope-reorder

# Pages are tested in a browser. A build machine gets one, if it can; elsewhere those tests say that they are skipped.
CAN_INSTALL := [ -n "$$CI" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! command -v chromium >/dev/null

.PHONY: demo test test-all test-minimum lint docs bench fuzz clean help browser kernels

help:
	@echo "make demo   the whole pipeline on the free body and a generated sample, with a contact sheet and reports at its end"
	@echo "make test   the test suite"
	@echo "make test-all  and the tests that take over a minute each"
	@echo "make test-minimum  the suite with the lowest versions that pyproject.toml allows"
	@echo "make lint   ruff and mypy"
	@echo "make docs   guides and reference as a site, into build/site"
	@echo "make fuzz   10,000 mutated files for every reader of files; FUZZ='--only mat --count 100' for some"
	@echo "make bench  every benchmark, into benchmarks/results/ (learning 16 persons by heart takes half an hour)"

$(STAMP): pyproject.toml constraints.txt
	@echo "installing into $(VENV): 3 GB, some minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/pymaf-data run manifests/recipes/demo.yaml

browser:
	@if $(CAN_INSTALL); then \
	  { apt-get update -qq && apt-get install -y -qq chromium chromium-driver; } >/dev/null 2>&1 \
	  || echo "chromium cannot be installed here; the tests of pages are skipped"; fi

# Else both workers of pytest would compile them.
kernels: $(STAMP)
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	  $(ONE_THREAD) $(BIN)/pymaf-data sample "$$folder/sample" --persons 1 --workers 2 --direct >/dev/null

test: $(STAMP) browser kernels
	$(ONE_THREAD) $(BIN)/python -m pytest $(SPREAD) -q -m "not long"

test-all: $(STAMP) browser kernels
	$(ONE_THREAD) $(BIN)/python -m pytest $(SPREAD) -q

# The lowest versions that pyproject.toml allows, in a second environment.
MINIMUM := $(VENV)-minimum

$(MINIMUM)/.installed: pyproject.toml constraints.txt tools/lowest.py
	$(PYTHON) -m venv $(MINIMUM)
	$(MINIMUM)/bin/python tools/lowest.py > $(MINIMUM)/constraints.txt
	$(MINIMUM)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(MINIMUM)/constraints.txt --editable '.[dev]'
	@touch $@

test-minimum: $(MINIMUM)/.installed
	$(ONE_THREAD) $(MINIMUM)/bin/python -m pytest -n 2 --dist loadfile -q

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tools/typecheck.py

docs: $(STAMP)
	$(BIN)/python tools/pages.py

bench: $(STAMP)
	@for script in $(filter-out benchmarks/_%,$(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

fuzz: $(STAMP)
	$(ONE_THREAD) $(BIN)/python tests/fuzz $(FUZZ)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
