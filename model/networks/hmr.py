"""HMR, the baseline: a body fitted to one feature vector of the image in three steps of one regressor.

    features = mean over the last map of the trunk    2048 of ResNet-50
    body_0 = mean body
    for t in 1, 2, 3:
        body_t = body_{t−1} + regressor(features, body_{t−1})

As released, the last iteration alone is supervised, and its gradient flows through all of them. With ``supervise: all``
(Table 4 of PyMAF's paper) each learns from its own loss, and what flows from one into the next is detached.

Source: Kanazawa et al., "End-to-end Recovery of Human Shape and Pose" (CVPR 2018), as SPIN released it (Kolotouros et
al., ICCV 2019): without the adversarial prior, with 6D rotations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from .network import IUVLogits, Network, Parameters, Prediction
from .options import ModelOptions
from .regressor import Regressor

if TYPE_CHECKING:
    from pymaf_data.body import BodyModel


class HMR(Network):
    """The network; see :class:`Network` for its arguments. The body's mean parameters are where it starts."""

    loop = ("regressor",)

    def __init__(self, body: BodyModel, options: ModelOptions | None = None, frame: str = "view") -> None:
        options = options or ModelOptions(network="hmr")
        super().__init__(body, options, frame)
        self.supervise(options, released="last")
        self._iterations = options.iterations
        mean = Parameters(body.mean_pose6d, body.mean_betas, body.mean_camera)
        self.regressor = Regressor(self.feature_extractor.channels[-1], mean, options.dropout, options.regressor_width)
        self.to(body.v_template.dtype)

    def image_plane(self, image: Tensor, auxiliary: bool) -> tuple[list[Tensor], IUVLogits | None]:
        """The feature vector (B, C); there are no dense logits."""
        return [self.feature_extractor(image).mean(dim=(2, 3))], None

    def refine(self, features: list[Tensor]) -> list[Prediction]:
        """iterations + 1 predictions."""
        predictions = [self.decode(self.regressor.mean(1)).of_everybody(len(features[0]))]
        for _ in range(self._iterations):
            current = self.handed_on(predictions[-1].parameters)
            predictions.append(self.decode(self.regressor(features[0], current)))
        return predictions

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]  # torch overloads it
        """Under the released names: what the trunk and the regressor hold stands side by side."""
        return {name.partition(".")[2]: value for name, value in super().state_dict(*args, **kwargs).items()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Of a state dict under the released names."""
        trunk = self.feature_extractor.state_dict()
        named = {
            f"{'feature_extractor' if name in trunk else 'regressor'}.{name}": value
            for name, value in state_dict.items()
        }
        return super().load_state_dict(named, strict, assign)
