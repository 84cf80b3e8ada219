"""Where torch's random generators stand, as a checkpoint keeps it: ``cpu``, and ``cuda`` of a device that has one."""

from __future__ import annotations

from typing import Any

import torch


def generators(device: torch.device) -> dict[str, Any]:
    """Their state, for :func:`set_generators`."""
    cuda = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def set_generators(state: dict[str, Any], device: torch.device) -> None:
    """Go on from a state.

    Raises:
        KeyError, TypeError, RuntimeError, AttributeError: it is none.
    """
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and state["cuda"]:
        torch.cuda.set_rng_state(state["cuda"][0], device)
