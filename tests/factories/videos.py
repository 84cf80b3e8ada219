"""Videos whose frames say their number: sixteen blocks, black or white, that survive any encoder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

BITS, BLOCK = 16, 6


def numbered(number: int, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) uint8, whichever way round its colours are, of at least 96 × 6 px."""
    image = np.full((size[1], size[0], 3), 90, np.uint8)
    for bit in range(BITS):
        image[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 255 * (number >> bit & 1)
    return image


def number_of(image: np.ndarray) -> int:
    """What :func:`numbered` was given."""
    return sum(1 << bit for bit in range(BITS) if image[2:4, bit * BLOCK + 2 : bit * BLOCK + 4].mean() > 128)


def write_video(path: Path, frames: int, codec: str = "mp4v", size: tuple[int, int] = (96, 80), first: int = 0) -> Path:
    """A video of frames numbered from ``first``; of codecs OpenCV's wheel has mp4v, XVID and MJPG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 50, size)
    assert writer.isOpened()
    for number in range(first, first + frames):
        writer.write(numbered(number, size))
    writer.release()
    return path
