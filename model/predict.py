"""What a trained network makes of persons of a store: bodies, and the cameras that show them in the stored crop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from pymaf_data.geometry.affines import crop_to_view, invert, to_cv2
from pymaf_data.geometry.cameras import weak_to_camera
from pymaf_data.loader.images import reductions, warp_view
from pymaf_data.report.persons import Predictions
from pymaf_data.storage import Store

from .images import normalise
from .networks.network import Network

_BATCH = 16


@torch.no_grad()
def predict_rows(model: Network, store: Store, rows: Sequence[int]) -> Predictions:
    """Predict from the plain view of each row's crop.

    Args:
        model: in any mode; it is used in evaluation mode and left as it was.
        store: an ingested store.
        rows: K rows.

    Returns:
        Vertices (K, V, 3) in camera-space metres without translation, and K cameras in pixels of the stored crop.
    """
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    views = _views(store, rows, model.view_size)
    vertices, cameras = [], []
    for start in range(0, len(rows), _BATCH):
        batch = normalise(torch.from_numpy(views[start : start + _BATCH]).to(device))
        last = model(batch).predictions[-1]
        vertices.append(last.vertices.float().cpu().numpy())
        cameras.append(last.parameters.camera.float().cpu())
    model.train(was_training)
    crop_size = store.array("image").shape[1]
    of_view = weak_to_camera(torch.cat(cameras).double())
    return Predictions(np.concatenate(vertices), of_view.warped(invert(crop_to_view(crop_size))))


def _views(store: Store, rows: Sequence[int], size: int) -> np.ndarray:
    """(K, 3, W, W) uint8, channels first as the network reads them."""
    crops = store.array("image").rows(np.asarray(rows))
    affine = crop_to_view(crops.shape[1], size)
    matrix, reduction = to_cv2(affine), float(reductions(affine))
    views = np.empty((len(rows), size, size, 3), np.uint8)
    scratch = np.empty_like(crops[0])
    for crop, view in zip(crops, views, strict=True):
        warp_view(crop, matrix, reduction, view, scratch)
    return np.ascontiguousarray(views.transpose(0, 3, 1, 2))
