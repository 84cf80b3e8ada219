"""3DPW as the evaluation of its challenge measures it: SMPL's own joints and the turns of its bones, in the camera."""

from __future__ import annotations

from torch import Tensor

from pymaf_data.geometry.joints import SMPL24
from pymaf_data.metrics import auc_of_curve, joint_errors, mpjae, pck, root_align, similarity

from .benchmark import Benchmark, Bodies, Rows, Setting, Values
from .truth import NEUTRAL, TrueBodies

_SIDES = ("left", "right")
#: Whose distances count for PCK and AUC, [1, 2, 4, 5, 7, 8, 16, 17, 18, 19, 20, 21].
MAJOR = [
    SMPL24.index(f"{side}_{joint}")
    for joint in ("hip_smpl", "knee", "ankle", "shoulder", "elbow", "wrist")
    for side in _SIDES
]
#: Whose turns count, [0, 1, 2, 4, 5, 16, 17, 18, 19].
TURNED = [
    SMPL24.index("pelvis"),
    *(SMPL24.index(f"{side}_{joint}") for joint in ("hip_smpl", "knee", "shoulder", "elbow") for side in _SIDES),
]
_NEAR = 50.0  # mm
_THRESHOLDS = tuple(map(float, range(200)))  # mm; NumPy's arange(0, 200) ends at 199


class ThreeDpwOfficial(Benchmark):
    """See the module."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._measured_on(
            TrueBodies(self.store, self.manifest.truth, setting.assets, raw=setting.raw, refused=(NEUTRAL,))
        )

    def measure(self, rows: Rows, bodies: Bodies) -> Values:
        """See :class:`Benchmark`."""
        assert self.truth is not None
        true, true_turns = (each.double() for each in self.truth.skeletons(rows))
        transforms, skeleton = bodies.body.kinematics(bodies.rotation, bodies.betas)
        turn = bodies.turn.double().cpu()
        said, turns = root_align(skeleton.double().cpu(), 0), transforms[..., :3].double().cpu()
        target = root_align(true, 0)
        errors = 1000 * joint_errors(said @ turn.transpose(-1, -2), target)
        aligned, aligning = similarity(said, target)
        found: dict[str, Tensor] = {
            "MPJPE": errors.mean(dim=1),
            "PA-MPJPE": 1000 * joint_errors(aligned, target).mean(dim=1),
            "PCK": pck(errors[:, MAJOR], _NEAR, strict=False),
            "AUC": auc_of_curve(errors[:, MAJOR], _THRESHOLDS, strict=False),
            "MPJAE": mpjae(turn[:, None] @ turns[:, TURNED], true_turns[:, TURNED]),
            "PA-MPJAE": mpjae(aligning[:, None] @ turns[:, TURNED], true_turns[:, TURNED]),
        }
        return {name: values.numpy() for name, values in found.items()}
