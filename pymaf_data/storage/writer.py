"""Writing a stage, shard by shard: files first, durable, then the commit that makes them exist."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_data.errors import ShapeError, StoreChanged, StoreIncomplete
from pymaf_data.storage import chunks, lock, plan, records, swap
from pymaf_data.storage.files import LocalFiles, require_space
from pymaf_data.storage.records import Commit, Current, FileSum, Generation, StageRecord
from pymaf_data.storage.shard import encode_shard
from pymaf_data.storage.specs import ArraySpec, array_metadata, encode_rows, group_metadata, records_metadata

ShardData = Mapping[str, "np.ndarray | Sequence[bytes]"]
# Room beyond the estimate, for folders, records and everybody else on the machine.
_RESERVE = 32e6
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StageWriter:
    """One generation being written. May be pickled to workers, which write under the lock of the process that began it.

    Equal input to :meth:`write_shard` gives equal bytes, in any process and in any order of shards.
    """

    root: Path
    record: StageRecord
    token: str

    @property
    def shards(self) -> int:
        """Shards of the finished generation."""
        return self.record.shards

    def rows(self, shard: int) -> slice:
        """The rows [first, end) of a shard."""
        return next(iter(self.record.specs.values())).grid(self.record.persons, self.record.shard).span(shard)

    def committed(self) -> dict[int, Commit]:
        """The shards that exist, with their ``input_digest``."""
        return records.read_commits(LocalFiles(self.root), self.record)

    def missing(self) -> list[int]:
        """The shards that are still to be written."""
        done = self.committed()
        return [k for k in range(self.shards) if k not in done]

    def write_shard(self, shard: int, data: ShardData, input_digest: str) -> None:
        """Write all arrays of one shard and commit it; one that was committed from the same input is left as it is.

        Args:
            shard: its number.
            data: for every array (rows of the shard, *shape_per_row) of exactly the specified type, or the already
                encoded inner chunks in row order (``encode_jpeg`` for images), without checksums.
            input_digest: digest of what the shard was made from.

        Raises:
            ShapeError: an array is missing, unknown, or of another shape or type.
            StoreChanged: the shard is committed already, made from other input.
            StoreLocked: the lock was taken away.
            DiskFull: no room. Nothing half-written remains; the same command goes on.
        """
        key, files = self.record.key, LocalFiles(self.root)
        if (self.root / key.commit(shard)).exists():
            self._require_same(shard, input_digest)
            return
        span, parts = self.rows(shard), self._encode(shard, data)
        commit = Commit(
            stage=key.stage,
            generation=key.digest,
            shard=shard,
            rows=(span.start, span.stop),
            input_digest=input_digest,
            files={name: FileSum.of(part) for name, part in parts.items()},
        )
        with lock.held(self.root, key.stage, self.token):
            files.write(parts, records.temporary(key.stage))
        with lock.held(self.root, key.stage, self.token):
            files.write(
                {key.commit(shard): [records.seal(commit.model_dump(mode="json"))]}, records.temporary(key.stage)
            )

    def finish(self) -> Path:
        """Make the complete generation the current one; swap in an overwriting store whose ``ingest`` this is.

        Returns:
            Where the store now lies. What was opened before does not show the new generation: open it again.

        Raises:
            StoreIncomplete: shards are missing.
        """
        missing, key = self.missing(), self.record.key
        if missing:
            raise StoreIncomplete(
                f"stage {key.stage} lacks shards {_short(missing)}",
                expected=f"all {self.shards}",
                action="write them first.",
            )
        pointer = records.seal(Current(stage=key.stage, generation=key.digest).model_dump())
        with lock.held(self.root, key.stage, self.token):
            _write_where_different(LocalFiles(self.root), {records.current(key.stage): pointer}, key.stage)
        return swap.settle(self.root, self.token) if key.stage == records.INGEST else self.root

    def _require_same(self, shard: int, input_digest: str) -> None:
        """A worker that was given up may have committed a shard that another then made again."""
        name, stage = self.record.key.commit(shard), self.record.stage
        commit = records.read(LocalFiles(self.root), name, Commit, records.commit_action(name, stage))
        if commit.input_digest != input_digest:
            raise StoreChanged(
                f"shard {shard} of stage {stage} is committed already, made from other input",
                expected="a missing shard, or the same input again",
            )

    def _encode(self, shard: int, data: ShardData) -> dict[str, list[bytes]]:
        specs = self.record.specs
        if data.keys() != specs.keys():
            raise ShapeError(
                f"arrays {', '.join(sorted(data))} for stage {self.record.stage}", expected=", ".join(sorted(specs))
            )
        span = self.rows(shard)
        parts = {}
        for name, spec in specs.items():
            grid = spec.grid(self.record.persons, self.record.shard)
            chunks = _chunks(spec, data[name], span.stop - span.start, grid.chunks(shard))
            parts[self.record.key.shard_file(spec, shard)] = encode_shard(chunks, grid.slots)
        return parts


def _chunks(spec: ArraySpec, values: np.ndarray | Sequence[bytes], rows: int, count: int) -> Sequence[bytes]:
    """The encoded inner chunks of one array in one shard."""
    if isinstance(values, np.ndarray):
        if len(values) != rows:
            raise ShapeError(f"array {spec.name} with {len(values)} rows", expected=f"the {rows} rows of the shard")
        return encode_rows(spec, values)
    if len(values) != count:
        raise ShapeError(f"array {spec.name} in {len(values)} encoded chunks", expected=f"{count} for the shard")
    if spec.codecs == "jpeg":
        for i, chunk in enumerate(values):
            chunks.check_jpeg(chunk, spec.shape_per_row, f"array {spec.name}, encoded chunk {i}")
    return values


def begin_stage(
    root: Path,
    head: dict[str, Any],
    key: Generation,
    specs: Sequence[ArraySpec],
    attributes: dict[str, Any],
    token: str,
) -> StageWriter:
    """See :meth:`Store.stage`; ``head`` is the plan's."""
    records.require_present(head, str(root))
    if key.stage == records.INGEST and key.digest != records.plan_digest(head):
        raise StoreChanged(
            f"stage ingest of generation {key.short}",
            expected=f"the plan's digest, {records.plan_digest(head)} (Plan.digest)",
        )
    with lock.held(root, key.stage, token):
        writer = StageWriter(root, _begun(LocalFiles(root), head, key, specs, attributes), token)
    missing = sum(span.stop - span.start for span in map(writer.rows, writer.missing()))
    if missing:
        require_space(root, missing * sum(spec.estimated_row_bytes for spec in specs) + _RESERVE)
    return writer


def _begun(
    files: LocalFiles, head: dict[str, Any], key: Generation, specs: Sequence[ArraySpec], attributes: dict[str, Any]
) -> StageRecord:
    """The record of a generation, written together with its metadata where they are not yet there."""
    record, metadata = new_record(head, key, specs, attributes)
    sealed = {key.record: records.seal(record.model_dump(mode="json"))}
    try:
        action = records.record_action(key.record, key.stage)
        stored = records.read(files, key.record, StageRecord, action)
        if stored.specs != record.specs or stored.attributes != record.attributes:
            _refuse_other(key, stored, record)
    except FileNotFoundError:
        _log.info("beginning generation %s of stage %s", key.short, key.stage)
    # Metadata before the record: a record whose metadata is missing would be damage. Equal files stay untouched.
    _write_where_different(files, metadata, key.stage)
    _write_where_different(files, sealed, key.stage)
    return record


def new_record(
    head: dict[str, Any], key: Generation, specs: Sequence[ArraySpec], attributes: dict[str, Any]
) -> tuple[StageRecord, dict[str, bytes]]:
    """The record of a generation and the Zarr metadata files it names, by key; a pure function of its arguments."""
    persons, shard = int(head["persons"]), int(head["shard"])
    for spec in specs:
        spec.grid(persons, shard)
    attributes = json.loads(json.dumps(attributes, sort_keys=True))  # in the order in which the sealed record has them
    own = plan.root_attributes(head) if key.stage == records.INGEST else attributes
    metadata = {f"{group}/zarr.json": group_metadata({}) for group in records.parent_groups(key)}
    metadata[key.below("zarr.json")] = group_metadata(own)
    if key.stage == records.INGEST:
        metadata[f"{records.RECORDS}/zarr.json"] = records_metadata(records.MAJOR)
    for spec in specs:
        if spec.group:
            metadata[key.below(f"{spec.group}/zarr.json")] = group_metadata({})
        metadata[key.below(f"{spec.path}/zarr.json")] = array_metadata(spec, persons, shard)
    record = StageRecord(
        stage=key.stage,
        generation=key.digest,
        persons=persons,
        shard=shard,
        arrays=tuple(spec.to_json() for spec in specs),
        attributes={} if key.stage == records.INGEST else attributes,
        metadata={name: hashlib.sha256(text).hexdigest() for name, text in metadata.items()},
    )
    return record, metadata


def _refuse_other(key: Generation, stored: StageRecord, record: StageRecord) -> None:
    before, now = ({"arrays": r.model_dump()["arrays"], "attributes": r.attributes} for r in (stored, record))
    before["arrays"], now["arrays"] = ({a["name"]: a for a in side["arrays"]} for side in (before, now))
    raise StoreChanged(
        f"generation {key.short} of stage {key.stage} was begun otherwise:\n  "
        + "\n  ".join(plan.differences(before, now)),
        expected="the same arrays and attributes under the same digest",
        action="put what differs into the generation's digest.",
    )


def _write_where_different(files: LocalFiles, items: Mapping[str, bytes], stage: str) -> None:
    changed = {}
    for key, data in items.items():
        try:
            same = files.read(key) == data
        except FileNotFoundError:
            same = False
        if not same:
            changed[key] = [data]
    if changed:
        files.write(changed, records.temporary(stage))


def _short(shards: list[int]) -> str:
    shown = ", ".join(map(str, shards[:8]))
    return shown + (f" and {len(shards) - 8} more" if len(shards) > 8 else "")
