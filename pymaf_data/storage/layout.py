"""Where things lie in a store: pure names, no input or output. Normative text: ``schemas/store.md``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pymaf_data.errors import StoreVersionError, UsageError

FORMAT = "pymaf-data store"
FORMAT_VERSION = "1.2"
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

    def array(self, name: str) -> str:
        """The folder of one array."""
        return f"{self.group}/{name}" if self.group else name

    def shard_file(self, name: str, shard: int, axes: int) -> str:
        """The file of one shard of an array with ``axes`` axes: only the first axis is divided."""
        return "/".join([self.array(name), "c", str(shard), *["0"] * (axes - 1)])


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
    """Refuse a store whose major version is not ours.

    Raises:
        StoreVersionError: another major, or no version at all.
    """
    ours = FORMAT_VERSION.split(".")[0]
    theirs = re.fullmatch(r"(\d+)\.(\d+)", str(found))
    if theirs and theirs[1] == ours:
        return
    raise StoreVersionError(
        f"{where} is a store of format version {found!r}",
        expected=f"version {ours}.x",
        action="install the pymaf-data that wrote it, or a newer one."
        if theirs and int(theirs[1]) > int(ours)
        else "make the store again with this version.",
    )
