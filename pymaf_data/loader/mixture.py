"""Which persons an epoch draws, and in what order: all of them once, or a mixture of stores by shares.

    {"h36m": 0.5, "coco+mpii+lsp+lspet": 0.3, "mpi-inf-3dhp": 0.2}

A key names the data sets of a group, as stores do; in a group each person is as likely as any other. The order is a
function of seed and epoch, whoever asks, so that workers, ranks and a run that goes on see the same one.

Source: the released code of PyMAF draws 50/30/20 as above, SPIN 30/60/10, in epochs as long as the largest set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pymaf_data.errors import UsageError
from pymaf_data.loader.augment import epoch_order

Rows = NDArray[np.int64]


class Order(NamedTuple):
    """An epoch.

    Attributes:
        rows: (L,) in the order that they are drawn; of a mixture some more than once, others not at all.
        keys: (L,) which numbers of the epoch's random stream decide on their augmentation.
        stream: how many keys there are.
    """

    rows: Rows
    keys: Rows
    stream: int


@dataclass(frozen=True)
class Everybody:
    """Each row once."""

    rows: Rows
    persons: int
    """Rows in all, those without an image among them."""
    shuffle: bool

    def __len__(self) -> int:
        return len(self.rows)

    def __call__(self, seed: int, epoch: int) -> Order:
        """The order of an epoch."""
        rows = epoch_order(seed, epoch, self.rows) if self.shuffle else self.rows
        return Order(rows, rows, self.persons)


@dataclass(frozen=True)
class Mixture:
    """Rows of groups of stores, drawn by the groups' shares.

    Attributes:
        groups: the rows of each group.
        shares: of the groups, their sum is 1.
        length: of an epoch.
    """

    groups: tuple[Rows, ...]
    shares: tuple[float, ...]
    length: int

    def __len__(self) -> int:
        return self.length

    def __call__(self, seed: int, epoch: int) -> Order:
        """The order of an epoch. A group is gone through in a new order each time that it is through."""
        random = np.random.default_rng((seed, epoch, len(self.groups)))
        group = random.choice(len(self.groups), self.length, p=self.shares)
        rows = np.empty(self.length, np.int64)
        for number, own in enumerate(self.groups):
            mine = np.flatnonzero(group == number)
            passes = -(-len(mine) // len(own))
            rows[mine] = np.concatenate([random.permutation(own) for _ in range(passes)] or [own])[: len(mine)]
        # A person who is drawn twice is augmented otherwise: by the place in the epoch, not by the row.
        return Order(rows, np.arange(self.length), self.length)


def mixture(
    wanted: Mapping[str, float], names: Sequence[tuple[str, str]], rows: Sequence[Rows], length: int | None
) -> Mixture:
    """The mixture of stores.

    Args:
        wanted: group → share; see the module.
        names: of each store, its data set and its own name, ``h36m-train``; either may stand in a group.
        rows: of each store, those with an image.
        length: of an epoch; ``None``: as many persons as the largest store has.

    Raises:
        UsageError: a group without a store, a store in no group or in two, or shares that are not above 0.
    """
    groups = [key.split("+") for key in wanted]
    place = [[g for g, group in enumerate(groups) if {*own} & {*group}] for own in names]
    for own, found in zip(names, place, strict=True):
        if len(found) != 1:
            raise UsageError(
                f"the store {own[1]} is in {'several groups' if found else 'no group'} of the mixture "
                f"{', '.join(wanted)}",
                expected="every store in one group, by its data set or its own name",
                action="correct `mixture`, or name the stores to learn from with --store.",
            )
    members = [[rows[k] for k, found in enumerate(place) if found == [g]] for g in range(len(groups))]
    total = sum(wanted.values())
    for key, share, theirs in zip(wanted, wanted.values(), members, strict=True):
        if not theirs or not sum(map(len, theirs)) or not share > 0:
            raise UsageError(
                f"the mixture gives {share:g} to {key}, of which there is {'somebody' if theirs else 'no store'}",
                expected="a share above 0 of stores that are here",
                action="ingest it, or leave it out of `mixture`.",
            )
    longest = max(map(len, rows))
    return Mixture(
        tuple(np.concatenate(theirs) for theirs in members),
        tuple(share / total for share in wanted.values()),
        length or longest,
    )
