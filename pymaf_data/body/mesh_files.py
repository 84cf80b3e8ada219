"""Meshes as files that other programs open: OBJ (text) and GLB (glTF 2.0 in one file).

Both have y up and z towards the viewer, as such programs expect; vertices come in camera space, y down and z forward,
so they are turned by half a circle about x: nothing is mirrored, and faces keep their winding.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pymaf_data.geometry.meshes import outward_normals

Floats = NDArray[np.floating]

_TURN = np.array([1.0, -1.0, -1.0])
_GLB, _JSON, _BINARY = 0x46546C67, 0x4E4F534A, 0x004E4942
_FLOAT, _UNSIGNED, _VERTICES, _INDICES = 5126, 5125, 34962, 34963  # names of OpenGL, as glTF uses them
_COLOUR = (0.67, 0.57, 0.48, 1.0)  # linear; the skin tone of drawn bodies


def obj(vertices: Floats, faces: ArrayLike) -> bytes:
    """A mesh as Wavefront OBJ.

    Args:
        vertices: (V, 3) camera-space metres.
        faces: (F, 3) vertex indices from 0.
    """
    points = "".join(f"v {x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in (np.asarray(vertices) * _TURN).tolist())
    corners = "".join(f"f {a} {b} {c}\n" for a, b, c in (np.asarray(faces) + 1).tolist())
    return (points + corners).encode()


def glb(meshes: Mapping[str, Floats], faces: ArrayLike) -> bytes:
    """Meshes of one topology as binary glTF, a node of its name for each.

    Args:
        meshes: name → (V, 3) camera-space metres.
        faces: (F, 3) vertex indices from 0.

    Raises:
        ShapeError: a face names a vertex that is not there.
    """
    indices = np.ascontiguousarray(faces, "<u4")
    points = [np.ascontiguousarray(np.asarray(mesh) * _TURN, "<f4") for mesh in meshes.values()]
    normals = [_normals(mesh, indices) for mesh in points]
    blocks = [indices.tobytes(), *(block.tobytes() for pair in zip(points, normals, strict=True) for block in pair)]
    described = json.dumps(_described([*meshes], points, indices, [len(block) for block in blocks])).encode()
    chunks = [(_JSON, described + b" " * (-len(described) % 4)), (_BINARY, b"".join(blocks))]
    whole = b"".join(struct.pack("<II", len(content), kind) + content for kind, content in chunks)
    return struct.pack("<III", _GLB, 2, 12 + len(whole)) + whole


def _described(
    names: list[str], points: list[NDArray[np.float32]], indices: NDArray[np.uint32], sizes: list[int]
) -> dict[str, object]:
    """The JSON part: what lies where in the binary one."""
    starts = np.cumsum([0, *sizes]).tolist()
    views = [
        {"buffer": 0, "byteOffset": start, "byteLength": size, "target": _VERTICES if k else _INDICES}
        for k, (start, size) in enumerate(zip(starts, sizes, strict=False))
    ]
    accessors = [{"bufferView": 0, "componentType": _UNSIGNED, "count": indices.size, "type": "SCALAR"}]
    for k, mesh in enumerate(points):
        vector = {"componentType": _FLOAT, "count": len(mesh), "type": "VEC3"}
        bounds = {"min": mesh.min(0).tolist(), "max": mesh.max(0).tolist()}
        accessors += [{"bufferView": 2 * k + 1, **vector, **bounds}, {"bufferView": 2 * k + 2, **vector}]
    material = {"pbrMetallicRoughness": {"baseColorFactor": _COLOUR, "metallicFactor": 0, "roughnessFactor": 0.9}}
    return {
        "asset": {"version": "2.0", "generator": "pymaf-data"},
        "scene": 0,
        "scenes": [{"nodes": [*range(len(names))]}],
        "nodes": [{"name": name, "mesh": k} for k, name in enumerate(names)],
        "meshes": [_mesh(name, k) for k, name in enumerate(names)],
        "materials": [material],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": sum(sizes)}],
    }


def _mesh(name: str, k: int) -> dict[str, object]:
    primitive = {"attributes": {"POSITION": 2 * k + 1, "NORMAL": 2 * k + 2}, "indices": 0, "material": 0}
    return {"name": name, "primitives": [primitive]}


def _normals(points: NDArray[np.float32], faces: NDArray[np.uint32]) -> NDArray[np.float32]:
    """(V, 3) of unit length, weighted by area; up where a vertex has no face."""
    _, normals = outward_normals(points, faces)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(length > 1e-12, normals / np.maximum(length, 1e-12), (0.0, 1.0, 0.0)).astype("<f4")
