"""The images of a page: a person's panels as WebP, drawn in batches so that memory stays small."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pymaf_data.body import BodyModel, load_body
from pymaf_data.errors import AssetMissing, UsageError
from pymaf_data.fits.chosen import ChosenReader
from pymaf_data.paths import DataRoot
from pymaf_data.report.panels import Image
from pymaf_data.report.persons import FIT, IUV, KEYPOINTS, SIDE, person_rows
from pymaf_data.report.sheet import SheetRow
from pymaf_data.storage import Store

PANELS = {"keypoints": KEYPOINTS, "fit": FIT, "side": SIDE, "iuv": IUV}
"""Name in the page's data → column of the contact sheet."""

_BATCH = 16  # a batch of posed bodies and crops takes 30 MB
_QUALITY = 78


@dataclass(frozen=True)
class Bodies:
    """The bodies that a store's chosen fits belong to, as far as they are here.

    Attributes:
        of_source: source index → body name.
        loaded: body name → body; absent where its file is not here or is not the one that was fitted.
    """

    of_source: Mapping[int, str]
    loaded: Mapping[str, BodyModel]

    @classmethod
    def of(cls, store: Store) -> Bodies:
        """Load what can be loaded, from the data root's assets."""
        if not store.has("choice"):
            return cls({}, {})
        chosen, names = ChosenReader(store), {}
        loaded: dict[str, BodyModel] = {}
        for index in range(len(chosen.names)):
            attributes = chosen.source(index).attributes
            names[index] = str(attributes["body"])
            body = loaded.get(names[index]) or body_with(names[index], str(attributes["body_digest"]))
            if body is not None:
                loaded[names[index]] = body
        return cls(names, loaded)

    @property
    def missing(self) -> list[str]:
        """Bodies whose fits cannot be drawn."""
        return sorted(set(self.of_source.values()) - set(self.loaded))


def body_with(name: str, digest: str) -> BodyModel | None:
    """A body of the data root's assets; None where its file is not here, or is another than the digest names."""
    try:
        body = load_body(name, DataRoot.default().assets)
    except (AssetMissing, UsageError):
        return None
    return body if body.digest == digest else None


def draw_rows(store: Store, rows: Sequence[int], bodies: Bodies) -> Iterator[tuple[int, SheetRow]]:
    """(place in ``rows``, panels) of each row, in batches of one body; every row comes once."""
    source = ChosenReader(store).sources_of(np.asarray(rows, np.int64), True) if store.has("choice") else None
    names = [bodies.of_source.get(int(source[k]), "") if source is not None else "" for k in range(len(rows))]
    for name in sorted(set(names)):
        mine = [place for place, own in enumerate(names) if own == name]
        body = bodies.loaded.get(name)
        for first in range(0, len(mine), _BATCH):
            places = mine[first : first + _BATCH]
            drawn = person_rows(store, [rows[place] for place in places], body)
            yield from zip(places, drawn, strict=True)


def encode(image: Image) -> bytes:
    """A panel as WebP; equal panels give equal bytes."""
    _, data = cv2.imencode(".webp", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
    return data.tobytes()


def encode_jpeg(image: Image, quality: int) -> bytes:
    """An image as JPEG: larger than WebP by two thirds, in a twentieth of the time."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def encode_row(row: SheetRow) -> dict[str, bytes]:
    """The panels that a row has, by their name in the page's data."""
    return {name: encode(row.panels[title]) for name, title in PANELS.items() if title in row.panels}
