"""What a manifest says about boxes, and how large a file or image may be before it is not even tried."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import simplejpeg

from pymaf_data.datasets import Manifest, Raw, load_manifest, select
from pymaf_data.datasets.images import Images, MissingImage


@pytest.mark.parametrize(("origin", "shift"), [("continuous", 0.0), ("index", 0.5)])
@pytest.mark.parametrize("factor", [1.2, 0.9])
def test_a_box_moves_by_half_a_pixel_where_its_corner_is_an_index(
    origin: str, shift: float, factor: float, coco: ModuleType, tmp_path: Path
) -> None:
    made = coco.CocoSet(tmp_path)
    made.person(made.picture(), bbox=[10.0, 20.0, 30.0, 60.0])
    made.save()
    content = load_manifest("coco").model_dump(mode="json") | {"box": {"origin": origin, "factor": factor}}
    manifest = Manifest.model_validate_json(json.dumps(content))
    (record,) = select(Raw(tmp_path, manifest, "train")).records
    assert record.box == pytest.approx((25.0 + shift, 50.0 + shift, factor * 60.0))


def test_boxes_of_a_manifest_that_does_not_say_are_continuous(coco: ModuleType, tmp_path: Path) -> None:
    made = coco.CocoSet(tmp_path)
    made.person(made.picture(), bbox=[10.0, 20.0, 30.0, 60.0])
    made.save()
    content = load_manifest("coco").model_dump(mode="json") | {"box": {"factor": 1.0}}
    manifest = Manifest.model_validate_json(json.dumps(content))
    (record,) = select(Raw(tmp_path, manifest, "train")).records
    assert record.box == (25.0, 50.0, 60.0)


def of_size(width: int, height: int) -> bytes:
    """An intact small JPEG whose header tells another size."""
    small = simplejpeg.encode_jpeg(np.zeros((16, 16, 3), np.uint8))
    frame = small.index(b"\xff\xc0")
    return small[: frame + 5] + struct.pack(">HH", height, width) + small[frame + 9 :]


def test_an_image_beyond_all_photographs_is_not_decoded(tmp_path: Path) -> None:
    """2^28 pixels take 768 MB; one column more is refused before any is taken."""
    size = (16385, 16384)
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "huge.jpg").write_bytes(of_size(*size))
    found = Images(tmp_path, "train").load("train/huge.jpg", size)
    assert isinstance(found, MissingImage)
    assert found.reason == "unreadable_picture"
    (tmp_path / "train" / "fine.jpg").write_bytes(of_size(16, 16))
    assert isinstance(Images(tmp_path, "train").load("train/fine.jpg", (16, 16)), np.ndarray)


def test_a_file_beyond_all_photographs_is_not_read(tmp_path: Path) -> None:
    """A sparse file: its bytes take no disk, and reading them would take memory."""
    (tmp_path / "train").mkdir()
    path = tmp_path / "train" / "huge.jpg"
    with path.open("wb") as file:
        file.write(of_size(16, 16))
        file.truncate((1 << 28) + 1)
    found = Images(tmp_path, "train").load("train/huge.jpg", (16, 16))
    assert isinstance(found, MissingImage)
    assert found.reason == "unreadable_picture"
