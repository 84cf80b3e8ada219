"""The persons that fits are made for or joined to, as a store holds them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from pymaf_data.datasets.columns import Absent, stored_column
from pymaf_data.storage import Array, Store


@dataclass(frozen=True)
class Persons:
    """N rows of a store (NumPy): those of its columns (:data:`PERSON_COLUMNS`) that fits are made from.

    Attributes:
        names: (N,) image names, for messages.
    """

    keypoints: np.ndarray
    visibility: np.ndarray
    box: np.ndarray
    image_size: np.ndarray
    intrinsics: np.ndarray
    has_intrinsics: np.ndarray
    annotation_id: np.ndarray
    present: np.ndarray
    names: np.ndarray

    def __len__(self) -> int:
        return len(self.annotation_id)

    def __getitem__(self, rows: slice | np.ndarray) -> Persons:
        """The persons of a slice, mask or index array."""
        return Persons(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @classmethod
    def of(cls, store: Store, rows: slice | None = None) -> Persons:
        """Read rows of a store; all by default.

        Raises:
            StoreIncomplete: a shard of stage ``ingest`` that holds some of them is missing.
        """
        return cls.at(store, cls.arrays(store, rows), np.arange(*(rows or slice(None)).indices(len(store))))

    @classmethod
    def whose(cls, store: Store) -> Persons:
        """All rows as fits are joined to them: without keypoints, which are two thirds of what a person takes.

        Raises:
            StoreIncomplete: a shard of stage ``ingest`` is missing.
        """
        rows = np.arange(len(store))
        left_out: dict[str, np.ndarray] = {
            "keypoints": np.empty((len(rows), 0, 3), np.float32),
            "visibility": np.empty((len(rows), 0), np.uint8),
        }
        found = {name: array.rows(rows) for name, array in cls.arrays(store).items() if name not in left_out}
        return cls(**(found | left_out), names=np.array([name for name, _ in store.rows]))

    @classmethod
    def arrays(cls, store: Store, rows: slice | None = None) -> dict[str, Array | Absent]:
        """What :meth:`at` reads from, opened once; ``rows`` as of :meth:`Store.array`."""
        return {field.name: stored_column(store, field.name, rows) for field in fields(cls) if field.name != "names"}

    @classmethod
    def at(cls, store: Store, arrays: dict[str, Array | Absent], rows: np.ndarray) -> Persons:
        """Read the rows of these numbers (K,), in their order.

        Raises:
            StoreIncomplete: a shard of stage ``ingest`` that holds one of them is missing.
        """
        found = {name: array.rows(rows) for name, array in arrays.items()}
        return cls(**found, names=np.array([store.rows[row][0] for row in rows.tolist()]))

    def camera_matrix(self) -> np.ndarray:
        """(N, 3, 3) intrinsics, with a focal length of √(w² + h²) px and a central principal point where unknown.

        That is the field of view of 53° across the diagonal which CLIFF (Li et al., ECCV 2022) takes.
        """
        size = self.image_size.astype(np.float64)
        focal = np.hypot(size[:, 0], size[:, 1])
        guess = np.zeros((len(self), 3, 3))
        guess[:, 0, 0] = guess[:, 1, 1] = focal
        guess[:, :2, 2], guess[:, 2, 2] = size / 2, 1.0
        return np.where(self.has_intrinsics[:, None, None], self.intrinsics, guess)
