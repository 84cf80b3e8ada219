"""A reader of pymaf-data stores written from ``schemas/store.md`` alone: it never imports pymaf_data or zarr.

reader = Reader(path); reader.read("image") -> array; reader.read("fits/truth/pose") -> array
"""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from numcodecs import zstd

ABSENT = 2**64 - 1


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def crc32c(data: bytes) -> bytes:
    """CRC-32C (Castagnoli), little-endian (sections 2.3 and 2.5)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return struct.pack("<I", crc ^ 0xFFFFFFFF)


def sealed(path: Path) -> dict[str, Any]:
    """A sealed JSON file (section 4)."""
    content = json.loads(path.read_text("ascii"))
    seal = content.pop("seal")
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    assert hashlib.sha256(text.encode("ascii")).hexdigest() == seal, f"{path}: seal"
    return dict(content)


def sampled_pixel(block: np.ndarray) -> tuple[int, int] | None:
    """Which pixel (row, column) of a 3 × 3 block of parts has U, V (section 3)."""
    if block[1, 1]:
        return 1, 1
    shown = np.argwhere(block)
    return (int(shown[0, 0]), int(shown[0, 1])) if len(shown) else None


class Reader:
    """Sections 1 to 6: plan, records, commits, shards."""

    def __init__(self, root: Path) -> None:
        self.root, self.records = root, root / "_pymaf"
        self.plan = sealed(self.records / "plan.json")
        assert self.plan["format_version"].split(".")[0] in ("1", "2")
        attributes = json.loads((root / "zarr.json").read_text())["attributes"]
        assert attributes["format"] == "pymaf-data store" and attributes["persons"] == self.plan["persons"]
        text = (self.records / "rows.jsonl").read_bytes()
        assert hashlib.sha256(text).hexdigest() == self.plan["rows_sha256"]
        self.rows = [tuple(json.loads(line)) for line in text.splitlines()]
        assert len(self.rows) == self.plan["persons"] and self.rows == sorted(set(self.rows))

    def read(self, name: str) -> np.ndarray:
        """A whole array of the current generation of its stage; `name` is the array, or stage/array."""
        stage, _, leaf = name.rpartition("/")
        stage = stage or "ingest"
        digest = sealed(self.records / "current" / f"{stage}.json")["generation"][:16]
        (entry,) = (
            e for e in sealed(self.records / "stages" / stage / f"{digest}.json")["arrays"] if e["name"] == leaf
        )
        group = self.root if stage == "ingest" else self.root / stage / digest
        folder = group / entry.get("group", "") / leaf
        commits = self.records / "commits" / stage / digest
        return self._array(folder, {entry["shard"]: entry for entry in map(sealed, sorted(commits.glob("*.json")))})

    def _array(self, folder: Path, commits: dict[int, dict[str, Any]]) -> np.ndarray:
        meta = json.loads((folder / "zarr.json").read_text())
        out = np.zeros(meta["shape"], np.dtype(meta["data_type"]).newbyteorder("<"))
        shard_rows = meta["chunk_grid"]["configuration"]["chunk_shape"][0]
        (sharding,) = meta["codecs"]
        assert sharding["name"] == "sharding_indexed" and sharding["configuration"]["index_location"] == "end"
        inner = sharding["configuration"]["chunk_shape"]
        names = [codec["name"] for codec in sharding["configuration"]["codecs"]]
        for k, commit in commits.items():
            path = folder.joinpath("c", str(k), *["0"] * (len(meta["shape"]) - 1))
            data, expected = path.read_bytes(), commit["files"][str(path.relative_to(self.root))]
            assert len(data) == expected["size"] and hashlib.sha256(data).hexdigest() == expected["sha256"]
            first, end = commit["rows"]
            assert (first, end) == (k * shard_rows, min((k + 1) * shard_rows, meta["shape"][0]))
            chunks = self._chunks(data, shard_rows // inner[0], -(-(end - first) // inner[0]))
            block = np.concatenate([self._decode(chunk, names, inner, out.dtype) for chunk in chunks])
            assert not block[end - first :].any() or "pymaf_data.jpeg" in names
            out[first:end] = block[: end - first]
        return out

    def _chunks(self, data: bytes, slots: int, present: int) -> list[bytes]:
        size = slots * 16
        index, check = data[-size - 4 : -4], data[-4:]
        assert crc32c(index) == check, "index checksum"
        pairs = list(struct.iter_unpack("<QQ", index))
        assert all(pair == (ABSENT, ABSENT) for pair in pairs[present:]), "rows beyond the last are absent"
        assert all(pair != (ABSENT, ABSENT) for pair in pairs[:present]), "every row's chunk is written"
        assert [p[0] for p in pairs[:present]] == [sum(p[1] for p in pairs[:i]) for i in range(present)], "no gaps"
        return [data[offset : offset + count] for offset, count in pairs[:present]]

    def _decode(self, chunk: bytes, names: list[str], inner: list[int], dtype: np.dtype[Any]) -> np.ndarray:
        body, check = chunk[:-4], chunk[-4:]
        assert crc32c(body) == check, "chunk checksum"
        if names == ["pymaf_data.jpeg", "crc32c"]:
            return simplejpeg.decode_jpeg(body, fastdct=False, fastupsample=False)[None]
        assert names == ["bytes", "zstd", "crc32c"], names
        return np.frombuffer(zstd.decompress(body), dtype).reshape(inner)
