"""Raw data sets: manifests that say what they are, readers that give records, images found safely.

raw = Raw(root, load_manifest("coco"), "train")
selection = select(raw)
selection.records[0].box                                      # (cx, cy, b) in continuous px
stills(raw).load(name, size)                                  # (H, W, 3) uint8, or a MissingImage with a reason
"""

from pymaf_data.datasets.dataset import DatasetReader, ImageSource, Raw, find_reader, stills
from pymaf_data.datasets.images import ImageRef, Images, MissingImage
from pymaf_data.datasets.manifest import Manifest, is_held_out, known_manifests, load_manifest
from pymaf_data.datasets.records import Licence, PersonRecord
from pymaf_data.datasets.select import Dropped, Selection, Told, select

__all__ = [
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
    "Selection",
    "Told",
    "find_reader",
    "is_held_out",
    "known_manifests",
    "load_manifest",
    "select",
    "stills",
]
