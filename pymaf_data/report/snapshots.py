"""What a network made of the same few persons at some steps of its training.

    snapshots/persons.npz       their views, the bodies they are to become, and which body model that is
    snapshots/step-00001000.npz the network's bodies after each iteration

Parameters, not pictures: a snapshot of six persons takes 22 kB, and a report draws it in any way it likes. A snapshot
belongs to its persons: where the persons change, the earlier ones go.
"""

from __future__ import annotations

import io
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pymaf_data.errors import RawDataCorrupt, TrainingError
from pymaf_data.storage.files import LocalFiles
from pymaf_data.untrusted.npz import read_npz

FOLDER = "snapshots"
_PERSONS = "persons.npz"
_STEP = re.compile(r"step-(\d+)\.npz")


@dataclass(frozen=True)
class SnapshotPersons:
    """K persons.

    Attributes:
        view: (K, W, W, 3) uint8 RGB, the view at the network's size.
        rotation: (K, 24, 3, 3) of the fit that is the target.
        betas: (K, 10).
        camera: (K, 3) π that projects that fit onto the keypoints best.
        row: (K,) rows, counted through the stores that they are from.
        held_out: () whether they are never trained on.
        body, body_digest: () the body of fits and network.
    """

    view: NDArray[np.uint8]
    rotation: NDArray[np.float32]
    betas: NDArray[np.float32]
    camera: NDArray[np.float32]
    row: NDArray[np.int64]
    held_out: NDArray[np.bool_]
    body: NDArray[np.str_]
    body_digest: NDArray[np.str_]


@dataclass(frozen=True)
class Snapshot:
    """The T = 4 iterations M0 … M3 of K persons.

    Attributes:
        rotation: (K, T, 24, 3, 3). betas: (K, T, 10). camera: (K, T, 3) π of the view.
        mpjpe: (K, T) millimetres against the target.
    """

    rotation: NDArray[np.float32]
    betas: NDArray[np.float32]
    camera: NDArray[np.float32]
    mpjpe: NDArray[np.float32]


class SnapshotFolder:
    """The snapshots of one run."""

    def __init__(self, run: Path) -> None:
        self.path = run / FOLDER

    def begin(self, persons: SnapshotPersons, step: int) -> None:
        """Keep the snapshots of these persons up to a step, where the run stands; forget all others."""
        known = self.persons()
        same = known is not None and all(np.array_equal(a, b) for a, b in _pairs(known, persons))
        files = LocalFiles(self.path)
        for number in self.steps():
            if not same or number > step:
                files.remove(_name(number))
        if not same:
            files.write({_PERSONS: [_bytes(persons)]}, temporary="")

    def write(self, step: int, snapshot: Snapshot) -> None:
        """Write one, whole.

        Raises:
            DiskFull, NotWritable: it cannot be written.
        """
        LocalFiles(self.path).write({_name(step): [_bytes(snapshot)]}, temporary="")

    def steps(self) -> list[int]:
        """The steps that there are snapshots of, in order."""
        found = [_STEP.fullmatch(entry.name) for entry in self.path.glob("step-*.npz")]
        return sorted(int(match.group(1)) for match in found if match)

    def persons(self) -> SnapshotPersons | None:
        """The persons, or None before the first snapshot.

        Raises:
            TrainingError: the file is not what a trainer writes.
        """
        path = self.path / _PERSONS
        return SnapshotPersons(**_load(path, SnapshotPersons)) if path.is_file() else None

    def read(self, step: int) -> Snapshot:
        """The snapshot of one of :meth:`steps`.

        Raises:
            TrainingError: the file is not what a trainer writes.
        """
        return Snapshot(**_load(self.path / _name(step), Snapshot))


def _name(step: int) -> str:
    return f"step-{step:08d}.npz"


def _pairs(first: SnapshotPersons, second: SnapshotPersons) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(value, getattr(second, name)) for name, value in vars(first).items()]


def _bytes(content: SnapshotPersons | Snapshot) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **asdict(content))
    return buffer.getvalue()


def _load(path: Path, kind: type[SnapshotPersons] | type[Snapshot]) -> dict[str, np.ndarray]:
    try:
        return read_npz(path, kind.__dataclass_fields__)
    except RawDataCorrupt as error:
        raise TrainingError(
            f"{path} cannot be read as a snapshot: {error.found}",
            expected="arrays as the trainer writes them",
            action="remove the snapshots folder; the run writes new ones.",
        ) from None
