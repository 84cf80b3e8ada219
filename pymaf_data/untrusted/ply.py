"""Read the triangles of .ply files of strangers: binary ones, as MeshLab and VCG write them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.bounds import read_whole
from pymaf_data.untrusted.kinds import named

_SIZES = {
    "char": 1, "uchar": 1, "short": 2, "ushort": 2, "int": 4, "uint": 4, "float": 4, "double": 8, "int8": 1,
    "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "float32": 4, "float64": 8,
}  # fmt: skip
_HEADER = re.compile(
    rb"ply\r?\nformat binary_little_endian 1\.0\r?\n(?:comment[^\n]{0,200}\n){0,20}"
    rb"element vertex (?P<vertices>\d{1,9})\r?\n(?P<properties>(?:property \w{3,7} \w{1,20}\r?\n){1,32})"
    rb"element face (?P<faces>\d{1,9})\r?\nproperty list u(?:char|int8) u?int(?:32)? vertex_ind(?:ices|ex)\r?\n"
    rb"end_header\r?\n"
)


def read_ply_faces(path: Path) -> tuple[np.ndarray, int]:
    """Triangles (F, 3) int64 of a mesh, and the number of its vertices.

    Raises:
        RawDataCorrupt: it cannot be opened, is no such file, or is cut off.
    """
    data = read_whole(path)
    try:
        header = _HEADER.match(data[:8192])
        if header is None:
            raise ValueError("its header is none of a binary mesh of vertices and triangles")
        vertices, count = int(header["vertices"]), int(header["faces"])
        kinds = [line.split()[1].decode() for line in header["properties"].splitlines()]
        start = header.end() + vertices * sum(_SIZES[kind] for kind in kinds)
        if len(data) - start != 13 * count:
            raise ValueError(f"{len(data) - start:,} bytes for {count:,} triangles")
        rows = np.frombuffer(data, np.dtype([("corners", "u1"), ("index", "<i4", 3)]), count, start)
        faces = rows["index"].astype(np.int64)
        if (rows["corners"] != 3).any() or (count and not 0 <= faces.min() <= faces.max() < vertices):
            raise ValueError("its faces are no triangles of its vertices")
    except (ValueError, KeyError) as error:
        raise RawDataCorrupt(
            f"cannot read {path} as .ply: {error}.{named(data[:4096], but='ply')}",
            expected="a binary mesh of triangles.",
            action="fetch the file again from its source.",
        ) from None
    return faces, vertices
