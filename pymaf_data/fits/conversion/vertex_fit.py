"""Which body of a model has a given surface: a closed-form fit of pose, shape and translation to vertices.

    bone by bone: rotation by orthogonal Procrustes        where all begins, right within some ten degrees
    a few times:  linear least squares of all unknowns     72 of rotation, 10 of shape, 3 of translation

Each step solves the normal equations of  min Σ_v a_v ‖y_v − v(θ, β) − t‖²  about the last body, a_v the surface that a
vertex stands for. Skinning and shape are differentiated exactly, and the residual is exact, so a body of the very model
is found again to rounding; only the derivative leaves out that pose blend shapes change (millimetres). The sum runs
over some hundred vertices. With  v = Σ_k w_vk A_k (x_v, 1)  all that it needs are sums of products of w_vk (x_v, 1),
of ∂v/∂β and of the residual: one Gram matrix a body.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pymaf_data.body import BodyModel
from pymaf_data.body.skinning import Influences
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.geometry.rotations import axis_angle_to_matrix

_VERTICES = 500
_STEPS = 4
_BATCH = 32
_BONES, _BETAS = 24, 10
_ARMS, _SKIN = 3 * _BONES, 4 * _BONES
_HANDS, _FINGERS = torch.tensor([SMPL24.index(name) for name in ("left_hand", "right_hand")]), 0.1
_DAMPING = 1e-9


class Fitted(NamedTuple):
    """K bodies; NaN where a surface is no body's.

    Attributes:
        pose: (K, 24, 3, 3) rotation matrices.
        betas: (K, 10).
        translation: (K, 3) metres, to be added to the posed body.
    """

    pose: Tensor
    betas: Tensor
    translation: Tensor


class VertexFit:
    """Fits one body; what depends on it alone is prepared once.

    Args:
        body: float64, on the CPU.
    """

    def __init__(self, body: BodyModel) -> None:
        self.body = body
        self.vertices, self.areas = spread(body, _VERTICES)
        columns = (3 * self.vertices[:, None] + torch.arange(3)).ravel()
        self._template, self._blend = body.v_template[self.vertices], body.blendshapes[:, columns].contiguous()
        self._weights = body.lbs_weights[self.vertices]
        self._influences = Influences.of(self._weights.numpy())
        self._root = self.areas.sqrt()  # Gram matrices of rows times this are sums over the surface
        self._skin = (self._weights * self._root[:, None]).float()
        shape = self._blend[:_BETAS].view(_BETAS, -1, 3).permute(1, 0, 2).float()
        self._bent = torch.einsum("pk,psb->pskb", self._skin, shape).reshape(-1, _ARMS)
        self._below = torch.eye(_BONES, dtype=torch.float64)  # [k, j]: bone k hangs on joint j
        for joint in range(_BONES - 1, 0, -1):
            self._below[:, body.parents[joint]] += self._below[:, joint]
        rest = body.rest_joints(torch.cat([torch.zeros(1, _BETAS), torch.eye(_BETAS)]).double())
        self._joint_dirs = (rest[1:] - rest[0]).permute(1, 2, 0)  # (24, 3, 10)

    @torch.no_grad()
    def __call__(self, surface: Tensor) -> Fitted:
        """Fit (K, V, 3) float64 vertices in metres, wherever they are."""
        parts = [self._fit(part[:, self.vertices]) for part in surface.split(_BATCH)]
        return Fitted(*(torch.cat(column) for column in zip(*parts, strict=True)))

    def _fit(self, y: Tensor) -> Fitted:
        middle = self.areas @ y
        y = y - middle[:, None]
        pose, betas, t = self._turned_alone(y), torch.zeros(len(y), _BETAS).double(), torch.zeros_like(middle)
        for _ in range(_STEPS):
            pose, betas, t = self._step(y, pose, betas, t)
        return Fitted(pose, betas, t + middle)

    def _turned_alone(self, y: Tensor) -> Tensor:
        """(K, 24, 3, 3) every bone turned as the vertices are that it moves."""
        weights = self._weights**2 * self.areas[:, None]
        weights = (weights / weights.sum(0)).T
        moments = (weights[:, None] * self._template.T) @ y[:, None]
        moments -= (weights @ self._template)[..., None] * (weights @ y)[:, :, None]
        world = procrustes(moments)
        return torch.cat([world[:, :1], world[:, self.body.parents[1:]].mT @ world[:, 1:]], 1)

    def _step(self, y: Tensor, pose: Tensor, betas: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        bones, joints = self.body.kinematics(pose, betas)
        above = torch.cat([torch.eye(3).double().expand(len(y), 1, 3, 3), bones[:, self.body.parents[1:], :, :3]], 1)
        gram = self._gram(y, pose, betas, t, bones, above)
        levers = bones.mT[:, :, :, None] * self._below[:, None, :, None]  # to joints, of all that hangs on them
        levers[:, :, 3] -= self._below[..., None] * joints[:, None]
        step = _solve(gram, levers.reshape(-1, _SKIN, _ARMS))
        turn = (above.mT @ step[:, :_ARMS].view(-1, _BONES, 3, 1))[..., 0]
        return axis_angle_to_matrix(turn) @ pose, betas + step[:, _ARMS:-3], t + step[:, -3:]

    def _gram(self, y: Tensor, pose: Tensor, betas: Tensor, t: Tensor, bones: Tensor, above: Tensor) -> Tensor:
        """(K, 130, 130) over the surface: products of w_k (x, 1), ∂v/∂β, residual and 1."""
        K, P = len(y), len(self.vertices)
        amounts = torch.cat([betas, (pose[:, 1:] - torch.eye(3).double()).flatten(1)], 1)
        x = torch.addmm(self._template.reshape(-1), amounts, self._blend).view(K, P, 3)
        rows = torch.empty(K, P, _SKIN + 3 * _BETAS + 4)
        skinned = rows[..., :_SKIN].unflatten(-1, (_BONES, 4))
        torch.mul(self._skin[..., None], x[:, :, None].float(), out=skinned[..., :3])
        skinned[..., 3] = self._skin
        rows[..., _SKIN:-4] = self._by_shape(bones[..., :3], above).flatten(2)
        self._influences.skin(x.numpy(), bones.numpy())
        rows[..., -4:-1] = (y - x - t[:, None]) * self._root[:, None]
        rows[..., -1] = self._root
        return (rows.mT @ rows).double()

    def _by_shape(self, turned: Tensor, above: Tensor) -> Tensor:
        """(K, P, 10, 3) ∂v/∂β: what vertices move by in their bones, and bones with their joints."""
        K, dirs = len(turned), self._joint_dirs
        along = torch.cat([dirs[:1], dirs[1:] - dirs[self.body.parents[1:]]])
        bones = self._below @ (above @ along).view(K, _BONES, -1) - (turned @ dirs).view(K, _BONES, -1)
        bones = bones.view(K, _BONES, 3, _BETAS).mT.reshape(K, _BONES, -1).float()
        own = (self._bent @ turned.permute(1, 3, 0, 2).reshape(_ARMS, -1).float()).view(-1, _BETAS, K, 3)
        return own.permute(2, 0, 1, 3) + (self._skin @ bones).view(K, -1, _BETAS, 3)


def _solve(gram: Tensor, levers: Tensor) -> Tensor:
    """(K, 85) turns of joints in the world, betas, translation: the least squares of :meth:`VertexFit._gram`.

    A joint's turn ω moves a vertex by ω × arm, arm = Σ_k w_k A_k (x, 1) over what hangs on it, seen from the joint.
    """
    K, one = len(gram), torch.eye(3).double()
    arms = levers.mT @ gram[:, :_SKIN]
    both = (arms[:, :, :_SKIN] @ levers).view(K, _BONES, 3, _BONES, 3)
    arms, rest = arms[:, :, _SKIN:].view(K, _BONES, 3, -1), gram[:, _SKIN:, _SKIN:]
    shape, own = arms[..., :-4].unflatten(-1, (_BETAS, 3)), rest[:, :-4].unflatten(1, (_BETAS, 3))
    H = torch.zeros(K, _ARMS + _BETAS + 3, _ARMS + _BETAS + 3).double()
    # (ω × a)·(τ × b) = ω·[(a·b) 1 − b aᵀ]·τ, and (ω × a)·b = ω·(a × b).
    apart = torch.einsum("kiaja->kij", both)[:, :, None, :, None] * one[:, None] - both.transpose(2, 4)
    H[:, :_ARMS, :_ARMS] = apart.reshape(K, _ARMS, _ARMS)
    H[:, :_ARMS, _ARMS:-3] = _cross(shape.transpose(3, 4)).reshape(K, _ARMS, _BETAS)
    H[:, :_ARMS, -3:] = _cross(arms[..., -1, None, None] * one).reshape(K, _ARMS, 3)
    H[:, _ARMS:-3, _ARMS:-3] = torch.einsum("kiaja->kij", own[..., :-4].unflatten(-1, (_BETAS, 3)))
    H[:, _ARMS:-3, -3:] = own[..., -1]
    H[:, -3:, -3:] = one
    H = H.triu() + H.triu(1).mT
    H.diagonal(dim1=1, dim2=2).add_(_DAMPING)
    turns = _cross(arms[..., -4:-1, None]).reshape(K, _ARMS)
    right = torch.cat([turns, torch.einsum("kiaa->ki", own[..., -4:-1]), rest[:, -4:-1, -1]], 1)
    factor, failed = torch.linalg.cholesky_ex(H)
    step = torch.cholesky_solve(right[..., None], factor)[..., 0]
    return torch.where(failed[:, None] == 0, step, torch.nan)


def _cross(products: Tensor) -> Tensor:
    """Σ a × b (…, 3, n) of products Σ a bᵀ (…, 3, 3, n)."""
    x, y, z = products.unbind(-3)
    return torch.stack([y[..., 2, :] - z[..., 1, :], z[..., 0, :] - x[..., 2, :], x[..., 1, :] - y[..., 0, :]], -2)


def procrustes(moments: Tensor) -> Tensor:
    """Rotations (…, 3, 3), proper ones always, that turn points x most closely to y: of Σ x yᵀ about both means."""
    U, _, Vh = torch.linalg.svd(moments)
    V = Vh.mT.clone()
    V[..., 2] *= torch.linalg.det(V @ U.mT)[..., None]
    return V @ U.mT


def spread(body: BodyModel, count: int) -> tuple[Tensor, Tensor]:
    """Vertices (P,), half of them spread over the surface and half over the bones, and the area that each stands for.

    Fingers count a tenth, for other models bend them. Areas sum to one.
    """
    v, faces, bone = body.v_template, body.faces, body.lbs_weights.argmax(1)
    edges = v[faces[:, 1:]] - v[faces[:, :1]]
    third = torch.linalg.cross(edges[:, 0], edges[:, 1]).norm(dim=1) / 6
    area = torch.zeros(len(v)).double().index_add_(0, faces.ravel(), third.repeat_interleave(3))
    area = torch.where(torch.isin(bone, _HANDS), _FINGERS * area, area) / area.sum()
    of_bone = torch.zeros(_BONES).double().index_add_(0, bone, area)
    often = area / area.sum() + area / of_bone[bone] / (of_bone > 0).sum()
    order = torch.argsort(bone, stable=True)
    along = torch.cumsum(often[order], 0)
    marks = (torch.arange(count).double() + 0.5) / count * along[-1]
    picked, times = torch.unique(order[torch.searchsorted(along, marks)], return_counts=True)
    areas = times * (area / often)[picked]
    return picked, areas / areas.sum()
