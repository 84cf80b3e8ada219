"""The finder's networks: BlazePose's detector and landmarks, as npm's package @mediapipe/pose holds them (Apache-2.0).

    npm pack @mediapipe/pose@0.5.1675469404     writes the one file that is needed; it is read as it is

    package/pose_landmark_{lite,full,heavy}.tflite      landmarks
    package/pose_solution_packed_assets.data            the detector, and nothing else

A network is a program that LiteRT runs: the file is that very release's, by its digest, or it is refused.
"""

from __future__ import annotations

import tarfile
from importlib.util import find_spec
from pathlib import Path

from pymaf_data.asset_files import NotWhole, describe, known_asset
from pymaf_data.errors import AssetMismatch, AssetMissing
from pymaf_data.paths import DataRoot

ASSET = "finder/mediapipe-pose-0.5.1675469404.tgz"
_PACK = "`npm pack @mediapipe/pose@0.5.1675469404`"
_DETECTOR = "package/pose_solution_packed_assets.data"


def require_finder(path: Path | None, otherwise: str) -> Path:
    """The package's file, where everything is there that a finder needs; cheap enough to ask first.

    Args:
        path: the file; None: that of the assets folder.
        otherwise: what the user can do without a finder, as the beginning of a sentence.

    Raises:
        AssetMissing: LiteRT or the file is not there; one sentence says what to do.
        AssetMismatch: it is another file.
    """
    asset = known_asset(ASSET)
    place = path or asset.find(DataRoot.default().assets)
    lacking = ["install the extra finder (pip install 'pymaf-data[finder]')"] * (find_spec("ai_edge_litert") is None)
    if not place.is_file():
        lacking.append(f"bring the file that {_PACK} writes, to {place} or by --finder")
    if lacking:
        raise AssetMissing(f"nobody says who is where: {otherwise}, or {' and '.join(lacking)}")
    try:
        describe(place, sha256=asset.sha256)
    except NotWhole as problem:
        raise AssetMismatch(
            f"{place}: {problem}",
            expected=f"the file that {_PACK} writes, as it is",
            action=f"fetch it again with {_PACK}; a network is a program, and no other is run.",
        ) from None
    return place


def networks(path: Path, landmarks: str) -> tuple[bytes, bytes]:
    """Files of the detector and of the landmarks ("lite", "full" or "heavy") out of the package.

    Raises:
        AssetMismatch: they are not in it.
    """
    found = dict.fromkeys((_DETECTOR, f"package/pose_landmark_{landmarks}.tflite"), b"")
    with tarfile.open(path, "r:gz") as package:
        for member in package:
            if member.name in found and member.isfile() and (file := package.extractfile(member)):
                found[member.name] = file.read()
    if absent := [name for name, content in found.items() if not content]:
        raise AssetMismatch(f"{path.name} has no {absent[0]}", action="fetch it again.")
    detector, network = found.values()
    return detector, network
