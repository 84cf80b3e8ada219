"""Rasterizer backends: which there are, which of them this machine has, and which one ``auto`` means.

numba       embedded z-buffer on the CPU; always there (:mod:`pymaf_data.render.zbuffer`)
warp        the same rules as a GPU kernel, with NVIDIA's ``warp-lang``; runs on a CPU too, for tests
pytorch3d   through PyTorch3D's public rasterizer, where somebody has built it

All of them keep one contract, :func:`pymaf_data.render.raster.rasterize`, and show the same pixels.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
from dataclasses import dataclass

from pymaf_data.errors import UsageError

logger = logging.getLogger(__name__)

BACKENDS = ("auto", "numba", "warp", "pytorch3d")
"""What ``backend`` may name. ``auto`` takes the fastest that is present where the vertices are."""


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
    import numba

    return (
        Presence("numba", "", f"numba {numba.__version__}, CPU"),
        _presence("warp", "warp", "install the extra: pip install 'pymaf-data[gpu]'."),
        _presence("pytorch3d", "pytorch3d._C", "no index carries it; docs/pytorch3d.md says how to build it."),
    )


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
        found = next(presence for presence in presences() if presence.name == name)
        if not found.present:
            raise UsageError(
                f"renderer {name!r} is not here: {found.detail}",
                expected="a backend that `pymaf-data doctor` lists as present",
                action=f"{found.lacking} Or take auto.",
            )
    return name


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _presence(name: str, module: str, advice: str) -> Presence:
    """Import a backend's package: a build for another torch is found by that and by nothing else."""
    package = module.partition(".")[0]
    if not _installed(package):
        return Presence(name, advice, "absent")
    try:
        importlib.import_module(module)
        version = importlib.import_module(package).__version__
    except (ImportError, OSError) as error:
        return Presence(name, advice, f"{package} does not import: {str(error).splitlines()[0]}")
    return Presence(name, "", f"{package} {version}")
