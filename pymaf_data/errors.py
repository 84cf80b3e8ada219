"""The one tree of errors that pymaf-data raises for its users.

    PymafDataError
    ├── UsageError              a command or call that cannot mean anything (exit 2)
    ├── ConfigError             a manifest, recipe or option set that does not validate (exit 2)
    ├── ShapeError              an array whose shape or dtype is not the documented one
    ├── AssetError
    │   ├── AssetMissing        a file that the user must bring is not there
    │   └── AssetMismatch       a file that belongs to another mesh, convention or version
    ├── UntrustedData           a pickle that would run code, a path that leaves its root
    ├── RawDataError
    │   ├── RawDataMissing      the raw data set is not where it was looked for
    │   └── RawDataCorrupt      it is there and cannot be read
    ├── StoreError
    │   ├── NotAStore           a path that holds something else
    │   ├── StoreVersionError   a store of a format this version does not read
    │   ├── StoreChanged        raw data or options differ from those the store was planned with
    │   ├── StoreIncomplete     a stage is missing shards that the caller needs
    │   ├── StoreDamaged        bytes differ from what was committed
    │   ├── StoreLocked         another writer is at work
    │   ├── DiskFull            no room; the same command completes the store later
    │   └── NotWritable         a place where this user may not write
    ├── TooManyFiles            the process has as many files open as it may
    ├── FitError                fits that cannot be read, joined or proved
    ├── RenderError             geometry that cannot be rasterized
    ├── FlowError               Prefect's server does not come up, or fails
    ├── WorkerError             workers that cannot be had, differ from this process, or end in the middle
    └── TrainingError
        └── CheckpointError     a checkpoint that does not belong to this model or body

A message says what was found, what was expected and what to do; the command line prints exactly that,
without a stack.
"""

from __future__ import annotations

import errno
import resource
from typing import Self

from pymaf_data.plain import clean

_LONGEST = 4000  # characters of each part of a message


class PymafDataError(Exception):
    """Base of every error whose cause a user can mend.

    Args:
        found: what was met, with the offending value or path.
        expected: what should have been there.
        action: what the user can do about it, as an imperative sentence.
    """

    exit_code = 1

    def __init__(self, found: str, *, expected: str = "", action: str = "") -> None:
        self.found, self.expected, self.action = (clean(text, _LONGEST) for text in (found, expected, action))
        lines = [self.found]
        if expected:
            lines.append(f"Expected: {self.expected}")
        if action:
            lines.append(f"What to do: {self.action}")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders (workers), where the default would lose the keyword arguments.
        return (_rebuild, (type(self), self.found, self.expected, self.action))


def _rebuild(kind: type[PymafDataError], found: str, expected: str, action: str) -> PymafDataError:
    return kind(found, expected=expected, action=action)


class UsageError(PymafDataError):
    """A command or call that cannot mean anything."""

    exit_code = 2


class ConfigError(PymafDataError):
    """A manifest, recipe or option set that does not validate."""

    exit_code = 2


class ShapeError(PymafDataError):
    """An array whose shape or dtype is not the documented one."""


class AssetError(PymafDataError):
    """A body, atlas, regressor or other companion file."""


class AssetMissing(AssetError):
    """A file that the user must bring is not there."""


class AssetMismatch(AssetError):
    """A file that belongs to another mesh, convention or version."""


class UntrustedData(PymafDataError):
    """Input that would run foreign code or reach outside its root."""


class RawDataError(PymafDataError):
    """A raw data set."""


class RawDataMissing(RawDataError):
    """The raw data set is not where it was looked for."""


class RawDataCorrupt(RawDataError):
    """Raw data that is there and cannot be read."""


class StoreError(PymafDataError):
    """A pymaf-data store."""


class NotAStore(StoreError):
    """A path that holds something other than a store."""


class StoreVersionError(StoreError):
    """A store of a format that this version does not read."""


class StoreChanged(StoreError):
    """Raw data or options differ from those that the store was planned with."""


class StoreIncomplete(StoreError):
    """A stage lacks shards that the caller needs."""


class StoreDamaged(StoreError):
    """Bytes differ from what was committed."""


class StoreLocked(StoreError):
    """Another writer holds the stage."""


class DiskFull(StoreError):
    """The disk has no room; the same command completes the store later."""


class NotWritable(StoreError):
    """A place where this user may not write, or where a file stands in the way of a folder."""


class TooManyFiles(PymafDataError):
    """The process, or the machine, has as many files open as it may."""

    @staticmethod
    def is_cause(error: OSError) -> bool:
        """Whether the system refused to open one more."""
        return error.errno in (errno.EMFILE, errno.ENFILE)

    @classmethod
    def of(cls, error: OSError | None = None) -> Self:
        """The error for the system's own."""
        named = f"{error.filename}: " if error is not None and error.filename else ""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return cls(
            f"{named}too many open files; this process may have {limit}",
            expected="room for one more",
            action="raise the limit (`ulimit -n 4096` before the command) or use fewer workers.",
        )


class FitError(PymafDataError):
    """Fits that cannot be read, joined or proved."""


class RenderError(PymafDataError):
    """Geometry that cannot be rasterized."""


class FlowError(PymafDataError):
    """Prefect's server does not come up, or fails."""


class WorkerError(PymafDataError):
    """Workers that cannot be had, that differ from this process, or that end in the middle."""


class TrainingError(PymafDataError):
    """Training that cannot start or go on."""


class CheckpointError(TrainingError):
    """A checkpoint that does not belong to this model or body."""


class EvaluationError(PymafDataError):
    """A benchmark that cannot be measured here, or results that cannot be read."""
