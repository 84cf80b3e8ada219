"""One source of fits into one store: generation, shards, and what the reader is told."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pymaf_data.body import BodyModel, load_body
from pymaf_data.config import StrictModel
from pymaf_data.cores import available_cores
from pymaf_data.datasets.columns import stored_column
from pymaf_data.digest import digest_arrays, digest_json
from pymaf_data.errors import AssetMissing, FitError, StoreIncomplete, UsageError
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.plausibility import Plausibility, judge
from pymaf_data.fits.proof import Tolerance, prove_body, prove_join, prove_standing
from pymaf_data.fits.reprojection import Measures, joints49, measure, seen_joints
from pymaf_data.fits.silhouettes import Masks, masks_of
from pymaf_data.fits.source import Source
from pymaf_data.fits.table import JUDGED, REASONS, REASONS_OF_UNJUDGED, Fits, fit_specs, reason
from pymaf_data.geometry.frames import FRAMES
from pymaf_data.geometry.joints import J24
from pymaf_data.stages.executors import threads
from pymaf_data.stages.held import Held, assets_folder
from pymaf_data.stages.shards import Advance, Made, Mapper
from pymaf_data.storage import StageInfo, StageWriter, Store

logger = logging.getLogger(__name__)

# By what fits are judged, by the format of a generation, the newest first. 2: a frame in every row.
_FORMATS = {4: JUDGED, 3: JUDGED[:3], 2: ()}
_UNJUDGED = 2
_WORST = 5


def find_body(source: Source, assets: Path | None) -> Held[BodyModel] | None:
    """The body that a source's fits belong to, float64.

    ``None`` where this machine does not have that very body, or lacks what makes it of the file's bodies.
    """
    try:
        source.prepare(assets_folder(assets))
    except AssetMissing as error:
        logger.warning(
            "bodies of %s are not converted: %s %s %s", source.converted_from, error.found, error.expected, error.action
        )
        return None
    try:
        held = Held.of(load_body, source.body, assets_folder(assets), torch.float64)
    except (AssetMissing, UsageError) as error:
        logger.warning("fits of the body %s cannot be proved: %s", source.body, error.found)
        return None
    body = held.get()
    if source.body_fingerprint not in ("", body.fingerprint):
        stated, found = source.body_fingerprint[:12], body.fingerprint[:12]
        logger.warning("fits of a body %s with topology %s; the one here has %s", source.body, stated, found)
        return None
    return held


class SourceJob:
    """``fits/<name>`` of a store, as :func:`run_shards` takes it.

    Fits that an earlier version attached whole stay as they are, without what they are judged by since, until that is
    wanted.

    Args:
        store: to attach to.
        name: of the source.
        source: the fits.
        held: their body; ``None``: not there.
        judged: by which of :data:`~pymaf_data.fits.table.JUDGED` the choice judges fits.
        force: keep also a source that the proof refuses.

    Attributes:
        forced: why it was refused, once :meth:`begin` was called; "" where it was not.
    """

    files: tuple[Path, ...] = ()
    forced = ""

    def __init__(
        self,
        store: Store,
        name: str,
        source: Source,
        held: Held[BodyModel] | None,
        judged: Collection[str] = (),
        force: bool = False,
    ) -> None:
        self.store, self.source, self.held, self.force = store, source, held, force
        self.body = held.get() if held else None
        self.stage = self.remark = f"fits/{name}"
        self._joined: dict[int, tuple[Fits, Measures]] = {}
        ingest = store.current("ingest")
        if not ingest.complete:
            raise StoreIncomplete(
                f"{store.path} lacks shards of its persons",
                expected="a store that `pymaf-data ingest` has finished",
                action="run the same `pymaf-data ingest` again: it does what is missing.",
            )
        self._made_of: dict[str, Any] = {
            "persons": ingest.generation,
            "source": source.identity(),
            "body": self.body.digest if self.body else None,
        }
        if source.placed and self.body and stored_column(store, "has_intrinsics").rows(np.arange(len(store))).any():
            self._made_of["placed"] = True  # an earlier version saw them by π, along the box's ray
        enough = [form for form, measures in _FORMATS.items() if {*judged} <= {*measures}]
        self._format = next(filter(self._complete, enough), enough[0])

    @property
    def generation(self) -> str:
        """Digest of all that determines the fits; of a source that was forced it is another."""
        return self._digest(self._format, bool(self.forced))

    def _digest(self, form: int, forced: bool = False) -> str:
        return digest_json({"format": form} | self._made_of | ({"forced": True} if forced else {}))

    def begin(self, store: Store) -> StageWriter:
        """See :class:`ShardJob`; refuses a source of other persons, which must not stay as an unfinished stage."""
        if self.source.tolerance is not None and not self._complete(self._format):
            self._joined = self._proved(self.source.tolerance)
        specs = fit_specs(store.shard, bool(self.source.converted_from), _FORMATS[self._format])
        return store.stage(self.stage, self.generation, specs, self._attributes())

    def task(self, shard: int, rows: slice) -> FitTask:
        """See :class:`ShardJob`. What is joined was posed when it was proved; the task fits the rest."""
        source = self.source
        fits, persons, masks = self._joined.get(shard, source), Persons.of(self.store, rows), masks_of(self.store, rows)
        return FitTask(persons, masks, fits, self.held, source.camera, source.worst_reprojection)

    def _attributes(self) -> dict[str, object]:
        source, body = self.source, self.body
        return {
            "body": source.body,
            "body_fingerprint": body.fingerprint if body else source.body_fingerprint,
            "body_digest": body.digest if body else "",
            "proved": body is not None,
            "source": source.identity(),
            "native_kind": source.camera,
            "frames": list(FRAMES),
            "reasons": list(REASONS_OF_UNJUDGED if self._format == _UNJUDGED else REASONS),
            "licences": source.licences,
            **({"converted_from": source.converted_from} if source.converted_from else {}),
            **({"forced": self.forced} if self.forced else {}),
        }

    def _looks(self, rows: np.ndarray) -> str:
        persons = Persons.at(self.store, Persons.arrays(self.store), rows)
        return self.source.looks(persons, self.body) if self.body else ""

    def _complete(self, form: int) -> bool:
        """Whether the fits are there whole; that they were forced is found again where they are."""
        done = {info.generation: info for info in self.store.stages() if info.stage == self.stage and info.complete}
        if self._digest(form) in done:
            return True
        by_force = done.get(self._digest(form, True)) if self.force else None
        self.forced = str(by_force.attributes["forced"]) if by_force else ""
        return by_force is not None

    def _proved(self, tolerance: Tolerance) -> dict[int, tuple[Fits, Measures]]:
        """Every shard's fits: joined, posed and proved once, for all persons together.

        Raises:
            FitError: the source belongs to other persons, and is not forced.
        """
        persons = Persons.whose(self.store)
        fits = self.source.fits(persons, self.body)
        spans = [slice(first, first + self.store.shard) for first in range(0, len(persons), self.store.shard)]

        def measured(span: slice) -> Measures:
            return _measured(fits[span], Persons.of(self.store, span), self.body, self.source.camera)

        # Shard by shard, so that a batch of posed bodies, and with it the last bit, is the same in every run.
        with threads(available_cores()) as each:
            made = [*each(measured, spans)]
        joined = np.flatnonzero(fits.valid)
        reprojection = np.concatenate([measures.reprojection for measures in made])[joined]
        far = np.zeros(len(fits), bool)
        try:
            far[joined] = self._far(persons, fits, joined, reprojection, tolerance)
        except FitError as refusal:
            if not self.force:
                raise
            self.forced = refusal.found
            logger.warning("attached by force: %s", self.forced)
        return {k: _without_far(fits[span], made[k], far[span], self.body) for k, span in enumerate(spans)}

    def _far(
        self, persons: Persons, fits: Fits, joined: np.ndarray, reprojection: np.ndarray, tolerance: Tolerance
    ) -> np.ndarray:
        """(K,) which of the joined rows are not proved.

        Raises:
            FitError: the source belongs to other persons.
        """
        origin = self.stage if self.force else self.source.origin  # what is refused by force is kept: it names no path
        lost = (fits.reason == reason("camera not solvable")) & (self.body is not None)
        found = np.flatnonzero(fits.valid | lost)
        prove_standing(origin, int(lost.sum()), len(found), lambda: self._looks(found))
        far = prove_join(origin, persons, reprojection, tolerance, lambda: self._looks(joined), joined)
        if self.body is None or tolerance.metres is None:
            return far
        measured = stored_column(self.store, "joints3d").rows(joined)
        posed = [joints49(self.body, fits, joined[k : k + 512]) for k in range(0, len(joined), 512)]
        joints = np.concatenate([np.empty((0, len(J24), 3)), *(part[:, -len(J24) :].numpy() for part in posed)])
        return far | prove_body(origin, self.source.body, joints, measured, tolerance.metres)


@dataclass(frozen=True)
class FitTask:
    """The fits of one shard.

    Args:
        persons: of the shard.
        masks: theirs; ``None`` where the store has none.
        fits: theirs with their measures, or the source that makes them.
        held: the body; ``None`` where it is not there.
        camera: what the native cameras are.
        limit: view pixels of mean reprojection above which a fit is not valid.
    """

    persons: Persons
    masks: Masks | None
    fits: tuple[Fits, Measures] | Source
    held: Held[BodyModel] | None
    camera: str
    limit: float | None

    def make(self, each: Mapper, advance: Advance) -> Made:
        """See :class:`ShardTask`."""
        told = 0

        def tell(done: int) -> None:
            nonlocal told
            advance(done - told)
            told = done

        persons = self.persons
        fits, measures = self.fits if isinstance(self.fits, tuple) else self._fitted(self.fits, tell)
        tell(len(persons))
        body = self.held.get() if self.held else None
        judged = judge(body, fits, measures.weak_camera, persons, self.masks, self.camera)
        inputs = [np.asarray(value) for value in vars(persons).values() if value.dtype.kind != "U"]
        if self.masks is not None:
            inputs.append(np.frombuffer(b"\0".join(mask for mask, _ in self.masks), np.uint8))
        return Made(_rows(fits, measures, judged), digest_arrays(*inputs))

    def _fitted(self, source: Source, tell: Advance) -> tuple[Fits, Measures]:
        body = self.held.get() if self.held else None
        fits = source.fits(self.persons, body, tell)
        measures = _measured(fits, self.persons, body, self.camera)
        limit = np.inf if self.limit is None else self.limit
        return _without_far(fits, measures, seen_joints(self.persons).any(1) & (measures.reprojection > limit), body)


def _measured(fits: Fits, persons: Persons, body: BodyModel | None, camera: str) -> Measures:
    return Measures.unknown(len(fits)) if body is None else measure(body, fits, persons, camera)


def _without_far(fits: Fits, measures: Measures, far: np.ndarray, body: BodyModel | None) -> tuple[Fits, Measures]:
    if body is not None:
        fits.native[:] = measures.native  # of a source without any: those that were solved
        fits.drop(~measures.solvable, "camera not solvable")
    fits.drop(far, "reprojection too large")
    return fits, measures.only(fits.valid)


def _rows(fits: Fits, measures: Measures, judged: Plausibility) -> dict[str, np.ndarray]:
    return {
        "pose": fits.pose.astype(np.float32),
        "betas": fits.betas.astype(np.float32),
        "native": fits.native,
        "frame": fits.frame,
        "weak_camera": measures.weak_camera.astype(np.float32),
        "weak_residual": measures.weak_residual.astype(np.float32),
        "valid": fits.valid,
        "reason": fits.reason.astype(np.uint8),
        "reprojection": measures.reprojection.astype(np.float32),
        **({} if fits.conversion is None else {"conversion": fits.conversion.astype(np.float32)}),
        **{name: values.astype(np.float32) for name, values in vars(judged).items()},
        "mirrored": measures.mirrored.astype(np.float32),
        "scale": measures.scale.astype(np.float32),
    }


class Distances(StrictModel):
    """View pixels over the valid fits of a source."""

    median: float
    p90: float
    maximum: float


class Conversion(StrictModel):
    """What is left of bodies of another model that became those of a source, over its valid fits."""

    model: str
    median: tuple[float, float]
    """Millimetres and degrees."""
    p95: tuple[float, float]


class SourceReport(StrictModel):
    """What a source gave a store."""

    name: str
    body: str
    proved: bool
    forced: str
    """Why the proof refused what was attached by force; "" where it did not."""
    persons: int
    valid: int
    without: dict[str, int]
    """Persons without a fit, by reason."""
    reprojection: Distances | None
    weak_residual: Distances | None
    conversion: Conversion | None
    worst: tuple[str, ...]
    """The persons that reproject worst, with their pixels."""
    shards: int
    shards_written: int


def report_source(store: Store, name: str, written: int) -> SourceReport:
    """Sum up a source as it stands in a store."""
    stage = f"fits/{name}"
    info = store.current(stage)
    codes, reprojection, residual = (
        store.array(f"{stage}/{key}")[:] for key in ("reason", "reprojection", "weak_residual")
    )
    counts = Counter(codes.tolist())
    known = (codes == reason("")) & np.isfinite(reprojection)
    order = np.argsort(np.where(known, -reprojection, np.inf), kind="stable")[: min(_WORST, int(known.sum()))]
    keys = store.rows
    return SourceReport(
        name=name,
        body=info.attributes["body"],
        proved=info.attributes["proved"],
        forced=info.attributes.get("forced", ""),
        persons=len(store),
        valid=counts[0],
        without={REASONS[code]: count for code, count in sorted(counts.items()) if code},
        reprojection=_distances(reprojection[known]),
        weak_residual=_distances(residual[known]),
        conversion=_conversion(store, info, codes == reason("")),
        worst=tuple(f"{keys[i][0]} #{keys[i][1]}: {reprojection[i]:.1f} px" for i in order.tolist()),
        shards=info.record.shards,
        shards_written=written,
    )


def _conversion(store: Store, info: StageInfo, valid: np.ndarray) -> Conversion | None:
    if "conversion" not in info.record.specs or not valid.any():
        return None
    left = store.array(f"{info.stage}/conversion")[:][valid]
    median, p95 = (tuple(np.percentile(left, q, axis=0).tolist()) for q in (50, 95))
    return Conversion(model=info.attributes["converted_from"], median=median, p95=p95)


def _distances(values: np.ndarray) -> Distances | None:
    if not len(values):
        return None
    median, p90, maximum = (float(np.percentile(values, q)) for q in (50, 90, 100))
    return Distances(median=median, p90=p90, maximum=maximum)
