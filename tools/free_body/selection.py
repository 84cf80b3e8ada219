"""Vertices chosen by meaning: landmarks, and an even selection of 431."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from .partition import FOOT, HEAD, PartMesh
from .source import HalfSource
from .whole import Whole

LEFT_LANDMARKS = ("eye", "ear", "big_toe", "small_toe", "heel", "thumb", "index", "middle", "ring", "pinky")
LANDMARKS = (
    "nose", "right_eye", "left_eye", "right_ear", "left_ear", "left_big_toe", "left_small_toe", "left_heel",
    "right_big_toe", "right_small_toe", "right_heel", "left_thumb", "left_index", "left_middle", "left_ring",
    "left_pinky", "right_thumb", "right_index", "right_middle", "right_ring", "right_pinky",
)  # fmt: skip
DOWNSAMPLED = 431


def half_landmarks(source: HalfSource, mesh: PartMesh, heads: np.ndarray) -> dict[str, int]:
    """Name without side → vertex of the cut half in mean T-pose; ``heads`` (B, 3) are its bone heads."""
    points, bones = mesh.vertices, source.bones
    follows = (mesh.basis @ source.bone_weights).argmax(1)

    def furthest(bone: str, direction: np.ndarray) -> int:
        own = np.flatnonzero(follows == bones.index(bone))
        return int(own[(points[own] @ direction).argmax()])

    def tip(finger: int) -> int:
        last, before = bones.index(f"finger{finger}-3.L"), bones.index(f"finger{finger}-2.L")
        return furthest(f"finger{finger}-3.L", heads[last] - heads[before])

    head, foot = (np.unique(mesh.faces[mesh.part == part]) for part in (HEAD, FOOT))
    middle = head[mesh.midline[head]]
    pinna = head[points[head, 0] > points[head, 0].max() - 0.012]
    ear = pinna[np.linalg.norm(points[pinna] - points[pinna].mean(0), axis=1).argmin()]
    ahead = np.array([0.0, 0.0, 1.0])
    return {
        "nose": int(middle[points[middle, 2].argmax()]),
        "eye": source.eye,
        "ear": int(ear),
        "big_toe": furthest("toe1-2.L", ahead),
        "small_toe": furthest("toe5-3.L", ahead),
        "heel": int(foot[(points[foot] @ np.array([0.0, -0.4, -1.0])).argmax()]),
        **{name: tip(finger) for finger, name in enumerate(LEFT_LANDMARKS[5:], start=1)},
    }


def landmark_ids(whole: Whole, half: dict[str, int]) -> np.ndarray:
    """(21,) vertices in the order in which ``smplx`` appends them to the joints."""
    ids = []
    for name in LANDMARKS:
        side, _, kind = name.partition("_")
        ids.append(half[name] if name == "nose" else (half[kind] if side == "left" else whole.mirror[half[kind]]))
    return np.array(ids)


def even_selection(whole: Whole, vertices: np.ndarray) -> np.ndarray:
    """(431,) sorted vertices, closed under the mirror: farthest points by distance along the edges.

    Starts at the crown; each step takes the vertex farthest from all taken, together with its mirror image.
    """
    a, b = whole.edges().T
    length = np.linalg.norm(vertices[a] - vertices[b], axis=1)
    graph = csr_matrix((length, (a, b)), shape=(len(vertices), len(vertices)))
    taken: list[int] = []
    distance = np.full(len(vertices), np.inf)
    vertex = int(vertices[:, 1].argmax())
    while True:
        pair = sorted({vertex, int(whole.mirror[vertex])})
        taken += pair
        distance = np.minimum(distance, dijkstra(graph, directed=False, indices=pair, min_only=True))
        room = DOWNSAMPLED - len(taken)
        if room == 0:
            return np.array(sorted(taken))
        allowed = whole.midline if room == 1 else np.ones(len(vertices), bool)
        vertex = int(np.where(allowed, distance, -1.0)[: whole.half].argmax())
