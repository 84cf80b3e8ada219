"""What a network reads off an image: sums over the channels of each feature map, and the dense map that it predicts."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from pymaf_data.errors import UsageError
from pymaf_data.report.panels import PANEL, Image, message_panel
from pymaf_data.report.persons import caption
from pymaf_data.report.sheet import SheetRow
from pymaf_data.storage import Store

from ..drawing import map_images, predicted_map
from ..evaluation.views import StoredViews
from ..images import normalise
from ..networks.network import Network
from .bodies import views_of
from .sheet import IMAGE, Sheet

IUV = "predicted IUV"


def features(models: Mapping[str, Network], store: Store, rows: list[int]) -> Sheet:
    """Figure 3: of every person a row for each network, such as one taught with and one without auxiliary supervision.

    Args:
        models: name → network in evaluation mode.
        store: whose persons.
        rows: K of them.

    Raises:
        UsageError: a network that reads no maps.
    """
    found = [_panels(name, model, store, rows) for name, model in models.items()]
    entries = [
        SheetRow(f"{name}, {caption(store, row)}", {IMAGE: view, **panels[k]})
        for k, (row, view) in enumerate(zip(rows, views_of(store, rows), strict=True))
        for name, panels in zip(models, found, strict=True)
    ]
    columns = dict.fromkeys(name for entry in entries for name in entry.panels)
    return Sheet([*(name for name in columns if name != IUV), IUV], entries, rows, {})


def channel_sums(feature_map: NDArray[np.floating]) -> Image:
    """(P, P, 3) of a map (C, S, S): sums over its channels, from the least, dark, to the largest, bright."""
    summed = feature_map.astype(np.float64).sum(0)
    least, most = summed.min(), summed.max()
    levels = np.round(255 * (summed - least) / max(most - least, 1e-12)).astype(np.uint8)
    coloured = cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[..., ::-1]
    return np.asarray(cv2.resize(coloured, (PANEL, PANEL), interpolation=cv2.INTER_NEAREST), np.uint8)


@torch.inference_mode()
def _panels(name: str, model: Network, store: Store, rows: list[int]) -> list[dict[str, Image]]:
    """Of each person: title → panel."""
    views = StoredViews(store, model.view_size)(np.asarray(rows, np.int64))
    image, head = normalise(views.to(next(model.parameters()).device)), getattr(model, "dp_head", None)
    maps, dense = model.image_plane(image, head is not None)
    if any(each.ndim != 4 for each in maps):
        raise UsageError(
            f"{name} is a network {type(model).__name__} that reads no feature maps",
            expected="a PyMAF",
            action="name a checkpoint of one.",
        )
    sums = {f"map {t}": each.float().cpu().numpy() for t, each in enumerate(maps, 1)}
    panels = [
        {f"{title}, sum of channels": channel_sums(each[k]) for title, each in sums.items()} for k in range(len(rows))
    ]
    if dense is None:
        predicted = [message_panel("no auxiliary head")] * len(rows)
    else:
        predicted = map_images(*predicted_map(dense), len(rows))
    return [own | {IUV: each} for own, each in zip(panels, predicted, strict=True)]
