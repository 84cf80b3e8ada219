"""Stage ``export-fits``: the chosen fits of a store → one file in a format that others' trainers read.

The file is a function of the store: same fits, same bytes. It is written whole or not at all.
"""

from __future__ import annotations

import io
from collections import Counter
from importlib import import_module
from pathlib import Path

import numpy as np
from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.errors import UsageError
from pymaf_data.fits.export.rows import Rows
from pymaf_data.geometry.frames import FRAMES
from pymaf_data.progress import Progress
from pymaf_data.stages.options import ExportOptions
from pymaf_data.storage import open_store
from pymaf_data.storage.files import LocalFiles

_SMPL = {"smpl-neutral", "smpl-male", "smpl-female"}


class ExportReport(StrictModel):
    """What was written."""

    path: Path
    format: str
    bytes: int
    persons: int
    fits: int
    frames: dict[str, int] = Field(description="fits by whence their roots are seen")
    bodies: dict[str, int] = Field(description="fits by their body")
    forced: dict[str, int] = Field(description="fits of sources that were attached by --force, by source")
    absent: int = Field(description="persons of the store who are left out, since their images are not there")
    licences: dict[str, str]

    def lines(self) -> list[str]:
        """The report for a reader."""
        lines = [f"{self.path}: {self.persons:,} persons, {self.fits:,} with a fit; {self.bytes / 1e6:.1f} MB"]
        lines += [f"  {count:>7,} seen from the {frame}" for frame, count in self.frames.items()]
        for body, count in self.bodies.items():
            also = "" if body in _SMPL else f": others' readers of {self.format} take them for SMPL's"
            lines.append(f"  {count:>7,} of the body {body}{also}")
        lines += [f"  {count:>7,} from {name}, which was FORCED" for name, count in self.forced.items()]
        if self.absent:
            lines.append(f"  {self.absent:>7,} left out: their images are not there")
        return lines + [f"  {what}: {licence}" for what, licence in self.licences.items()]


def export_fits(options: ExportOptions, progress: Progress | None = None) -> ExportReport:
    """Run the stage.

    Raises:
        UsageError: the file is there already, is a folder, or would lie in the store.
        StoreError: not a store, not complete, damaged, or nothing was chosen in it.
        DiskFull, NotWritable: no room, or no permission.
    """
    out, inside = options.out, options.out.resolve().is_relative_to(options.store.resolve())
    if inside or out.is_dir() or (out.exists() and not options.overwrite):
        raise UsageError(
            f"{out} {'lies in the store itself' if inside else 'is a folder' if out.is_dir() else 'is there already'}",
            expected="the path of a file that is not there yet",
            action="name another." if inside or out.is_dir() else "name another, or write over it with --overwrite.",
        )
    rows = Rows.of(open_store(options.store))
    members = import_module(f"pymaf_data.fits.export.{options.to}").members(rows) | rows.beyond()
    buffer = io.BytesIO()
    # Members bear the date that NumPy gives all of them.
    np.savez_compressed(buffer, **members)
    LocalFiles(out.parent).write({out.name: [buffer.getvalue()]}, temporary="")
    fits = rows.fits
    return ExportReport(
        path=out,
        format=options.to,
        bytes=out.stat().st_size,
        persons=len(rows),
        fits=int(fits.valid.sum()),
        frames=dict(sorted(Counter(FRAMES[code] for code in fits.frame[fits.valid].tolist()).items())),
        bodies=dict(sorted(Counter(rows.body[fits.valid].tolist()).items())),
        forced=rows.forced,
        absent=rows.absent,
        licences=rows.licences,
    )
