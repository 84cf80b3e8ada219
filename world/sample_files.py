"""The files of one split of a sample: kept image by image, made whole at the end, with flat memory.

A finished image is written in a batch with others: the image, the dense truth of its people, and last a *part*
that holds everything else and says that the rest is there. When all images are, annotations and truth are put
together from the parts in one pass, row by row.
"""

from __future__ import annotations

import io
import logging
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from pymaf_data.digest import canonical_json
from pymaf_data.errors import RawDataCorrupt, RawDataMissing
from pymaf_data.storage.files import LocalFiles, writing_to
from pymaf_data.untrusted.npz import read_npz
from pymaf_data.world.layout import SplitLayout
from pymaf_data.world.produce import Product

logger = logging.getLogger(__name__)

_BATCH = 16  # images: syncing each alone to the disk would cost more than a third of the time
_CHUNK = 1 << 20


class SplitFiles:
    """Writes and reads one split.

    Args:
        layout: where things lie.
        constants: columns of the truth file that are the same for all rows, as scalars.
        header: members of the annotation file besides images and annotations.
        size: (width, height) of the images.
    """

    def __init__(
        self, layout: SplitLayout, constants: dict[str, np.ndarray], header: dict[str, Any], size: tuple[int, int]
    ) -> None:
        self.layout = layout
        self._constants, self._header, self._size = constants, header, size
        self._waiting: dict[int, Product] = {}

    def kept(self, number: int) -> Product | None:
        """What an earlier run finished of an image, without the images, or none; damaged remains are made again."""
        part = self.layout.part(number)
        if not part.is_file() or not (self.layout.images / self.layout.file_name(number)).is_file():
            return None
        try:
            return Product.of_kept(read_npz(part))
        except (RawDataCorrupt, ValueError, KeyError, TypeError, RecursionError) as error:
            logger.warning("%s is damaged (%s); its image is made again", part, type(error).__name__)
            return None

    def keep(self, number: int, product: Product) -> None:
        """Take a finished image; it is on disk after the next :meth:`flush`, which comes every few images."""
        self._waiting[number] = product
        if len(self._waiting) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what waits, the parts last.

        Raises:
            DiskFull: no room.
        """
        images: dict[Path, bytes] = {}
        parts: dict[Path, bytes] = {}
        for number, product in self._waiting.items():
            images[self.layout.images / self.layout.file_name(number)] = product.jpeg
            for person, image in enumerate(product.dense):
                images[self.layout.dense(self.layout.annotation_id(number, person))] = image
            parts[self.layout.part(number)] = _packed(product.kept())
        self.write(images | parts)
        self._waiting.clear()

    def write(self, contents: dict[Path, bytes]) -> None:
        """Write files, each whole, in this order; what a killed run leaves of them goes with the split's remains."""
        if contents:
            root = self.layout.root
            items = {str(path.relative_to(root)): [data] for path, data in contents.items()}
            LocalFiles(root).write(items, str(self.layout.work.relative_to(root)))

    def finish(self, count: int) -> dict[str, np.ndarray]:
        """Put truth, then annotations together from the parts of ``count`` images; then the parts go.

        Returns:
            The columns of the truth that statistics need.

        Raises:
            DiskFull: no room; the parts stay.
            RawDataMissing: somebody removed a part.
        """
        self.flush()
        work, root = self.layout.work, self.layout.root
        with writing_to(root), tempfile.TemporaryDirectory(dir=work) as folder:
            columns = Columns(Path(folder))
            annotations = Path(folder) / "annotations"
            with annotations.open("wb") as stream:
                for number in range(count):
                    product = self.kept(number)
                    if product is None:
                        raise RawDataMissing(
                            f"what was kept of image {number} is gone from {work}",
                            action="run the same command again: it makes what is missing.",
                        )
                    self._append(number, product, columns, stream)
            truth = columns.pack(Path(folder) / "truth.npz", self._constants)
            relative = str(work.relative_to(root))
            LocalFiles(root).write({str(self.layout.truth.relative_to(root)): _chunks(truth)}, relative)
            whole = self._annotation_file(annotations, count)
            LocalFiles(root).write({str(self.layout.annotations.relative_to(root)): whole}, relative)
        self.clear()
        return self.statistics_columns()

    def statistics_columns(self) -> dict[str, np.ndarray]:
        """The columns of a whole split's truth that statistics need."""
        return read_npz(self.layout.truth, ("family", "heading", "box", "occlusion", "outside"))

    def counts(self) -> tuple[int, int]:
        """Images and people of a whole split; every image shows somebody."""
        images = read_npz(self.layout.truth, ("image_id",))["image_id"]
        return len(np.unique(images)), len(images)

    def clear(self) -> None:
        """Remove what is kept of finished images, and what killed runs left half-written."""
        shutil.rmtree(self.layout.work, ignore_errors=True)
        if self.layout.work.parent.is_dir() and not any(self.layout.work.parent.iterdir()):
            self.layout.work.parent.rmdir()

    def _append(self, number: int, product: Product, columns: Columns, stream: IO[bytes]) -> None:
        image = self.layout.image_id(number)
        ids = [self.layout.annotation_id(number, person) for person in range(len(product.annotations))]
        keys = {"annotation_id": np.array(ids, np.int64), "image_id": np.full(len(ids), image, np.int64)}
        columns.append(product.truth | keys)
        for entry, identity in zip(product.annotations, ids, strict=True):
            if stream.tell():
                stream.write(b",")
            stream.write(canonical_json(entry | {"id": identity, "image_id": image}).encode("ascii"))

    def _annotation_file(self, annotations: Path, count: int) -> Iterator[bytes]:
        """The annotation file's bytes: canonical JSON, members in order of their names."""
        width, height = self._size
        before = {key: value for key, value in self._header.items() if key < "images"}
        after = {key: value for key, value in self._header.items() if key > "images"}
        yield b'{"annotations":['
        yield from _chunks(annotations)
        yield b"]," + canonical_json(before)[1:-1].encode("ascii") + b',"images":['
        for n in range(count):
            entry = {"id": self.layout.image_id(n), "file_name": self.layout.file_name(n)}
            entry |= {"width": width, "height": height, "license": 1}
            yield (b"," if n else b"") + canonical_json(entry).encode("ascii")
        yield b"]," + canonical_json(after)[1:].encode("ascii")


class Columns:
    """Arrays that grow by rows, on disk; packed into an npz at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._streams: dict[str, IO[bytes]] = {}
        self._kinds: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {}
        self._rows = 0

    def append(self, rows: dict[str, np.ndarray]) -> None:
        """Add rows: the same columns each time, equally many rows in each."""
        for key, values in rows.items():
            if key not in self._streams:
                self._streams[key] = (self._folder / key).open("wb")
                self._kinds[key] = (values.dtype, values.shape[1:])
            assert self._kinds[key] == (values.dtype, values.shape[1:]), key
            self._streams[key].write(np.ascontiguousarray(values).tobytes())
        self._rows += len(next(iter(rows.values())))

    def pack(self, target: Path, constants: dict[str, np.ndarray]) -> Path:
        """Write all columns and further arrays as an uncompressed npz."""
        with zipfile.ZipFile(target, "w") as archive:
            for key, stream in self._streams.items():
                stream.close()
                dtype, shape = self._kinds[key]
                header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False}
                with archive.open(zipfile.ZipInfo(f"{key}.npy"), "w", force_zip64=True) as member:
                    np.lib.format.write_array_header_1_0(member, header | {"shape": (self._rows, *shape)})
                    for chunk in _chunks(self._folder / key):
                        member.write(chunk)
            for key, value in constants.items():
                with archive.open(zipfile.ZipInfo(f"{key}.npy"), "w") as member:
                    np.lib.format.write_array(member, value, allow_pickle=False)
        return target


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _packed(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
