"""A root of images, and an image outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from pymaf_data.datasets.images import Images
from tests.factories.images import JPEG


@pytest.fixture
def pictures(tmp_path: Path) -> Images:
    (tmp_path / "root" / "train2014").mkdir(parents=True)
    (tmp_path / "root" / "train2014" / "a.jpg").write_bytes(JPEG)
    (tmp_path / "outside.jpg").write_bytes(JPEG)
    return Images(tmp_path / "root", "train2014")
