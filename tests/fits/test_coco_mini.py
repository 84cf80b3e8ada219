"""Real persons: the acceptance that can be measured; the overlays are for eyes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from pymaf_data.body import BodyModel
from pymaf_data.fits.fitter.fit import KeypointFitter
from pymaf_data.fits.fitter.limits import worst_violation
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.reprojection import joints49, measure
from pymaf_data.geometry.joints import COCO17, J49
from pymaf_data.stages.ingest import IngestOptions, ingest
from pymaf_data.storage import open_store

_BODY = [J49.index(name) for name in COCO17.joints[5:]]
# (annotation, does the trunk face the camera's left (−) or right (+), towards the camera (−) or away (+)); seen in the
# photographs, 0 where one cannot say.
_FACING = {442619: (-1, -1), 460541: (-1, 0), 488308: (0, -1), 1724673: (0, -1), 437295: (1, -1), 533949: (1, -1)}


def test_real_persons(shared: Path, tmp_path: Path, fitter: KeypointFitter, body: BodyModel) -> None:
    report = ingest(IngestOptions(root=shared / "data" / "coco2014-mini", out=tmp_path / "mini.zarr", crop_size=64))
    persons = Persons.of(open_store(report.store))
    fits = fitter.fit(persons)
    assert fits.valid.all()
    assert len(fits) == 7
    keypoints = np.zeros_like(persons.keypoints)
    keypoints[:, _BODY] = persons.keypoints[:, _BODY]
    reprojection = measure(body, fits, replace(persons, keypoints=keypoints)).reprojection
    assert np.median(reprojection) <= 5
    assert reprojection.max() <= 12
    assert worst_violation(torch.from_numpy(fits.pose))[0].max() <= 5
    joints = joints49(body, fits, np.arange(7)).numpy()
    for row, number in enumerate(persons.annotation_id.tolist()):
        sideways, depth = _FACING.get(number, (0, 0))
        x, _, z = _facing(joints[row])
        assert x * sideways >= 0, number
        assert z * depth >= 0, number


def _facing(joints: np.ndarray) -> np.ndarray:
    left, right, hip_left, hip_right = (
        joints[J49.index(name)] for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
    )
    return np.cross(left + hip_left - right - hip_right, left + right - hip_left - hip_right)
