"""From a bare figure to a dressed one: cloth lies off the skin, covers its creases, and hangs.

Every vertex is moved in the T-pose (off the body smoothed by the garment's stiffness, by its thickness) and the
shift is turned with the vertex as linear blend skinning turns it. Shape letters: V body vertices, N of all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from pymaf_data.body import BodyModel
from pymaf_data.geometry.joints import SMPL24
from pymaf_data.render import Atlas
from pymaf_data.world.engine.kernels import vertex_normals
from pymaf_data.world.people import kernels as k
from pymaf_data.world.people.outfit import Outfit
from pymaf_data.world.people.worn_meshes import WornMesh

_REGION_OF_PART = {
    **dict.fromkeys((1, 2), k.TORSO), **dict.fromkeys((3, 4), k.HAND), **dict.fromkeys((5, 6), k.FOOT),
    **dict.fromkeys(range(7, 15), k.LEG), **dict.fromkeys(range(15, 23), k.ARM), **dict.fromkeys((23, 24), k.HEAD),
}  # fmt: skip
_SMOOTHED = {k.TOP: 8, k.BOTTOM: 6, k.OUTER: 14, k.SHOE: 26, k.SOLE: 26, k.SOCK: 3, k.HAIR: 8, k.HAT: 14, k.BELT: 8}
"""Rounds of smoothing of the surface that each material lies on: stiffer cloth follows the body less."""


_LOOSE_FIT = (k.SHOE, k.SOLE, k.HAIR)
"""Materials that do not show where on the body they lie, so that they may slip along it."""

_IS_STIFF = np.isin(np.arange(k.MATERIALS), (k.SHOE, k.SOLE, k.SOCK, k.HAIR, k.HAT))
_LEAST = 0.4  # of their thickness that these lie off the skin everywhere
_HAIR_EDGE = 3  # edges of the mesh over which hair grows to its thickness


@dataclass(frozen=True)
class Dressed:
    """A dressed person in the world, as the engine draws it.

    Args:
        vertices: (N, 3) world metres; the body's own V first.
        faces: (F, 3) int32.
        normals: (N, 3) float32.
        rest: (N, 3) T-pose.
        turns: (N, 3, 3) float32, T-pose to world.
        regions: (F,) int64.
        outfit: what is worn.
    """

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    rest: np.ndarray
    turns: np.ndarray
    regions: np.ndarray
    outfit: Outfit


class Tailor:
    """What there is to know of one body to dress it."""

    def __init__(self, body: BodyModel, atlas: Atlas) -> None:
        self.rest = body.v_template.double().numpy()
        self.faces = body.faces.numpy().astype(np.int32)
        self._weights = body.lbs_weights.double().numpy()
        self._parents = body.parents.numpy()
        self._regressor = body.J_regressor.double().numpy()
        self._shapes = body.shapedirs.double().numpy()
        parts = np.asarray(atlas.face_part)
        self.face_region = np.array([_REGION_OF_PART[int(part)] for part in parts], np.int64)
        self.region = np.zeros(len(self.rest), np.int64)
        self.region[self.faces.ravel()] = np.repeat(self.face_region, 3)
        self._normals = vertex_normals(self.rest, self.faces).astype(np.float64)
        self._off = self._smoothed()
        self._every = np.arange(len(self.rest))
        self._tree = cKDTree(self.rest)

    def _smoothed(self) -> np.ndarray:
        """How far from the skin the surface lies that each material would lie on, (K, V, 3)."""
        edges = np.concatenate([self.faces[:, [0, 1]], self.faces[:, [1, 2]], self.faces[:, [2, 0]]])
        links = sparse.csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(self.rest),) * 2)
        self._step = step = sparse.diags(1 / np.asarray(links.sum(1)).ravel()) @ links
        surfaces = [self.rest]
        for _ in range(max(_SMOOTHED.values())):
            surfaces.append(step @ surfaces[-1])
        off = np.zeros((k.MATERIALS, *self.rest.shape))
        for material, rounds in _SMOOTHED.items():
            off[material] = surfaces[rounds] - self.rest
            if material not in _LOOSE_FIT:  # along the normal alone: prints and hems stay where they are cut
                off[material] = np.einsum("vc,vc->v", off[material], self._normals)[:, None] * self._normals
        return off

    def joint_turns(self, rotations: np.ndarray) -> np.ndarray:
        """World rotations (24, 3, 3) of the joints, from those relative to the parents."""
        world = rotations.copy()
        for joint in range(1, len(world)):
            world[joint] = world[self._parents[joint]] @ rotations[joint]
        return world

    def dress(
        self, rotations: np.ndarray, betas: np.ndarray, vertices: np.ndarray, skeleton: np.ndarray, outfit: Outfit,
        grounded: bool,
    ) -> Dressed:  # fmt: skip
        """Dress a posed body.

        Args:
            rotations: (24, 3, 3), root in the world.
            betas: (10,).
            vertices: (V, 3) world metres.
            skeleton: (24, 3) world metres.
            outfit: what to wear.
            grounded: whether soles are kept from sinking below y = 0.
        """
        turned = self.joint_turns(rotations)
        turns = (self._weights @ turned.reshape(24, 9)).reshape(-1, 3, 3)
        shift = self._shift(outfit)
        points = vertices + np.einsum("vij,vj->vi", turns, shift)
        rest, faces, regions, all_turns = [self.rest], [self.faces], [self.face_region], [turns]
        posed = [points]
        for mesh in outfit.meshes:
            faces.append(mesh.faces + sum(map(len, rest)))
            regions.append(np.full(len(mesh.faces), k.EXTRA + mesh.material))
            own_turns, own_points = self._pose(mesh, turned, betas, skeleton)
            rest.append(mesh.rest)
            all_turns.append(own_turns)
            posed.append(own_points)
        world = np.concatenate(posed)
        if grounded:
            np.maximum(world[:, 1], 0.0, out=world[:, 1])
        triangles = np.concatenate(faces)
        return Dressed(
            world, triangles, vertex_normals(world, triangles), np.concatenate(rest),
            np.concatenate(all_turns).astype(np.float32), np.concatenate(regions), outfit,
        )  # fmt: skip

    def _shift(self, outfit: Outfit) -> np.ndarray:
        """How far (V, 3) clothes lie off the skin, in the T-pose."""
        material = np.empty(len(self.rest), np.int64)
        k.worn(self.region, self.rest, outfit.cut, material)
        thick = outfit.thickness[material].copy()
        x, y, z = self.rest.T
        legs = (material == k.BOTTOM) & (self.region == k.LEG)
        thick[legs] += outfit.flare * np.clip((-0.35 - y[legs]) / 0.7, 0, 1)
        loose = ((material == k.TOP) | (material == k.OUTER)) & (self.region == k.TORSO)
        thick[loose] += outfit.drape * np.exp(-(((y[loose] + 0.10) / 0.12) ** 2))
        hairy = material == k.HAIR
        inner = hairy.astype(np.float64)
        for _ in range(_HAIR_EDGE):
            inner = hairy * (self._step @ inner)
        thick *= np.where(hairy, np.clip(1.6 * inner, 0.1, 1.0), 1.0)
        wave = np.sin(31 * x[hairy] + 9) * np.sin(37 * y[hairy]) * np.sin(29 * z[hairy] + 4)
        thick[hairy] *= 1 + outfit.fluff * (0.5 * wave + np.clip((y[hairy] - 0.44) / 0.08, 0, 1))
        shift = thick[:, None] * self._normals + self._off[material, self._every]
        # Smoothing shrinks toes, heels and the crown by more than shoes and hats are thick.
        outward = np.einsum("vc,vc->v", shift, self._normals)
        lacking = np.maximum(_LEAST * thick - outward, 0) * _IS_STIFF[material]
        return shift + lacking[:, None] * self._normals

    def _pose(
        self, mesh: WornMesh, turned: np.ndarray, betas: np.ndarray, skeleton: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rotations (n, 3, 3) and world points (n, 3) of a worn mesh, by linear blend skinning."""
        shaped = self.rest + self._shapes @ betas
        joints = self._regressor @ shaped
        _, nearest = self._tree.query(mesh.rest)
        rest = mesh.rest + (shaped - self.rest)[nearest]
        moved = np.einsum("jab,njb->nja", turned, rest[:, None] - joints) + skeleton
        points = np.einsum("nj,nja->na", mesh.weights, moved)
        return (mesh.weights @ turned.reshape(len(SMPL24), 9)).reshape(-1, 3, 3), points
