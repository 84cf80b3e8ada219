"""Where things lie in a store, and the sealed JSON that says which arrays, generations and shards exist.

A sealed file is a JSON object with a member ``seal``, the SHA-256 of the rest. Its bytes are a pure function of its
content, so a bit flipped anywhere in it, white space included, is found. Normative text: ``schemas/store.md``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from pymaf_data.config import StrictModel
from pymaf_data.digest import digest_json
from pymaf_data.errors import ConfigError, PymafDataError, StoreDamaged, StoreVersionError, UsageError
from pymaf_data.storage.files import Files, Unread, raise_unread
from pymaf_data.storage.specs import ArraySpec

FORMAT = "pymaf-data store"
FORMAT_VERSION = "2.2"
MAJOR = int(FORMAT_VERSION.partition(".")[0])
DEFAULT_SHARD = 512

RECORDS = "_pymaf"
ROOT_METADATA = "zarr.json"
PLAN = f"{RECORDS}/plan.json"
ROWS = f"{RECORDS}/rows.jsonl"
STAGES = f"{RECORDS}/stages"
COMMITS = f"{RECORDS}/commits"
CURRENT = f"{RECORDS}/current"
LOCKS = f"{RECORDS}/locks"
TEMPORARY = f"{RECORDS}/tmp"

INGEST = "ingest"
_STAGE = re.compile(r"ingest|choice|iuv|fits/[a-z0-9][a-z0-9_.-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
SHORT = 16
_FILE_NAMES = {
    STAGES: rf"(?P<stage>{_STAGE.pattern})/[0-9a-f]{{{SHORT}}}\.json",
    COMMITS: rf"(?P<stage>{_STAGE.pattern})/[0-9a-f]{{{SHORT}}}/[0-9]{{5,}}\.json",
    CURRENT: rf"(?P<stage>{_STAGE.pattern})\.json",
}


@dataclass(frozen=True, order=True)
class Generation:
    """One generation of a stage: the arrays that one digest of inputs determines.

    Args:
        stage: ``ingest``, ``fits/<name>``, ``choice`` or ``iuv``.
        digest: 64 hexadecimal digits.
    """

    stage: str
    digest: str

    def __post_init__(self) -> None:
        check_stage(self.stage)
        if not _DIGEST.fullmatch(self.digest):
            raise UsageError(
                f"generation digest {self.digest!r} of stage {self.stage}",
                expected="a SHA-256 in 64 hexadecimal digits (pymaf_data.digest)",
            )

    @property
    def short(self) -> str:
        """The digest as it stands in paths."""
        return self.digest[:SHORT]

    @property
    def group(self) -> str:
        """The Zarr group that holds the arrays; empty for the root, where ``ingest`` writes."""
        return "" if self.stage == INGEST else f"{self.stage}/{self.short}"

    @property
    def record(self) -> str:
        """The stage record."""
        return f"{STAGES}/{self.stage}/{self.short}.json"

    @property
    def commits(self) -> str:
        """The folder of commits."""
        return f"{COMMITS}/{self.stage}/{self.short}"

    def commit(self, shard: int) -> str:
        """The commit of one shard."""
        return f"{self.commits}/{shard:05d}.json"

    def below(self, path: str) -> str:
        """A path below the generation's group; with an array's name, what :meth:`Store.array` takes."""
        return f"{self.group}/{path}" if self.group else path

    def shard_file(self, spec: ArraySpec, shard: int) -> str:
        """The file of one shard of an array: only the first axis is divided."""
        return "/".join([self.below(spec.path), "c", str(shard), *["0"] * (spec.axes - 1)])


def check_stage(stage: str) -> str:
    """Return ``stage`` when it names one.

    Raises:
        UsageError: it does not.
    """
    if not _STAGE.fullmatch(stage):
        raise UsageError(
            f"{stage!r} is not a stage of a store",
            expected="ingest, choice, iuv or fits/<name> (lower case letters, digits, '_', '-', '.'); "
            "the generation is given by its digest, not in the stage's name",
        )
    return stage


def current(stage: str) -> str:
    """The pointer to the generation of ``stage`` that readers use."""
    return f"{CURRENT}/{check_stage(stage)}.json"


def lock(stage: str) -> str:
    """The lock file of ``stage``."""
    return f"{LOCKS}/{_flat(stage)}.lock"


def temporary(stage: str) -> str:
    """The folder of unfinished files of ``stage``."""
    return f"{TEMPORARY}/{_flat(stage)}"


def _flat(stage: str) -> str:
    return check_stage(stage).replace("/", "+")


def record_of(key: str, folder: str) -> tuple[str, str] | None:
    """The record below ``STAGES``, ``COMMITS`` or ``CURRENT`` that a key names, and its stage; None: a foreign file.

    What lies in a folder that took a record's place names that record too.
    """
    match = re.fullmatch(rf"(?P<record>{_FILE_NAMES[folder]})(/.*)?", key.removeprefix(f"{folder}/"), re.DOTALL)
    return (f"{folder}/{match['record']}", match["stage"]) if match else None


def parent_groups(generation: Generation) -> list[str]:
    """The plain Zarr groups above a generation's own, outermost first; the root is not among them."""
    parts = generation.group.split("/")[:-1]
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]


def check_version(found: object, where: str) -> None:
    """Refuse a store of a major version that is not read here.

    Raises:
        StoreVersionError: a newer major, or no version at all.
    """
    theirs = re.fullmatch(r"([1-9]\d*)\.(\d+)", str(found))
    if theirs and int(theirs[1]) <= MAJOR:
        return
    raise StoreVersionError(
        f"{where} is a store of format version {found!r}",
        expected=f"version 1.x to {MAJOR}.x",
        action="install the pymaf-data that wrote it, or a newer one." if theirs else "make the store again.",
    )


def is_present(head: dict[str, Any]) -> bool:
    """Whether a store, ``head`` being its plan's, has the major version that is written here."""
    return str(head["format_version"]).startswith(f"{MAJOR}.")


def has_markers(head: dict[str, Any]) -> bool:
    """Whether the crops of a store have restart markers: so since 2.2, and a store that was begun before goes on."""
    return is_present(head) and int(str(head["format_version"]).partition(".")[2]) >= 2


def require_present(head: dict[str, Any], store: str) -> None:
    """Refuse to write to a store of an older major version.

    Raises:
        StoreVersionError: saying which command brings it to the present one.
    """
    if not is_present(head):
        raise StoreVersionError(
            f"{store} is a store of format version {head['format_version']}, which is read but no longer written",
            expected=f"version {MAJOR}.x",
            action=f"run `pymaf-data migrate {store}`, which moves files and reads none, then the same command again.",
        )


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

    @cached_property
    def specs(self) -> dict[str, ArraySpec]:
        """The arrays by name; made once, for it is asked of every shard."""
        return {entry["name"]: ArraySpec(**entry) for entry in self.arrays}

    @property
    def shards(self) -> int:
        """How many shards the generation has when it is complete."""
        return -(-self.persons // self.shard)


def seal(content: dict[str, Any]) -> bytes:
    """The bytes of a sealed file."""
    return _sealed(content, digest_json(content))


def _sealed(content: dict[str, Any], digest: str) -> bytes:
    sealed = {**content, "seal": digest}
    return (json.dumps(sealed, sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode("ascii")


def unseal(data: bytes, where: str, action: str) -> dict[str, Any]:
    """The content of a sealed file.

    Raises:
        StoreDamaged: not JSON, no seal, a seal that does not match, or bytes in another form.
    """
    try:
        content = json.loads(data)
        claimed = content.pop("seal")
        whole = claimed == digest_json(content) and _sealed(content, claimed) == data
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


def record_keys(files: Files, folder: str, below: str = "", unread: Unread = raise_unread) -> Iterator[tuple[str, str]]:
    """(key, stage) of every record in ``STAGES``, ``COMMITS`` or ``CURRENT``, or only ``below`` a folder therein.

    What is not named like a record is passed over: it is a stranger, which ``verify`` names.
    """
    named = (record_of(key, folder) for key in files.keys(below or folder, unread))
    yield from dict.fromkeys(entry for entry in named if entry is not None)


def read_commits(files: Files, record: StageRecord) -> dict[int, Commit]:
    """Every commit of a generation by shard.

    Raises:
        StoreDamaged: one is broken, or is not that of this shard of this generation.
    """
    commits: dict[int, Commit] = {}
    for key, stage in record_keys(files, COMMITS, record.key.commits):
        commit = read(files, key, Commit, commit_action(key, stage))
        if not agrees(key, commit, record):
            raise StoreDamaged(f"{key}: {DISAGREES}", action=commit_action(key, stage))
        commits[commit.shard] = commit
    return commits


DISAGREES = "it does not agree with the stage record on shard, rows or files"


def agrees(key: str, commit: Commit, record: StageRecord) -> bool:
    """Whether a commit is that of the shard that its name says, with the very files that the record asks for."""
    if (commit.stage, commit.generation) != (record.stage, record.generation) or not 0 <= commit.shard < record.shards:
        return False
    first = commit.shard * record.shard
    rows = (first, min(first + record.shard, record.persons))
    files = {record.key.shard_file(spec, commit.shard) for spec in record.specs.values()}
    return key == record.key.commit(commit.shard) and commit.rows == rows and commit.files.keys() == files


def read_records(files: Files, head: dict[str, Any]) -> list[StageRecord]:
    """Every generation's record, sorted by stage and digest; ``head`` is the plan's.

    Raises:
        StoreDamaged: one is broken, under another's name or of another plan.
    """
    records = []
    for key, stage in record_keys(files, STAGES):
        record = read(files, key, StageRecord, record_action(key, stage))
        for problem in record_problems(key, record, head):
            raise StoreDamaged(f"{key}: {problem}", action=record_action(key, stage))
        records.append(record)
    return sorted(records, key=lambda record: (record.stage, record.generation))


def record_problems(key: str, record: StageRecord, head: dict[str, Any]) -> Iterator[str]:
    """In what a sealed record does not belong where it lies."""
    try:
        specs, own = record.specs, record.key.record
    except (TypeError, KeyError, PymafDataError) as error:
        yield f"its arrays or generation are none: {error}"
        return
    if not specs:
        yield "it names no arrays"
    if own != key:
        yield f"it speaks of {own}"
    if (record.persons, record.shard) != (head["persons"], head["shard"]):
        yield "it has another number of persons or shard size than the plan"
    if record.stage == INGEST and record.generation != plan_digest(head):
        yield "it belongs to another plan"


def plan_digest(head: dict[str, Any]) -> str:
    """The plan digest of a stored head."""
    return digest_json({key: value for key, value in head.items() if key not in ("format_version", "provenance")})


def read_pointers(files: Files) -> dict[str, str]:
    """Stage → digest of the generation that readers use, where there is one.

    Raises:
        StoreDamaged: a pointer is broken or speaks of another stage.
    """
    pointers = {}
    for key, stage in record_keys(files, CURRENT):
        pointer = read(files, key, Current, record_action(key, stage))
        if pointer.stage != stage:
            raise StoreDamaged(f"{key} speaks of stage {pointer.stage}", action=record_action(key, stage))
        pointers[stage] = pointer.generation
    return pointers
