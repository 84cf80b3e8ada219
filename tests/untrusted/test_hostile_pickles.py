"""Pickles that were made to hang or to fill memory, re-saved ones, and files that are none."""

from __future__ import annotations

import contextlib
import gzip
import io
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from scipy import sparse

from pymaf_data.errors import RawDataCorrupt, UntrustedData
from pymaf_data.untrusted.unpickle import loads_trusted


def body(value: object) -> bytes:
    """The opcodes that push a value."""
    return pickle.dumps(value, 2)[2:-1]


def array(dtype: str, shape: object, data: object) -> bytes:
    head = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + body((0,)) + b"U\x01btR"
    return head + b"(K\x01" + body(shape) + b"cnumpy\ndtype\n" + body((dtype, 0, 1)) + b"R\x89" + body(data) + b"tb"


def called(module: str, name: str, *args: object) -> bytes:
    return f"c{module}\n{name}\n".encode() + body(args) + b"R"


def matrix(kind: str, **state: object) -> bytes:
    return f"cscipy.sparse\n{kind}\n".encode() + b")\x81" + body(state) + b"b"


def select(of: bytes, picked: bytes) -> bytes:
    return (
        b"cchumpy.reordering\nSelect\n)\x81}(U\x01a" + of + b"U\x04idxs" + picked + b"U\x0fpreferred_shapeK\x01\x85ub"
    )


def shared(item: bytes, times: int) -> bytes:
    """A megabyte of text in the memo, and ``times`` of an item that gets it."""
    return b"X" + struct.pack("<I", 1 << 20) + b"x" * (1 << 20) + b"q\x640(" + item * times + b"l"


ZERO, INDEX, NONE = np.zeros(1), np.zeros(1, np.int64), np.zeros(0, np.int64)
COPY = array("u1", (1 << 20,), "MARK").replace(body("MARK"), b"h\x64")
KEY = b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n" + body((f"S{1 << 20}", 0, 1)) + b"Rh\x64tR"
# A list of two lists of two lists …: forty lists here, a billion for whoever goes through it.
LAUGHS = b"]q\x00" + b"".join(b"0]q%c(h%ch%ce" % (level + 1, level, level) for level in range(30))
GREEDY = {
    "nested tuples as a key": b"})" + b"2\x86" * 60 + b"Ns",
    "nested tuples in a set": b"\x8f()" + b"2\x86" * 60 + b"\x90",
    "nested tuples in a frozenset": b"()" + b"2\x86" * 60 + b"\x91",
    "nested tuples in an old set": b"c__builtin__\nset\n])" + b"2\x86" * 60 + b"a\x85R",
    "a long tuple as many keys": b"(" + b"N" * 100_000 + b"tq\x010}(" + b"h\x01N" * 100_000 + b"u",
    "numbers whose hashes are equal": b"}(" + b"".join(body(k * (2**61 - 1)) + b"N" for k in range(2, 9)) + b"u",
    "complex keys": b"}" + called("builtins", "complex", 1.0, 2.0) + b"Ns",
    "bytearray of a length": called("builtins", "bytearray", 8 << 30),
    "bytes of a length": called("__builtin__", "bytes", 8 << 30),
    "bytes of a list": called("__builtin__", "bytes", [1, 2]),
    "bytes beyond the file": b"\x8e" + struct.pack("<Q", 1 << 40),
    "bytearray beyond the file": b"\x96" + struct.pack("<Q", 1 << 33),
    "text beyond the file": b"\x8d" + struct.pack("<Q", 1 << 62),
    "old text of negative length": b"T" + struct.pack("<i", -1),
    "a frame beyond the file": b"\x95" + struct.pack("<Q", 1 << 40) + b"N",
    "a number of ten million digits": b"\x8b" + struct.pack("<i", 10_000_000) + bytes(10_000_000),
    "a number of negative length": b"\x8b" + struct.pack("<i", -5),
    "a line of digits": b"I" + b"1" * 1_000_000 + b"\n",
    "a line of a float's digits": b"F" + b"1" * 1_000_000 + b"\n",
    "depth": b"]" * 5_000 + b"a" * 4_999,
    "depth of tuples": b")" + b"\x85" * 5_000,
    "marks": b"(" * 400_000,
    "lists": b"]" * 400_000,
    "sets": b"\x8f" * 400_000,
    "copies of text": shared(b"c_codecs\nencode\nh\x64U\x06latin1\x86R", 500),
    "copies of a list": b"(" + b"N" * 100_000 + b"lq\x010(" + b"c__builtin__\nset\nh\x01\x85R" * 200 + b"l",
    "copies of arrays": shared(COPY, 500),
    "copies of a key": shared(b"}" + KEY + b"Ns", 500),
    "copies of a key in tuples": shared(b"}" + KEY + b"\x85Ns", 500),
    "many arguments": b"(" + b"N" * 100_000 + b"tq\x010(" + b"cnumpy\ndtype\nh\x01R" * 10_000 + b"l",
    "elements of no bytes": array("S0", (10**12,), ""),
    "a shape of no elements": array("f8", (0, 1 << 62), ""),
    "a shape beyond the data": array("f8", (10**12,), ""),
    "a shape of huge numbers": array("f8", (1 << 8000, 1 << 8000), ""),
    "a shape of many axes": array("f8", (1,) * 10_000, "\0" * 8),
    "more objects than are there": array("O8", (10**12,), [None]),
    "picked elements": select(array("S200000", (1,), "x" * 200_000), array("i1", (100_000,), "\0" * 100_000)),
    "chumpy of nested lists": b"cchumpy.ch\nCh\n)\x81}U\x01x" + LAUGHS + b"sb",
    "coo without bounds": matrix("coo_matrix", _shape=(10**9, 10**9), data=ZERO, row=INDEX, col=INDEX),
    "csc of a billion rows": matrix("csc_matrix", _shape=(10**9, 1), data=ZERO, indices=INDEX, indptr=np.array([0, 1])),
    "csr outside its shape": matrix("csr_matrix", _shape=(1, 1), data=ZERO, indices=INDEX + 9, indptr=np.array([0, 1])),
    "csr without entries": matrix("csr_matrix", _shape=(2, 3), data=NONE, indices=NONE, indptr=np.array([0, 9**9, 0])),
    "csc whose pointers wrap": matrix(
        "csc_matrix", _shape=(3, 2), data=ZERO, indices=INDEX, indptr=np.array([0, -(2**63), 1])
    ),
    "bsr of no blocks": matrix(
        "bsr_matrix", _shape=(2, 2), data=np.zeros((1, 0, 2)), indices=INDEX, indptr=np.array([0, 1, 1])
    ),
    "bsr outside its shape": matrix(
        "bsr_matrix", _shape=(2, 2), data=np.zeros((1, 2, 2)), indices=INDEX + 1, indptr=np.array([0, 1])
    ),
    "coo outside its shape": matrix("coo_matrix", _shape=(2, 2), data=ZERO, row=INDEX - 1, col=INDEX),
    "dia outside its shape": matrix("dia_matrix", _shape=(2, 2), data=np.zeros((1, 2)), offsets=INDEX + 2),
    "lil outside its shape": matrix("lil_matrix", _shape=(1, 2), rows=[[5]], data=[[1.0]]),
    "a matrix of text": matrix("csr_matrix", _shape=(1, 1), data="x", indices=INDEX, indptr=np.array([0, 1])),
    "a matrix of objects": matrix(
        "csr_matrix", _shape=(1, 1), data=np.array([None]), indices=INDEX, indptr=np.array([0, 1])
    ),
    "dia without bounds": matrix("dia_matrix", _shape=(10**6, 10**6), data=np.zeros((1, 1)), offsets=INDEX),
    "a state for a list": b"]}U\x01aNsb",
    "a call of no class": b"N)R",
    "a dtype of nested lists": b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n" + LAUGHS + b"\x85RU\x01x\x86R",
}


@pytest.mark.parametrize("name", GREEDY)
def test_greedy_pickles_are_refused_before_they_take(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an eighth of the ground that they are given: tracing a million objects takes seconds."""
    monkeypatch.setattr("pymaf_data.untrusted.bounds._GROUND", 1 << 25)
    tracemalloc.start()
    try:
        with pytest.raises((RawDataCorrupt, UntrustedData), match="file"):
            loads_trusted(b"\x80\x02" + GREEDY[name] + b".", "file")
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


SMALL = {
    "pairs": b"(" + b"NN\x86" * 100_000 + b"l",
    "tuples of one": b"(" + b"N\x85" * 100_000 + b"l",
    "tuples of what is shared": b"]\x94(" + b"h\x00\x85" * 100_000 + b"l",
    "empty tuples": b"(" + b"(t" * 100_000 + b"l",
    "marks": b"(" * 100_000,
    "lists": b"(" + b"]" * 100_000 + b"l",
    "dictionaries": b"(" + b"}" * 100_000 + b"l",
    "notes": b"(" + b"N\x94" * 100_000 + b"l",
    "calls": b"cnumpy\ndtype\n\x94U\x02f8\x85\x94(" + b"h\x00h\x01R" * 100_000 + b"l",
}


@pytest.mark.parametrize("name", SMALL)
def test_the_smallest_things_take_no_more_than_their_share(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """32 bytes for each of the file's, refused or not, and a quarter for the lists that hold them, which grow ahead."""
    monkeypatch.setattr("pymaf_data.untrusted.bounds._GROUND", 1 << 16)
    pickled = b"\x80\x04" + SMALL[name] + b"."
    tracemalloc.start()
    try:
        with contextlib.suppress(RawDataCorrupt):
            loads_trusted(pickled, "file")
        assert tracemalloc.get_traced_memory()[1] < 40 * len(pickled) + (1 << 20)
    finally:
        tracemalloc.stop()


def test_a_memo_number_takes_no_memory() -> None:
    tracemalloc.start()
    assert loads_trusted(b"\x80\x02Nr" + struct.pack("<I", 500_000_000) + b".", "file") is None
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_short_tuples_are_keys() -> None:
    value = {(1, "a", (2.5, None)): 1, True: 2, b"x": {(1, 2), 3}, "f": frozenset({1.5})}
    for protocol in range(6):
        assert loads_trusted(pickle.dumps(value, protocol), "file") == value


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("form", ["matrix", "array"])
@pytest.mark.parametrize("layout", ["csc", "csr", "coo", "bsr", "dia", "lil"])
def test_matrices_that_scipy_saves_again(layout: str, form: str, protocol: int) -> None:
    kind = getattr(sparse, f"{layout}_{form}")
    dense = np.zeros((4, 6))
    dense[1, 2], dense[3, 5], dense[0, 0] = 3, -1, 2
    read = loads_trusted(pickle.dumps(kind(dense), protocol), "file")
    assert type(read) is kind
    np.testing.assert_array_equal(read.toarray(), dense)


def test_dense_matrices_become_arrays() -> None:
    read = loads_trusted(pickle.dumps(np.matrix(np.eye(2)), 2), "file")
    assert type(read) is np.ndarray and read.tolist() == [[1, 0], [0, 1]]


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.eye(2))
    return buffer.getvalue()


def archive(member: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr(member, b"x")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (npz(), r"\.npz"),
        (archive("archive/data.pkl"), "PyTorch"),
        (archive("readme.txt"), "zip archive"),
        (gzip.compress(b"x", mtime=0), "gzip"),
        (b"\n<!DOCTYPE html><html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"\x89HDF\r\n\x1a\n" + bytes(90), "HDF5"),
        (b"MATLAB 5.0 MAT-file, x", "Matlab"),
        (b"\x93NUMPY\x01\x00", r"\.npy"),
        (b"", "empty"),
        (bytes(100), "zeros"),
    ],
)
def test_files_of_other_kinds_are_named(data: bytes, told: str) -> None:
    with pytest.raises(RawDataCorrupt, match=told):
        loads_trusted(data, "x.pkl")


@pytest.mark.parametrize(
    "data",
    [
        b"c\x1b]0;owned\x07os\nsystem\x1b[31m\n.",
        b"P\x1b[2J\n.",
        b"\x80\x02X\x05\x00\x00\x00\x1b[31mQ.",
        array("\x1b[31m", (1,), "")[: -0 or None] + b".",
    ],
)
def test_messages_steer_no_terminal(data: bytes) -> None:
    with pytest.raises((UntrustedData, RawDataCorrupt)) as caught:
        loads_trusted(data, "x\x1b[5m\x9b.pkl")
    assert "\x1b" not in str(caught.value) and "\x9b" not in str(caught.value) and "\\x1b[5m" in str(caught.value)
