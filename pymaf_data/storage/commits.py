"""Sealed JSON: the records that say which arrays, generations and shards exist, each with its own checksum.

A sealed file is a JSON object with a member ``seal``, the SHA-256 of the rest. Its bytes are a pure function of its
content, so a bit flipped anywhere in it, white space included, is found.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeVar

from pymaf_data.config import StrictModel
from pymaf_data.digest import digest_json
from pymaf_data.errors import ConfigError, StoreDamaged
from pymaf_data.storage import layout
from pymaf_data.storage.files import Files
from pymaf_data.storage.layout import Generation
from pymaf_data.storage.specs import ArraySpec

Model = TypeVar("Model", bound=StrictModel)


class FileSum(StrictModel):
    """The bytes that a committed file must have."""

    size: int
    sha256: str

    @classmethod
    def of(cls, parts: list[bytes]) -> FileSum:
        """Sum up a file about to be written."""
        state = hashlib.sha256()
        for part in parts:
            state.update(part)
        return cls(size=sum(map(len, parts)), sha256=state.hexdigest())


class Commit(StrictModel):
    """One finished shard of a generation, across all its arrays."""

    stage: str
    generation: str
    shard: int
    rows: tuple[int, int]
    input_digest: str
    files: dict[str, FileSum]


class Current(StrictModel):
    """The generation of a stage that readers use."""

    stage: str
    generation: str


class StageRecord(StrictModel):
    """The arrays of one generation of a stage, fixed when it begins."""

    stage: str
    generation: str
    persons: int
    shard: int
    arrays: tuple[dict[str, Any], ...]
    attributes: dict[str, Any]
    metadata: dict[str, str]

    @property
    def key(self) -> Generation:
        """Which generation this is."""
        return Generation(self.stage, self.generation)

    @property
    def specs(self) -> dict[str, ArraySpec]:
        """The arrays by name."""
        return {entry["name"]: ArraySpec(**entry) for entry in self.arrays}

    @property
    def shards(self) -> int:
        """How many shards the generation has when it is complete."""
        return -(-self.persons // self.shard)


def seal(content: dict[str, Any]) -> bytes:
    """The bytes of a sealed file."""
    sealed = {**content, "seal": digest_json(content)}
    return (json.dumps(sealed, sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode("ascii")


def unseal(data: bytes, where: str, action: str) -> dict[str, Any]:
    """The content of a sealed file.

    Raises:
        StoreDamaged: not JSON, no seal, a seal that does not match, or bytes in another form.
    """
    try:
        content = json.loads(data)
        claimed = content.pop("seal")
        whole = claimed == digest_json(content) and seal(content) == data
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise StoreDamaged(f"{where} is damaged: its content does not match its seal", action=action)
    return dict(content)


def read(files: Files, key: str, model: type[Model], action: str) -> Model:
    """Read a sealed record.

    Raises:
        StoreDamaged: the seal does not match, or the content is not this record.
        FileNotFoundError: there is no such file.
    """
    content = unseal(files.read(key), key, action)
    try:
        return model.parse(content, key)
    except ConfigError as error:
        raise StoreDamaged(error.found, action=action) from None


def commit_action(key: str, stage: str) -> str:
    """What to do about a damaged commit, or a shard that differs from it."""
    return f"delete {key} inside the store and run {command(stage)} again: it makes that shard anew."


def record_action(key: str, stage: str) -> str:
    """What to do about any other damaged record of a stage."""
    return (
        f"delete {key} inside the store and run {command(stage)} again with the same options: it writes the file anew."
    )


def command(stage: str) -> str:
    """The command that makes a stage."""
    kind = stage.split("/")[0]
    names = {"ingest": "ingest", "fits": "attach-fits", "choice": "attach-fits", "iuv": "render-iuv"}
    return f"`pymaf-data {names[kind]}`"


def read_commits(files: Files, record: StageRecord) -> dict[int, Commit]:
    """Every commit of a generation by shard.

    Raises:
        StoreDamaged: one is broken or names another generation.
    """
    commits: dict[int, Commit] = {}
    for key in files.keys(record.key.commits):
        if layout.stage_of(key, layout.COMMITS) is None:
            continue
        action = commit_action(key, record.stage)
        commit = read(files, key, Commit, action)
        if (commit.stage, commit.generation) != (record.stage, record.generation) or key != record.key.commit(
            commit.shard
        ):
            raise StoreDamaged(f"{key} speaks of {commit.stage} {commit.generation[:16]} {commit.shard}", action=action)
        commits[commit.shard] = commit
    return commits


def read_records(files: Files) -> list[StageRecord]:
    """Every generation's record, sorted by stage and digest."""
    records = []
    for key in files.keys(layout.STAGES):
        stage = layout.stage_of(key, layout.STAGES)
        if stage is None:
            continue
        record = read(files, key, StageRecord, record_action(key, stage))
        if record.key.record != key:
            raise StoreDamaged(f"{key} speaks of {record.key.record}", action=record_action(key, stage))
        records.append(record)
    return sorted(records, key=lambda record: (record.stage, record.generation))
