"""Raw data sets: manifests that say what they are, readers that give records, images found safely.

manifest = load_manifest("coco")
annotations, images = locate(manifest, "train", root)
selection = read_coco(annotations, manifest, "train", manifest.selection(None)[1])
selection.records[0].box                                      # (cx, cy, b) in continuous px
Images(root, "train2014").load(name, size)                  # (H, W, 3) uint8, or a MissingImage with a reason
"""

from pymaf_data.datasets.coco import read_coco
from pymaf_data.datasets.images import Images, MissingImage
from pymaf_data.datasets.manifest import Manifest, is_held_out, known_manifests, load_manifest, locate
from pymaf_data.datasets.records import Licence, PersonRecord
from pymaf_data.datasets.select import Selection

__all__ = [
    "Images",
    "Licence",
    "Manifest",
    "MissingImage",
    "PersonRecord",
    "Selection",
    "is_held_out",
    "known_manifests",
    "load_manifest",
    "locate",
    "read_coco",
]
