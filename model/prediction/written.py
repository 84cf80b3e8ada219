"""What was predicted, on disk.

    predictions.npz    a table of fits (docs/fits-table.md): `attach-fits --fits table:predictions.npz` reads it
    predictions.json   all of it, a person a line: parameters, cameras of both kinds, keypoints, the files drawn

The JSON is written last: where it is, all of it is.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_data.config import StrictModel
from pymaf_data.datasets.video import frame_of
from pymaf_data.geometry.joints import J49
from pymaf_data.storage.files import LocalFiles

from ..networks.network import Network
from .bodies import Bodies, axis_angles
from .seen import Seen

NPZ, JSON = "predictions.npz", "predictions.json"
_DIGITS = 6
_UNKNOWN = "not known: the checkpoint does not say"


class Counts(StrictModel):
    """How much was predicted."""

    images: int
    """Stills and frames."""
    persons: int
    """On them: somebody in a video once for each frame."""
    frames: int
    """Those of the images that are of videos."""
    followed: int
    """Those of the persons that are on frames."""
    tracks: int
    """How many they are: the different persons of every video."""

    def said(self) -> str:
        """The counts for a reader."""
        stills = f"{_count(self.persons - self.followed, 'person')} on {_count(self.images - self.frames, 'image')}"
        different = _count(self.tracks, "different person" if self.tracks > 1 else "person")
        videos = f"{different} on {_count(self.frames, 'frame')}, {self.followed:,} bodies in all"
        return "; ".join([stills] * (self.images > self.frames) + [videos] * bool(self.frames))


class Table:
    """Gathers what was predicted, image by image."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, seen: Seen, bodies: Bodies, files: Sequence[Sequence[str]]) -> None:
        """The persons of an image, with the files that show each."""
        pose, root = axis_angles(bodies.rotation).reshape(-1, 72), axis_angles(bodies.root)
        for k, person in enumerate(seen.persons):
            self._rows.append(
                {
                    "image": seen.name,
                    "person": person.number,
                    **({"frame": seen.frame} if seen.frame >= 0 else {}),
                    **({"track": person.track} if person.track >= 0 else {}),
                    "box": seen.box[k],
                    "pose": pose[k],
                    "betas": bodies.betas[k],
                    "pi": bodies.pi[k],
                    "camera": bodies.camera[k],
                    "keypoints": bodies.keypoints[k],
                    "before_K": _before(bodies, root, k),
                    "files": list(files[k]),
                }
            )

    def counts(self) -> Counts:
        """Of all that was added."""
        frames = [row for row in self._rows if "frame" in row]
        return Counts(
            images=len({row["image"] for row in self._rows}),
            persons=len(self._rows),
            frames=len({row["image"] for row in frames}),
            followed=len(frames),
            tracks=len({(frame_of(row["image"]).file, row["track"]) for row in frames}),
        )

    def write(self, folder: Path, model: Network, about: dict[str, Any]) -> tuple[Path, Path]:
        """Write both files.

        Args:
            folder: where to.
            model: whose bodies they are.
            about: of the network and the run, for the JSON's head.
        """
        head = {**about, "frame": model.frame, "body": model.body.name, "joints": list(J49.joints)}
        files = LocalFiles(folder)
        files.write({NPZ: [self._npz(model, licences_of(about))]}, temporary="")
        files.write({JSON: self._lines(head)}, temporary="")
        return folder / NPZ, folder / JSON

    def _npz(self, model: Network, licences: str) -> bytes:
        shapes = {"box": (3,), "pose": (72,), "betas": (10,), "pi": (3,)}
        columns = {
            name: np.array([row[name] for row in self._rows], np.float64).reshape(-1, *shape)
            for name, shape in shapes.items()
        }
        names = np.array([row["image"] for row in self._rows], str)
        texts = {"frame": model.frame, "body": model.body.name, "licence": licences, "pixels": "continuous"}
        arrays: dict[str, Any] = {"image": names, **columns, **{key: np.array(text) for key, text in texts.items()}}
        content = io.BytesIO()
        np.savez_compressed(content, **arrays)
        return content.getvalue()

    def _lines(self, head: dict[str, Any]) -> Iterator[bytes]:
        yield f'{json.dumps(head, indent=1)[:-2]},\n "persons": ['.encode()
        for k, row in enumerate(self._rows):
            yield f"{',' if k else ''}\n  {json.dumps({name: _plain(value) for name, value in row.items()})}".encode()
        yield b"\n ]\n}\n"


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _before(bodies: Bodies, root: np.ndarray, k: int) -> dict[str, Any] | None:
    """The body before the image's camera K; None where it cannot stand there."""
    if not np.isfinite(bodies.translation[k]).all():
        return None
    return {
        "K": _plain(bodies.intrinsics),
        "root": _plain(root[k]),
        "translation": _plain(bodies.translation[k]),
        "residual": _plain(bodies.residual[k]),
    }


def _plain(value: Any) -> Any:
    return np.round(value, _DIGITS).tolist() if isinstance(value, np.ndarray | np.floating) else value


def licences_of(about: Mapping[str, Any]) -> str:
    """Under what a network's predictions stand: everything that it learned from, in words."""
    known = about.get("licences") or {}
    return "; ".join(f"{what}: {licence}" for what, licence in known.items()) or _UNKNOWN
