"""Where the files that a user brings are looked for: PyMAF's ``data/`` layout below one assets folder."""

from __future__ import annotations

from pathlib import Path

from pymaf_data.errors import AssetMissing
from pymaf_data.paths import DataRoot

_COMPANIONS = "PyMAF's data download (github.com/HongwenZhang/PyMAF, fetch_data.sh)"
SOURCES: dict[str, str] = {
    "smpl/SMPL_NEUTRAL.pkl": "SMPLify's code release, after registration (https://smplify.is.tue.mpg.de)",
    "smpl/SMPL_MALE.pkl": "the SMPL for Python download, after registration (https://smpl.is.tue.mpg.de)",
    "smpl/SMPL_FEMALE.pkl": "the SMPL for Python download, after registration (https://smpl.is.tue.mpg.de)",
    "J_regressor_extra.npy": f"{_COMPANIONS}, or SPIN's (github.com/nkolot/SPIN)",
    "J_regressor_h36m.npy": f"{_COMPANIONS}, or SPIN's (github.com/nkolot/SPIN)",
    "mesh_downsampling.npz": f"{_COMPANIONS}, or github.com/nkolot/GraphCMR",
    "smpl_mean_params.npz": f"{_COMPANIONS}, or SPIN's (github.com/nkolot/SPIN)",
}
"""Relative path → where it can be had."""


def assets_folder(assets: Path | None = None) -> Path:
    """The folder given, or ``assets`` below the data root (``PYMAF_DATA_ROOT``, default ``./data``)."""
    if assets is not None:
        return Path(assets)
    return DataRoot.default().assets


def find_asset(relative: str, assets: Path | None = None) -> Path:
    """Path of an asset.

    Args:
        relative: path in PyMAF's layout, e.g. "smpl/SMPL_NEUTRAL.pkl".
        assets: the folder to look in; default as :func:`assets_folder`.

    Raises:
        AssetMissing: it is not there; the message says where it was looked for, where to get it, where to put it.
    """
    path = assets_folder(assets) / relative
    if path.is_file():
        return path
    raise AssetMissing(
        f"{relative} is not there: looked for {path.absolute()}.",
        expected=f"the file from {SOURCES.get(relative, _COMPANIONS)}.",
        action=f"put it at {path.absolute()}, or use the free body (--body free), which needs no file.",
    )
