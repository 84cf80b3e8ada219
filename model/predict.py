"""What a trained network makes of persons of a store: bodies, and the cameras that show them in the stored crop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from pymaf_data.geometry.affines import crop_to_view, invert
from pymaf_data.geometry.cameras import weak_to_camera
from pymaf_data.report.persons import Predictions
from pymaf_data.storage import Store

from .evaluation.views import StoredViews
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
    views = StoredViews(store, model.view_size)(np.asarray(rows, np.int64))
    vertices, cameras = [], []
    for start in range(0, len(rows), _BATCH):
        batch = normalise(views[start : start + _BATCH].to(device))
        last = model(batch).predictions[-1]
        vertices.append(last.vertices.float().cpu().numpy())
        cameras.append(last.parameters.camera.float().cpu())
    model.train(was_training)
    crop_size = store.array("image").shape[1]
    of_view = weak_to_camera(torch.cat(cameras).double())
    return Predictions(np.concatenate(vertices), of_view.warped(invert(crop_to_view(crop_size))))
