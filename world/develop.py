"""From light to a photograph: what a camera, its lens, its sensor and its software do.

The order is a camera's own: lens (softness, shake, falling off to the corners), exposure and white balance, shot and
read noise, tone curve, JPEG. Every blur is symmetric about its pixel, so keypoints stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import simplejpeg
from numpy.random import Generator

from pymaf_data.kernels import njit

Single = np.floating  # float32 at the kernels, which work in no other type

_NOISE = 512
_STEPS = 1 << 14  # of the tone curve, so that rounding to one moves no colour by a twentieth of a grey level
_BRIGHTEST = 6.0  # radiance at which the tone curve ends
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class Exposure:
    """Everything about a camera that chance decides.

    Args:
        stops: exposure against what the meter says.
        balance: (3,) gains of red, green, blue.
        contrast: slope of the tone curve at middle grey, 1 is neutral.
        saturation: 0 is a black-and-white image, 1 leaves colours as they are.
        vignette: share of light that is lost in the corners.
        fringe: scale by which red and blue lie apart, e.g. 0.001.
        softness: standard deviation of the lens' blur, pixels.
        shake: (2,) half the path of the camera during the exposure, pixels.
        noise: standard deviation of the noise at middle grey, as a share of it.
        shadow_noise: the same of the sensor's own noise, as a share of middle grey.
        quality: of the JPEG, 60 … 97.
        coarse_colour: whether the JPEG stores colour at half the resolution.
    """

    stops: float
    balance: tuple[float, float, float]
    contrast: float
    saturation: float
    vignette: float
    fringe: float
    softness: float
    shake: tuple[float, float]
    noise: float
    shadow_noise: float
    quality: int
    coarse_colour: bool


def draw_exposure(rng: Generator, place_kind: str) -> Exposure:
    """Draw a camera. In rooms there is less light: more noise and shake, and warmer white."""
    indoors = any(word in place_kind for word in ("room", "kitchen", "office", "corridor", "hall", "shop", "library"))
    dim = rng.random() < (0.22 if indoors else 0.06)
    grain = rng.uniform(0.04, 0.11) if dim else rng.uniform(0.006, 0.045 if indoors else 0.025)
    warmth = rng.normal(0.03 if indoors else 0.0, 0.045)
    shaken = rng.random() < (0.18 if indoors else 0.1)
    length, angle = (rng.uniform(0.6, 2.6) if shaken else 0.0), rng.uniform(0, np.pi)
    grey = rng.random() < 0.02
    return Exposure(
        stops=float(np.clip(rng.normal(-0.9 if dim else 0.0, 0.3), -1.6, 0.9)),
        balance=(float(1 + warmth), float(1 + rng.normal(0, 0.012)), float(1 - 1.2 * warmth)),
        contrast=float(rng.uniform(0.95, 1.3)),
        saturation=0.0 if grey else float(rng.uniform(0.75, 1.1)),
        vignette=float(rng.uniform(0.0, 0.3)) if rng.random() < 0.6 else 0.0,
        fringe=float(rng.uniform(0.0004, 0.0012)) if rng.random() < 0.15 else 0.0,
        softness=float(rng.uniform(0.7, 1.4)) if rng.random() < 0.15 else float(rng.uniform(0.25, 0.6)),
        shake=(float(length * np.cos(angle)), float(length * np.sin(angle))),
        noise=float(grain),
        shadow_noise=float(grain * rng.uniform(0.2, 0.5)),
        quality=int(rng.integers(60, 98)),
        coarse_colour=bool(rng.random() < 0.8),
    )


def develop(rng: Generator, radiance: np.ndarray, exposure: Exposure) -> np.ndarray:
    """Develop an image.

    Args:
        rng: where the grain comes from.
        radiance: (H, W, 3) float32 linear, of any brightness.
        exposure: the camera.

    Returns:
        (H, W, 3) uint8 sRGB.
    """
    light = _through_lens(np.ascontiguousarray(radiance, np.float32), exposure)
    gain = np.array(exposure.balance) * _metered(light) * 2.0**exposure.stops
    out = np.empty(light.shape, np.uint8)
    row, column = rng.integers(0, _NOISE, 2)
    noise = (exposure.noise**2 * 0.18, (exposure.shadow_noise * 0.18) ** 2)
    grade = (exposure.saturation, exposure.vignette)
    _expose(light, gain, noise, grade, _curve(round(exposure.contrast, 3)), _grain(), int(row), int(column), out)
    return out


def encode(image: np.ndarray, exposure: Exposure) -> bytes:
    """The image (H, W, 3) uint8 as a JPEG file."""
    return simplejpeg.encode_jpeg(
        np.ascontiguousarray(image),
        quality=exposure.quality,
        colorsubsampling="420" if exposure.coarse_colour else "444",
    )


def _through_lens(light: np.ndarray, exposure: Exposure) -> np.ndarray:
    """Fringes, softness and shake."""
    height, width = light.shape[:2]
    if exposure.fringe:
        light = light.copy()
        for channel, sign in ((0, 1), (2, -1)):
            scale = 1 + sign * exposure.fringe
            matrix = np.array([[scale, 0, (1 - scale) * (width - 1) / 2], [0, scale, (1 - scale) * (height - 1) / 2]])
            plane = np.ascontiguousarray(light[..., channel])
            light[..., channel] = cv2.warpAffine(
                plane, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
    kernel = _blur(exposure)
    return cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REFLECT_101) if kernel.size > 1 else light


def _blur(exposure: Exposure) -> np.ndarray:
    """One kernel of softness and shake, odd-sided, symmetric about its middle, sum 1."""
    dx, dy = exposure.shake
    sigma = exposure.softness
    reach = int(np.ceil(max(abs(dx), abs(dy)) + (2.2 * sigma if sigma > 0.3 else 0.5 if dx or dy else 0.0)))
    offsets = np.arange(-reach, reach + 1)
    steps = np.linspace(-1, 1, 2 * max(1, int(np.ceil(3 * np.hypot(dx, dy)))) + 1) if dx or dy else np.zeros(1)
    spread = max(sigma, 0.3)
    x = np.exp(-((offsets - dx * steps[:, None]) ** 2) / (2 * spread**2))
    y = np.exp(-((offsets - dy * steps[:, None]) ** 2) / (2 * spread**2))
    kernel = np.einsum("sy,sx->yx", y, x)
    kernel = kernel + kernel[::-1, ::-1]
    return (kernel / kernel.sum()).astype(np.float32)


def _metered(light: np.ndarray) -> float:
    """Gain that brings the middle of the image to middle grey without burning too much of it."""
    luma = np.maximum(light[4::8, 4::8] @ _LUMA, 1e-6)
    height, width = luma.shape
    y, x = np.mgrid[0:height, 0:width]
    weight = np.exp(-((x / width - 0.5) ** 2 + (y / height - 0.58) ** 2) * 6.0)
    mean = np.exp((np.log(luma) * weight).sum() / weight.sum())
    bright = float(np.quantile(luma, 0.93))
    return float(min(0.19 / mean, 1.25 / max(bright, 1e-6)))


@lru_cache(maxsize=64)
def _curve(contrast: float) -> np.ndarray:
    """sRGB bytes over the square root of radiance: a straight middle, a soft shoulder, a toe."""
    x = (np.arange(_STEPS) / (_STEPS - 1)) ** 2 * _BRIGHTEST
    bent = 0.18 * (x / 0.18) ** contrast
    # Straight up to 0.5, then a shoulder that reaches 1 at the brightest.
    knee = 0.5
    top = 1 - (1 - knee) * np.exp(-(np.maximum(bent, knee) - knee) / (1 - knee))
    shown = np.clip(np.where(bent < knee, bent, top), 0, 1)
    srgb = np.where(shown <= 0.0031308, 12.92 * shown, 1.055 * shown ** (1 / 2.4) - 0.055)
    return np.rint(255 * srgb).astype(np.uint8)


@lru_cache(maxsize=1)
def _grain() -> np.ndarray:
    """A tile (3, 512, 512) int8 of noise of standard deviation 32, a little smooth, as sensors' software leaves it."""
    noise = np.random.default_rng(_NOISE).normal(size=(_NOISE, _NOISE, 3)).astype(np.float32)
    smooth = noise + 0.45 * (np.roll(noise, 1, 0) + np.roll(noise, 1, 1))
    smooth = 0.75 * smooth + 0.55 * smooth.mean(-1, keepdims=True)
    return np.ascontiguousarray(np.clip(smooth / smooth.std() * 32, -127, 127).astype(np.int8).transpose(2, 0, 1))


@njit(cache=True, nogil=True, error_model="numpy")
def _fall(light: np.ndarray, gain: np.ndarray, y: Single, far: Single, vignette: Single, planes: np.ndarray) -> None:
    """Red, green, blue and grey ``planes`` (4, W) of a row of light (3 · W,), ``y`` pixels from the middle."""
    width, half, one = planes.shape[1], np.float32(0.5), np.float32(1.0)
    g0, g1, g2 = np.float32(gain[0]), np.float32(gain[1]), np.float32(gain[2])
    for c in range(width):
        x = np.float32(c) + half - half * np.float32(width)
        fall = one - vignette * (x * x + y * y) * far
        a, b, d = light[3 * c] * g0 * fall, light[3 * c + 1] * g1 * fall, light[3 * c + 2] * g2 * fall
        planes[0, c], planes[1, c], planes[2, c] = a, b, d
        planes[3, c] = np.float32(0.2126) * a + np.float32(0.7152) * b + np.float32(0.0722) * d


@njit(cache=True, nogil=True, error_model="numpy")
def _sense(
    plane: np.ndarray,
    grey: np.ndarray,
    grain: np.ndarray,
    saturation: Single,
    shot: Single,
    read: Single,
    scale: Single,
) -> None:
    """Turn a part of a row (n,) of one colour into places on the tone curve, with its grain (n,)."""
    zero, last = np.float32(0.0), np.float32(_STEPS - 1)
    for c in range(plane.shape[0]):
        value = max(grey[c] + saturation * (plane[c] - grey[c]), zero)
        value = max(value + np.float32(grain[c]) * np.sqrt(shot * value + read), zero)
        plane[c] = min(np.sqrt(value) * scale, last)


@njit(cache=True, nogil=True, error_model="numpy")
def _expose(
    light: np.ndarray, gain: np.ndarray, noise: tuple[float, float], grade: tuple[float, float], curve: np.ndarray,
    grain: np.ndarray, row: int, column: int, out: np.ndarray,
) -> None:  # fmt: skip
    """Gain, falling off, noise and tone curve of every pixel; row by row, so that a row's pixels go side by side."""
    height, width = light.shape[:2]
    scale = np.float32((_STEPS - 1) / np.sqrt(_BRIGHTEST))
    shot, read = np.float32(noise[0] / 1024.0), np.float32(noise[1] / 1024.0)
    saturation, vignette = np.float32(grade[0]), np.float32(grade[1])
    far = np.float32(4.0 / (height * height + width * width))
    half, side = np.float32(0.5), grain.shape[1]
    planes = np.empty((4, width), np.float32)
    for r in range(height):
        _fall(light[r].ravel(), gain, np.float32(r) + half - half * np.float32(height), far, vignette, planes)
        for k in range(3):
            own = grain[k if saturation > 0 else 0, (r + row) % side]
            first = 0
            while first < width:
                start = (first + column) % side
                end = min(width, first + side - start)
                part = own[start : start + end - first]
                _sense(planes[k, first:end], planes[3, first:end], part, saturation, shot, read, scale)
                first = end
        for c in range(width):
            for k in range(3):
                out[r, c, k] = curve[int(planes[k, c] + half)]
