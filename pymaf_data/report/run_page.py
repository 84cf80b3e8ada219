"""The page of a training run: curves, errors of every iteration, and what it made of the same persons over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymaf_data import __version__
from pymaf_data.digest import digest_file, digest_json
from pymaf_data.progress import Progress
from pymaf_data.report.html import Page, design
from pymaf_data.report.run_images import Drawer
from pymaf_data.report.thumbnails import body_with, encode
from pymaf_data.runs.folder import HISTORY, OPTIONS, PROVENANCE, read_json
from pymaf_data.runs.history import HistoryLine, read_history
from pymaf_data.runs.snapshots import SnapshotFolder

_PATHS = ("stores", "backbone", "start_from")


def run_page(folder: Path, progress: Progress | None = None) -> Page:
    """Gather everything a page says of a run; images are drawn when the page is written.

    Raises:
        TrainingError: the run has no history, or files that a trainer did not write.
    """
    lines, name = read_history(folder), folder.resolve().name
    drawer = Drawer.of(SnapshotFolder(folder))
    steps = drawer.steps if drawer is not None else []
    notes = []
    if drawer is not None and drawer.body is None:
        notes.append("The bodies are not drawn: the body of this run is not on this machine.")
    meta = {
        "kind": "run",
        "version": __version__,
        "notes": notes,
        "run": {"name": name, "options": without_folders(read_json(folder / OPTIONS))},
        "provenance": read_json(folder / PROVENANCE),
        "train": columns([line for line in lines if line.kind == "train"]),
        "held_out": by_store([line for line in lines if line.kind == "held_out"]),
        "persons": drawer.described(steps) if drawer is not None else None,
    }
    images = _Images(drawer, steps, progress) if drawer is not None else ()
    return Page(f"run {name}", shows(folder), meta, {}, images)


def shows(folder: Path) -> str:
    """Digest of everything that the page of a run depends on."""
    files = [HISTORY, OPTIONS, PROVENANCE]
    snapshots = SnapshotFolder(folder)
    known = sorted(path.name for path in snapshots.path.glob("*.npz"))
    digests = [digest_file(folder / name) for name in files if (folder / name).is_file()]
    digests += [digest_file(snapshots.path / name) for name in known]
    persons = snapshots.persons()
    drawn = persons is None or body_with(str(persons.body), str(persons.body_digest)) is not None
    return digest_json([design(), __version__, folder.resolve().name, digests, known, drawn])


def by_store(lines: Sequence[HistoryLine]) -> list[dict[str, Any]]:
    """:func:`columns` of each held-out store, in the order in which they were measured. Lines that name none, of a
    version before, are those of the only store, or of all stores together."""
    names = list(dict.fromkeys(line.store for line in lines if line.store))
    alone = names[0] if len(names) == 1 else ""
    found = list(dict.fromkeys(line.store or alone for line in lines))
    return [{"store": name, **columns([line for line in lines if (line.store or alone) == name])} for name in found]


def columns(lines: Sequence[HistoryLine]) -> dict[str, Any]:
    """Lines as columns: ``steps``, ``persons``, and each scalar and error by its name, null where a line lacks it."""
    names = sorted({name for line in lines for name in line.scalars})
    errors: dict[str, dict[str, list[float | None]]] = defaultdict(dict)
    iterations = sorted({iteration for line in lines for iteration in line.errors})
    for measure in ("mpjpe", "pa_mpjpe", "pve"):
        for iteration in iterations:
            values = [line.errors.get(iteration, {}).get(measure) for line in lines]
            if any(value is not None for value in values):
                errors[measure][iteration] = [None if value is None else round(value, 3) for value in values]
    return {
        "steps": [line.step for line in lines],
        "persons": [line.persons for line in lines],
        "scalars": {name: [line.scalars.get(name) for line in lines] for name in names},
        "errors": dict(errors),
    }


def without_folders(options: dict[str, Any]) -> dict[str, Any]:
    """Options with the last part of every path alone: where files lay on some machine is nobody's business."""

    def last(value: Any) -> Any:
        return [last(item) for item in value] if isinstance(value, list) else value and Path(str(value)).name

    cleaned = {key: last(value) if key in _PATHS else value for key, value in options.items()}
    if isinstance(cleaned.get("validation"), dict):
        cleaned["validation"] = without_folders(cleaned["validation"])
    return cleaned


@dataclass(frozen=True)
class _Images:
    """(element name, panels) of each person."""

    drawer: Drawer
    steps: list[int]
    progress: Progress | None

    def __iter__(self) -> Iterator[tuple[str, Mapping[str, bytes]]]:
        for k in range(len(self.drawer)):
            yield f"p{k}", {name: encode(panel) for name, panel in self.drawer.draw(k, self.steps).items()}
            if self.progress:
                self.progress(k + 1, len(self.drawer), "persons drawn")


def name_of(run: Path) -> str:
    """The page's file name."""
    return f"run-{run.resolve().name}.html"
