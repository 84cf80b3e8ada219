from __future__ import annotations

import contextlib
import io
import os
import pickle
import pickletools
import struct
import tracemalloc
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from pymaf_data.errors import RawDataCorrupt, UntrustedData
from pymaf_data.untrusted.unpickle import load_pickled_npz, load_trusted_pickle, loads_trusted


class Hostile:
    """Reduces to any call at all."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def loads(data: bytes):
    return loads_trusted(data, "file")


@pytest.mark.parametrize("protocol", range(6))
def test_everything_genuine_survives(protocol):
    value = {
        "f8": np.arange(6.0).reshape(2, 3),
        "u4 fortran": np.asfortranarray(np.arange(12, dtype=np.uint32).reshape(3, 4)),
        "big endian": np.arange(3, dtype=">i4"),
        "scalar": np.float32(2.5),
        "text": "Grüße",
        "bytes": b"\x00\xff",
        "nested": [(1, 2.5), OrderedDict(a=None), {1, 2}],
        "objects": np.array([np.zeros(2), "x"], dtype=object),
    }
    read = loads(pickle.dumps(value, protocol))
    assert list(read) == list(value)
    for key in ("f8", "u4 fortran", "big endian"):
        assert read[key].dtype == value[key].dtype
        np.testing.assert_array_equal(read[key], value[key])
    assert read["scalar"] == np.float32(2.5) and read["scalar"].dtype == np.float32
    assert (read["text"], read["bytes"], read["nested"]) == (value["text"], value["bytes"], value["nested"])
    np.testing.assert_array_equal(read["objects"][0], np.zeros(2))
    read["f8"][0, 0] = 7  # arrays are the caller's own


@pytest.mark.parametrize("protocol", range(6))
def test_scalars_of_numpy_are_keys(protocol):
    big = np.dtype(">i4").type(7), np.array(7, ">i4")[()]
    value = {
        np.str_("pose"): 1, np.str_("Grüße\U0001f600"): 2, np.int64(-5): 3, np.uint8(200): 4, np.float32(0.1): 5,
        (np.str_("a.jpg"), np.int32(3), None): 6, np.bytes_(b"x"): 7, np.str_(""): 8,
    }  # fmt: skip
    read = loads(pickle.dumps([value, OrderedDict(value), {np.str_("a"), np.int16(2)}, big], protocol))
    assert read[0] == value and read[1] == OrderedDict(value) and read[2] == {"a", 2} and read[3] == big
    assert {type(key) for key in read[0]} == {str, int, float, tuple, bytes}
    for key in (np.complex64(1), np.uint64(1 << 63), np.datetime64("2020-01-01")):
        with pytest.raises((RawDataCorrupt, UntrustedData)):
            loads(pickle.dumps({key: 1}, protocol))


def tensors():
    base = torch.arange(24, dtype=torch.float64)
    return {
        "whole": torch.randn(3, 4), "view": base.view(4, 6)[1:, ::2].t(), "expanded": torch.ones(1).expand(5),
        "empty": torch.empty(0, 3), "number": torch.tensor(7), "parameter": torch.nn.Parameter(torch.ones(2)),
        "half": torch.ones(2).half(), "flags": torch.tensor([True, False]), "bytes": torch.arange(3).byte(),
    }  # fmt: skip


@pytest.mark.parametrize("protocol", range(6))
def test_tensors_are_arrays(protocol):
    value = tensors()
    read = loads(pickle.dumps([value], protocol))[0]
    for key, tensor in value.items():
        expected = tensor.detach().numpy()
        np.testing.assert_array_equal(read[key], expected, strict=True)
    read["whole"][0, 0] = 7  # arrays are the caller's own
    for unknown in (torch.ones(2).to(torch.bfloat16), torch.eye(2).to_sparse(), torch.device("cpu")):
        with pytest.raises(UntrustedData, match=r"torch\.(.|\n)*weights_only=True"):
            loads(pickle.dumps(unknown, protocol))


@pytest.mark.parametrize("zipped", [True, False])
def test_files_of_torch_save_are_told_from_pickles(zipped):
    stream = io.BytesIO()
    torch.save({"pose": torch.ones(72)}, stream, _use_new_zipfile_serialization=zipped)
    with pytest.raises(RawDataCorrupt, match=r"PyTorch checkpoint(.|\n)*torch\.load"):
        loads(stream.getvalue())


def storage_of(tensor) -> bytes:
    """The bytes that a pickle of a tensor hands to ``_load_from_bytes``."""
    return next(part for _, part, _ in pickletools.genops(pickle.dumps(tensor, 4)) if isinstance(part, bytes))


def tensor(*view: object, stored: object = None) -> bytes:
    """A pickle of six floats, seen so."""
    stored = storage_of(torch.arange(6.0)) if stored is None else stored
    storage = b"ctorch.storage\n_load_from_bytes\n" + pickle.dumps((stored,), 4)[2:-1] + b"R"
    rest = b"".join(pickle.dumps(part, 2)[2:-1] for part in view)
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + rest + b"tR."


@pytest.mark.parametrize(
    "view",
    [
        (0, (7,), (1,)), (1, (6,), (1,)), (0, (2, 3), (3, 2)), (0, (6,), ()), (0, (-1,), (1,)), (5, (6,), (-1,)),
        (0, (1.0,), (1,)), (0, [6], [1]), (0, (1 << 40,), (0,)), (0, (1 << 30, 1 << 30), (0, 0)), (6, (1,), (1,)),
    ],
    ids=str,
)  # fmt: skip
def test_tensors_that_do_not_add_up(view):
    np.testing.assert_array_equal(loads(tensor(0, (2, 2), (3, 1))), [[0, 1], [3, 4]])
    with pytest.raises(RawDataCorrupt):
        loads(tensor(*view))


def test_storages_that_do_not_add_up_or_ask_for_more():
    whole = pickle.dumps(torch.arange(6.0), 4)
    for change in ((b"FloatStorage", b"LongStorage\n"), (b"little_endian", b"little_indian"), (b"K\x06Nt", b"K\x05Nt")):
        assert change[0] in whole
        with pytest.raises((RawDataCorrupt, UntrustedData)):
            loads(whole.replace(*change))
    evil = whole.replace(b"ctorch\nFloatStorage\n", b"cposix\nFloatStorage\n")
    assert evil != whole
    with pytest.raises(UntrustedData, match=r"posix\.FloatStorage"):
        loads(evil)
    for stored in (b"", b"N.", pickle.dumps(0x1950A86A20F9469CFC6C, 2) * 5, 7):
        with pytest.raises(RawDataCorrupt):
            loads(tensor(0, (2,), (1,), stored=stored))


def test_a_storage_that_is_named_again_and_again_is_paid_for():
    stored = storage_of(torch.zeros(1 << 18))
    head, item = b"\x80\x04B" + struct.pack("<I", len(stored)) + stored, b"ctorch.storage\n_load_from_bytes\nh\x00\x85R"
    assert [len(one) for one in loads(head + b"\x940(" + 2 * item + b"l.")] == [1 << 18] * 2
    with pytest.raises(RawDataCorrupt, match="far more memory"):
        loads(head + b"\x940(" + 500 * item + b"l.")


OF_A_ROW: dict[str, Callable[[int], Any]] = {
    "numbers of NumPy": lambda k: np.float64(k * 1.1),
    "whole numbers": np.int64,
    "pairs": lambda k: np.array([k * 1.1, 2.0]),
    "matrices": lambda k: np.full((3, 3), k, np.float32),
    "texts of NumPy": lambda k: np.array(f"female {k}"),
    "tuples": lambda k: (k * 1.1, 2.0),
    "lists": lambda k: [k * 1.1, 2.0],
    "dictionaries": lambda k: {"fx": k * 1.1, "fy": 2.0},
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", OF_A_ROW)
def test_what_a_file_tells_of_every_row_is_never_too_dear(
    kind: str, protocol: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of a million persons keep lists of these; so many that what every file may take does not matter."""
    monkeypatch.setattr("pymaf_data.untrusted.bounds._GROUND", 1 << 16)
    rows = [OF_A_ROW[kind](k) for k in range(3000)]
    pickled = pickle.dumps({"focal_length": rows}, protocol)
    tracemalloc.start()
    try:
        read = loads(pickled)
        assert tracemalloc.get_traced_memory()[1] < 32 * len(pickled)
    finally:
        tracemalloc.stop()
    assert pickle.dumps(read["focal_length"][-1], 4) == pickle.dumps(rows[-1], 4)


def test_frames_of_pandas_are_refused_with_what_to_do():
    frame = b"\x80\x04cpandas.core.frame\nDataFrame\n)\x81."
    with pytest.raises(UntrustedData, match=r"pandas\.core\.frame\.DataFrame(.|\n)*numpy\.savez\(NEW"):
        loads(frame)


@pytest.mark.parametrize("kind", [sparse.csc_matrix, sparse.csr_matrix])
def test_sparse_matrices(kind):
    matrix = kind(np.eye(4, 5) * 2.0)
    read = loads(pickle.dumps(matrix, 2))
    assert type(read) is kind
    np.testing.assert_array_equal(read.toarray(), matrix.toarray())


def test_shared_objects_stay_shared():
    array = np.zeros(3)
    first, second = loads(pickle.dumps([array, array]))
    assert first is second


def chumpy_pickle(state: dict, name: str = "chumpy.ch Ch") -> bytes:
    """What chumpy writes at protocol 2, without chumpy."""
    module, cls = name.split()
    body = pickle.dumps(state, 2)[2:-1]  # between PROTO and STOP
    return b"\x80\x02c" + f"{module}\n{cls}\n".encode() + b")\x81" + body + b"b."


def test_chumpy_leaf_becomes_an_array():
    read = loads(chumpy_pickle({"x": np.arange(3.0), "_dirty_vars": set()}))
    np.testing.assert_array_equal(read, np.arange(3.0))


def test_chumpy_select():
    state = {"a": np.arange(6.0), "idxs": np.array([1, 3]), "preferred_shape": (2, 1)}
    read = loads(chumpy_pickle(state, "chumpy.reordering Select"))
    np.testing.assert_array_equal(read, [[1], [3]])


def test_python2_text_is_latin1():
    assert loads(b"\x80\x02U\x01\xe9.") == "é"
    array = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x02\x85"
    array += b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87RNU\x02\xff\x01tb."
    # An array whose dtype is no record is refused, not guessed.
    with pytest.raises(RawDataCorrupt):
        loads(array.replace(b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87RNU", b"NNU"))


MARK = "ran.txt"


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (Hostile(os.system, f"touch {MARK}"), "system"),
        (Hostile(eval, f"open({MARK!r}, 'w')"), "eval"),
        (Hostile(exec, f"open({MARK!r}, 'w')"), "exec"),
        (Hostile(getattr, "x", "upper"), "getattr"),
        (Hostile(__import__, "os"), "__import__"),
        (Hostile(np.load, "x.npy"), "numpy.*load"),
        (Hostile(pickle.loads, b"."), "loads"),
    ],
)
def test_hostile_pickles_run_nothing(payload, name, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UntrustedData, match=name):
        loads(pickle.dumps({"v_template": np.zeros(2), "x": payload}, protocol))
    assert not (tmp_path / MARK).exists()


def reduce_call(module: str, name: str, args: object, then: bytes = b"") -> bytes:
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + pickle.dumps(args, 2)[2:-1] + b"R" + then + b"."


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04\x8c\x08builtins\x8c\x0ddict.fromkeys\x93.",  # dotted names
        reduce_call("numpy", "dtype", ("O,O", 0, 1)),
        reduce_call("numpy", "dtype", ("V8", 0, 1)),
        b"cos\nsystem\n.",
        b"c__main__\nanything\n.",
        b"cnumpy.testing._private.utils\nrunstring\n.",
        b"cchumpy.ch_ops\nadd\n.",
    ],
)
def test_what_is_not_on_the_list_is_refused_by_name(data):
    with pytest.raises(UntrustedData, match="allow-list"):
        loads(data)


def dtype_with_state(state: tuple) -> bytes:
    code = b"cnumpy\ndtype\n" + pickle.dumps(("O8", 0, 1), 2)[2:-1] + b"R"
    return b"\x80\x02" + code + pickle.dumps(state, 2)[2:-1] + b"b."


def test_forged_dtype_states_are_refused():
    """A structured dtype with a hidden object field would turn raw bytes into pointers."""
    forged = (3, "|", None, ("f",), {"f": ("O8", 0)}, 8, 1, 0)
    with pytest.raises(UntrustedData, match="structured"):
        loads(dtype_with_state(forged))


def array_pickle(dtype: str, shape: tuple, data: object) -> bytes:
    head = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + pickle.dumps((0,), 2)[2:-1] + b"U\x01btR"
    )
    kind = b"cnumpy\ndtype\n" + pickle.dumps((dtype, 0, 1), 2)[2:-1] + b"R"
    body = b"(K\x01" + pickle.dumps(shape, 2)[2:-1] + kind + b"\x89" + pickle.dumps(data, 2)[2:-1] + b"tb."
    return head + body


@pytest.mark.parametrize(
    ("dtype", "shape", "data"),
    [
        ("f8", (4,), "\x00" * 31),  # too few bytes
        ("f8", (-1,), "\x00" * 8),
        ("f8", (1 << 40,), 1 << 43),  # a number where bytes should be: must not allocate
        ("O8", (1,), "\x00" * 8),  # raw bytes where objects should be
        ("O8", (3,), [None]),
    ],
)
def test_array_states_that_do_not_add_up(dtype, shape, data):
    if dtype == "O8" and isinstance(data, str):
        assert loads(array_pickle(dtype, shape, data))[0] == data  # stays text, never a pointer
        return
    with pytest.raises(RawDataCorrupt):
        loads(array_pickle(dtype, shape, data))


def test_array_pickle_helper_is_sound():
    np.testing.assert_array_equal(loads(array_pickle("<f8", (1,), struct.pack("<d", 2).decode("latin1"))), [2.0])


def test_stand_ins_cannot_be_altered():
    data = b"\x80\x02ccollections\nOrderedDict\ncnumpy\nndarray\nN}U\x0c__setstate__K\x01s\x86b."
    with pytest.raises(RawDataCorrupt):
        loads(data)
    np.testing.assert_array_equal(loads(pickle.dumps(np.ones(2))), np.ones(2))


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.9, 0.999])
def test_truncated_pickles(fraction, tmp_path):
    data = pickle.dumps({"v": np.zeros(100), "w": [1, 2]}, 2)
    path = tmp_path / "cut.pkl"
    path.write_bytes(data[: int(len(data) * fraction)])
    with pytest.raises(RawDataCorrupt, match=r"cut\.pkl"):
        load_trusted_pickle(path)


def test_missing_file(tmp_path):
    with pytest.raises(RawDataCorrupt, match=r"absent\.pkl"):
        load_trusted_pickle(tmp_path / "absent.pkl")


@settings(max_examples=200)
@given(st.data())
def test_damage_gives_our_errors_only(data):
    sound = bytearray(pickle.dumps({"v": np.arange(4.0), "m": sparse.csc_matrix(np.eye(2))}, 2))
    position = data.draw(st.integers(0, len(sound) - 1))
    sound[position] = data.draw(st.integers(0, 255))
    with contextlib.suppress(RawDataCorrupt, UntrustedData):
        loads(bytes(sound))


class Absent:
    """Stands for a class that a reader has not installed."""


def test_npz_reads_only_the_members_asked_for(tmp_path):
    path = tmp_path / "mesh_downsampling.npz"
    D = np.empty(2, object)
    D[:] = [sparse.csc_matrix(np.eye(3, 5)), sparse.csc_matrix(np.eye(2, 3))]
    np.savez(path, D=D, M=np.array([Absent(), None], dtype=object), plain=np.arange(3))
    read = load_pickled_npz(path, ("D", "plain"))
    np.testing.assert_array_equal((read["D"][1] @ read["D"][0]).toarray(), np.eye(2, 5))
    np.testing.assert_array_equal(read["plain"], np.arange(3))
    with pytest.raises(UntrustedData, match="Absent"):
        load_pickled_npz(path, ("M",))
    with pytest.raises(RawDataCorrupt, match="Z"):
        load_pickled_npz(path, ("Z",))


def test_npz_that_is_no_archive(tmp_path):
    path = tmp_path / "x.npz"
    path.write_bytes(b"no zip")
    with pytest.raises(RawDataCorrupt):
        load_pickled_npz(path, ("D",))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("D.npy", b"\x93NUMPY\x01\x00")
    with pytest.raises(RawDataCorrupt):
        load_pickled_npz(path, ("D",))


def test_real_downsampling_file(shared):
    read = load_pickled_npz(shared / "data/smpl-extras/mesh_downsampling.npz", ("D", "A", "U"))
    assert [matrix.shape for matrix in read["D"]] == [(1723, 6890), (431, 1723)]
    with pytest.raises(UntrustedData, match="Mesh"):
        load_pickled_npz(shared / "data/smpl-extras/mesh_downsampling.npz", ("M",))
