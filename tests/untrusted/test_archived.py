"""Archives of strangers: members by random access, and nothing that their lists or bytes could make of a reader."""

from __future__ import annotations

import gzip
import io
import os
import stat
import struct
import tarfile
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pymaf_data.errors import RawDataCorrupt
from pymaf_data.untrusted import gunzipped
from pymaf_data.untrusted.archived import Archive, Member

CONTENT = {f"images/{i:03d}.jpg": np.random.default_rng(i).bytes(200 + 37 * i) + bytes(3000) for i in range(60)}
KINDS = ["stored.zip", "deflated.zip", "gnu.tar", "pax.tar", "ustar.tar", "one.tar.gz", "many.tgz"]


def tar(content: dict[str, bytes], form: int = tarfile.PAX_FORMAT, *more: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in more:
            archive.addfile(info)
    return out.getvalue()


def packed(path: Path, content: dict[str, bytes] = CONTENT) -> Path:
    """An archive of the kind that its name says."""
    kind = path.name.partition(".")[0]
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if kind == "deflated" else zipfile.ZIP_STORED) as archive:
            for name, data in content.items():
                archive.writestr(name, data)
        return path
    forms = {"gnu": tarfile.GNU_FORMAT, "ustar": tarfile.USTAR_FORMAT}
    data = tar(content, forms.get(kind, tarfile.PAX_FORMAT))
    if kind == "one":
        data = gzip.compress(data)
    elif kind == "many":  # parts packed one by one, as parallel packers do; blocks of zeros behind, as tapes have
        parts = [data[i : i + 9000] for i in range(0, len(data), 9000)]
        data = b"".join(gzip.compress(part, 1) for part in parts) + bytes(1000)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_members_are_read_in_any_order_by_any_thread(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gunzipped, "_BLOCK", 1000)
    archive = Archive(packed(tmp_path / kind))
    assert list(archive.members) == list(CONTENT)
    if archive._gunzipped is not None:
        monkeypatch.setattr(archive._gunzipped, "_every", 1500)
        list(archive._gunzipped.walk(archive._file.fileno()))
        assert len(archive._gunzipped._marks) > 5, "reading begins in the middle"
    names = np.random.default_rng(0).permutation([*CONTENT] * 3).tolist()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda name: archive.read(archive.members[name]), names)) == [CONTENT[n] for n in names]
    archive.close()


def test_a_gzip_is_read_from_the_mark_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not from its beginning: of 8 MB that do not pack, the last is had by unpacking a fraction."""
    data = {f"{i}.jpg": np.random.default_rng(i).bytes(1 << 20) for i in range(8)}
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(tar(data), 0))
    archive, read = Archive(path), []
    plain = os.pread
    monkeypatch.setattr(os, "pread", lambda file, count, at: read.append(count) or plain(file, count, at))
    assert archive.read(archive.members["7.jpg"]) == data["7.jpg"]
    assert sum(read) < 3 << 20
    assert archive._gunzipped is not None
    assert 5 < len(archive._gunzipped._marks) < 12, "each takes 40 KB: not one for every block"


@pytest.mark.parametrize("kind", ["stored.zip", "gnu.tar", "one.tar.gz"])
def test_an_archive_cut_short_anywhere_is_refused(kind: str, tmp_path: Path) -> None:
    path = packed(tmp_path / kind)
    whole = path.read_bytes()
    end = len(whole) - (10240 if kind == "gnu.tar" else 1)  # a tar ends with blocks of zeros, of which one is its mark
    for kept in [0, 1, 30, 512, 3584, *np.linspace(4000, end, 20, dtype=int).tolist()]:
        path.write_bytes(whole[:kept])
        with pytest.raises(RawDataCorrupt, match="cut short or damaged") as caught:
            Archive(path)
        assert "wget -c" in str(caught.value)


def test_a_changed_byte_is_seen_where_there_is_a_checksum(tmp_path: Path) -> None:
    for kind in ("stored.zip", "deflated.zip"):
        path = packed(tmp_path / kind)
        archive = Archive(path)
        member = archive.members["images/030.jpg"]
        data = bytearray(path.read_bytes())
        data[member.at + 100] ^= 1
        path.write_bytes(data)
        with pytest.raises(ValueError, match="bytes in"):
            Archive(path).read(member)
        data[member.at] ^= 1  # the head is no head
        path.write_bytes(data)
        with pytest.raises(ValueError, match="not where the list"):
            Archive(path).read(member)


def test_an_archive_is_what_it_is_and_not_what_its_name_says(tmp_path: Path) -> None:
    for kind, called in (("one.tar.gz", "images.tar"), ("gnu.tar", "images.tgz"), ("stored.zip", "images.tar")):
        path = packed(tmp_path / kind).rename(tmp_path / called)
        archive = Archive(path)
        assert archive.read(archive.members["images/007.jpg"]) == CONTENT["images/007.jpg"]
    (tmp_path / "page.zip").write_text("<!doctype html><title>Sign in</title>")
    with pytest.raises(RawDataCorrupt, match="web page"):
        Archive(tmp_path / "page.zip")
    (tmp_path / "x.zip").mkdir()
    os.mkfifo(tmp_path / "x.tar")  # reading it would wait for ever
    for name in ("x.zip", "x.tar", "absent.zip"):
        with pytest.raises(RawDataCorrupt, match=name):
            Archive(tmp_path / name)


def test_members_beyond_four_gigabytes_are_found(tmp_path: Path) -> None:
    """Zip64: the archive begins behind a hole, so that every place in it takes more than 32 bits."""
    path = tmp_path / "large.zip"
    with path.open("wb") as file:
        file.truncate(5 << 30)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a.jpg", CONTENT["images/001.jpg"], zipfile.ZIP_DEFLATED)
        with archive.open("b.jpg", "w", force_zip64=True) as member:
            member.write(b"b")
    found = Archive(path)
    assert found.members["a.jpg"].at > 1 << 32
    assert [found.read(member) for member in found.members.values()] == [CONTENT["images/001.jpg"], b"b"]


def test_names_that_lead_out_are_nobodys(tmp_path: Path) -> None:
    wild = {"../a.jpg": b"1", "/etc/b.jpg": b"2", "c/../../d.jpg": b"3", "./e.jpg": b"4", "f\\g.jpg": b"5"}
    for kind in ("stored.zip", "gnu.tar"):
        archive = Archive(packed(tmp_path / kind, wild))
        assert {name: archive.read(member) for name, member in archive.members.items()} == {
            "e.jpg": b"4",
            "f/g.jpg": b"5",
        }


def test_links_are_never_followed_and_hard_links_are_files(tmp_path: Path) -> None:
    links = []
    for name, kind, to in (
        ("soft.jpg", tarfile.SYMTYPE, "/etc/passwd"),
        ("hard.jpg", tarfile.LNKTYPE, "a.jpg"),
        ("gone.jpg", tarfile.LNKTYPE, "../a.jpg"),
        ("pipe.jpg", tarfile.FIFOTYPE, ""),
        ("folder.jpg", tarfile.DIRTYPE, ""),
    ):
        links.append(info := tarfile.TarInfo(name))
        info.type, info.linkname = kind, to
    path = tmp_path / "a.tar"
    path.write_bytes(tar({"a.jpg": b"image"}, tarfile.GNU_FORMAT, *links))
    found = Archive(path).members
    assert {name: (member.link, bool(member.refused)) for name, member in found.items()} == {
        "a.jpg": (False, False),
        "soft.jpg": (True, True),
        "hard.jpg": (False, False),
        "gone.jpg": (True, True),
        "pipe.jpg": (False, True),
    }
    assert Archive(path).read(found["hard.jpg"]) == b"image"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("soft.jpg")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
        archive.mkdir("folder.jpg")
    (member,) = Archive(tmp_path / "a.zip").members.values()
    assert member.link and member.refused


def test_of_two_members_of_one_name_the_last_unpacks_and_zips_that_differ_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(tar({"a.jpg": b"old"}, tarfile.GNU_FORMAT)[:1024] + tar({"a.jpg": b"new"}))
    archive = Archive(path)
    assert archive.read(archive.members["a.jpg"]) == b"new"
    for contents, refused in (([b"1", b"1"], False), ([b"1", b"2"], True), ([b"1", b"2", b"2"], True)):
        with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
            for content in contents:
                made.writestr("a.jpg", content)
        os.utime(tmp_path / "a.zip", ns=(len(contents), len(contents) + refused))
        assert bool(Archive(tmp_path / "a.zip").members["a.jpg"].refused) == refused


def patched(path: Path, flags: int = 0, method: int | None = None, sizes: tuple[int, int] | None = None) -> Member:
    """Of a zip with one member, its entry in the list changed."""
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 8] |= flags
    if method is not None:
        struct.pack_into("<H", data, at + 10, method)
    if sizes is not None:
        struct.pack_into("<II", data, at + 20, *sizes)
    changed = path.with_name("changed.zip")
    changed.write_bytes(data)
    (member,) = Archive(changed).members.values()
    if not member.refused:
        with pytest.raises(ValueError, match="bytes in"):
            Archive(changed).read(member)
    return member


def test_what_cannot_be_unpacked_says_why(tmp_path: Path) -> None:
    plain, deflated = (packed(tmp_path / f"{kind}.zip", {"a.jpg": bytes(5000)}) for kind in ("plain", "deflated"))
    assert "encrypted" in patched(plain, flags=1).refused
    assert "method 12" in patched(plain, method=12).refused
    assert "does not fit" in patched(plain, sizes=(1 << 30, 1 << 30)).refused
    assert "does not fit" in patched(plain, sizes=(5000, 4999)).refused
    assert not patched(plain, sizes=(4000, 4000)).refused, "its checksum says it"
    assert not patched(deflated, sizes=(20, 4000)).refused and not patched(deflated, sizes=(20, 6000)).refused
    assert not patched(plain, method=8).refused


def test_bombs_do_not_go_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gunzipped, "_GROUND", 1 << 20)
    bomb = gzip.compress(tar({"a.jpg": bytes(5 << 20)}), 9)
    (tmp_path / "bomb.tar.gz").write_bytes(bomb)
    with pytest.raises(RawDataCorrupt, match="far more than its size"):
        Archive(tmp_path / "bomb.tar.gz")
    large = {"a.jpg": np.random.default_rng(0).bytes(2 << 20)}  # what does not pack is no bomb
    (tmp_path / "large.tar.gz").write_bytes(gzip.compress(tar(large), 1))
    assert list(Archive(tmp_path / "large.tar.gz").members) == ["a.jpg"]
    head = tarfile.TarInfo("a").tobuf()
    wide = bytearray(head)
    wide[156:157] = b"x"  # a head of a terabyte, of one that leads back
    for size in (1 << 40, -(1 << 20)):
        for kind in (b"x", b"L", b"0"):
            wide[124:136] = (b"\x80" if size > 0 else b"\xff") + (size % (1 << 88)).to_bytes(11, "big")
            wide[156:157] = kind
            wide[148:156] = b" " * 8
            wide[148:156] = f"{sum(wide):06o}\0 ".encode()
            (tmp_path / "wide.tar").write_bytes(head + bytes(wide) + bytes(4096))
            with pytest.raises(RawDataCorrupt):
                Archive(tmp_path / "wide.tar")


def test_an_archive_is_listed_once_in_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, opened, begin = packed(tmp_path / "a.zip"), [], threading.Barrier(4)
    plain = zipfile.ZipFile.__init__
    monkeypatch.setattr(zipfile.ZipFile, "__init__", lambda *given: opened.append(1) or plain(*given))

    def count(_: int) -> int:
        begin.wait()
        return len(Archive(path).members)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(count, range(4))) == [60] * 4
    assert len(opened) == 1
