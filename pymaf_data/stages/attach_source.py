"""One source of fits into one store: generation, shards, and what the reader is told."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from pymaf_data.body import BodyModel, load_body
from pymaf_data.config import StrictModel
from pymaf_data.digest import digest_arrays, digest_json
from pymaf_data.errors import AssetMissing, StoreIncomplete, UsageError
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.proof import Tolerance, prove_join
from pymaf_data.fits.reprojection import Measures, measure, seen_joints
from pymaf_data.fits.source import Source
from pymaf_data.fits.table import REASONS, Fits, fit_specs, reason
from pymaf_data.geometry.frames import FRAMES
from pymaf_data.progress import Progress
from pymaf_data.storage import Store

logger = logging.getLogger(__name__)

# 2: a frame in every row.
_FORMAT = 2
_WORST = 5


def find_body(source: Source, assets: Path | None) -> BodyModel | None:
    """The body that a source's fits belong to, float64; ``None`` where this machine does not have that very body."""
    try:
        body = load_body(source.body, assets, torch.float64)
    except (AssetMissing, UsageError) as error:
        logger.warning("fits of the body %s cannot be proved: %s", source.body, error.found)
        return None
    if source.body_fingerprint not in ("", body.fingerprint):
        stated, found = source.body_fingerprint[:12], body.fingerprint[:12]
        logger.warning("fits of a body %s with topology %s; the one here has %s", source.body, stated, found)
        return None
    return body


class SourceWriter:
    """Writes ``fits/<name>`` of a store, whose lock for that stage is held."""

    def __init__(self, store: Store, name: str, source: Source, body: BodyModel | None) -> None:
        self.store, self.source, self.body = store, source, body
        self.stage = f"fits/{name}"
        ingest = store.current("ingest")
        if not ingest.complete:
            raise StoreIncomplete(
                f"{store.path} lacks shards of its persons",
                expected="a store that `pymaf-data ingest` has finished",
                action="run the same `pymaf-data ingest` again: it does what is missing.",
            )
        self.generation = digest_json(
            {
                "format": _FORMAT,
                "persons": ingest.generation,
                "source": source.identity(),
                "body": body.digest if body else None,
            }
        )

    def write(self, progress: Progress | None) -> int:
        """Write the shards that are missing; returns how many."""
        tolerance = self.source.tolerance
        # Before anything is written: a refused source must not stay as an unfinished stage.
        joined = self._joined(tolerance, progress) if tolerance is not None and not self._complete() else {}
        writer = self.store.stage(self.stage, self.generation, fit_specs(self.store.shard), self._attributes())
        missing = writer.missing()
        total = sum(writer.rows(k).stop - writer.rows(k).start for k in missing)
        done = 0
        for shard in missing:
            persons = Persons.of(self.store, writer.rows(shard))
            before = done

            def tell(count: int, before: int = before) -> None:
                if progress:
                    progress(before + count, total, self.stage)

            fits, measures = joined.pop(shard) if joined else self._fitted(persons, tell)
            inputs = digest_arrays(*(np.asarray(value) for value in vars(persons).values() if value.dtype.kind != "U"))
            writer.write_shard(shard, _rows(fits, measures), inputs)
            done += len(persons)
            tell(len(persons))
        writer.finish()
        return len(missing)

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
            "reasons": list(REASONS),
            "licences": source.licences,
        }

    def _complete(self) -> bool:
        key = (self.stage, self.generation)
        return any((info.stage, info.generation) == key and info.complete for info in self.store.stages())

    def _joined(self, tolerance: Tolerance, progress: Progress | None) -> dict[int, tuple[Fits, Measures]]:
        """Every shard's fits: joined, posed and proved once, for all persons together.

        Raises:
            FitError: the source belongs to other persons.
        """
        persons = Persons.of(self.store)
        fits = self.source.fits(persons, self.body)
        spans = [slice(first, first + self.store.shard) for first in range(0, len(persons), self.store.shard)]
        # Shard by shard, so that a batch of posed bodies, and with it the last bit, is the same in every run.
        made = []
        for span in spans:
            made.append(self._measured(fits[span], persons[span]))
            if progress:
                progress(min(span.stop, len(persons)), len(persons), f"{self.stage}: proof")
        joined = np.flatnonzero(fits.valid)
        reprojection = np.concatenate([measures.reprojection for _, measures in made])[joined]
        far = np.zeros(len(fits), bool)
        far[joined] = prove_join(self.source.origin, persons[joined], reprojection, tolerance)
        return {k: _without_far(*made[k], far[span]) for k, span in enumerate(spans)}

    def _fitted(self, persons: Persons, tell: Callable[[int], None]) -> tuple[Fits, Measures]:
        fits, measures = self._measured(self.source.fits(persons, self.body, tell), persons)
        limit = self.source.worst_reprojection
        far = seen_joints(persons).any(1) & (measures.reprojection > (np.inf if limit is None else limit))
        return _without_far(fits, measures, far)

    def _measured(self, fits: Fits, persons: Persons) -> tuple[Fits, Measures]:
        if self.body is None:
            return fits, Measures.unknown(len(fits))
        measures = measure(self.body, fits, persons, self.source.camera)
        return fits.without(~measures.solvable, "camera not solvable"), measures


def _without_far(fits: Fits, measures: Measures, far: np.ndarray) -> tuple[Fits, Measures]:
    fits = fits.without(far, "reprojection too large")
    return fits, measures.only(fits.valid)


def _rows(fits: Fits, measures: Measures) -> dict[str, np.ndarray]:
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
    }


class Distances(StrictModel):
    """View pixels over the valid fits of a source."""

    median: float
    p90: float
    maximum: float


class SourceReport(StrictModel):
    """What a source gave a store."""

    name: str
    body: str
    proved: bool
    persons: int
    valid: int
    without: dict[str, int]
    """Persons without a fit, by reason."""
    reprojection: Distances | None
    weak_residual: Distances | None
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
        persons=len(store),
        valid=counts[0],
        without={REASONS[code]: count for code, count in sorted(counts.items()) if code},
        reprojection=_distances(reprojection[known]),
        weak_residual=_distances(residual[known]),
        worst=tuple(f"{keys[i][0]} #{keys[i][1]}: {reprojection[i]:.1f} px" for i in order.tolist()),
        shards=info.record.shards,
        shards_written=written,
    )


def _distances(values: np.ndarray) -> Distances | None:
    if not len(values):
        return None
    median, p90, maximum = (float(np.percentile(values, q)) for q in (50, 90, 100))
    return Distances(median=median, p90=p90, maximum=maximum)
