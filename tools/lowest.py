"""Print the lowest versions that pyproject.toml allows, as pip constraints: ``make test-minimum`` installs them.

Only direct dependencies: what they bring along is theirs to choose. One floor stays untested, torch's: an index offers
its older versions as builds of several gigabytes only. The tests run with the version of constraints.txt.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
UNTESTED = ("torch",)


def main() -> None:
    """One ``name==version`` a line."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    for requirement in (*project["dependencies"], *(one for extra in extras for one in extra)):
        floor = re.match(r"([\w.-]+)(?:\[\w+\])?>=([\w.]+)", requirement)
        if floor and floor[1] not in UNTESTED:
            print(f"{floor[1]}=={floor[2]}")
    pinned = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    print("\n".join(line for line in pinned if line.split("==")[0] in UNTESTED))


if __name__ == "__main__":
    main()
