"""Shape space: principal components of adults, in units of standard deviations, with signs that mean something."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .whole import Whole

COMPONENTS = 10


@dataclass(frozen=True)
class ShapeSpace:
    """Mean shape (V, 3), directions (V, 3, 10) per standard deviation, and the share of variance of each."""

    mean: np.ndarray
    directions: np.ndarray
    explained: np.ndarray


def learn_shapes(whole: Whole, halves: np.ndarray) -> ShapeSpace:
    """Components of K shapes given as left halves (K, V_half, 3) in T-pose.

    β0 grows taller and β1 heavier; each further component gains volume with its sign.
    """
    mean_half = halves.mean(0)
    deviations = whole.vectors(halves - mean_half).reshape(len(halves), -1)
    # The samples are fewer than the coordinates: decompose their Gram matrix instead of the covariance.
    variance, mixing = np.linalg.eigh(deviations @ deviations.T / (len(halves) - 1))
    order = np.argsort(-variance)[:COMPONENTS]
    scale = np.sqrt(variance[order] * (len(halves) - 1))
    # A unit principal axis is X.T m / scale; times its standard deviation that is X.T m / sqrt(K − 1).
    axes = (deviations.T @ mixing[:, order]) * (scale / np.sqrt(len(halves) - 1)) / scale
    directions = axes.reshape(-1, 3, COMPONENTS)
    mean = whole.vectors(mean_half)
    signs = np.array([_sign(whole, mean, directions[..., k], taller=k == 0) for k in range(COMPONENTS)])
    half = (directions * signs)[: whole.half]
    half[whole.midline[: whole.half], 0] = 0.0
    mirrored = np.moveaxis(whole.vectors(np.moveaxis(half, -1, 0)), 0, -1)
    return ShapeSpace(mean, mirrored, variance[order] / variance.sum())


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Enclosed volume, m³."""
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def _sign(whole: Whole, mean: np.ndarray, direction: np.ndarray, taller: bool) -> float:
    plus, minus = mean + direction, mean - direction
    if taller:
        return float(np.sign(np.ptp(plus[:, 1]) - np.ptp(minus[:, 1])))
    return float(np.sign(volume(plus, whole.faces) - volume(minus, whole.faces)))


def fit_error(space: ShapeSpace, shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares betas (K, 10) of shapes (K, V, 3) and the distance left at each vertex (K, V), metres."""
    basis = space.directions.reshape(-1, COMPONENTS)
    flat = (shapes - space.mean).reshape(len(shapes), -1)
    betas = np.linalg.lstsq(basis, flat.T, rcond=None)[0].T
    left: np.ndarray = np.linalg.norm((flat - betas @ basis.T).reshape(shapes.shape), axis=-1)
    return betas, left
