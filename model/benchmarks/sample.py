"""The generated sample: joints, vertices, headings, keypoints against its truth, by posture, occlusion, size."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pymaf_data.datasets.columns import stored_column
from pymaf_data.errors import RawDataCorrupt
from pymaf_data.geometry.affines import view_affine
from pymaf_data.metrics import pve
from pymaf_data.paths import DataRoot
from pymaf_data.untrusted.npz import read_npz

from ..measures import heading_errors
from .benchmark import Benchmark, Bodies, Rows, Setting, Values, millimetres
from .joints import J14_OF_H36M, joint_errors
from .truth import TrueBodies, pose_of

_FACING = 45.0  # degrees
_OCCLUDED = (0.05, 0.3)  # share of the silhouette that others or things hide: from where some, from where much
_SIDES = (100, 200, 400)  # px of the box


class Sample(Benchmark):
    """See the module. Postures and occlusions are told apart where the sample's truth file is here."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._measured_on(TrueBodies(self.store, self.manifest.truth, setting.assets))
        self._told: dict[int, tuple[str, float]] = {}
        try:
            self._told = self._read()
        except (OSError, RawDataCorrupt) as error:
            found = getattr(error, "found", None) or str(error)
            self.notes.append(f"postures and occlusions are not told apart: {found}")

    def measure(self, rows: Rows, bodies: Bodies) -> Values:
        """See :class:`Benchmark`."""
        assert self.truth is not None
        true = self.truth.vertices(rows, bodies.vertices.device).to(bodies.vertices)
        joints = bodies.body.h36m(true)
        root, shown = self._shown(rows, joints[:, J14_OF_H36M].double().cpu())
        found = bodies.view.project(bodies.h36m_as_said[:, J14_OF_H36M].double().cpu())
        heading = heading_errors(bodies.root, root.to(bodies.root)).double().cpu().numpy()
        return {
            **joint_errors(bodies, joints),
            "PVE": millimetres(pve(bodies.posed, true)),
            "heading": heading,
            "facing": np.where(np.isfinite(heading), 100.0 * (heading <= _FACING), np.nan),
            "keypoints": (found - shown).norm(dim=-1).mean(1).numpy(),
        }

    def _shown(self, rows: Rows, joints: Tensor) -> tuple[Tensor, Tensor]:
        """True root rotations (K, 3, 3), and true joints (K, J, 3) in pixels (K, J, 2) of the views."""
        assert self.truth is not None
        box = stored_column(self.store, "box").rows(rows)
        root, shown = torch.full((len(rows), 3, 3), torch.nan), torch.full_like(joints[..., :2], torch.nan)
        for places, _, fits, camera in self.truth.seen(rows):
            at = torch.from_numpy(places)
            root[at] = pose_of(fits)[:, 0]
            shown[at] = camera.warped(view_affine(box[places])).project(joints[at])
        return root, shown

    def groups(self, rows: Rows) -> dict[str, NDArray[np.bool_]]:
        """See :class:`Benchmark`."""
        side = stored_column(self.store, "box").rows(rows)[:, 2]
        size, (some, much) = np.digitize(side, _SIDES), np.array(_OCCLUDED)
        ids = stored_column(self.store, "annotation_id").rows(rows).tolist()
        told = [self._told.get(number, ("", np.nan)) for number in ids]
        family, hidden = np.array([name for name, _ in told]), np.array([share for _, share in told])
        found = {f"posture {name.replace('_', ' ')}": family == name for name in sorted({*family.tolist()} - {""})}
        found |= {
            f"hidden less than {some:.0%}": hidden < some,
            f"hidden {some:.0%} to {much:.0%}": (hidden >= some) & (hidden < much),
            f"hidden {much:.0%} or more": hidden >= much,
        }
        edges = ["0", *map(str, _SIDES)]
        names = [f"{low}–{high} px" for low, high in pairwise(edges)] + [f"from {edges[-1]} px"]
        return found | {f"box {name}": size == index for index, name in enumerate(names)}

    def _read(self) -> dict[int, tuple[str, float]]:
        """Annotation → posture and hidden share, of the truth file of this very sample.

        Raises:
            OSError, RawDataCorrupt: it is not here, damaged, or that of another sample.
        """
        assert self.truth is not None
        folder = self.setting.raw or DataRoot.default().raw(self.store.head["dataset"])
        path = folder / "truth" / f"{self.store.head['split']}.npz"
        if not path.is_file():
            raise RawDataCorrupt(f"{path} is not here")
        arrays = read_npz(path, ("annotation_id", "pose", "family", "occlusion"))
        at = {number: index for index, number in enumerate(arrays["annotation_id"].tolist())}
        ids = stored_column(self.store, "annotation_id").rows(self.rows).tolist()
        for places, _, fits in self.truth.groups(self.rows):
            there = [at.get(ids[place], -1) for place in places.tolist()]
            if min(there) >= 0 and np.allclose(arrays["pose"][there], fits.pose, atol=1e-5):
                continue
            raise RawDataCorrupt(f"{path} is of another sample than {self.store.path.name}")
        return {number: (str(arrays["family"][k]), float(arrays["occlusion"][k])) for number, k in at.items()}
