"""The seam of fit formats: a :class:`FitReader` says what a file holds as a :class:`FitTable`, in the file's own order.

A format is one file beside this one that holds a ``READER``. Whom the rows belong to, and whether they do, is found out
once for all formats: :mod:`pymaf_data.fits.join`, :mod:`pymaf_data.fits.proof`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from pymaf_data.datasets.npz_rows import read_texts
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.fits.proof import Tolerance
from pymaf_data.geometry.frames import FRAMES
from pymaf_data.untrusted.npz import read_npz, require_numbers

_BODY = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}")


@dataclass(frozen=True)
class ByAnnotation:
    """Rows belong to annotations.

    Attributes:
        ids: (M,) the data set's own annotation ids.
    """

    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def labels(self) -> Iterator[str]:
        """Of each of the M rows; equal where two say that they belong to one person."""
        return (f"annotation {number}" for number in self.ids.tolist())


@dataclass(frozen=True)
class ByImage:
    """Rows belong to a person on an image.

    Attributes:
        names: (M,) image names, from whichever folder on.
        centres: (M, 2) centres of the persons' boxes in pixels of the image.
    """

    names: np.ndarray
    centres: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def labels(self) -> Iterator[str]:
        """As :meth:`ByAnnotation.labels`."""
        places = zip(self.names.tolist(), self.centres.tolist(), strict=True)
        return (f"{name} at ({x:.1f}, {y:.1f})" for name, (x, y) in places)

    @classmethod
    def of_companion(cls, path: Path | None, count: int) -> ByImage:
        """Keys of M fits that carry none: row i belongs to row i of the data set's npz, ``imgname`` and ``center``.

        Raises:
            RawDataCorrupt: it is no such file, or holds another number of rows.
        """
        if path is None:
            raise RawDataCorrupt("the fits name no persons", expected="the file whose rows they follow")
        names, arrays = read_texts(path, "imgname"), read_npz(path, ("center",))
        if len(names) != count:
            raise RawDataCorrupt(f"{path} has {len(names):,} rows, the fits {count:,}", expected="a row for each fit")
        require_numbers(arrays, {"center": (2,)}, count)
        return cls(np.array([name or "" for name in names], str), arrays["center"])


class OtherBodies(Protocol):
    """M bodies of another model than the one that a table's fits become, posed when they are asked for.

    Attributes:
        model: what they are called in messages and stores, "smplx-neutral".
    """

    model: str

    def files(self, assets: Path | None) -> list[Path]:
        """What is read to pose them on the mesh of the table's ``body``.

        Args:
            assets: folder of licensed files; ``None``: that of the data root.

        Raises:
            AssetMissing: a file is not there.
        """
        ...

    def vertices(self, rows: np.ndarray, assets: Path | None) -> np.ndarray:
        """Bodies of the rows (K,) on the mesh of the table's ``body``.

        Args:
            rows: of the table.
            assets: folder of licensed files; ``None``: that of the data root.

        Returns:
            (K, V, 3) metres without translation, turned as the root is that ``frame`` speaks of. NaN where numbers
            pose nothing.

        Raises:
            AssetMissing: the model's files, or what leads from its mesh to that of ``body``, are not there.
        """
        ...


@dataclass(frozen=True)
class FitTable:
    """M fits as a file gives them (NumPy). No person of a store is known here; numbers may be anything, NaN too.

    Attributes:
        keys: whom the rows belong to.
        pose: (M, 72) axis-angle radians, root first. betas: (M, 10).
        camera: (M, 3, 4) metres of the body without translation → image pixels; ``None``: the file has none.
        extrinsics: (M, 3, 4) where roots are turned in the world: metres of the body without translation → camera
            space, [R | t]; ``camera`` is then K·[I | 0]. ``None``: roots are seen from ``frame`` as they are.
        points: (M, J, 3) px and confidence of the first J of J49 where the file does not say where bodies stand: there
            they are put so as to meet them, under ``camera``, K·[I | 0]. ``None``: ``camera`` says it.
        frame: (M,) index into :data:`~pymaf_data.geometry.frames.FRAMES`: from where the root is seen.
        body: (M,) names of the bodies, "smpl-neutral".
        licences: what comes in with the fits → licence.
        tolerance: how closely they must reproject onto their persons.
        orthographic: whether ``camera`` is.
        origin: of its pixels: the image's top left corner, or its centre (where the file does not tell its size).
        body_fingerprint: topology of the bodies, "" where the file does not state it.
        other: the bodies of the file where they are of another model. They become bodies of ``body`` by their vertices
            alone; ``pose`` and ``betas`` are then what the file says in their stead, zeros where it says nothing, and
            only tell whether two rows are alike. ``None``: they are of ``body``.
        rows: (M,) of the file (or its companion). They are the annotation ids of a store that was made from that file.

    Raises:
        RawDataCorrupt: arrays that do not belong together.
    """

    keys: ByAnnotation | ByImage
    pose: np.ndarray
    betas: np.ndarray
    camera: np.ndarray | None
    frame: np.ndarray
    body: np.ndarray
    licences: Mapping[str, str]
    tolerance: Tolerance
    orthographic: bool = False
    origin: Literal["corner", "centre"] = "corner"
    body_fingerprint: str = ""
    extrinsics: np.ndarray | None = None
    points: np.ndarray | None = None
    other: OtherBodies | None = None
    rows: np.ndarray | None = None

    def __post_init__(self) -> None:
        arrays = {"pose": self.pose, "betas": self.betas, "frame": self.frame}
        shapes: dict[str, tuple[int, ...]] = {"pose": (72,), "betas": (10,), "frame": ()}
        for name in ("camera", "extrinsics"):
            if getattr(self, name) is not None:
                arrays[name], shapes[name] = getattr(self, name), (3, 4)
        if self.points is not None:
            arrays["points"], shapes["points"] = self.points, (*self.points.shape[1:2], 3)
        if isinstance(self.keys, ByImage):
            arrays["centres"], shapes["centres"] = self.keys.centres, (2,)
        else:
            arrays["ids"], shapes["ids"] = self.keys.ids, ()
        if self.rows is not None:
            arrays["rows"], shapes["rows"] = self.rows, ()
        require_numbers(arrays, shapes, len(self))
        if self.body.shape != (len(self),) or not np.isin(self.frame, range(len(FRAMES))).all():
            raise RawDataCorrupt(
                f"{self.body.shape} bodies, frames {np.unique(self.frame)}", expected="one for each row"
            )
        unfit = [body for body in np.unique(self.body).tolist() if not _BODY.fullmatch(str(body))]
        if unfit:
            raise RawDataCorrupt(f"fits of a body {str(unfit[0])[:40]!r}", expected="a name such as smpl-neutral")

    def __len__(self) -> int:
        return len(self.keys)

    def at(self, rows: np.ndarray) -> FitTable:
        """Some of its rows (K,), bodies of another model left out; their numbers in the file stay known."""
        keys = type(self.keys)(*(part[rows] for part in vars(self.keys).values()))
        names = ("pose", "betas", "camera", "frame", "body", "extrinsics", "points")
        parts = {name: part[rows] for name in names if (part := getattr(self, name)) is not None}
        numbers = rows if self.rows is None else self.rows[rows]
        return replace(self, keys=keys, rows=numbers, other=None, **parts)

    @property
    def kind(self) -> str:
        """Of the cameras, as sources call it."""
        return "none" if self.camera is None else "orthographic" if self.orthographic else "perspective"


def add_rows(array: np.ndarray, rows: np.ndarray) -> None:
    """Make an array longer by rows (K, …), where it lies: a second one would be large."""
    before = len(array)
    array.resize((before + len(rows), *array.shape[1:]), refcheck=False)
    array[before:] = rows


@dataclass(frozen=True)
class FitReader:
    """A format of fits.

    Attributes:
        read: reads a file (and its companion) into a table. Raises RawDataCorrupt.
        file: what the file is.
        companion: what the file is whose rows the fits follow; "" where they know their persons.
        licence: of published files.
        get: where they are had.
        version: raised when the same file is read otherwise, so that stores take it anew.
        files: the files that are read of a path, which may be a folder; the path itself where this is ``None``.
        raw: the data set whose own fits these are: its raw folder is read where no path is named.
        signs: by which a file is known where no format is named, all of one entry: members of an .npz, else texts in
            the first 64 MB (keys of JSON in their quotes). Empty: its format must be named.
    """

    read: Callable[[Path, Path | None], FitTable]
    file: str
    licence: str
    get: str
    companion: str = ""
    version: int = 1
    files: Callable[[Path], list[Path]] | None = None
    raw: str = ""
    signs: tuple[tuple[str, ...], ...] = ()
