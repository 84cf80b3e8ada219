"""A strict reader of binary glTF 2.0: what the specification demands of a file of plain meshes, and nothing spare.

Source: Khronos, "glTF 2.0 Specification", chapters 3.6, 3.7 and 4.4.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

_COMPONENTS = {5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC3": 3}


def read_glb(data: bytes) -> dict[str, dict[str, np.ndarray]]:
    """Node name → ``POSITION``, ``NORMAL`` (V, 3) and ``faces`` (F, 3); an AssertionError where it is not valid."""
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data)) and length % 4 == 0
    chunks, at = [], 12
    while at < length:
        size, kind = struct.unpack_from("<I4s", data, at)
        assert size % 4 == 0 and at + 8 + size <= length
        chunks.append((kind, data[at + 8 : at + 8 + size]))
        at += 8 + size
    assert [kind for kind, _ in chunks] == [b"JSON", b"BIN\0"]
    text, binary = chunks[0][1], chunks[1][1]
    told = json.loads(text.decode("utf-8"), parse_constant=_refuse)
    assert text.endswith((b"}", b" ")) and told["asset"]["version"] == "2.0"
    (buffer,) = told["buffers"]
    assert "uri" not in buffer and 0 <= len(binary) - buffer["byteLength"] < 4
    assert not binary[buffer["byteLength"] :].strip(b"\0")
    accessors = [_accessor(one, told["bufferViews"], binary) for one in told["accessors"]]
    used, found = set[int](), dict[str, dict[str, np.ndarray]]()
    assert told["scenes"][told["scene"]]["nodes"] == list(range(len(told["nodes"])))
    for node in told["nodes"]:
        (primitive,) = told["meshes"][node["mesh"]]["primitives"]
        assert primitive.get("mode", 4) == 4 and primitive["material"] < len(told["materials"])
        places = {**primitive["attributes"], "faces": primitive["indices"]}
        _targets(told, places)
        used |= {*places.values()}
        found[node["name"]] = _mesh({name: accessors[place] for name, place in places.items()})
    assert used == set(range(len(accessors))) and len(found) == len(told["nodes"]) == len(told["meshes"])
    views = [one["bufferView"] for one in told["accessors"]]
    assert sorted({*views}) == list(range(len(told["bufferViews"])))
    return found


def _refuse(word: str) -> Any:
    raise AssertionError(f"{word} is no JSON")


def _accessor(one: dict[str, Any], views: list[dict[str, Any]], binary: bytes) -> np.ndarray:
    view, width, kind = views[one["bufferView"]], _WIDTHS[one["type"]], np.dtype(_COMPONENTS[one["componentType"]])
    start, size = view["byteOffset"] + one.get("byteOffset", 0), one["count"] * width * kind.itemsize
    assert one["count"] >= 1 and view["buffer"] == 0 and "byteStride" not in view
    assert start % kind.itemsize == 0 and size <= view["byteLength"]
    assert view["byteOffset"] + view["byteLength"] <= len(binary)
    values = np.frombuffer(binary, kind, one["count"] * width, start).reshape(one["count"], width)
    assert np.isfinite(values).all()
    for bound, actual in (("min", values.min(0)), ("max", values.max(0))):
        if bound in one:
            np.testing.assert_array_equal(np.array(one[bound], kind), actual)
    return values


def _targets(told: dict[str, Any], places: dict[str, int]) -> None:
    """Each view says what it is for, and is for that alone; positions have bounds."""
    for name, place in places.items():
        accessor = told["accessors"][place]
        view = told["bufferViews"][accessor["bufferView"]]
        assert view["target"] == (34963 if name == "faces" else 34962)
        assert accessor["type"] == ("SCALAR" if name == "faces" else "VEC3")
    assert {"min", "max"} <= told["accessors"][places["POSITION"]].keys()


def _mesh(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    corners = arrays["faces"][:, 0]
    assert len(corners) % 3 == 0 and corners.max() < len(arrays["POSITION"]) == len(arrays["NORMAL"])
    np.testing.assert_allclose(np.linalg.norm(arrays["NORMAL"], axis=1), 1, atol=1e-5)
    faces = corners.reshape(-1, 3)
    assert (np.diff(np.sort(faces, 1), axis=1) > 0).all(), "a face of two corners"
    return {**arrays, "faces": faces}
