"""A run that starts from another's weights (``start_from``): at step 0, with an optimizer of its own.

What it learned before goes along: the stores and licences of both stand in its checkpoint.
"""

from __future__ import annotations

import logging
from typing import Any

from pymaf_data.body import BodyModel
from pymaf_data.digest import digest_file
from pymaf_data.errors import CheckpointError
from pymaf_data.paths import DataRoot
from pymaf_data.runs import checkpoints

from .checkpoint import (
    RELEASED_BODY,
    RELEASED_FRAME,
    check_body,
    checkpoint_path,
    load_state,
    name_of,
    options_of,
    released,
    released_state,
)
from .networks.network import Network
from .networks.options import ModelOptions
from .options import TrainOptions

logger = logging.getLogger(__name__)

_OTHERWISE = (
    ". A recipe's second stage starts from its first one's run: train that first, or `pymaf-data run` takes both"
)


class Start:
    """A checkpoint to start from, ours or a released one.

    Args:
        given: its file, its run's folder or its run's name.
        root: where runs lie.

    Attributes:
        frame: from where it sees bodies.

    Raises:
        CheckpointError: there is none, or it cannot be read.
    """

    def __init__(self, given: str, root: DataRoot) -> None:
        self.path = checkpoint_path(given, root, _OTHERWISE)
        self._content = checkpoints.load_tensors(self.path)
        ours = self._content.get("format") == checkpoints.FORMAT
        self._saved = checkpoints.parse(self._content, self.path) if ours else None
        self.frame: str = self._saved.options["frame"] if self._saved else RELEASED_FRAME

    def fits(self, options: TrainOptions, body: BodyModel) -> bool:
        """Whether it is of the network, the frame and the body that a run is to have."""
        same_body = self._saved is not None and self._saved.body["digest"] == body.digest
        same_frame = options.frame == self.frame
        return same_body and same_frame and not options.model.other_weights(self.network(options.model))

    def network(self, wanted: ModelOptions) -> ModelOptions:
        """The options of its network. A file of others does not say its name: it is taken for what is wanted."""
        if self._saved is not None:
            return options_of(self._saved, str(self.path))
        return released(self._content, self.path, wanted.network)[0]

    def into(self, model: Network, options: ModelOptions) -> None:
        """Give a new network its weights: the average where it keeps one.

        Raises:
            CheckpointError: it is of another network, frame or body.
            AssetMismatch: it samples features at other vertices.
        """
        found = self.network(options)
        state = self._saved.weights if self._saved else released(self._content, self.path, options.network)[1]
        others = options.other_weights(found) | ({"frame": self.frame} if self.frame != model.frame else {})
        if others:
            raise CheckpointError(
                f"the weights of {self.path} are of another network: {_told(others)}",
                expected=_told({key: getattr(model if key == "frame" else options, key) for key in others}),
                action="start from a network with these options, or give the run those of the checkpoint.",
            )
        self._check_body(model)
        load_state(model, state if self._saved else released_state(state, model.body), str(self.path))
        logger.info("the run starts from %s, step %s", self.path, self._saved.step if self._saved else "unknown")

    def about(self) -> dict[str, Any]:
        """What the checkpoint of a run says of its start: name, digest, step, stores, licences, its own start."""
        digest = digest_file(self.path)
        known: dict[str, Any] = {"name": name_of(self.path, digest), "sha256": digest}
        if self._saved is None:
            return known | {"licences": {f"weights {self.path.name}": "not stated in the file"}}
        saved = self._saved
        return known | {"step": saved.step, "stores": saved.stores, "licences": saved.licences, "start": saved.start}

    def _check_body(self, model: Network) -> None:
        if self._saved is not None:
            check_body(self._saved, model.body)
        elif model.body.name != RELEASED_BODY:
            raise CheckpointError(
                f"{self.path} was not written by pymaf-data: such weights are of body {RELEASED_BODY}",
                expected=f"a network of {model.body.name}",
                action=f"learn from fits of {RELEASED_BODY}.",
            )


def _told(options: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.items())
