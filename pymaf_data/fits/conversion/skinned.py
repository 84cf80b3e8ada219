"""Models of SMPL's family with any joints and betas, posed from the files that users have: SMPL, SMPL-H, SMPL-X, kids.

Forward kinematics are those of the ``smplx`` package, which is given arrays that were read without running a pickle;
blend shapes are one matrix product, and skinning is :mod:`pymaf_data.body.skinning`.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from smplx.lbs import batch_rigid_transform
from torch import Tensor

from pymaf_data.asset_files import find_asset
from pymaf_data.body.skinning import Influences
from pymaf_data.body.smpl import read_model
from pymaf_data.errors import AssetMismatch
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.untrusted.npz import read_npy


class Kind(NamedTuple):
    """A model: where its files lie below the assets folder, and how large it is."""

    file: str
    kid: str
    vertices: int
    joints: int
    expressions: bool


KINDS = {
    "smpl": Kind("smpl/SMPL_{}.pkl", "smpl/smpl_kid_template.npy", 6890, 24, expressions=False),
    "smplh": Kind("smplh/SMPLH_{}.pkl", "smpl/smpl_kid_template.npy", 6890, 52, expressions=False),
    "smplx": Kind("smplx/SMPLX_{}.npz", "smplx/smplx_kid_template.npy", 10475, 55, expressions=True),
}
_HAND, _HANDS = (15, 3), ("hands_meanl", "hands_meanr")
_OLD, _NEW = 10, 300
"""Betas before the expressions: of SMPL-X 1.0, and since."""


class Skinned:
    """A model of one gender; float32.

    Args:
        arrays: of its file, as :func:`~pymaf_data.body.smpl.read_model` gives them; ``shapedirs`` (V, 3, S) are cut
            to the betas and expressions that are used.
        kid: (V, 3) the infant's template; ``None``: there are adults alone.
    """

    def __init__(self, arrays: dict[str, np.ndarray], kid: np.ndarray | None) -> None:
        template, regressor = arrays["v_template"], arrays["J_regressor"]
        infant = np.zeros_like(template) if kid is None else kid - kid.mean(0) - template
        shapes = np.concatenate([arrays["shapedirs"].astype(np.float64), infant[:, :, None]], 2)
        self.faces, self._parents = arrays["faces"], torch.from_numpy(arrays["parents"])
        self._rest = torch.from_numpy(regressor @ template).float()
        self._rest_dirs = torch.from_numpy(np.tensordot(regressor, shapes, 1).transpose(2, 0, 1)).float()
        pose = arrays["posedirs"].reshape(template.size, -1).T
        blend = np.concatenate([shapes.reshape(template.size, -1).T, pose], dtype=np.float32, casting="unsafe")
        self._template, self._blend = torch.from_numpy(template).float(), torch.from_numpy(blend)
        self._influences = Influences.of(arrays["weights"].astype(np.float32))
        hands = [arrays[key].reshape(_HAND) for key in _HANDS if key in arrays]
        body = np.zeros((len(arrays["parents"]) - sum(map(len, hands)), 3))
        self.mean_hands = torch.from_numpy(np.concatenate([body, *hands])).double()  # (J, 3)

    @torch.no_grad()
    def vertices(self, pose: Tensor, shape: Tensor) -> Tensor:
        """Vertices (K, V, 3) of poses (K, J, 3) and shapes (K, S + 1): betas, expressions, how much of an infant.

        NaN of numbers that pose nothing.
        """
        turned, shape = axis_angle_to_matrix(pose).float(), shape.float()
        amounts = torch.cat([shape, (turned[:, 1:] - torch.eye(3)).flatten(1)], 1)
        rest = self._rest + torch.einsum("sjc,ks->kjc", self._rest_dirs, shape)
        _, bones = batch_rigid_transform(turned, rest, self._parents)
        posed = torch.addmm(self._template.reshape(-1), amounts, self._blend).view(len(pose), -1, 3)
        self._influences.skin(posed.numpy(), bones[:, :, :3].contiguous().numpy())
        return posed


def model_files(kind: str, gender: str, kid: bool, assets: Path | None) -> list[Path]:
    """The files of a model: itself, and the infant's template where kids are posed.

    Raises:
        AssetMissing: one is not there.
    """
    known = KINDS[kind]
    return [find_asset(name, assets) for name in [known.file.format(gender.upper())] + [known.kid] * kid]


def load_skinned(kind: str, files: list[Path], betas: int, expressions: int) -> Skinned:
    """A model from :func:`model_files`, with so many betas and expressions.

    Raises:
        AssetMismatch: a file is of another model, or has fewer.
        UntrustedData: a pickle asks for more than arrays.
        RawDataCorrupt: a file is cut short.
    """
    known = KINDS[kind]
    arrays = read_model(files[0], known.vertices, known.joints, {} if kind == "smpl" else dict.fromkeys(_HANDS, (45,)))
    dirs = arrays["shapedirs"]
    first = dirs.shape[2] if not known.expressions else _NEW if dirs.shape[2] > _NEW else _OLD
    if betas > first or first + expressions > dirs.shape[2]:
        raise AssetMismatch(
            f"{files[0]} has {first} betas and {dirs.shape[2] - first} expressions.",
            expected=f"{betas} and {expressions}, as the fits have.",
            action="put the newest release of the model in its place.",
        )
    arrays["shapedirs"] = np.concatenate([dirs[:, :, :betas], dirs[:, :, first : first + expressions]], 2)
    kid = read_npy(files[1]) if files[1:] else None
    if kid is not None and (kid.shape != (known.vertices, 3) or kid.dtype.kind != "f" or not np.isfinite(kid).all()):
        raise AssetMismatch(
            f"{files[1]} holds {kid.dtype} {kid.shape}.",
            expected=f"the infant's template on the same mesh, ({known.vertices}, 3).",
            action="fetch the file again from its source.",
        )
    return Skinned(arrays, kid)
