"""Matlab's v5 files: the same values as SciPy reads, and only our errors from what is damaged."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from scipy.io import loadmat, savemat

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.mat import read_mat

RANDOM = np.random.default_rng(5)


def cell(*values: object) -> np.ndarray:
    made = np.empty((1, len(values)), object)
    for place, value in enumerate(values):
        made[0, place] = value
    return made


VALUES: dict[str, object] = {
    "double": RANDOM.random((3, 4)),
    "three_axes": RANDOM.random((2, 3, 4)).astype(np.float32),
    "single_number": 7.5,
    "empty": np.empty((0, 3)),
    "bool": np.array([[True, False]]),
    "complex": RANDOM.random((2, 2)) + 1j * RANDOM.random((2, 2)),
    **{kind: np.arange(6).reshape(2, 3).astype(kind) for kind in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")},
    "text": "a person, straße",
    "rows": np.array(["left", "rght"]),
    "no_text": "",
    "sparse": sparse.csc_matrix(np.diag([1.0, 0, 2])),
    "sparse_complex": sparse.csc_matrix(np.diag([1j, 0, 2])),
    "sparse_empty": sparse.csc_matrix((3, 5)),
    "cells": cell(np.eye(2), "name", cell(1.0, np.empty((0, 0)))),
    "struct": {"x": 1.0, "name": "left_ankle", "inner": {"points": np.arange(4.0)}},
    "struct_array": np.array([[(1.0, "a"), (2.0, "b")]], dtype=[("value", object), ("name", object)]),
}


def same(ours: object, theirs: object) -> None:
    if sparse.issparse(theirs):
        assert type(ours).__name__ == "csc_matrix" and theirs.format == "csc"  # some of SciPy's are arrays
        ours, theirs = ours.toarray(), theirs.toarray()
    assert isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray), (ours, theirs)
    assert ours.shape == theirs.shape
    if theirs.dtype.names is not None:
        assert ours.dtype.names == theirs.dtype.names
        for name in theirs.dtype.names:
            same(ours[name], theirs[name])
    elif theirs.dtype == object:
        for mine, other in zip(ours.ravel(), theirs.ravel(), strict=True):
            same(mine, other)
    else:
        logical = ours.dtype == bool and theirs.dtype == np.uint8  # as SciPy gives truth values
        assert ours.dtype == theirs.dtype or logical or ours.dtype.kind == theirs.dtype.kind == "U"
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("compressed", [False, True])
def test_values_are_those_that_scipy_reads(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "x.mat"
    savemat(path, VALUES, do_compression=compressed, long_field_names=True)
    theirs = loadmat(path)
    ours = read_mat(path, VALUES)
    for name in VALUES:
        same(ours[name], theirs[name])


DTYPES = ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "c16", "c8", "?")


def anything(rng: np.random.Generator, depth: int = 0) -> object:
    """Some value, most often of few numbers, as label files have them; containers stop at three levels."""
    kind = rng.choice(
        ["number", "array", "text", "rows", "nothing", "sparse", "cell", "struct"][: 6 if depth > 2 else 8]
    )
    dtype = rng.choice(DTYPES)
    if kind == "number":
        return (rng.integers(0, 100, (1, 1)) + (0.5j if dtype[0] == "c" else 0.0)).astype(dtype)
    if kind == "array":
        return rng.integers(0, 100, rng.integers(0, 4, rng.integers(2, 5))).astype(dtype)
    if kind == "text":
        return "".join(rng.choice(list("1a ß€\u732b"), rng.integers(0, 4)))
    if kind == "rows":
        return np.array(["".join(rng.choice(list("xyz1"), 3)) for _ in range(rng.integers(1, 4))])
    if kind == "sparse":
        return sparse.random(3, 4, 0.4, "csc", random_state=int(rng.integers(1 << 30)))
    if kind == "cell":
        return cell(*[anything(rng, depth + 1) for _ in range(rng.integers(0, 4))])
    if kind == "struct":
        names = ["x", "y", "id", "is_visible"][: rng.integers(1, 5)]
        made = np.empty((1, rng.integers(0, 4)), [(name, object) for name in names])
        for name in names:
            made[name] = cell(*[anything(rng, depth + 1) for _ in range(made.size)])
        return made
    return np.empty((0, 0))


@pytest.mark.parametrize("compressed", [False, True])
def test_whatever_scipy_writes_is_read_as_scipy_reads_it(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "x.mat"
    for seed in range(40):
        rng = np.random.default_rng(seed)
        values = {name: anything(rng) for name in "abcd"}
        savemat(path, values, do_compression=compressed)
        theirs, ours = loadmat(path), read_mat(path, values)
        for name in values:
            same(ours[name], theirs[name])


def test_matrices_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    """What a head says is worked out once: another class, type, shape or length behind it is its own."""
    path = tmp_path / "x.mat"
    numbers = [element(9, struct.pack("<d", 7)), struct.pack("<HHI", 2, 1, 7), element(9, struct.pack("<d", 8))]
    parts = [matrix(6, (1, 1), b"", number) for number in numbers]
    parts += [matrix(9, (1, 1), b"", numbers[1]), matrix(4, (1, 1), b"", struct.pack("<HHI", 16, 1, ord("7")))]
    parts += [matrix(6, (1, n), b"", element(2, bytes(n))) for n in range(1, 400)]  # more heads than are kept
    path.write_bytes(header() + matrix(1, (1, len(parts)), b"v", b"".join(parts)))
    found = read_mat(path, ["v"])["v"][0]
    assert [value.tolist() for value in found[:5]] == [[[7.0]], [[7.0]], [[8.0]], [[7]], ["7"]]
    assert [value.dtype.kind for value in found[:5]] == list("fffuU")
    assert [value.shape for value in found[5:]] == [(1, n) for n in range(1, 400)]


@pytest.mark.parametrize(("kind", "size"), [(1, 32), (6, 32), (6, 40), (6, 48), (6, 55)])
def test_a_known_head_leads_nowhere_beyond_its_matrix(tmp_path: Path, kind: int, size: int) -> None:
    """The second matrix declares fewer bytes than it has; they stand there all the same."""
    path, nothing = tmp_path / "x.mat", kind == 1
    sound = matrix(kind, (0, 0) if nothing else (1, 1), b"", b"" if nothing else element(9, bytes(8)))
    cut = struct.pack("<II", 14, size) + sound[8:]
    path.write_bytes(header() + matrix(1, (1, 2), b"v", sound + cut))
    with pytest.raises(RawDataCorrupt, match="are left"):
        read_mat(path, ["v"])


@pytest.mark.parametrize(("cells", "ground"), [(True, 1 << 20), (False, 1 << 16)])
def test_what_unpacks_to_far_more_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: bool, ground: int
) -> None:
    """20,000 empty matrices in eight bytes each; a million numbers."""
    many, large = struct.pack("<II", 14, 0) * 20_000, element(2, bytes(1 << 20))
    content = matrix(1, (1, 20_000), b"v", many) if cells else matrix(9, (1, 1 << 20), b"v", large)
    path = tmp_path / "x.mat"
    path.write_bytes(header() + element(15, zlib.compress(content)))
    assert read_mat(path, ["v"])["v"].size in (20_000, 1 << 20)
    monkeypatch.setattr("pymaf_data.untrusted.bounds._GROUND", ground)
    with pytest.raises(RawDataCorrupt, match="more memory"):
        read_mat(path, ["v"])


@pytest.mark.parametrize(("kinds", "refused"), [(1, False), (9, True)])
def test_names_of_fields_are_paid_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: int, refused: bool
) -> None:
    """Packed they take few bytes, in memory hundreds each, once for all structs that have the same."""
    monkeypatch.setattr("pymaf_data.untrusted.bounds._GROUND", 1 << 22)
    path, structs = tmp_path / "x.mat", []
    for number in range(9):
        names = b"".join(b"%c%04d" % (97 + number % kinds, i) for i in range(4000))
        structs.append(matrix(2, (0, 0), b"", element(5, struct.pack("<i", 5)) + element(1, names)))
    path.write_bytes(header() + element(15, zlib.compress(matrix(1, (1, 9), b"v", b"".join(structs)))))
    if refused:
        with pytest.raises(RawDataCorrupt, match="more memory"):
            read_mat(path, ["v"])
    else:
        assert len(read_mat(path, ["v"])["v"][0, 8].dtype.names) == 4000


def test_classes_are_matlabs_whatever_the_numbers_are_stored_as(tmp_path: Path) -> None:
    """Matlab stores whole doubles in the fewest bytes; minus one of them must not become 255."""
    path = tmp_path / "x.mat"
    path.write_bytes(header() + matrix(6, (1, 3), b"v", element(2, bytes([0, 1, 2]))))
    (value,) = read_mat(path, ["v"]).values()
    assert value.dtype == np.float64 and (value - 1).tolist() == [[-1, 0, 1]]
    np.testing.assert_array_equal(value, loadmat(path, mat_dtype=True)["v"])


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(header() + matrix(3, (1, 1), b"object", b"") + matrix(6, (1, 1), b"v", element(9, bytes(8))))
    with pytest.raises(RawDataCorrupt, match="only Matlab reads"):
        read_mat(path, ["v"])
    savemat(path, {"a": 1.0, "b": 2.0})
    assert list(read_mat(path, ["b"])) == ["b"]
    with pytest.raises(RawDataCorrupt, match="it lacks c"):
        read_mat(path, ["a", "c"])


def header(order: str = "<", text: bytes = b"MATLAB 5.0 MAT-file") -> bytes:
    return text.ljust(124) + struct.pack(f"{order}H", 0x0100) + (b"IM" if order == "<" else b"MI")


def element(kind: int, body: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}II", kind, len(body)) + body + bytes(-len(body) % 8)


def matrix(kind: int, shape: tuple[int, ...], name: bytes, rest: bytes, order: str = "<", flags: int = 0) -> bytes:
    body = element(6, struct.pack(f"{order}II", kind | flags, 0), order)
    body += element(5, struct.pack(f"{order}{len(shape)}i", *shape), order) + element(1, name, order) + rest
    return element(14, body, order)


def test_big_endian(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(header(">") + matrix(6, (1, 2), b"v", element(9, struct.pack(">2d", 1, 2), ">"), ">"))
    assert read_mat(path, ["v"])["v"].tolist() == [[1, 2]]


def nested(depth: int) -> bytes:
    inner = matrix(6, (1, 1), b"", element(9, bytes(8)))
    for _ in range(depth):
        inner = matrix(1, (1, 1), b"", inner)
    return matrix(1, (1, 1), b"v", inner)


HUGE = 2**31 - 1
HOSTILE = {
    "shape": matrix(6, (HUGE, HUGE), b"v", element(9, bytes(8))),
    "negative shape": matrix(6, (-1, -1), b"v", element(9, bytes(8))),
    "cells": matrix(1, (HUGE, 1), b"v", b""),
    "text": matrix(4, (1, HUGE), b"v", element(16, b"abc")),
    "struct": matrix(2, (HUGE, 1), b"v", element(5, struct.pack("<i", 8)) + element(1, b"a\0\0\0\0\0\0\0")),
    "struct without fields": matrix(2, (HUGE, HUGE), b"v", element(5, struct.pack("<i", 8)) + element(1, b"")),
    "field width": matrix(2, (1, 1), b"v", element(5, struct.pack("<i", 0)) + element(1, b"abc")),
    "field without a name": matrix(
        2,
        (1, 1),
        b"v",
        element(5, struct.pack("<i", 8)) + element(1, bytes(8)) + matrix(6, (0, 0), b"", element(9, b"")),
    ),
    "twice the field": matrix(2, (1, 1), b"v", element(5, struct.pack("<i", 1)) + element(1, b"aa") + nested(0)[:0]),
    "sparse": matrix(5, (HUGE, HUGE), b"v", element(5, bytes(4)) + element(5, bytes(8)) + element(9, bytes(8))),
    "sparse indices": matrix(
        5, (2, 1), b"v", element(5, struct.pack("<i", 9)) + element(5, struct.pack("<2i", 0, 1)) + element(9, bytes(8))
    ),
    "depth": nested(3000),
    "cut tag": bytes(4),
    "more numbers than its shape": matrix(6, (1, 1), b"v", element(9, bytes(16))),
    "unpacks to less": element(
        15, zlib.compress(struct.pack("<I", 14) + b"\x48\0\0\0" + matrix(6, (1, 1), b"v", element(9, bytes(8)))[8:])
    ),
    "declared size": struct.pack("<II", 14, 1 << 31),
    "small element": struct.pack("<II", 14 | 9 << 16, 0),
    "bomb": element(15, zlib.compress(struct.pack("<II", 14, 1 << 31) + bytes(1 << 24)))[:-8],
    "zlib": element(15, b"no zlib"),
    "class": matrix(17, (1, 1), b"v", b""),
    "other element": element(9, bytes(8)),
    "nothing": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_forged_files_give_our_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(header() + HOSTILE[name])
    with pytest.raises(RawDataCorrupt, match=r"x\.mat"):
        read_mat(path, ["v"])


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (struct.pack("<5i", 0, 1, 1, 0, 2) + b"v\0" + bytes(8), "v4"),
        (b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n" + bytes(99), "v7.3"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "HDF5"),
        (b"PK\x03\x04" + bytes(200), "zip"),
        (b"<!DOCTYPE html>" + b" " * 200, "web page"),
        (b"", "empty"),
        (b"no matrix", "no header"),
        (b"MATLAB 5.0 MAT-file".ljust(128), "no header"),
    ],
)
def test_files_of_another_kind_are_named(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(data)
    with pytest.raises(RawDataCorrupt, match=told):
        read_mat(path, ["v"])
