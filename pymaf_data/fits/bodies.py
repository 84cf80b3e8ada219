"""Bodies of other models than SMPL's neutral one, posed on SMPL's mesh: what tables of fits hold as ``other``.

    table = FitTable(…, body="smpl-neutral" of every row, other=SmplxBodies(pose, betas, expression, "neutral"))

Each is made from a file's numbers alone. Licensed model files are opened when vertices are asked for, and which body of
the table's own has the same surface is found by :mod:`pymaf_data.fits.conversion`. Numbers may be anything; a row whose
numbers pose nothing gives NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np


class SmplxBodies:
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
    """

    def __init__(
        self,
        pose: np.ndarray,
        betas: np.ndarray,
        expression: np.ndarray | None = None,
        gender: str | np.ndarray = "neutral",
        flat_hand: bool = False,
        kid: np.ndarray | None = None,
    ) -> None: ...

    def files(self, assets: Path | None) -> list[Path]:
        """See :class:`~pymaf_data.fits.readers.reader.OtherBodies`."""
        ...

    def vertices(self, rows: np.ndarray, assets: Path | None) -> np.ndarray:
        """See :class:`~pymaf_data.fits.readers.reader.OtherBodies`."""
        ...


class SmplhBodies:
    """SMPL-H, whose mesh is SMPL's.

    Args:
        pose: (M, 52, 3) or (M, 156): root, 21 of the body, 15 of the left hand, 15 of the right one.
        betas: (M, B), 10 or 16.
        gender: as of :class:`SmplxBodies`; the first release has no neutral file.
        flat_hand: as of :class:`SmplxBodies`; AMASS's poses are meant with it.
    """

    def __init__(
        self, pose: np.ndarray, betas: np.ndarray, gender: str | np.ndarray = "neutral", flat_hand: bool = True
    ) -> None: ...


class GenderedSmpl:
    """SMPL of any gender: gendered bodies become neutral ones.

    Args:
        pose: (M, 24, 3) or (M, 72). betas: (M, B), 10 as a rule.
        gender: as of :class:`SmplxBodies`.
    """

    def __init__(self, pose: np.ndarray, betas: np.ndarray, gender: str | np.ndarray) -> None: ...


class KidSmpl(GenderedSmpl):
    """AGORA's and BEDLAM's kids in SMPL.

    Args:
        pose: (M, 24, 3) or (M, 72). betas: (M, 10), without the eleventh.
        kid: (M,) the eleventh: how far each is on the way to SMIL's infant.
        gender: of the adults between whom and the infant they are; female kids are posed by the neutral model.
    """

    def __init__(
        self, pose: np.ndarray, betas: np.ndarray, kid: np.ndarray, gender: str | np.ndarray = "neutral"
    ) -> None: ...


class MhrBodies:
    """SAM 3D Body's MHR, as its estimator gives them.

    Args:
        vertices: (M, 18439, 3) metres without translation, y down, seen by the camera (``pred_vertices``); or what
            gives those of rows (K,) as (K, 18439, 3), for files that are larger than memory.
    """

    def __init__(self, vertices: np.ndarray | Callable[[np.ndarray], np.ndarray]) -> None: ...
