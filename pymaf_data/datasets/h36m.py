"""Human3.6M: people in a studio before four cameras, their joints measured by markers; videos, CDFs and metadata.xml.

    S9/Videos/Directions 1.54138969.mp4                              50 Hz; frame i of the pose is frame i of the video
    S9/MyPoseFeatures/D3_Positions_mono/Directions 1.54138969.cdf    Pose 1 × N × 96: camera space, mm
    S9/MyPoseFeatures/D2_Positions/Directions 1.54138969.cdf         Pose 1 × N × 64: px, with the lens's distortion
    S9/MySegmentsMat/ground_truth_{bb,bs}/Directions 1.54138969.mat  boxes: :mod:`~pymaf_data.datasets.h36m_boxes`
    metadata.xml                           actions and cameras: :mod:`~pymaf_data.datasets.h36m_cameras`

h36m-fetch unpacks the poses to Poses_D3_Positions_mono and Poses_D2_Positions. A sequence is as long as its poses;
videos are a little longer.
"""

from __future__ import annotations

from collections.abc import Iterator

from pymaf_data.datasets.columns import PersonColumns
from pymaf_data.datasets.dataset import Raw
from pymaf_data.datasets.h36m_cameras import read_metadata
from pymaf_data.datasets.h36m_persons import H36mOptions, Reading
from pymaf_data.datasets.h36m_views import H36mFrames, LateFrames, View
from pymaf_data.datasets.select import Dropped, Told

_ALL = 1  # the action that holds everything once more


class H36m:
    """Reader of poses (roles ``annotations``, ``keypoints``), boxes (``bb``, ``bs``) and ``metadata``."""

    options = H36mOptions
    thins = True

    def images(self, raw: Raw) -> H36mFrames:
        """Frames of the videos, or images that were made of them."""
        kind = LateFrames if raw.options(H36mOptions).frames == "spin" else H36mFrames
        return kind(raw.root.absolute(), raw.folder, follow_links=raw.follow_links)

    def read(self, raw: Raw, told: Told) -> Iterator[PersonColumns | Dropped]:
        """Every view of every sequence; of its frames every fifth, or those that ``raw.thin`` keeps."""
        metadata, options = read_metadata(raw.file("metadata")), raw.options(H36mOptions)
        flat = {View.of(path): path for path in raw.files("keypoints")}
        for path in raw.files("annotations"):
            view, who = View.of(path), "/".join(path.parts[-4:])
            action = metadata.actions.get((view.subject, view.name)) if view else None
            camera = metadata.cameras.get((view.subject, view.camera)) if view else None
            if view is None or action is None or camera is None:
                if not path.name.startswith("_ALL"):
                    yield Dropped("malformed", who, "metadata.xml has no such sequence, or no such camera")
            elif action[0] != _ALL:
                yield from Reading(raw, told, options, camera, view, *action).persons(path, flat.get(view))
