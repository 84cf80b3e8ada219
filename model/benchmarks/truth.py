"""The true bodies of a store's persons: fits of the formats that a benchmark takes its truth from.

Each stands in a source of its own body (``fits/3dpw.smpl-male``); a person has the first that there is. Of a store that
was made of a file with bodies (``npz``), that file has those of persons who have none in the store.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pymaf_data.body import BodyModel, load_body
from pymaf_data.datasets.columns import stored_column
from pymaf_data.errors import AssetError, AssetMismatch
from pymaf_data.fits.chosen import ChosenFits, SourceReader
from pymaf_data.geometry.cameras import Camera
from pymaf_data.geometry.frames import intrinsics_of
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.storage import Store

from .truth_file import fits_of_file

Rows = NDArray[np.int64]
NEUTRAL = "smpl-neutral"


class _Reader(Protocol):
    @property
    def camera(self) -> str: ...

    def read(self, rows: Rows) -> ChosenFits: ...


class Source(NamedTuple):
    """Fits of one body, and that body where it is here; else why not."""

    reader: _Reader
    rows: Rows  # of the store, that have a fit in it
    name: str
    body: BodyModel | None
    fault: str


class TrueBodies:
    """Gendered or neutral, of the rows of a store.

    Attributes:
        lacking: why there are no true bodies for some or all persons; "" where nothing is amiss.
        names: of the bodies that the truth is of.

    Args:
        store: the persons.
        formats: of the fits that are the truth.
        assets: where licensed bodies lie; ``None``: below the data root.
        body: the body to put pose and shape on, instead of each one's own: "smpl-neutral".
        raw: the file that the store was made of, or its folder; ``None``: below the data root.
        refused: bodies that are no truth, "smpl-neutral" where it is to be of each person's gender.

    Raises:
        EvaluationError: ``raw`` is another file.
    """

    def __init__(
        self,
        store: Store,
        formats: Sequence[str],
        assets: Path | None,
        body: str | None = None,
        raw: Path | None = None,
        refused: Sequence[str] = (),
    ) -> None:
        self._store = store
        self._last: tuple[tuple[bytes, str], Tensor] | None = None
        self._copies: dict[tuple[str, str], BodyModel] = {}
        infos = [info for info in store.stages() if info.stage.startswith("fits/") and info.current]
        found = {info.stage: info for info in infos if info.attributes.get("source", {}).get("format") in formats}
        order = sorted(found, key=lambda stage: formats.index(found[stage].attributes["source"]["format"]))
        self._sources = [attached(SourceReader(store, found[stage]), len(store), assets, body) for stage in order]
        self._mine = np.full(len(store), -1, np.int64)
        for index in reversed(range(len(self._sources))):
            self._mine[self._sources[index].rows] = index
        if "npz" in formats and (self._mine < 0).any():
            for fits in fits_of_file(store, raw, assets):
                rows = np.flatnonzero((fits.place >= 0) & (self._mine < 0))
                self._mine[rows] = len(self._sources)
                self._sources.append(Source(fits, rows, fits.body, *_loaded(body or fits.body, assets)))
        self._sources = [_refused(source) if source.name in refused else source for source in self._sources]
        self.names = frozenset(source.name for source in self._sources)
        faults = [source.fault for source in self._sources if source.fault and len(source.rows)]
        nothing = f"{store.path.name} has no fits of {' or '.join(formats)}: attach them (`attach-fits --fits`)"
        if store.head["dataset"] == "npz":
            nothing += ", or name the file that it was made of by --raw"
        self.lacking = "" if self and not faults else "; ".join(dict.fromkeys(faults)) or nothing

    def __bool__(self) -> bool:
        return any(source.body is not None and len(source.rows) for source in self._sources)

    def require(self, body: BodyModel) -> None:
        """Refuse to compare vertices with those of another mesh.

        Raises:
            AssetMismatch: it has another topology.
        """
        for source in self._sources:
            if source.body is not None and source.body.fingerprint != body.fingerprint:
                raise AssetMismatch(
                    f"bodies of {body.name} are to be measured against the body {source.body.name}",
                    expected="a mesh of the same vertices and faces",
                    action="measure a checkpoint that was trained on that body.",
                )

    def known(self, rows: Rows) -> NDArray[np.bool_]:
        """(K,) whether the person has a true body whose model is here."""
        here = np.array([source.body is not None for source in self._sources] + [False])
        return here[self._mine[rows]]

    def left_out(self, rows: Rows) -> list[str]:
        """What to say of those among K persons who have no true body here, and why; nothing where all have."""
        count = int((~self.known(rows)).sum())
        why = f": {self.lacking}" if self.lacking else ""
        return [f"{count:,} of {len(rows):,} persons are left out: they have no true body here{why}"] if count else []

    def intrinsics(self, rows: Rows) -> NDArray[np.float64]:
        """(K, 3, 3) of the native cameras of the true bodies, body or no body; NaN where they say none."""
        found = np.full((len(rows), 3, 3), np.nan)
        for index, source in enumerate(self._sources):
            mine = np.flatnonzero(self._mine[rows] == index)
            if len(mine) and source.reader.camera == "perspective":
                found[mine] = intrinsics_of(source.reader.read(rows[mine]).native)
        return found

    def groups(self, rows: Rows) -> list[tuple[NDArray[np.int64], BodyModel, ChosenFits]]:
        """The persons of each body among K: (places among the K, the body, their fits)."""
        found = []
        for index, source in enumerate(self._sources):
            mine = np.flatnonzero(self._mine[rows] == index)
            if source.body is not None and len(mine):
                fits = source.reader.read(rows[mine])
                found.append((mine[fits.valid], source.body, fits[np.flatnonzero(fits.valid)]))
        return found

    def seen(self, rows: Rows) -> list[tuple[NDArray[np.int64], BodyModel, ChosenFits, Camera]]:
        """As :meth:`groups`, with the cameras that see them: metres → continuous pixels of the original image."""
        box, plane = stored_column(self._store, "box").rows(rows), np.eye(2, 3)
        kinds = [source.reader.camera for source in self._sources]
        return [
            (places, body, fits, fits.cameras(kinds[self._mine[rows[places[0]]]], box[places], plane))
            for places, body, fits in self.groups(rows)
            if len(places)
        ]

    def vertices(self, rows: Rows, device: torch.device | str = "cpu") -> Tensor:
        """(K, V, 3) metres without translation, seen by the camera of the image; NaN without a true body.

        Those of the rows that were asked for last are kept: every iteration is measured against them.

        Args:
            rows: K rows.
            device: where they are posed.
        """
        asked = (rows.tobytes(), str(device))
        if self._last is None or self._last[0] != asked:
            V = next(len(source.body.v_template) for source in self._sources if source.body is not None)
            out = torch.full((len(rows), V, 3), torch.nan, device=device)
            for places, body, fits in self.groups(rows):
                pose, betas = pose_of(fits).to(device), torch.from_numpy(fits.betas).to(device)
                out[torch.from_numpy(places).to(device)] = self._on(body, device).mesh(pose, betas).to(out)
            self._last = asked, out
        return self._last[1]

    def _on(self, body: BodyModel, device: torch.device | str) -> BodyModel:
        """A body, or its copy on another device, made once."""
        if body.v_template.device == torch.device(device):
            return body
        key = body.name, str(device)
        if key not in self._copies:
            self._copies[key] = copy.deepcopy(body).to(device)
        return self._copies[key]

    def skeletons(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """SMPL's joints (K, 24, 3), metres without translation, and their rotations (K, 24, 3, 3) from the T-pose, both
        seen by the camera of the image; NaN without a true body."""
        joints, turns = torch.full((len(rows), 24, 3), torch.nan), torch.full((len(rows), 24, 3, 3), torch.nan)
        for places, body, fits in self.groups(rows):
            transforms, skeleton = body.kinematics(pose_of(fits), torch.from_numpy(fits.betas))
            joints[torch.from_numpy(places)] = skeleton.to(joints)
            turns[torch.from_numpy(places)] = transforms[..., :3].to(turns)
        return joints, turns


def pose_of(fits: ChosenFits) -> Tensor:
    """(K, 24, 3, 3) float32 rotations of fits."""
    return axis_angle_to_matrix(torch.from_numpy(fits.pose).view(-1, 24, 3))


def attached(reader: SourceReader, persons: int, assets: Path | None, instead: str | None = None) -> Source:
    """A source of a store of so many persons, with its own body or the one ``instead``."""
    name, rows = str(reader.info.attributes["body"]), np.flatnonzero(reader.array("valid").rows(np.arange(persons)))
    body, fault = _loaded(instead or name, assets)
    stated = reader.info.attributes["body_digest"]
    if body is not None and instead is None and stated and stated != body.digest and reader.info.attributes["proved"]:
        body, fault = None, f"the body {name} here is another than the one its fits were proved with"
    return Source(reader, rows, name, body, fault)


def _loaded(name: str, assets: Path | None) -> tuple[BodyModel | None, str]:
    try:
        return load_body(name, assets), ""
    except AssetError as error:
        return None, f"the body {name} is not here: {error.found}"


def _refused(source: Source) -> Source:
    fault = f"fits of the body {source.name} are no gendered truth; --option truth=neutral takes them"
    return source._replace(body=None, fault=fault)
