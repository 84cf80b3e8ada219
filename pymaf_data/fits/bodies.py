"""Bodies of other models than a table's own, posed on the mesh of SMPL: what tables of fits hold as ``other``.

    table = FitTable(…, body="smpl-neutral" of every row, other=SmplxBodies(pose, betas, expression, "neutral"))

Each is made from a file's numbers alone. Licensed model files are opened when vertices are asked for, and which body of
the table's own has the same surface is found by :mod:`pymaf_data.fits.conversion`. Numbers may be anything; a row whose
numbers pose nothing gives NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pymaf_data.errors import RawDataCorrupt

if TYPE_CHECKING:  # torch is imported only where bodies are posed
    from scipy.sparse import csr_matrix
    from torch import Tensor

    from pymaf_data.fits.conversion.skinned import Skinned

GENDERS = ("neutral", "male", "female")


class _Family:
    """Bodies of one kind of :data:`~pymaf_data.fits.conversion.skinned.KINDS`, by gender."""

    kind: str
    joints: int

    def __init__(
        self,
        pose: np.ndarray,
        betas: np.ndarray,
        gender: str | np.ndarray,
        flat_hand: bool = True,
        expression: np.ndarray | None = None,
        kid: np.ndarray | None = None,
    ) -> None:
        M = len(pose)
        expression = np.zeros((M, 0)) if expression is None else expression
        self._flat_hand, self._betas, self._expressions = flat_hand, betas.shape[-1], expression.shape[-1]
        self._kid = np.zeros(M, bool) if kid is None else ~(kid == 0)
        amount = np.zeros(M) if kid is None else kid
        if not (pose.size == 3 * self.joints * M and len(betas) == len(expression) == len(amount) == M):
            raise RawDataCorrupt(
                f"poses {pose.shape}, betas {betas.shape}", expected=f"{self.joints} joints and betas for each row"
            )
        self._pose = pose.reshape(M, self.joints, 3)
        self._shape = np.concatenate([betas, expression, amount[:, None]], 1, dtype=np.float64)
        genders = np.full(M, gender) if isinstance(gender, str) else gender
        if genders.shape != (M,) or not np.isin(genders, GENDERS).all():
            found = ", ".join(np.unique(genders).astype(str).tolist())
            raise RawDataCorrupt(f"bodies of genders {found:.80}", expected=f"{', '.join(GENDERS)} for each row")
        self._gender = np.where(self._kid & (genders == "female"), "neutral", genders)
        self._loaded: dict[str, Skinned] = {}
        self.model = "-".join((self.kind, *np.unique(genders).tolist()))

    def files(self, assets: Path | None) -> list[Path]:
        """See :class:`~pymaf_data.fits.readers.reader.OtherBodies`."""
        return [path for gender in np.unique(self._gender).tolist() for path in self._files(gender, assets)]

    def vertices(self, rows: np.ndarray, assets: Path | None) -> np.ndarray:
        """See :class:`~pymaf_data.fits.readers.reader.OtherBodies`."""
        import torch

        from pymaf_data.fits.conversion.meshes import SMPL_VERTICES

        out = np.empty((len(rows), SMPL_VERTICES, 3))
        for gender in np.unique(self._gender[rows]).tolist():
            mine = self._gender[rows] == gender
            model, pose = self._model(gender, assets), torch.from_numpy(self._pose[rows[mine]]).double()
            pose = pose if self._flat_hand else pose + model.mean_hands
            out[mine] = self._on_smpl(model.vertices(pose, torch.from_numpy(self._shape[rows[mine]])), model, assets)
        return out

    def _files(self, gender: str, assets: Path | None) -> list[Path]:
        from pymaf_data.fits.conversion.skinned import model_files

        return model_files(self.kind, gender, bool(self._kid[self._gender == gender].any()), assets)

    def _model(self, gender: str, assets: Path | None) -> Skinned:
        from pymaf_data.fits.conversion.skinned import load_skinned

        files = self._files(gender, assets)
        if gender not in self._loaded:
            self._loaded[gender] = load_skinned(self.kind, files, self._betas, self._expressions)
        return self._loaded[gender]

    def _on_smpl(self, posed: Tensor, model: Skinned, assets: Path | None) -> np.ndarray:
        """(K, 6890, 3) of vertices (K, V, 3), which are SMPL's but for SMPL-X's."""
        return posed.numpy()


class SmplxBodies(_Family):
    """SMPL-X.

    Args:
        pose: (M, 55, 3) or (M, 165) axis-angle radians in SMPL-X's order: root, 21 of the body, jaw, two eyes, 15 of
            the left hand, 15 of the right one. Zeros for what a file does not tell.
        betas: (M, B), of which there are 10, 16 or up to 300.
        expression: (M, E); ``None``: a face at rest.
        gender: "neutral", "male", "female", of all or of each (M,).
        flat_hand: whether zeros of a hand are a flat one; else they are the model's mean hand, as by default in
            ``smplx`` (``flat_hand_mean``).
        kid: (M,) how far each is on the way to SMIL's infant (AGORA's 11th beta); ``None``: adults. Female kids are
            posed by the neutral model.

    Raises:
        RawDataCorrupt: arrays that do not belong together.
    """

    kind, joints = "smplx", 55

    def __init__(
        self,
        pose: np.ndarray,
        betas: np.ndarray,
        expression: np.ndarray | None = None,
        gender: str | np.ndarray = "neutral",
        flat_hand: bool = False,
        kid: np.ndarray | None = None,
    ) -> None:
        super().__init__(pose, betas, gender, flat_hand, expression, kid)
        self._to_smpl: csr_matrix | None = None

    def files(self, assets: Path | None) -> list[Path]:
        """See :class:`~pymaf_data.fits.readers.reader.OtherBodies`."""
        from pymaf_data.fits.conversion.meshes import smplx_files

        return [*super().files(assets), *smplx_files(assets)]

    def _on_smpl(self, posed: Tensor, model: Skinned, assets: Path | None) -> np.ndarray:
        from pymaf_data.fits.conversion.meshes import mapped, smplx_files, smplx_to_smpl

        if self._to_smpl is None:
            self._to_smpl = smplx_to_smpl(smplx_files(assets), model.faces)
        return mapped(self._to_smpl, posed.numpy())


class SmplhBodies(_Family):
    """SMPL-H, whose mesh is SMPL's.

    Args:
        pose: (M, 52, 3) or (M, 156): root, 21 of the body, 15 of the left hand, 15 of the right one.
        betas: (M, B), 10 or 16.
        gender: as of :class:`SmplxBodies`; the first release has no neutral file.
        flat_hand: as of :class:`SmplxBodies`; AMASS's poses are meant with it.

    Raises:
        RawDataCorrupt: arrays that do not belong together.
    """

    kind, joints = "smplh", 52

    def __init__(
        self, pose: np.ndarray, betas: np.ndarray, gender: str | np.ndarray = "neutral", flat_hand: bool = True
    ) -> None:
        super().__init__(pose, betas, gender, flat_hand)


class GenderedSmpl(_Family):
    """SMPL of any gender: gendered bodies become neutral ones.

    Args:
        pose: (M, 24, 3) or (M, 72). betas: (M, B), 10 as a rule.
        gender: as of :class:`SmplxBodies`.

    Raises:
        RawDataCorrupt: arrays that do not belong together.
    """

    kind, joints = "smpl", 24

    def __init__(self, pose: np.ndarray, betas: np.ndarray, gender: str | np.ndarray) -> None:
        super().__init__(pose, betas, gender)


class KidSmpl(_Family):
    """AGORA's and BEDLAM's kids in SMPL.

    Args:
        pose: (M, 24, 3) or (M, 72). betas: (M, 10), without the eleventh.
        kid: (M,) the eleventh: how far each is on the way to SMIL's infant; 0 of adults.
        gender: of the adults between whom and the infant they are; female kids are posed by the neutral model.

    Raises:
        RawDataCorrupt: arrays that do not belong together.
    """

    kind, joints = "smpl", 24

    def __init__(
        self, pose: np.ndarray, betas: np.ndarray, kid: np.ndarray, gender: str | np.ndarray = "neutral"
    ) -> None:
        super().__init__(pose, betas, gender, kid=kid)


class MhrBodies:
    """SAM 3D Body's MHR, as its estimator gives them.

    Args:
        vertices: (M, 18439, 3) metres without translation, y down, seen by the camera (``pred_vertices``); or what
            gives those of rows (K,) as (K, 18439, 3), for files that are larger than memory.
    """

    model = "mhr"

    def __init__(self, vertices: np.ndarray | Callable[[np.ndarray], np.ndarray]) -> None:
        self._of = vertices.__getitem__ if isinstance(vertices, np.ndarray) else vertices
        self._to_smpl: csr_matrix | None = None

    def files(self, assets: Path | None) -> list[Path]:
        """See :class:`~pymaf_data.fits.readers.reader.OtherBodies`."""
        from pymaf_data.fits.conversion.meshes import mhr_files

        return list(mhr_files(assets))

    def vertices(self, rows: np.ndarray, assets: Path | None) -> np.ndarray:
        """See :class:`~pymaf_data.fits.readers.reader.OtherBodies`."""
        from pymaf_data.fits.conversion.meshes import mapped, mhr_files, mhr_to_smpl

        if self._to_smpl is None:
            self._to_smpl = mhr_to_smpl(mhr_files(assets))
        return mapped(self._to_smpl, self._of(rows))
