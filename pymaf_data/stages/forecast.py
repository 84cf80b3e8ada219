"""What a data set costs before it is there: room for its downloads and its store, and time."""

from __future__ import annotations

import os

from pydantic import Field

from pymaf_data.config import StrictModel
from pymaf_data.datasets import Manifest
from pymaf_data.stages.ingest_shard import array_specs
from pymaf_data.stages.options import IngestOptions

PERSONS_PER_SECOND = 330
"""That one core ingests: benchmarks/results/ingest.json, images of 640 × 427; larger ones take longer to decode."""
MEGABITS = 100
"""Of the line that is counted with, per second."""
_NAME = 64  # bytes of an image's name


class Forecast(StrictModel):
    """About what it takes."""

    download_bytes: int = Field(description="of the downloads whose size is known; archives need not be unpacked")
    unknown: int = Field(description="downloads whose size is not known")
    download_seconds: float
    store_bytes: dict[str, int] = Field(description="split → crops and rows of the persons that are expected")
    ingest_seconds: dict[str, float] = Field(description="split → on all cores of this machine")


def forecast(manifest: Manifest, persons: dict[str, int]) -> Forecast:
    """Estimate from sizes and counts that the manifest says, and rates that were measured.

    Args:
        manifest: of the data set.
        persons: of each split of which that is known.
    """
    options = IngestOptions(dataset=manifest.name)
    row = sum(spec.estimated_row_bytes for spec in array_specs(options.crop_size, _NAME, options.shard))
    sizes = [item.bytes for item in manifest.get]
    return Forecast(
        download_bytes=sum(sizes),
        unknown=sizes.count(0),
        download_seconds=sum(sizes) * 8 / (MEGABITS * 1e6),
        store_bytes={split: round(count * row) for split, count in persons.items()},
        ingest_seconds={split: count / PERSONS_PER_SECOND / (os.cpu_count() or 1) for split, count in persons.items()},
    )
