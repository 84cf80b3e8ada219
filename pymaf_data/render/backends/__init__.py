"""Rasterizer backends: which there are, which of them this machine has, and which one ``auto`` means.

numba       embedded z-buffer on the CPU; always there (:mod:`pymaf_data.render.zbuffer`)
warp        the same rules as a GPU kernel, with NVIDIA's ``warp-lang``; runs on a CPU too, for tests
pytorch3d   through PyTorch3D's public rasterizer, where somebody has built it

All of them keep one contract, :func:`pymaf_data.render.raster.rasterize`, and show the same pixels.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pymaf_data.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor


BACKENDS = ("auto", "numba", "warp", "pytorch3d")
"""What ``backend`` may name. ``auto`` takes the fastest that is present where the vertices are."""

# The module whose import proves a backend, and what to do where it fails.
_NEEDS = {
    "numba": ("numba", "reinstall pymaf-data."),
    "warp": ("warp", "install the extra: pip install 'pymaf-data[gpu]'."),
    "pytorch3d": ("pytorch3d._C", "no index carries it; docs/pytorch3d.md says how to build it."),
}


class TensorScene(NamedTuple):
    """What a backend of torch tensors draws: B meshes of V vertices and F faces; tensors on one device."""

    vertices: Tensor
    """(B, V, 3) float32 or float64 metres in camera space, contiguous."""
    faces: Tensor
    """(F, 3) int32."""
    matrices: Tensor
    """(B, 3, 4) float64, homogeneous metres to homogeneous pixels of the raster."""
    orthographic: bool
    near: float
    """Metres; perspective cameras clip there."""
    size: tuple[int, int]
    """(H, W)."""


@dataclass(frozen=True)
class Presence:
    """Whether this machine can use a backend.

    Attributes:
        name: of the backend.
        lacking: why not, and what to do; empty where it can.
        detail: version and devices.
    """

    name: str
    lacking: str
    detail: str

    @property
    def present(self) -> bool:
        """Whether it can be used."""
        return not self.lacking


def presences() -> tuple[Presence, ...]:
    """Every backend in order of :data:`BACKENDS`; imports what is installed, which can take a second."""
    return tuple(presence(name) for name in BACKENDS if name != "auto")


def presence(name: str) -> Presence:
    """Import a backend's package: a build for another torch is found by that and by nothing else."""
    module, advice = _NEEDS[name]
    package = module.partition(".")[0]
    if not _installed(package):
        return Presence(name, advice, "absent")
    try:
        importlib.import_module(module)
        version = importlib.import_module(package).__version__
    except (ImportError, OSError) as error:
        return Presence(name, advice, f"{package} does not import: {str(error).splitlines()[0]}")
    return Presence(name, "", f"{package} {version}")


def resolve_backend(name: str, on_gpu: bool = False) -> str:
    """The backend that ``name`` stands for.

    Args:
        name: one of :data:`BACKENDS`.
        on_gpu: whether vertices are on a GPU, or there is one to bring them to: ``auto`` then takes ``warp`` where it
            is installed, else ``numba``.

    Raises:
        UsageError: no such backend, or this machine lacks it; the message says what to do.
    """
    if name not in BACKENDS:
        raise UsageError(
            f"unknown renderer {name!r}", expected=f"one of {', '.join(BACKENDS)}", action="choose one of these."
        )
    if name == "auto":
        return "warp" if on_gpu and _installed("warp") else "numba"
    if name != "numba":
        found = presence(name)
        if not found.present:
            raise UsageError(
                f"renderer {name!r} is not here: {found.detail}",
                expected="a backend that `pymaf-data doctor` lists as present",
                action=f"{found.lacking} Or take auto.",
            )
    return name


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
