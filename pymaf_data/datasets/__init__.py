"""Raw data sets: manifests that say what they are, readers that give records, images found safely.

raw = Raw(root, load_manifest("coco"), "train")
selection = select(raw)
selection.records[0].box                                      # (cx, cy, b) in continuous px
find_reader("coco").images(raw)                               # an ImageSource
"""

from pymaf_data.datasets.columns import PERSON_COLUMNS, stored_column
from pymaf_data.datasets.dataset import DatasetReader, ImageSource, Raw, ReaderOfStills, find_reader, one_image
from pymaf_data.datasets.images import ImageRef, Images, MissingImage
from pymaf_data.datasets.manifest import Manifest, is_held_out, known_manifests, load_manifest
from pymaf_data.datasets.records import Licence, PersonRecord
from pymaf_data.datasets.select import Dropped, Selection, Told, select

__all__ = [
    "PERSON_COLUMNS",
    "DatasetReader",
    "Dropped",
    "ImageRef",
    "ImageSource",
    "Images",
    "Licence",
    "Manifest",
    "MissingImage",
    "PersonRecord",
    "Raw",
    "ReaderOfStills",
    "Selection",
    "Told",
    "find_reader",
    "is_held_out",
    "known_manifests",
    "load_manifest",
    "one_image",
    "select",
    "stored_column",
]
