"""The body reduced to its keypoints: exact positions and derivatives without a single mesh vertex.

A keypoint is a linear functional of the posed vertices, and linear blend skinning is linear in the rest vertices. So
the sum over vertices can be taken once, before any pose is known. With keypoint weights r (over vertices), skinning
weights w, world rotations G and joint positions P:

    X_k = Σ_v r_kv Σ_j w_vj (G_j (x_v − J_j) + P_j) = Σ_j (G_j a_kj + c_kj P_j)
    a_kj = Σ_v r_kv w_vj (x_v − J_j)    c_kj = Σ_v r_kv w_vj

a_kj is linear in betas. Only pose blend shapes are left out (millimetres at these points). Derivatives are closed
forms: a turn by ω about joint j moves what hangs below it by ω × (X − P_j). Cost: 24 products of 3×3 matrices and
about 2,000 multiplications for the Jacobian of each keypoint, against 20,670 vertex coordinates.

Letters: B persons (or hypotheses), K keypoints, J = 24 joints, A = 26 angles, S betas, T terms (k, j) with c_kj ≠ 0,
M joints that turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pymaf_data.body.model import BodyModel
from pymaf_data.body.names import J49_INDEX
from pymaf_data.fits.fitter.limits import ANGLES, GROUPS
from pymaf_data.geometry.joints import J24, J49, SMPL24
from pymaf_data.geometry.rotations import axis_angle_to_matrix

# Terms whose share of a keypoint is below this are dropped and the rest rescaled: millimetres, for half the cost.
_NEGLIGIBLE = 0.02


@dataclass(frozen=True)
class Posed:
    """A posed rig in camera space (metres): what projection and derivatives need."""

    points: Tensor  # (B, K, 3)
    joints: Tensor  # (B, 24, 3)
    rotations: Tensor  # (B, 24, 3, 3) world rotations
    terms: Tensor  # (B, T, 3) = G_j a + c P_j
    swings: Tensor  # (B, M, 3, 3) of each turning joint: Exp(swing) alone
    shares: Tensor  # (B, M, 3) its own (swing₁, swing₂, twist)


class KeypointRig:
    """Keypoints of a body as functions of root rotation, root position, 26 angles and betas.

    Args:
        v_template: (V, 3) metres. shapedirs: (V, 3, S). J_regressor: (24, V). weights: (V, 24). parents: (24,).
        points: (K, V) each keypoint's weights over posed vertices; rows of a skeleton joint are ignored.
        skeleton: (K,) the joint a keypoint *is*, or −1 where ``points`` defines it.
    """

    def __init__(
        self,
        *,
        v_template: np.ndarray,
        shapedirs: np.ndarray,
        J_regressor: np.ndarray,
        weights: np.ndarray,
        parents: np.ndarray,
        points: np.ndarray,
        skeleton: np.ndarray,
    ) -> None:
        self.parents = [int(p) for p in parents]
        self.num_betas = shapedirs.shape[2]
        basis = np.concatenate((v_template[..., None], shapedirs), -1).astype(np.float64)  # (V, 3, 1+S)
        rest = np.einsum("jv,vcs->jcs", J_regressor.astype(np.float64), basis)
        offsets = rest - np.where(np.arange(24)[:, None, None] > 0, rest[self.parents], 0.0)
        self.rest, self.offsets = torch.from_numpy(rest), torch.from_numpy(offsets)  # (24, 3, 1+S)
        self._reduce(basis, rest, weights.astype(np.float64), points.astype(np.float64), skeleton)
        self._tabulate_angles()

    @classmethod
    def of(cls, body: BodyModel) -> KeypointRig:
        """The rig of a body's J24."""
        model = [J49_INDEX[J49.index(name)] for name in J24.joints]
        skeleton = np.array([joint if joint < len(SMPL24) else -1 for joint in model])
        landmarks, extra = body.get_buffer("_landmarks"), body.get_buffer("_extra")
        points = np.zeros((len(J24), len(body.v_template)))
        for k, joint in enumerate(model):
            surface = joint - len(SMPL24)
            if 0 <= surface < len(landmarks):
                points[k, int(landmarks[surface])] = 1.0
            elif surface >= 0:
                points[k] = extra[surface - len(landmarks)].double().numpy()
        return cls(
            v_template=body.v_template.double().numpy(),
            shapedirs=body.shapedirs.double().numpy(),
            J_regressor=body.J_regressor.double().numpy(),
            weights=body.lbs_weights.double().numpy(),
            parents=body.parents.numpy(),
            points=points,
            skeleton=skeleton,
        )

    def _reduce(
        self, basis: np.ndarray, rest: np.ndarray, weights: np.ndarray, points: np.ndarray, skeleton: np.ndarray
    ) -> None:
        terms: list[tuple[int, int, float, np.ndarray]] = []  # keypoint, joint, c_kj, a_kj
        for k, own in enumerate(skeleton.tolist()):
            if own >= 0:
                terms.append((k, own, 1.0, np.zeros_like(rest[0])))
                continue
            mass = points[k] @ weights
            kept = np.flatnonzero(np.abs(mass) > _NEGLIGIBLE)
            scale = mass.sum() / mass[kept].sum()
            for j in kept.tolist():
                rows = points[k] * weights[:, j] * scale
                local = np.einsum("v,vcs->cs", rows, basis) - rows.sum() * rest[j]
                terms.append((k, j, float(rows.sum()), local))
        self.num_points = len(skeleton)
        self.term_joint = torch.tensor([joint for _, joint, _, _ in terms])
        self.term_share = torch.tensor([share for _, _, share, _ in terms], dtype=torch.float64)
        self.term_local = torch.from_numpy(np.stack([local for _, _, _, local in terms]))  # (T, 3, 1+S)
        self.gather = torch.zeros(self.num_points, len(terms), dtype=torch.float64)
        self.gather[torch.tensor([k for k, _, _, _ in terms]), torch.arange(len(terms))] = 1.0  # (K, T)

    def _tabulate_angles(self) -> None:
        turning, axes, slots = [], [], []
        first = 0
        for group in GROUPS:
            columns = []
            for entry in group.ranges:
                columns.append(first if entry else -1)
                first += bool(entry)
            for name in group.joints:
                turning.append(SMPL24.index(name))
                axes.append(group.axes)
                slots.append((columns, 1.0 / len(group.joints)))
        self.turning = torch.tensor(turning)  # (M,)
        self.carriers = torch.tensor([self.parents[j] for j in turning])  # (M,)
        self.axes = torch.tensor(axes, dtype=torch.float64)  # (M, 3, 3) rows are the axes
        # (A, M·3): how each angle moves each joint's (swing₁, swing₂, twist)
        self.spread = torch.zeros(len(ANGLES), len(turning), 3, dtype=torch.float64)
        for m, (columns, share) in enumerate(slots):
            for axis, column in enumerate(columns):
                if column >= 0:
                    self.spread[column, m, axis] = share
        flat = self.spread.flatten(1)
        self.used = flat.any(0).nonzero()[:, 0]  # (U,) places among M·3 that some angle moves
        self.used_joint, self.used_spread = self.used // 3, flat[:, self.used].T.contiguous()
        below = torch.zeros(24, 24, dtype=torch.bool)
        for j in range(24):
            node = j
            while node >= 0:
                below[node, j] = True
                node = self.parents[node] if node else -1
        descends = below[self.turning][:, self.term_joint].double()  # (M, T)
        self.subtree = (self.gather[:, None] * descends[None]).reshape(-1, len(self.term_joint))  # (K·M, T)
        self.subtree_share = (self.subtree @ self.term_share).reshape(self.num_points, -1)  # (K, M)

    def local_rotations(self, angles: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rotations (B, M, 3, 3) of the turning joints, with their swings and shares, from angles (B, A)."""
        shares = torch.einsum("ba,amc->bmc", angles, self.spread)
        swing = axis_angle_to_matrix(shares[..., :1] * self.axes[:, 0] + shares[..., 1:2] * self.axes[:, 1])
        twist = axis_angle_to_matrix(shares[..., 2:] * self.axes[:, 2])
        return swing @ twist, swing, shares

    def pose(self, root: Tensor, position: Tensor, angles: Tensor, betas: Tensor) -> Posed:
        """Pose the rig.

        Args:
            root: (B, 3, 3) rotation of the pelvis in camera space. position: (B, 3) of the pelvis joint, metres.
            angles: (B, 26) radians. betas: (B, S).
        """
        local, swings, shares = self.local_rotations(angles)
        slot = {int(j): m for m, j in enumerate(self.turning)}
        shape = torch.cat((torch.ones_like(betas[:, :1]), betas), 1)
        offsets = torch.einsum("jcs,bs->bjc", self.offsets, shape)
        rotations, joints = [root], [position]
        for j in range(1, 24):
            parent = self.parents[j]
            rotations.append(rotations[parent] @ local[:, slot[j]] if j in slot else rotations[parent])
            joints.append(joints[parent] + (rotations[parent] @ offsets[:, j, :, None])[..., 0])
        G, P = torch.stack(rotations, 1), torch.stack(joints, 1)
        local_points = torch.einsum("tcs,bs->btc", self.term_local, shape)
        terms = (G[:, self.term_joint] @ local_points[..., None])[..., 0]
        terms = terms + self.term_share[:, None] * P[:, self.term_joint]
        return Posed(self.gather @ terms, P, G, terms, swings, shares)

    def jacobian(self, posed: Posed) -> Tensor:
        """Derivatives (B, K, 3, 3 + 3 + A + S) of the points.

        Columns: root rotation (a turn by ω in camera space, multiplied from the left), root position, angles, betas.
        """
        B, K = posed.points.shape[:2]
        arm = posed.points - posed.joints[:, :1]
        root = -_cross_matrix(arm)  # ω × x = −[x]ω
        position = torch.eye(3, dtype=arm.dtype).expand(B, K, 3, 3)
        return torch.cat((root, position, self._angle_columns(posed), self._beta_columns(posed)), -1)

    def _angle_columns(self, posed: Posed) -> Tensor:
        """(B, K, 3, A): ω × (X − P) of every axis that turns, U of them, added up over the joints of a group."""
        B, K, M = posed.points.shape[0], self.num_points, len(self.turning)
        hanging = (self.subtree @ posed.terms).reshape(B, K, M, 3)
        pivots = posed.joints[:, self.turning]
        arms = hanging - self.subtree_share[..., None] * pivots[:, None]
        axes = posed.rotations[:, self.carriers] @ self._swing_axes(posed)  # (B, M, 3, 3) columns: world axes
        # By component, on contiguous (B, K, U): several times faster than torch.cross on expanded views.
        rx, ry, rz = arms.permute(3, 0, 1, 2)[..., self.used_joint]
        ax, ay, az = axes.permute(2, 0, 1, 3).flatten(2)[..., self.used].unsqueeze(2)
        columns = torch.stack((ay * rz - az * ry, az * rx - ax * rz, ax * ry - ay * rx), 2)
        return columns @ self.used_spread  # (B, K, 3, U) → (B, K, 3, A)

    def _swing_axes(self, posed: Posed) -> Tensor:
        """(B, M, 3, 3): instantaneous axes, in the parent's frame, of a change of each of the three angles."""
        vector = posed.shares[..., :1] * self.axes[:, 0] + posed.shares[..., 1:2] * self.axes[:, 1]
        left = _left_jacobian(vector)
        swings = left @ self.axes[:, :2].transpose(-1, -2)
        twist = posed.swings @ self.axes[:, 2, :, None]
        return torch.cat((swings, twist), -1)

    def _beta_columns(self, posed: Posed) -> Tensor:
        G = posed.rotations
        moved = [torch.zeros_like(G[:, 0, :, :1]).expand(-1, -1, self.num_betas)]
        for j in range(1, 24):
            parent = self.parents[j]
            moved.append(moved[parent] + G[:, parent] @ self.offsets[j, :, 1:])
        D = torch.stack(moved, 1)
        terms = G[:, self.term_joint] @ self.term_local[..., 1:]
        terms = terms + self.term_share[:, None, None] * D[:, self.term_joint]
        return torch.einsum("kt,btcs->bkcs", self.gather, terms)


def _cross_matrix(x: Tensor) -> Tensor:
    zero = torch.zeros_like(x[..., 0])
    rows = (zero, -x[..., 2], x[..., 1], x[..., 2], zero, -x[..., 0], -x[..., 1], x[..., 0], zero)
    return torch.stack(rows, -1).reshape(*x.shape[:-1], 3, 3)


def _left_jacobian(vector: Tensor) -> Tensor:
    """Of the exponential map: d Exp(v) = [J dv]× Exp(v). (..., 3) → (..., 3, 3)."""
    angle = vector.norm(dim=-1)[..., None, None]
    safe = angle.clamp_min(1e-6)
    K = _cross_matrix(vector)
    first = torch.where(angle > 1e-6, (1 - torch.cos(safe)) / safe**2, torch.full_like(angle, 0.5))
    second = torch.where(angle > 1e-6, (safe - torch.sin(safe)) / safe**3, torch.full_like(angle, 1 / 6))
    return torch.eye(3, dtype=vector.dtype) + first * K + second * (K @ K)
