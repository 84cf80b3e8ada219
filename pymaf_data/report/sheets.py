"""Contact sheets of stores and runs as PNG: the report for eyes that have no browser."""

from __future__ import annotations

from pathlib import Path

from pymaf_data.errors import TrainingError
from pymaf_data.report.gather import gather
from pymaf_data.report.persons import FIT, IUV, KEYPOINTS, SIDE
from pymaf_data.report.run_pictures import Drawer
from pymaf_data.report.selection import select
from pymaf_data.report.sheet import SheetRow, compose_sheet, save_sheet
from pymaf_data.report.store_page import MOST_ROWS
from pymaf_data.report.thumbnails import Bodies, draw_rows
from pymaf_data.runs.snapshots import SnapshotFolder
from pymaf_data.storage import Store

_PERSONS = 12


def store_sheet(store: Store, out: Path) -> Path:
    """The worst fits of a store, its best ones and some between, a row each.

    Raises:
        StoreError: it cannot be read.
        DiskFull, NotWritable: the sheet cannot be written.
    """
    table = gather(store, MOST_ROWS)
    places = select(table, _PERSONS)
    drawn = dict(draw_rows(store, table.row[places].tolist(), Bodies.of(store)))
    for k, place in enumerate(places.tolist()):
        drawn[k].caption += f", {table.values['reprojection'][0, place]:.1f} px"
    title = f"{store.path.stem}: worst fits, best fits and others of {len(store)} persons"
    return save_sheet(compose_sheet(title, (KEYPOINTS, FIT, SIDE, IUV), [drawn[k] for k in sorted(drawn)]), out)


def run_sheet(folder: Path, out: Path) -> Path:
    """What a run made of the same persons over time, a row each.

    Raises:
        TrainingError: the run keeps no snapshots.
        DiskFull, NotWritable: the sheet cannot be written.
    """
    drawer = Drawer.of(SnapshotFolder(folder))
    if drawer is None:
        raise TrainingError(
            f"{folder} holds no whole snapshots, so there is nothing to draw",
            expected="a run with snapshots.persons above 0",
            action="leave --sheet out, or go on with the run, which keeps them from then on.",
        )
    steps = drawer.steps
    titles = {"view": "picture", "truth": "target"} | {str(step): f"step {step}" for step in steps}
    rows = []
    for k, error in enumerate(drawer.described(steps)["mpjpe"]):
        panels = drawer.draw(k, steps)
        shown = {title: panels[name] for name, title in titles.items() if name in panels}
        rows.append(SheetRow(f"row {drawer.persons.row[k]}: {error[-1]:.0f} mm at the last step", shown))
    kind = "held-out persons" if drawer.persons.held_out else "persons of training"
    return save_sheet(compose_sheet(f"run {folder.name}: the same {kind} over time", list(titles.values()), rows), out)
