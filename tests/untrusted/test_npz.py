"""Archives of arrays: NumPy's own are read alike, forged ones refused before they take memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted.npz import read_npy, read_npz
from pymaf_data.untrusted.unpickle import load_pickled_npz

ARRAYS = {
    "f8": np.random.default_rng(0).random((3, 4)),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big": np.arange(3, dtype=">i4"),
    "none": np.empty((0, 3), np.float32),
    "scalar": np.array(2.5),
    "text": np.array("free"),
    "flags": np.array([True, False]),
    "complex": np.array([1j]),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_those_that_numpy_reads(tmp_path: Path, save: Callable[..., None]) -> None:
    save(tmp_path / "x.npz", **ARRAYS)
    for source in (tmp_path / "x.npz", (tmp_path / "x.npz").read_bytes()):
        read = read_npz(source)
        assert list(read) == list(ARRAYS)
        for name, array in ARRAYS.items():
            assert read[name].dtype == array.dtype and read[name].shape == array.shape
            assert read[name].flags.f_contiguous == array.flags.f_contiguous
            np.testing.assert_array_equal(read[name], array)
    read["f8"][0, 0] = 7  # arrays are the caller's own
    for array in ARRAYS.values():
        np.save(tmp_path / "x.npy", array)
        np.testing.assert_array_equal(read_npy(tmp_path / "x.npy"), array)


def test_members_are_chosen(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.eye(2), b=np.array([{}], dtype=object))
    assert list(read_npz(tmp_path / "x.npz", ("a",), optional=("c",))) == ["a"]
    with pytest.raises(RawDataCorrupt, match="lacks d"):
        read_npz(tmp_path / "x.npz", ("a", "d"))
    with pytest.raises(RawDataCorrupt, match="pickled objects"):
        read_npz(tmp_path / "x.npz", ("b",))


def npy(header: str, data: bytes = b"", version: int = 1) -> bytes:
    text = header.encode("latin1") + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + data


def described(descr: str, shape: str) -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


def test_the_writer_of_these_tests_is_sound(tmp_path: Path) -> None:
    for version in (1, 2):
        (tmp_path / "x.npy").write_bytes(npy(described("'<f8'", "(1L,)"), struct.pack("<d", 2), version))
        assert read_npy(tmp_path / "x.npy").tolist() == [2]


FORGED = {
    "shape": npy(described("'<f8'", "(1000000000000,)")),
    "shape of no bytes": npy(described("'S0'", "(1000000000000,)")),
    "nothing by much": npy(described("'<f8'", "(0, 4611686018427387904)")),
    "shape of digits": npy(described("'<f8'", f"({'9' * 300},)")),
    "axes": npy(described("'<f8'", f"({'1,' * 100})"), bytes(8)),
    "negative": npy(described("'<f8'", "(-1,)"), bytes(8)),
    "too few": npy(described("'<f8'", "(2,)"), bytes(15)),
    "too many": npy(described("'<f8'", "(2,)"), bytes(17)),
    "records": npy(described("[('a', '<f8')]", "(1,)"), bytes(8)),
    "subarray": npy(described("'(1000000000,)f8'", "(1,)"), bytes(8)),
    "raw": npy(described("'V8'", "(1,)"), bytes(8)),
    "objects": npy(described("'|O'", "(1,)"), b"\x80\x02]N\x85a."),
    "code": npy(described("__import__('os').system('x')", "(1,)"), bytes(8)),
    "nested": npy("[" * 5000),
    "header beyond the file": b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 31) + b"{",
    "version": b"\x93NUMPY\x03\x00" + bytes(100),
    "cut": b"\x93NUMPY\x01\x00",
    "nothing": b"",
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_headers_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(FORGED[name])
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.npy", FORGED[name])
    tracemalloc.start()
    for read, file in ((read_npy, "x.npy"), (read_npz, "x.npz")):
        with pytest.raises(RawDataCorrupt, match=r"x\.np"):
            read(tmp_path / file)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def packed(method: int = zipfile.ZIP_DEFLATED, content: bytes = npy(described("'<f8'", "(64,)"), bytes(512))) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("a.npy", content)
    return buffer.getvalue()


def declared(size: int, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive whose directory declares another unpacked size."""
    data = bytearray(packed(method))
    place = data.index(b"PK\x01\x02") + 24
    data[place : place + 4] = struct.pack("<I", size)
    return bytes(data)


def with_flag(flag: int) -> bytes:
    data = bytearray(packed())
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.index(mark) + offset] |= flag
    return bytes(data)


def damaged(offset: int) -> bytes:
    data = bytearray(packed(zipfile.ZIP_STORED))
    data[data.index(b"\x93NUMPY") + offset] ^= 1
    return bytes(data)


def twice() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a.npy", npy(described("'<f8'", "(1,)"), bytes(8)))
        archive.writestr("a.npy", npy(described("'<f8'", "(1,)"), bytes(8)))
    return buffer.getvalue()


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "four gigabytes declared": lambda: declared(0xFFFFFFFE),
    "zip64 declared": lambda: declared(0xFFFFFFFF),
    "more declared than packed": lambda: declared(10_000),
    "stored in two sizes": lambda: declared(10_000, zipfile.ZIP_STORED),
    "bomb": lambda: packed(content=npy(described("'|u1'", f"({1 << 29},)"), bytes(1 << 29))),
    "method": lambda: packed(zipfile.ZIP_LZMA),
    "password": lambda: with_flag(1),
    "checksum": lambda: damaged(200),
    "cut": lambda: packed()[:-30],
    "deflate": lambda: packed().replace(packed()[40:60], b"\xff" * 20),
    "twice": twice,
    "text": lambda: b"no archive",
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_forged_archives_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(ARCHIVES[name]())
    tracemalloc.start()
    with pytest.raises(RawDataCorrupt, match=r"x\.npz"):
        read_npz(tmp_path / "x.npz")
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "fifo.npy")
    for path in (tmp_path, tmp_path / "fifo.npy", tmp_path / "absent.npy"):
        with pytest.raises(RawDataCorrupt, match=path.name):
            read_npy(path)


@pytest.mark.parametrize("order", "<>")
def test_text_has_characters_that_are_some(order: str, tmp_path: Path) -> None:
    """Of other numbers Python makes strings that are none, without a word."""
    for number, sound in ((0x10FFFF, True), (0x110000, False), (0x7FFFFFFF, False)):
        text = np.array(["ab", "cd"], f"{order}U2")
        text.view(f"{order}u4")[2] = number
        np.savez(tmp_path / "x.npz", text=text)
        objects = np.empty(1, object)
        objects[0] = text
        np.savez(tmp_path / "y.npz", text=objects)
        for read in (lambda: read_npz(tmp_path / "x.npz"), lambda: load_pickled_npz(tmp_path / "y.npz", ["text"])):
            if sound:
                read()
            else:
                with pytest.raises(RawDataCorrupt, match="characters"):
                    read()
