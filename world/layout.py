"""Where the parts of a sample lie: COCO 2014's own layout, with the truth beside it.

OUT/sample.json                                        what was asked for: the mark of a sample
OUT/annotations/person_keypoints_<split>2014.json      written last
OUT/<split>2014/COCO_<split>2014_000000000001.jpg
OUT/truth/<split>.npz                                  one row per person
OUT/truth/<split>_iuv/000000000010.png                 one per person, by annotation id
OUT/.work/<split>/000000000001.npz                     one per finished image, removed at the end
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SPLITS = ("train", "val")
MARK = "sample.json"
WORK = ".work"
_FIRST_IMAGE = {"train": 1, "val": 50_000_001}
_PEOPLE = 10  # ids that an image has for its people


@dataclass(frozen=True)
class SplitLayout:
    """Paths and numbers of one split."""

    root: Path
    split: str

    @property
    def annotations(self) -> Path:
        """The annotation file."""
        return self.root / "annotations" / f"person_keypoints_{self.split}2014.json"

    @property
    def truth(self) -> Path:
        """Exact parameters of every person."""
        return self.root / "truth" / f"{self.split}.npz"

    def dense(self, annotation: int) -> Path:
        """The dense truth of one person."""
        return self.root / "truth" / f"{self.split}_iuv" / f"{annotation:012d}.png"

    @property
    def images(self) -> Path:
        """Folder of the images."""
        return self.root / f"{self.split}2014"

    @property
    def work(self) -> Path:
        """Folder of what is kept of finished images until the split is whole."""
        return self.root / WORK / self.split

    def image_id(self, number: int) -> int:
        """Id of the image of that number, counted from 0."""
        return _FIRST_IMAGE[self.split] + number

    def annotation_id(self, number: int, person: int) -> int:
        """Id of an image's person, counted from 0."""
        return self.image_id(number) * _PEOPLE + person

    def file_name(self, number: int) -> str:
        """COCO's name of the image."""
        return f"COCO_{self.split}2014_{self.image_id(number):012d}.jpg"

    def part(self, number: int) -> Path:
        """What is kept of a finished image."""
        return self.work / f"{self.image_id(number):012d}.npz"
