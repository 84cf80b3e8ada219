"""The networks that come with the package, by name: checkpoints of weights at a byte each.

``start`` learned the generated world by the recipe ``world``; ``pymaf-data card start`` says from what, and how well.
"""

from __future__ import annotations

from pathlib import Path

START = "start"
"""What training starts from where nothing else is said and the options are its own."""

SHIPPED = (START,)


def shipped(name: str) -> Path:
    """The file of a network that ships."""
    return Path(__file__).parent / f"{name}.pt"
