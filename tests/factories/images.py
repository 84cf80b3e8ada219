"""A small smooth image, its JPEG, and why an image is missing."""

from __future__ import annotations

import cv2
import numpy as np
import simplejpeg

from pymaf_data.datasets.images import MISSING, MissingImage


def smooth(height: int = 48, width: int = 64) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


JPEG = simplejpeg.encode_jpeg(smooth(), 95)
SIZE = (64, 48)


def reason(outcome: np.ndarray | MissingImage) -> str:
    assert isinstance(outcome, MissingImage), "an image where a missing image was expected"
    assert str(outcome).startswith(MISSING[outcome.reason])
    return outcome.reason
