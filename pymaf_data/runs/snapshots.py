"""What a network made of the same few persons at some steps of its training.

    snapshots/persons.npz       their views, the bodies they are to become, and which body model that is
    snapshots/step-00001000.npz the network's bodies after each iteration

Parameters, not images: a snapshot of six persons takes 22 kB, and a report draws it in any way it likes. A snapshot
belongs to its persons: where the persons change, the earlier ones go. Each file carries a digest; see
:mod:`pymaf_data.storage.archives`.
"""

from __future__ import annotations

import io
import logging
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pymaf_data.errors import RawDataCorrupt, TrainingError
from pymaf_data.runs.folder import SNAPSHOTS
from pymaf_data.storage.archives import seal, seal_holds
from pymaf_data.storage.files import UNFINISHED, LocalFiles
from pymaf_data.untrusted.bounds import read_whole
from pymaf_data.untrusted.npz import read_npz

logger = logging.getLogger(__name__)

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
        self.path = run / SNAPSHOTS

    def begin(self, persons: SnapshotPersons, step: int) -> None:
        """Keep the snapshots of these persons up to a step, where the run stands; forget all others."""
        try:
            known = self.persons()
        except TrainingError as error:  # whose snapshots they are cannot be told, and a run need not end for that
            logger.warning("%s; the run keeps snapshots anew", error.found)
            known = None
        same = known is not None and all(np.array_equal(a, b) for a, b in _pairs(known, persons))
        files = LocalFiles(self.path)
        files.remove(UNFINISHED)
        for number in self.steps():
            if not same or number > step:
                files.remove(_name(number))
        if not same:
            files.write({_PERSONS: _bytes(persons)}, UNFINISHED)

    def write(self, step: int, snapshot: Snapshot) -> None:
        """Write one, whole.

        Raises:
            DiskFull, NotWritable: it cannot be written.
        """
        LocalFiles(self.path).write({_name(step): _bytes(snapshot)}, UNFINISHED)

    def steps(self) -> list[int]:
        """The steps that there are snapshots of, in order."""
        found = [_STEP.fullmatch(entry.name) for entry in self.path.glob("step-*.npz")]
        return sorted(int(match.group(1)) for match in found if match)

    def whole_steps(self) -> list[int]:
        """Those of :meth:`steps` whose snapshot is whole; each of the others is named in a warning."""
        found = []
        for step in self.steps():
            try:
                self.read(step)
                found.append(step)
            except TrainingError as error:
                logger.warning("%s; it is left out", error.found)
        return found

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


def _bytes(content: SnapshotPersons | Snapshot) -> list[bytes]:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **asdict(content))
    comment = seal(buffer.getbuffer())
    return [buffer.getvalue(), comment]


def _load(path: Path, kind: type[SnapshotPersons] | type[Snapshot]) -> dict[str, np.ndarray]:
    try:
        data = read_whole(path)
        if seal_holds(np.frombuffer(data, np.uint8)) is False:
            raise RawDataCorrupt(f"{path} is damaged: its bytes are not those that were written")
        return read_npz(data, kind.__dataclass_fields__, origin=str(path))
    except RawDataCorrupt as error:
        raise TrainingError(
            error.found,
            expected="a snapshot as the trainer writes it",
            action="remove the file; without persons.npz remove the folder, and the run keeps snapshots anew.",
        ) from None
