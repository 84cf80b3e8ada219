"""Files of torch.save: what is read, what is left out, and that no byte of them can do more than be refused."""

from __future__ import annotations

import argparse
import hashlib
import io
import logging
import os
import resource
import struct
import sys
import time
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch

from pymaf_data.errors import CheckpointError, PymafDataError
from pymaf_data.runs import checkpoints
from pymaf_data.runs.folder import CHECKPOINT
from pymaf_data.runs.torch_file import LeftOut, read_torch_file

WRITERS: dict[str, dict[str, Any]] = {
    "zip": {},
    "protocol 4": {"pickle_protocol": 4},
    "stream": {"_use_new_zipfile_serialization": False},
    "stream of protocol 4": {"_use_new_zipfile_serialization": False, "pickle_protocol": 4},
}


class Config(dict):
    """As yacs' CfgNode: a dictionary of a foreign class."""


class Evil:
    """Makes a folder where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


def content() -> dict[str, Any]:
    base = torch.arange(24, dtype=torch.float32)
    return {
        "plain": torch.randn(3, 4, generator=torch.Generator().manual_seed(0)),
        "view": base.view(4, 6)[1:, ::2].t(),
        "expanded": torch.ones(1).expand(5),
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(7),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        **{str(kind): torch.tensor([1, 0, 1]).to(kind) for kind in (torch.float64, torch.float16, torch.bfloat16)},
        **{str(kind): torch.tensor([1, 0, 1]).to(kind) for kind in (torch.int64, torch.int32, torch.int16, torch.int8)},
        **{str(kind): torch.tensor([1, 0, 1]).to(kind) for kind in (torch.uint8, torch.bool)},
    }


@pytest.mark.parametrize("writer", WRITERS)
def test_every_tensor_is_read_as_torch_reads_it(writer: str, tmp_path: Path) -> None:
    path, tensors = tmp_path / "file.pt", content()
    plain = {"n": 3, "x": 0.5, "none": None, "text": "ä", "list": [1, (2, True)], "set": {1, 2}, "big": 1 << 70}
    torch.save({"state": OrderedDict(tensors), "plain": plain}, path, **WRITERS[writer])
    found, left_out = read_torch_file(path)
    assert left_out == ()
    assert found["plain"] == plain
    assert list(found["state"]) == list(tensors)
    for name, expected in tensors.items():
        assert found["state"][name].dtype == expected.dtype, name
        assert torch.equal(found["state"][name], expected), name
        assert not found["state"][name].requires_grad


@pytest.mark.parametrize("writer", WRITERS)
def test_what_is_no_tensor_is_left_out_by_name_and_never_run(
    writer: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "file.pt"
    numbers = {"epoch": np.int64(3), "best": np.float64(0.5), "curve": np.arange(3), "mean": np.float32(2)}
    foreign = {"args": argparse.Namespace(lr=1), "cfg": Config(a=Config(b=1)), "evil": Evil(tmp_path / "ran")}
    foreign |= {"layer": torch.nn.Linear(2, 2), "callbacks": {argparse.Namespace: {"best": 1.0}}}
    torch.save({"weight": torch.ones(2), **numbers, **foreign}, path, **WRITERS[writer])
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        found = checkpoints.load_tensors(path)
    assert torch.equal(found["weight"], torch.ones(2))
    assert isinstance(found["epoch"], LeftOut)
    assert found["callbacks"] == {"argparse.Namespace": {"best": 1.0}}
    (line,) = caplog.messages
    for name in ("argparse.Namespace", "Config", "posix.mkdir", "left out"):
        assert name in line
    assert "numpy" not in line
    assert not (tmp_path / "ran").exists()


def test_tensors_share_no_memory_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    torch.save({"a": torch.zeros(4)}, path)
    before = path.read_bytes()
    read_torch_file(path).content["a"].add_(1)
    assert path.read_bytes() == before


FILES = {
    b"": "empty",
    b"hello\n": "no file of torch.save",
    b"<!DOCTYPE html><html>quota exceeded": "web page",
    b"version https://git-lfs.github.com/spec/v1": "LFS",
    b"\x89HDF\r\n\x1a\n" + bytes(99): "HDF5",
    struct.pack("<Q", 64) + b'{"conv1.weight":{"dtype":"F32"}}': "safetensors",
    b"\x80\x02}q\x00.": "none of torch.save",
    b"PK\x03\x04" + bytes(50): "cut short",
}


@pytest.mark.parametrize("told", FILES.values())
def test_other_files_are_named(told: str, tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    path.write_bytes(next(data for data, name in FILES.items() if name == told))
    with pytest.raises(CheckpointError, match=told):
        read_torch_file(path)


def test_other_archives_folders_and_programs_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "arrays.npz", a=np.zeros(2))
    with pytest.raises(CheckpointError, match=r"none of torch\.save"):
        read_torch_file(tmp_path / "arrays.npz")
    with pytest.raises(CheckpointError, match="no file"):
        read_torch_file(tmp_path)
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        read_torch_file(tmp_path / "absent.pt")
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        archive.writestr("s/data.pkl", b"\x80\x02}.")
        archive.writestr("s/constants.pkl", b"\x80\x02}.")
    with pytest.raises(CheckpointError, match="TorchScript"):
        read_torch_file(tmp_path / "script.pt")


def archive_of(pickle: bytes, storages: dict[str, bytes] | None = None, method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive as torch writes it, its checksums right, of any pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("a/data.pkl", pickle)
        for key, data in (storages or {}).items():
            archive.writestr(f"a/data/{key}", data)
    return buffer.getvalue()


def tensor_pickle(count: int, offset: int, size: int, stride: int) -> bytes:
    """{"w": a view of storage 0}, written by hand: opcodes of protocol 2."""
    number = lambda n: b"\x8a\x09" + n.to_bytes(9, "little", signed=True)  # noqa: E731
    text = lambda value: b"X" + struct.pack("<I", len(value)) + value  # noqa: E731
    storage = b"(" + text(b"storage") + b"ctorch\nFloatStorage\n" + text(b"0") + text(b"cpu") + number(count) + b"tQ"
    view = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset) + number(size) + b"\x85"
    return b"\x80\x02}" + text(b"w") + view + number(stride) + b"\x85" + b"\x89}tRs."


def test_a_tensor_takes_what_its_storage_holds_and_no_more(tmp_path: Path) -> None:
    path, data = tmp_path / "file.pt", np.arange(6, dtype="<f4").tobytes()
    path.write_bytes(archive_of(tensor_pickle(6, 1, 3, 2), {"0": data}))
    assert read_torch_file(path).content["w"].tolist() == [1, 3, 5]
    for count, offset, size, stride in (
        (6, 1, 4, 2), (6, 6, 1, 1), (6, -1, 2, 1), (6, 5, 2, -1), (1 << 40, 0, 1 << 40, 1), (5, 0, 5, 1), (7, 0, 5, 1),
        (6, 0, 1 << 50, 0), (-6, 0, 1, 1),
    ):  # fmt: skip
        path.write_bytes(archive_of(tensor_pickle(count, offset, size, stride), {"0": data}))
        with pytest.raises(CheckpointError):
            read_torch_file(path)


@pytest.mark.parametrize(
    "pickle",
    [
        b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\x00\x00\x00\x00\x02\x85R.",  # bytearray(8 << 30)
        b"\x80\x02]r\x00\x65\xcd\x1d.",  # a memo of 5e8 places
        b"\x80\x02}" + b")" + b"\x85" * 200_000 + b"Ns.",  # a key of nested tuples
        b"\x80\x02" + b"(l" * 50_000 + b".",
        b"\x80\x02]" + b"\x85" * 5_000 + b".",
        b"\x80\x02ctorch\nFloatTensor\n\x8a\x06\x00\x00\x00\x00\x00\x01\x85R.",  # a tensor of 2^40
        b"\x80\x02ctorch._utils\n_rebuild_sparse_tensor\n(tR.",
        b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.",
        b"\x80\x02X\xff\xff\xff\xffab.",
        b"\x80\x02(X\x07\x00\x00\x00storageK\x01K\x02K\x03K\x04tQ.",
        b"\x80\x02" + b"]" * 3 + b"0.",
        b".", b"", b"\x80\x09.", b"\x80\x02\x82\x01.",
    ],
)  # fmt: skip
@pytest.mark.parametrize("wrapped", [True, False])
def test_hostile_pickles_are_refused_quickly_and_cheaply(pickle: bytes, wrapped: bool, tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    magic, version = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", b"\x80\x02M\xe9\x03."
    stream = magic + version + b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s." + pickle + b"\x80\x02]."
    path.write_bytes(archive_of(pickle) if wrapped else stream)
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(CheckpointError) as refused:
        checkpoints.load_tensors(path)
    assert time.process_time() - began < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    assert "trust" not in str(refused.value)


def test_one_piece_of_a_file_cannot_be_read_a_thousand_times(tmp_path: Path) -> None:
    """Members that lie over one another would take a thousand times the file."""
    buffer, data = io.BytesIO(), bytes(40_000)
    with zipfile.ZipFile(buffer, "w") as archive:
        text = lambda value: b"X" + struct.pack("<I", len(value)) + value  # noqa: E731
        views = b"".join(
            text(b"w%d" % n) + b"ctorch._utils\n_rebuild_tensor_v2\n((" + text(b"storage") + b"ctorch\nFloatStorage\n"
            + text(b"%d" % n) + text(b"cpu") + b"M\x10\x27tQK\x00M\x10\x27\x85K\x01\x85\x89}tRs"
            for n in range(99)
        )  # fmt: skip
        archive.writestr("a/data.pkl", b"\x80\x02}" + views + b".")
        archive.writestr("a/data/0", data)
        first = archive.getinfo("a/data/0")
        for n in range(1, 99):
            copy = zipfile.ZipInfo(f"a/data/{n}")
            copy.header_offset, copy.file_size, copy.compress_size = first.header_offset, len(data), len(data)
            copy.CRC = first.CRC
            archive.filelist.append(copy)
            archive.NameToInfo[copy.filename] = copy
    (tmp_path / "file.pt").write_bytes(buffer.getvalue())
    with pytest.raises(CheckpointError, match="another size"):
        read_torch_file(tmp_path / "file.pt")


def test_compressed_members_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    path.write_bytes(archive_of(tensor_pickle(6, 0, 6, 1), {"0": bytes(24)}, zipfile.ZIP_DEFLATED))
    with pytest.raises(CheckpointError, match="compressed"):
        read_torch_file(path)


def test_what_a_file_says_cannot_steer_a_terminal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "file.pt"
    foreign = b"\x80\x02}(X\x01\x00\x00\x00wcev\x1b[31mil\nna\x1b]0;me\nX\x01\x00\x00\x00xK\x01u."
    path.write_bytes(archive_of(foreign))
    with caplog.at_level(logging.WARNING):
        checkpoints.load_tensors(path)
    assert "left out" in caplog.text
    assert "\x1b" not in caplog.text
    path.write_bytes(archive_of(b"\x80\x02cev\x1b[31mil\nname\n."))
    with pytest.raises(CheckpointError, match="of class") as refused:
        checkpoints.load_tensors(path)
    assert "\x1b" not in str(refused.value)


def mutated(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        place = random.randrange(len(changed))
        kind = random.randrange(5)
        if kind == 0:
            changed[place] ^= 1 << random.randrange(8)
        elif kind == 1:
            changed[place] = random.choice((0, 255, random.randrange(256)))
        elif kind == 2:
            del changed[place : place + random.choice((1, 4, 64))]
        elif kind == 3:
            changed[place:place] = random.randbytes(random.choice((1, 4, 64)))
        else:
            changed[place : place + 4] = struct.pack("<I", random.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF)))
        if not changed:
            return b""
    return bytes(changed)


def tried(path: Path) -> str:
    try:
        checkpoints.read(path)
    except PymafDataError as error:
        return str(error)
    return ""


def small_checkpoint(folder: Path) -> bytes:
    made = checkpoints.Checkpoint(
        model={"w": torch.arange(6.0), "n": torch.tensor(3)},
        optimizer={"state": {0: {"step": torch.tensor(1.0), "exp_avg": torch.ones(6)}}, "param_groups": [{"lr": 0.1}]},
        rng={"cpu": torch.zeros(16, dtype=torch.uint8), "cuda": []},
        step=3,
        options={"name": "x", "model": {"dropout": 0.5}},
        precision="fp32",
        body={"name": "free", "digest": "0" * 64, "fingerprint": "1" * 64},
    )
    return checkpoints.save(made, folder).read_bytes()


def test_mutations_give_a_value_or_a_message(tmp_path: Path) -> None:
    """200: of the file as it is, without its digest, as a stream, and of its pickle under right checksums."""
    random, path = Random(1), tmp_path / "file.pt"
    whole = small_checkpoint(tmp_path)
    loaded = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    stream = io.BytesIO()
    torch.save(loaded, stream, _use_new_zipfile_serialization=False)
    plain = io.BytesIO()
    torch.save(loaded, plain)
    with zipfile.ZipFile(plain) as archive:
        members = {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}
    storages = {name[5:]: data for name, data in members.items() if name.startswith("data/")}
    makers = (
        lambda: mutated(whole, random),
        lambda: mutated(plain.getvalue(), random),
        lambda: mutated(stream.getvalue(), random),
        lambda: archive_of(mutated(members["data.pkl"], random), storages),
    )
    refused, before = 0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(200):
            path.write_bytes(makers[number % 4]())
            told = tried(path)
            refused += bool(told)
            assert "trust" not in told
            assert "\x1b" not in told
    assert refused > 120
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000


def test_a_bit_that_changed_is_noticed_wherever_it_is(tmp_path: Path) -> None:
    data, path = small_checkpoint(tmp_path), tmp_path / "file.pt"
    path.write_bytes(data)
    assert checkpoints.read(path).step == 3
    random = Random(0)
    # The seal with the record before it is tried closely.
    places = [random.randrange(8 * len(data)) for _ in range(60)] + list(range(8 * (len(data) - 110), 8 * len(data), 7))
    for place in places:
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        with pytest.raises(CheckpointError, match="damaged"):
            checkpoints.read(path)


def test_a_bit_that_changed_in_weights_of_others_is_noticed_too(tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    torch.save({"w": torch.arange(500.0)}, path)
    data = bytearray(path.read_bytes())
    place = data.index(np.arange(500, dtype="<f4").tobytes())
    data[place + 999] ^= 4
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="member 'file/data/0'"):
        read_torch_file(path)
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"w": torch.ones(3)}, path)
    finally:
        torch.serialization.set_crc32_options(True)
    assert read_torch_file(path).content["w"].tolist() == [1, 1, 1]


def test_cut_checkpoints_say_so(tmp_path: Path) -> None:
    data, path = small_checkpoint(tmp_path), tmp_path / "file.pt"
    for end in (5, 100, len(data) // 2, len(data) - 100, len(data) - 83, len(data) - 1):
        path.write_bytes(data[:end])
        with pytest.raises(CheckpointError, match=r"cut short|damaged"):
            checkpoints.read(path)


def test_torch_itself_opens_our_file_and_one_without_digest_loads_as_before(tmp_path: Path) -> None:
    data, path = small_checkpoint(tmp_path), tmp_path / "old.pt"
    for mapped in (False, True):
        opened = torch.load(tmp_path / CHECKPOINT, weights_only=True, mmap=mapped)
        assert torch.equal(opened["model"]["w"], torch.arange(6.0))
    opened["format_version"] = "1.0"
    torch.save(opened, path)
    assert torch.equal(checkpoints.read(path).model["w"], torch.arange(6.0))
    label, digest = data[-82:].rsplit(b" ", 1)
    assert label == b"pymaf-data sha256"
    assert digest.decode() == hashlib.sha256(data[:-82]).hexdigest()


def test_reading_takes_the_memory_of_the_tensors_once(tmp_path: Path) -> None:
    import subprocess

    path, size = tmp_path / "file.pt", 200 << 20
    torch.save({"w": torch.zeros(size // 4)}, path)
    script = (
        "import resource, sys; from pathlib import Path; from pymaf_data.runs.torch_file import read_torch_file\n"
        "def anonymous(): return int(Path('/proc/self/status').read_text().split('RssAnon:')[1].split()[0])\n"
        "before = anonymous(); found = read_torch_file(Path(sys.argv[1])); print(anonymous() - before)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 1.2 * size
