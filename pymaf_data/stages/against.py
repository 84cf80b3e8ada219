"""Compare persons of a raw data set with a release of the same set, such as SPIN's npz: a row there, a person here.

Persons are matched by image and keypoints, else by centre, one to one; of names the ends count, since each side has
its own root. Coordinates are compared in the file's own pixels: the offset that led to continuous ones (``origin``) is
taken off again. What differs is counted by kind and named by its first rows; where the manifest says why a kind is to
be expected (``departures``), that is told with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.datasets import Raw
from pymaf_data.datasets.columns import PersonColumns
from pymaf_data.datasets.npz_rows import NpzRows
from pymaf_data.datasets.rules import OFFSETS
from pymaf_data.geometry.joints import J24, J49
from pymaf_data.stages.told import KINDS

_SAME = 0.01  # px; the file may hold float32
_SAME_SOLID = 1e-4  # metres
_PELVIS = J24.index("pelvis_mpii")
_NAMED = 3  # first rows
#: Why a kind is to be expected of any data set.
_WHY = {
    "openpose": "SPIN gives each person the detection nearest to it, which is somebody else's where it was not detected"
}


class Departure(StrictModel):
    """One kind of difference."""

    kind: str
    persons: int
    first: tuple[str, ...] = Field(description="the first of them, by their rows in the file")
    common: str = Field(default="", description="by how much, where that is the same for nine of ten")
    why: str = Field(default="", description="why it is to be expected, where the manifest says so")


class Against(StrictModel):
    """A release beside what is kept here."""

    file: Path
    rows: int = Field(description="persons of the file")
    both: int = Field(description="of them those that are kept here")
    same: int = Field(description="of these those that differ in nothing but their place in the order")
    offsets: tuple[float, float] = Field(description="px that keypoints and boxes here lie beyond the file's own")
    departures: tuple[Departure, ...]


class Difference(NamedTuple):
    """Of n persons on both sides: who differs in one thing, what is said of one of them, and of nearly all."""

    off: NDArray[np.bool_]
    said: Callable[[int], str]
    common: str = ""

    @classmethod
    def by(cls, off: NDArray[np.bool_], delta: NDArray[np.float64], unit: str) -> Difference:
        """By (n, …) numbers, here less there."""
        return cls(off, lambda one: _said(delta[one], unit), _common(delta[off], unit))


def compare(path: Path, records: PersonColumns, raw: Raw) -> Against:
    """What differs between a file and the persons kept of a raw data set.

    Raises:
        RawDataCorrupt, UntrustedData: the file is not of such rows.
    """
    release = NpzRows.of(path, ("part", "openpose", "S"))
    row = _matched(release, records)
    here, there = np.flatnonzero(row >= 0), row[row >= 0]
    with np.errstate(invalid="ignore", over="ignore"):  # the file's numbers may be anything
        differ = _of_boxes(release, there, records.column("box")[here], raw.offsets[1])
        differ |= _of_keypoints(release, there, records.column("keypoints")[here], raw.offsets[0])
        differ |= _of_solid(release, there, records.column("joints3d")[here])
    found = dict(_unmatched(release, records, row)) | {"order": _moved(release, there)}
    for kind, difference in differ.items():
        persons = sorted(np.flatnonzero(difference.off).tolist(), key=there.__getitem__)
        first = [f"{_called(release, there[one])}: {difference.said(one)}" for one in persons[:_NAMED]]
        found[kind] = len(persons), first
    return Against(
        file=path,
        rows=len(release),
        both=len(here),
        same=len(here) - int(np.any([difference.off for difference in differ.values()], axis=0).sum()),
        offsets=raw.offsets,
        departures=tuple(
            Departure(
                kind=kind,
                persons=found[kind][0],
                first=tuple(found[kind][1]),
                common=differ[kind].common if kind in differ else "",
                why=raw.manifest.departures.get(kind, _WHY.get(kind, "")),
            )
            for kind in KINDS
            if found[kind][0]
        ),
    )


def _matched(release: NpzRows, records: PersonColumns) -> NDArray[np.intp]:
    """(N,) the row of each person, −1: none. Keypoints tell whose a row is, else boxes."""
    from pymaf_data.fits.join import by_image  # which imports torch
    from pymaf_data.fits.readers.reader import ByImage

    names = [name or "" for name in release.texts["imgname"]]
    part = release.numbers.get("part", np.zeros((len(names), 24, 3), np.float32))
    keys, like = ByImage(np.array(names, str), release.numbers["center"]), (records.column("keypoints")[:, 25:], part)
    return by_image(keys, np.array(records.names)[records.name], records.column("box"), like)


def _called(release: NpzRows, row: int) -> str:
    return f"row {row} ({release.texts['imgname'][row]})"


def _unmatched(
    release: NpzRows, records: PersonColumns, row: NDArray[np.intp]
) -> Iterator[tuple[str, tuple[int, list[str]]]]:
    """Of both sides, how many are the other's not, and the first of them."""
    absent = np.setdiff1d(np.arange(len(release)), row).tolist()
    yield "missing_here", (len(absent), [_called(release, number) for number in absent[:_NAMED]])
    more, keys = np.flatnonzero(row < 0).tolist(), records.row_keys()
    yield "missing_there", (len(more), ["{} #{}".format(*keys[person]) for person in more[:_NAMED]])


def _moved(release: NpzRows, there: NDArray[np.intp]) -> tuple[int, list[str]]:
    """Who of both sides' persons has another place among them, and the first of them in the file."""
    place = np.argsort(there)  # of the first in the file, the second, …
    moved = np.flatnonzero(place != np.arange(len(place)))
    first = [f"{_called(release, there[place[one]])} is number {place[one]} here" for one in moved[:_NAMED].tolist()]
    return len(moved), first


def _of_boxes(release: NpzRows, there: NDArray[Any], box: NDArray[Any], shift: float) -> dict[str, Difference]:
    centre, side = release.numbers["center"][there], 200 * release.numbers["scale"][there]
    delta, cut = _apart(box[:, :2] - shift, centre)
    off = ~(np.abs(delta) <= _SAME).all(1)
    cut = off & (cut | (np.abs(delta) <= _SAME)).all(1)
    larger = (box[:, 2] - side)[:, None]
    return {
        "centre": Difference.by(off & ~cut, delta, "px"),
        "centre_truncated": Difference.by(cut, delta, "px"),
        "scale": Difference.by(~(np.abs(larger) <= _SAME)[:, 0], larger, "px of its side"),
    }


def _of_keypoints(release: NpzRows, there: NDArray[Any], ours: NDArray[Any], shift: float) -> dict[str, Difference]:
    own = _of_joints(release, "part", there, ours, shift)
    detected = _of_joints(release, "openpose", there, ours, OFFSETS["index"])
    off = np.any([difference.off for difference in detected.values()], axis=0)

    def said(one: int) -> str:
        return "; ".join(difference.said(one) for difference in detected.values() if difference.off[one])

    return own | {"openpose": Difference(off, said)}


def _of_solid(release: NpzRows, there: NDArray[Any], ours: NDArray[Any]) -> dict[str, Difference]:
    """Of (n, 24, 4) joints in metres, each side's seen from its own pelvis; of nobody where one side has none."""
    theirs = release.numbers["S"][there] if "S" in release.numbers and ours[..., 3].any() else 0 * ours
    delta = ours[..., :3] - theirs[..., :3]
    length = np.linalg.norm(delta - delta[:, [_PELVIS]], axis=2)
    known = (ours[..., 3] > 0) & (theirs[..., 3] > 0)
    apart = known & known[:, [_PELVIS]] & ~(length <= _SAME_SOLID)
    joint = apart.argmax(1)

    def said(one: int) -> str:
        return f"{J24.joints[joint[one]]} by {1000 * length[one, joint[one]]:.1f} mm"

    return {"joint3d": Difference(apart.any(1), said)}


def _of_joints(
    release: NpzRows, key: str, there: NDArray[Any], ours: NDArray[Any], shift: float
) -> dict[str, Difference]:
    """Of one half of J49; what one side has of nobody is not compared."""
    half = slice(25) if key == "openpose" else slice(25, 49)
    theirs, ours = np.zeros_like(ours), ours * np.isin(np.arange(len(J49)), np.arange(len(J49))[half])[:, None]
    if key in release.numbers and ours[..., 2].any():
        theirs[:, half] = release.numbers[key][there]
    else:
        ours[:] = 0
    delta, cut = _apart(ours[..., :2] - shift, theirs[..., :2])
    labelled: Any = np.stack([ours[..., 2] > 0, theirs[..., 2] > 0])
    apart = labelled.all(0) & ~(np.abs(delta) <= _SAME).all(2)
    cut = apart & (cut | (np.abs(delta) <= _SAME)).all(2)
    off = (apart & ~cut).any(1)
    alone: Any = labelled[0].astype(np.float64) - labelled[1]
    return {
        "labelled": Difference.by(alone.any(1), alone, "joints"),
        "keypoint": Difference.by(off, _first(delta, apart & ~cut), "px"),
        "keypoint_truncated": Difference.by(~off & cut.any(1), _first(delta, cut), "px"),
    }


def _apart(ours: NDArray[Any], theirs: NDArray[Any]) -> tuple[Any, Any]:
    """Ours less theirs, and whether theirs is ours without its fraction."""
    delta = ours.astype(np.float64) - theirs
    return delta, (theirs == np.trunc(theirs)) & (delta * np.where(ours < 0, -1, 1) > -_SAME) & (np.abs(delta) < 1)


def _first(delta: NDArray[np.float64], of: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n, 3): the first joint of each person that is marked, how far it is off in x and y."""
    joint = of.argmax(1)
    return np.column_stack([joint, delta[np.arange(len(joint)), joint]])


def _common(delta: NDArray[np.float64], unit: str) -> str:
    if unit == "joints" or len(delta) < _NAMED:
        return ""
    delta = delta[:, -2:]
    middle = np.median(delta, axis=0)
    return _said(middle, unit) if (np.abs(delta - middle) <= _SAME).all(1).mean() > 0.9 else ""


def _said(delta: NDArray[np.float64], unit: str) -> str:
    """Joints that are labelled here (+) or there (−) alone; or a joint and how far it is off."""
    if unit == "joints":
        sides = (("here", delta > 0), ("there", delta < 0))
        told = (
            f"{', '.join(J49.joints[j] for j in np.flatnonzero(on))} {side} alone" for side, on in sides if on.any()
        )
        return "; ".join(told)
    joint = f"{J49.joints[int(delta[0])]} " if len(delta) == 3 else ""
    return f"{joint}by " + ", ".join(f"{number:+.2f}" for number in delta[-2:]) + f" {unit}"
