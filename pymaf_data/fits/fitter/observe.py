"""From a person's labels to what the optimiser sees: points of the 224 view, each with its precision."""

from __future__ import annotations

import numpy as np
import torch

from pymaf_data.fits.fitter.objective import Observation
from pymaf_data.fits.fitter.options import KeypointOptions
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.table import reason
from pymaf_data.geometry.affines import VIEW_SIZE
from pymaf_data.geometry.joints import J24, J49

_J24_IN_J49 = np.array([J49.index(name) for name in J24.joints])
_FACE = [J24.index(name) for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")]
_HIPS = [J24.index(name) for name in ("left_hip", "right_hip")]
_TRUNK = [*_HIPS, J24.index("left_shoulder"), J24.index("right_shoulder")]
_BODY = np.setdiff1d(np.arange(len(J24)), _FACE)


def observe(persons: Persons, options: KeypointOptions) -> Observation:
    """What is seen of N persons, in pixels of the 224 view of their boxes; labels that are not finite are not seen."""
    keypoints = persons.keypoints[:, _J24_IN_J49].astype(np.float64)
    confidence = np.where(np.isfinite(keypoints).all(-1), keypoints[..., 2], 0.0).clip(0.0, 1.0)
    visibility = np.where(confidence > 0, persons.visibility[:, _J24_IN_J49], 0)
    scale = VIEW_SIZE / persons.box[:, 2]
    centre = persons.box[:, None, :2]
    target = (keypoints[..., :2] - centre) * scale[:, None, None] + VIEW_SIZE / 2
    K = persons.camera_matrix()
    focal = np.stack((K[:, 0, 0], K[:, 1, 1]), -1) * scale[:, None]
    principal = (K[:, :2, 2] - persons.box[:, :2]) * scale[:, None] + VIEW_SIZE / 2
    precision = np.sqrt(confidence) / _deviations(options)
    precision = np.where(visibility == 1, precision / options.hidden_factor, precision)
    arrays = (np.where(confidence[..., None] > 0, target, 0.0), precision, visibility, focal, principal)
    return Observation(*(torch.from_numpy(np.ascontiguousarray(array, dtype=np.float64)) for array in arrays))


def refusals(persons: Persons, options: KeypointOptions) -> np.ndarray:
    """(N,) why a person is not fitted, as an index into ``REASONS``; 0 where it is."""
    keypoints = persons.keypoints[:, _J24_IN_J49]
    labelled = keypoints[..., 2] > 0
    finite = np.isfinite(keypoints).all((1, 2)) & np.isfinite(persons.box).all(-1) & (persons.box[:, 2] > 0)
    finite &= (persons.image_size > 0).all(-1) & np.isfinite(persons.camera_matrix()).all((1, 2))
    code = np.zeros(len(persons), np.uint8)
    code[labelled[:, _TRUNK].sum(1) < options.least_trunk] = reason("trunk not labelled")
    code[labelled[:, _BODY].sum(1) < options.least_keypoints] = reason("too few keypoints")
    code[~finite] = reason("coordinates not finite")
    code[~persons.present] = reason("picture not present")
    return code


def _deviations(options: KeypointOptions) -> np.ndarray:
    """(24,) σ in view pixels."""
    deviations = np.full(len(J24), options.body_deviation)
    deviations[_HIPS], deviations[_FACE] = options.hip_deviation, options.face_deviation
    return deviations
