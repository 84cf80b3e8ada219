"""The plan: what row i is and from what it is made, fixed before any image is opened."""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePath
from typing import Any, Self

from pydantic import Field, model_validator

from pymaf_data.config import StrictModel, by_place
from pymaf_data.digest import digest_json
from pymaf_data.errors import ConfigError, StoreChanged, StoreDamaged
from pymaf_data.storage import records
from pymaf_data.storage.files import Files

_MEMBERS = {
    **dict.fromkeys(("dataset", "split", "manifest_digest", "rows_sha256"), str),
    **dict.fromkeys(("persons", "shard"), int),
    **dict.fromkeys(("inputs", "options", "provenance"), dict),
}
ACTION = "the plan cannot be made again in place: run `pymaf-data ingest … --overwrite`."


class Provenance(StrictModel):
    """Where a store comes from, beyond what determines its rows.

    No time, path or host: equal input gives equal stores.
    """

    counts: dict[str, int] = Field(default_factory=dict)
    """Persons ``total``, ``kept`` and dropped by reason."""
    expected: dict[str, int] = Field(default_factory=dict)
    """What the manifest says these counts are for the whole data set."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Libraries that shape bytes (pymaf-data, OpenCV, simplejpeg, …) → version."""
    licences: dict[str, str] = Field(default_factory=dict)
    """Everything that went in → its licence."""
    attributes: dict[str, Any] = Field(default_factory=dict)
    """Further attributes of the root group, e.g. ``reasons`` and ``crop_size``."""


class Plan(StrictModel):
    """The rows of a store and everything that determines them."""

    dataset: str
    split: str
    rows: tuple[tuple[str, int], ...] = Field(min_length=1)
    """(image name, annotation id) of each row, strictly increasing."""
    manifest_digest: str = ""
    inputs: dict[str, str] = Field(default_factory=dict)
    """Raw annotation file, relative to the data set's root → SHA-256."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Every option that shapes the arrays. No paths."""
    shard: int = Field(default=records.DEFAULT_SHARD, ge=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        for before, after in zip(self.rows, self.rows[1:], strict=False):
            if before >= after:
                raise ValueError(f"rows must increase by (image name, annotation id): {before} stands before {after}")
        for key, value in by_place({"inputs": self.inputs, "options": self.options}).items():
            if isinstance(value, str) and PurePath(value).is_absolute():
                raise ValueError(f"{key} is a path of this machine ({value}); a store must not depend on it")
        return self

    @property
    def head(self) -> dict[str, Any]:
        """The plan with its rows replaced by their digest."""
        return {
            **self.model_dump(mode="json", exclude={"rows"}),
            "persons": len(self.rows),
            "rows_sha256": hashlib.sha256(self.rows_text()).hexdigest(),
        }

    @property
    def digest(self) -> str:
        """The generation of the stage ``ingest``."""
        return digest_json(self.head)

    def rows_text(self) -> bytes:
        """The content of ``rows.jsonl``."""
        lines = (json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in self.rows)
        return "".join(f"{line}\n" for line in lines).encode("ascii")

    def sealed(self, provenance: Provenance) -> bytes:
        """The content of ``plan.json``."""
        content = {
            **self.head,
            "format_version": records.FORMAT_VERSION,
            "provenance": provenance.model_dump(mode="json"),
        }
        return records.seal(content)


def read_head(files: Files) -> dict[str, Any]:
    """The content of ``plan.json``: the plan's head, ``format_version`` and ``provenance``.

    Raises:
        StoreDamaged: its seal does not match, or it is missing.
        StoreVersionError: another major version.
    """
    try:
        head = records.unseal(files.read(records.PLAN), records.PLAN, ACTION)
    except FileNotFoundError:
        raise StoreDamaged(f"{records.PLAN} is missing", action=ACTION) from None
    records.check_version(head.get("format_version"), records.PLAN)
    if (
        not all(isinstance(head.get(key), kind) for key, kind in _MEMBERS.items())
        or min(head["persons"], head["shard"]) < 1
    ):
        raise StoreDamaged(f"{records.PLAN} lacks a member, or holds one of another kind", action=ACTION)
    return head


def read_rows(files: Files, head: dict[str, Any]) -> list[tuple[str, int]]:
    """(image name, annotation id) of every row.

    Raises:
        StoreDamaged: the file is not the one the plan names.
    """
    try:
        text = files.read(records.ROWS)
    except FileNotFoundError:
        text = b""
    if hashlib.sha256(text).hexdigest() != head["rows_sha256"]:
        raise StoreDamaged(f"{records.ROWS} is missing or damaged", action=ACTION)
    # A line for each row, parsed together: one by one takes three times as long.
    return [(name, number) for name, number in json.loads(b"[%s]" % b",".join(text.splitlines()))]


def require_same(files: Files, plan: Plan, store: str) -> None:
    """Refuse to go on with a store that was planned otherwise.

    Raises:
        StoreChanged: naming what differs, old value first.
    """
    stored = read_head(files)
    if records.plan_digest(stored) == plan.digest:
        return
    rows = read_rows(files, stored)
    found = [*differences(stored, plan.head), *_row_differences(rows, plan)]
    raise StoreChanged(
        f"{store} was planned from something else:\n  " + "\n  ".join(found),
        expected="the raw data and options that the store was begun with",
        action="use those, write to another store with --out, or replace this one with --overwrite.",
    )


def require_same_versions(stored: Provenance, now: Provenance, store: str) -> None:
    """Refuse to finish a half-made store with libraries that give other bytes.

    Raises:
        StoreChanged: naming the libraries.
    """
    found = differences({"versions": stored.versions}, {"versions": now.versions})
    if found:
        raise StoreChanged(
            f"{store} was begun with other versions and is not complete:\n  " + "\n  ".join(found),
            expected="the versions it was begun with, since half a store of each would not be reproducible",
            action="install those, or begin again with --overwrite.",
        )


#: What stands behind a key that does not say it.
_CALLED = {"manifest_digest": "manifest_digest (rules of the manifest, and --option)"}


def differences(stored: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """One line per leaf of ``stored`` that ``now`` has otherwise; rows and versions of the format aside."""
    skipped = {"format_version", "provenance", "rows_sha256"}
    before, after = (by_place({k: v for k, v in d.items() if k not in skipped}) for d in (stored, now))
    lines = []
    for key in sorted(before.keys() | after.keys()):
        old, new = (json.dumps(side[key]) if key in side else "nothing" for side in (before, after))
        if old != new:
            lines.append(f"{_CALLED.get(key, key)}: the store has {old}, this run has {new}")
    return lines


def _row_differences(rows: list[tuple[str, int]], plan: Plan) -> list[str]:
    for i, (old, new) in enumerate(zip(rows, plan.rows, strict=False)):
        if old != new:
            return [f"row {i}: the store has {old[0]} #{old[1]}, this run has {new[0]} #{new[1]}"]
    return []


def parse_provenance(head: dict[str, Any]) -> Provenance:
    """The provenance in a stored head.

    Raises:
        StoreDamaged: it is not one.
    """
    try:
        return Provenance.parse(head.get("provenance"), records.PLAN)
    except ConfigError as error:
        raise StoreDamaged(error.found, action=ACTION) from None


def root_attributes(head: dict[str, Any]) -> dict[str, Any]:
    """What the root group of a store with this plan says."""
    provenance = dict(head["provenance"])
    own = provenance.pop("attributes")
    kept = {key: head[key] for key in ("format_version", "dataset", "split", "persons", "shard", "options")}
    return {**own, "format": records.FORMAT, **kept, "provenance": provenance}
