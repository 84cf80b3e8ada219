"""What turns an image into bodies: a network is a class as :mod:`.network` describes it, and a line here. No torch.

``pymaf``: ``resnet``, ``pyramid``, ``maf``, ``regressor``, ``iuv_head``. ``hmr``: ``resnet``, ``regressor``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """A network by name."""

    place: str
    """``module:Class``, imported when one is made."""
    lacks: Mapping[str, Any] = {}
    """Of :class:`~pymaf_data.model.networks.options.ModelOptions`, what it has not, with the one value that says so."""


# What only a loop that reads maps knows, at its defaults.
_OF_THE_LOOP = {
    "features": "mesh",
    "start": "grid",
    "pyramid": True,
    "pyramid_channels": 256,
    "maps": "deconvolution",
    "reads": "feature",
}

#: Networks of this package; a script adds its own before it names it in options or loads a checkpoint of it.
NETWORKS: dict[str, Entry] = {
    "pymaf": Entry("pymaf_data.model.networks.pymaf:PyMAF"),
    "hmr": Entry("pymaf_data.model.networks.hmr:HMR", lacks={"auxiliary": "none", **_OF_THE_LOOP}),
}
