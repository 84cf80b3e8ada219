"""Shape space: what adults differ by, in units of standard deviations, along axes that mean something."""

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

    The ten principal components span the space; within it, where all directions have unit deviation and none
    correlates with another, the axes are turned to mean something: β0 is stature, β1 volume at equal stature, the
    others what is left, by variance, with their sign outward where they move the skin most.
    """
    mean_half = halves.mean(0)
    mean = whole.vectors(mean_half)
    deviations = whole.vectors(halves - mean_half).reshape(len(halves), -1)
    # The samples are fewer than the coordinates: decompose their Gram matrix instead of the covariance. A principal
    # axis times its standard deviation is then X.T m / sqrt(K − 1), with m the Gram matrix's unit eigenvector.
    variance, mixing = np.linalg.eigh(deviations @ deviations.T / (len(halves) - 1))
    principal = deviations.T @ mixing[:, ::-1][:, :COMPONENTS] / np.sqrt(len(halves) - 1)
    turned = principal @ _axes_of_meaning(whole, mean, principal.reshape(*mean.shape, COMPONENTS))
    half = turned.reshape(*mean.shape, COMPONENTS)[: whole.half]
    half[whole.midline[: whole.half], 0] = 0.0
    directions = np.moveaxis(whole.vectors(np.moveaxis(half, -1, 0)), 0, -1)
    return ShapeSpace(mean, directions, (directions**2).sum((0, 1)) / variance.sum())


def _axes_of_meaning(whole: Whole, mean: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """(10, 10) orthogonal: columns are the new axes in the principal ones, for ``directions`` (V, 3, 10)."""
    stature = directions[mean[:, 1].argmax(), 1] - directions[mean[:, 1].argmin(), 1]
    gain = np.array([_volume_gain(whole, mean, directions[..., k]) for k in range(COMPONENTS)])
    taller = stature / np.linalg.norm(stature)
    heavier = gain - (gain @ taller) * taller
    heavier /= np.linalg.norm(heavier)
    rest = np.linalg.svd(np.stack([taller, heavier]))[2][2:].T  # (10, 8) orthogonal to both
    moved = directions.reshape(-1, COMPONENTS) @ rest
    rest = rest @ np.linalg.eigh(moved.T @ moved)[1][:, ::-1]
    signs = [_outward(whole, mean, directions @ axis) for axis in rest.T]
    return np.column_stack([taller, heavier, rest * signs])


def _volume_gain(whole: Whole, mean: np.ndarray, direction: np.ndarray) -> float:
    return (volume(mean + direction, whole.faces) - volume(mean - direction, whole.faces)) / 2


def _outward(whole: Whole, mean: np.ndarray, direction: np.ndarray) -> float:
    """+1 when the vertex that moves most along the normal moves outward, else −1."""
    corners = mean[whole.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outward = np.zeros_like(mean)
    for corner in range(3):
        np.add.at(outward, whole.faces[:, corner], normals)
    along = (outward / np.linalg.norm(outward, axis=1, keepdims=True) * direction).sum(1)[: whole.half]
    return float(np.sign(along[np.abs(along).argmax()]))


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Enclosed volume, m³."""
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def fit_error(space: ShapeSpace, shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares betas (K, 10) of shapes (K, V, 3) and the distance left at each vertex (K, V), metres."""
    basis = space.directions.reshape(-1, COMPONENTS)
    flat = (shapes - space.mean).reshape(len(shapes), -1)
    betas = np.linalg.lstsq(basis, flat.T, rcond=None)[0].T
    left: np.ndarray = np.linalg.norm((flat - betas @ basis.T).reshape(shapes.shape), axis=-1)
    return betas, left
