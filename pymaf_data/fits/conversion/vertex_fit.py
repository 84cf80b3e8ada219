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
_STEPS, _ENOUGH = 8, 1e-3  # radians: a step leaves a twentieth of what it takes
_BATCH = 32
_BONES, _BETAS = 24, 10
_ARMS, _SKIN = 3 * _BONES, 4 * _BONES
_DAMPING = 1e-9
_LARGEST = 10.0  # metres: no body has that size, in centimetres all have
_SHARES = torch.tensor([0.1 if name.endswith("_hand") else 1.0 for name in SMPL24.joints], dtype=torch.float64)
_COUNTED = _SHARES / _SHARES.sum()


class Fitted(NamedTuple):
    """K bodies; NaN, and infinite residuals, where a surface is no body's.

    Attributes:
        pose: (K, 24, 3, 3) rotation matrices.
        betas: (K, 10).
        translation: (K, 3) metres, to be added to the posed body.
        residual: (K, 2) what is left: the mean distance of surfaces in mm, by area; and the degrees by which bones'
            patches of the surface lie turned from the fitted ones, in the mean over the bones. Fingers count a tenth.
    """

    pose: Tensor
    betas: Tensor
    translation: Tensor
    residual: Tensor


class VertexFit:
    """Fits one body; what depends on it alone is prepared once.

    Args:
        body: float64, on the CPU.
    """

    def __init__(self, body: BodyModel) -> None:
        self.body, self._surface = body, surface(body)
        self.vertices, self.areas = spread(body, self._surface, _VERTICES)
        columns = (3 * self.vertices[:, None] + torch.arange(3)).ravel()
        self._template, self._blend = body.v_template[self.vertices], body.blendshapes[:, columns].contiguous()
        self._weights = body.lbs_weights[self.vertices]
        self._influences = Influences.of(self._weights.numpy())
        patches = self._weights**2 * self.areas[:, None]
        self._patches = (patches / patches.sum(0)).T
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
    def __call__(self, vertices: Tensor) -> Fitted:
        """Fit (K, V, 3) float64 vertices in metres, wherever they are."""
        bodies = (torch.eye(3).expand(24, 3, 3), torch.empty(_BETAS), torch.empty(3), torch.empty(2))
        fitted = Fitted(*(torch.full((len(vertices), *one.shape), torch.nan).double() for one in bodies))
        fitted.residual.fill_(torch.inf)
        far = (vertices - vertices[:, :1]).abs().amax((1, 2))
        possible = torch.argwhere(far < _LARGEST)[:, 0]  # NaN is not
        for first in range(0, len(possible), _BATCH):
            rows = possible[first : first + _BATCH]
            found = self._fit(vertices[rows])
            known = torch.stack([part.flatten(1).isfinite().all(1) for part in found]).all(0)
            for column, part in zip(fitted, found, strict=True):
                column[rows[known]] = part[known]
        return fitted

    def _fit(self, vertices: Tensor) -> Fitted:
        y = vertices[:, self.vertices]
        middle = self.areas @ y
        y = y - middle[:, None]
        patches = self._moments(self._template.expand_as(y), y)
        world = procrustes(patches)
        pose = torch.cat([world[:, :1], world[:, self.body.parents[1:]].mT @ world[:, 1:]], 1)
        betas, t = torch.zeros(len(y), _BETAS).double(), torch.zeros_like(middle)
        going = torch.arange(len(y))
        for _ in range(_STEPS):
            step = self._step(y[going], pose[going], betas[going], t[going])
            pose[going] = axis_angle_to_matrix(step[:, :_ARMS].view(-1, _BONES, 3)) @ pose[going]
            betas[going] += step[:, _ARMS:-3]
            t[going] += step[:, -3:]
            going = going[step[:, :_ARMS].abs().amax(1) > _ENOUGH]
            if not len(going):
                break
        posed = self.body.mesh(pose, betas)
        t = t + middle
        millimetres = 1000 * ((posed + t[:, None] - vertices).norm(dim=2) @ self._surface)
        turned = procrustes(self._moments(posed[:, self.vertices], y))
        angle = ((turned.diagonal(dim1=2, dim2=3).sum(2) - 1) / 2).clamp(-1, 1).acos()
        degrees = torch.rad2deg(angle) @ _COUNTED
        return Fitted(pose, betas, t, torch.stack([millimetres, degrees], 1))

    def _moments(self, x: Tensor, y: Tensor) -> Tensor:
        """(K, 24, 3, 3) what :func:`procrustes` needs of each bone's patch of two surfaces (K, P, 3)."""
        products = (x[..., None] * y[:, :, None]).flatten(2)
        both = (self._patches @ products).unflatten(2, (3, 3))
        return both - (self._patches @ x)[..., None] * (self._patches @ y)[:, :, None]

    def _step(self, y: Tensor, pose: Tensor, betas: Tensor, t: Tensor) -> Tensor:
        """(K, 85) by which joints turn, each in the frame of the bone above it, and betas and translation change."""
        bones, joints = self.body.kinematics(pose, betas)
        above = torch.cat([torch.eye(3).double().expand(len(y), 1, 3, 3), bones[:, self.body.parents[1:], :, :3]], 1)
        gram = self._gram(y, pose, betas, t, bones, above)
        levers = bones.mT[:, :, :, None] * self._below[:, None, :, None]  # to joints, of all that hangs on them
        levers[:, :, 3] -= self._below[..., None] * joints[:, None]
        step = _solve(gram, levers.reshape(-1, _SKIN, _ARMS))
        step[:, :_ARMS] = (above.mT @ step[:, :_ARMS].reshape(-1, _BONES, 3, 1)).flatten(1)
        return step

    def _gram(self, y: Tensor, pose: Tensor, betas: Tensor, t: Tensor, bones: Tensor, above: Tensor) -> Tensor:
        """(K, 130, 130) over the surface: products of w_k (x, 1), ∂v/∂β, residual and 1."""
        K, P = len(y), len(self.vertices)
        amounts = torch.cat([betas, (pose[:, 1:] - torch.eye(3).double()).flatten(1)], 1)
        x = torch.addmm(self._template.reshape(-1), amounts, self._blend).view(K, P, 3)
        rows = torch.empty(K, P, _SKIN + 3 * _BETAS + 4)
        skinned = rows[..., :_SKIN].unflatten(-1, (_BONES, 4))
        torch.mul(self._skin[..., None], x[:, :, None].float(), out=skinned[..., :3])
        skinned[..., 3] = self._skin
        self._by_shape(bones[..., :3], above, out=rows[..., _SKIN:-4].unflatten(-1, (_BETAS, 3)))
        self._influences.skin(x.numpy(), bones.numpy())
        rows[..., -4:-1] = (y - x - t[:, None]) * self._root[:, None]
        rows[..., -1] = self._root
        return (rows.mT @ rows).double()

    def _by_shape(self, turned: Tensor, above: Tensor, out: Tensor) -> None:
        """(K, P, 10, 3) ∂v/∂β: what vertices move by in their bones, and bones with their joints."""
        K, dirs = len(turned), self._joint_dirs
        along = torch.cat([dirs[:1], dirs[1:] - dirs[self.body.parents[1:]]])
        bones = self._below @ (above @ along).view(K, _BONES, -1) - (turned @ dirs).view(K, _BONES, -1)
        bones = bones.view(K, _BONES, 3, _BETAS).mT.reshape(K, _BONES, -1).float()
        own = (self._bent @ turned.permute(1, 3, 0, 2).reshape(_ARMS, -1).float()).view(-1, _BETAS, K, 3)
        torch.add(own.permute(2, 0, 1, 3), (self._skin @ bones).view(K, -1, _BETAS, 3), out=out)


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
    H[:, _ARMS:-3, :_ARMS] = _cross(shape.transpose(3, 4)).reshape(K, _ARMS, _BETAS).mT
    H[:, -3:, :_ARMS] = _cross(arms[..., -1, None, None] * one).reshape(K, _ARMS, 3).mT
    H[:, _ARMS:-3, _ARMS:-3] = torch.einsum("kiaja->kij", own[..., :-4].unflatten(-1, (_BETAS, 3)))
    H[:, -3:, _ARMS:-3] = own[..., -1].mT
    H[:, -3:, -3:] = one
    H.diagonal(dim1=1, dim2=2).add_(_DAMPING)
    turns = _cross(arms[..., -4:-1, None]).reshape(K, _ARMS)
    right = torch.cat([turns, torch.einsum("kiaa->ki", own[..., -4:-1]), rest[:, -4:-1, -1]], 1)
    # Of the lower half, which is all that H holds. Where it fails, what comes of it is far from the surface.
    factor, _ = torch.linalg.cholesky_ex(H)
    return torch.cholesky_solve(right[..., None], factor)[..., 0]


def _cross(products: Tensor) -> Tensor:
    """Σ a × b (…, 3, n) of products Σ a bᵀ (…, 3, 3, n)."""
    x, y, z = products.unbind(-3)
    return torch.stack([y[..., 2, :] - z[..., 1, :], z[..., 0, :] - x[..., 2, :], x[..., 1, :] - y[..., 0, :]], -2)


def procrustes(moments: Tensor) -> Tensor:
    """Rotations (…, 3, 3), proper ones always, that turn points x most closely to y: of Σ x yᵀ about both means."""
    U, _, Vh = torch.linalg.svd(moments.nan_to_num(0.0, 0.0, 0.0))
    V = Vh.mT.clone()
    V[..., 2] *= torch.linalg.det(V @ U.mT)[..., None]
    return V @ U.mT


def surface(body: BodyModel) -> Tensor:
    """(V,) the share of the surface that each vertex stands for; fingers count a tenth, as other models bend them."""
    v, faces = body.v_template, body.faces
    edges = v[faces[:, 1:]] - v[faces[:, :1]]
    third = torch.linalg.cross(edges[:, 0], edges[:, 1]).norm(dim=1) / 6
    area = torch.zeros(len(v)).double().index_add_(0, faces.ravel(), third.repeat_interleave(3))
    area = area * _SHARES[body.lbs_weights.argmax(1)]
    return area / area.sum()


def spread(body: BodyModel, area: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Vertices (P,), half of them spread over the surface and half over the bones, and the share of each."""
    bone = body.lbs_weights.argmax(1)
    of_bone = torch.zeros(_BONES).double().index_add_(0, bone, area)
    often = area + area / of_bone[bone] / (of_bone > 0).sum()
    order = torch.argsort(bone, stable=True)
    along = torch.cumsum(often[order], 0)
    marks = (torch.arange(count).double() + 0.5) / count * along[-1]
    picked, times = torch.unique(order[torch.searchsorted(along, marks)], return_counts=True)
    areas = times * (area / often)[picked]
    return picked, areas / areas.sum()
