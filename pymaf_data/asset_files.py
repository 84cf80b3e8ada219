"""The files that their licences keep out of this project: which there are, where they lie, whether they are whole.

Where they are looked for is PyMAF's ``data/`` layout below one assets folder. Whether a file's content fits the body is
the loader's question; :func:`describe` tells a file from a web page, a pointer or a half.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from pymaf_data.config import StrictModel, read_yaml
from pymaf_data.digest import digest_file
from pymaf_data.errors import AssetMissing, RawDataCorrupt
from pymaf_data.paths import DataRoot
from pymaf_data.untrusted.kinds import kind_of_file
from pymaf_data.untrusted.mat import count_variables
from pymaf_data.untrusted.npz import npz_members, read_npy

_LIST = "manifests/assets.yaml"
_KINDS = {".pkl": "pickle", ".npy": ".npy", ".npz": ".npz", ".mat": "Matlab", ".tgz": "gzip"}


class NotWhole(ValueError):
    """The file is not what its name says; the message says what it is."""


class Asset(StrictModel):
    """A file that its licence keeps out of this project; ``path`` is relative to the assets folder."""

    path: str
    purpose: str
    licence: str
    get: str
    shape: tuple[int, ...] | None = None
    """Of the array in a .npy."""
    sha256: str = ""
    """Of a file that is one and the same everywhere."""
    also: tuple[str, ...] = ()
    """Other places and names that the file is known by."""
    without: str = "use the free body (--body free), which needs no file"

    def find(self, folder: Path) -> Path:
        """Where it lies below an assets folder; ``path`` there if nowhere."""
        places = [folder / name for name in (self.path, *self.also)]
        return next((place for place in places if place.is_file()), places[0])


@cache
def known_assets() -> tuple[Asset, ...]:
    """The licensed companions that ``manifests/assets.yaml`` lists."""
    text = (files("pymaf_data.manifests") / "assets.yaml").read_text(encoding="utf-8")
    rows = read_yaml(text, _LIST)["assets"]
    return tuple(Asset.parse({"purpose": row.pop("for"), **row}, _LIST) for row in rows)


def known_asset(relative: str) -> Asset:
    """One of ``manifests/assets.yaml``, by its path."""
    return next(asset for asset in known_assets() if asset.path == relative)


def find_asset(relative: str, assets: Path | None = None) -> Path:
    """Path of an asset.

    Args:
        relative: path in PyMAF's layout, e.g. "smpl/SMPL_NEUTRAL.pkl"; one of ``manifests/assets.yaml``.
        assets: the folder to look in; default ``assets`` below the data root (``PYMAF_DATA_ROOT``, ``./data``).

    Raises:
        AssetMissing: it is not there; the message says where it was looked for, where to get it, where to put it.
    """
    known = known_asset(relative)
    path = known.find(DataRoot.default().assets if assets is None else Path(assets))
    if path.is_file():
        return path
    raise AssetMissing(
        f"{relative} is not there: looked for {path.absolute()}.",
        expected=f"{known.purpose}. Get it: {known.get}. Licence: {known.licence}.",
        action=f"put it at {path.absolute()}, or {known.without}.",
    )


def describe(path: Path, shape: tuple[int, ...] | None = None, sha256: str = "") -> str:
    """What a file is, in a few words; nothing in it is run.

    Args:
        path: a file that is there.
        shape: of the array that a .npy must hold, where known.
        sha256: that the file must have, where known.

    Raises:
        NotWhole: it is something else, cut off or damaged.
        OSError: it cannot be read.
    """
    found = kind_of_file(path)
    if _KINDS.get(path.suffix, "") not in found:
        raise NotWhole(f"it is {found or 'of no known kind'}, not {path.suffix}")
    try:
        if path.suffix == ".npy":
            return _array(path, shape)
        if path.suffix == ".npz":
            return f"npz of {', '.join(list(npz_members(path))[:8]) or 'nothing'}"
        if path.suffix == ".mat" and "v5" in found:
            return f"{found}, variables: {count_variables(path)}"
    except RawDataCorrupt as error:
        raise NotWhole(error.found) from None
    if sha256 and digest_file(path) != sha256:
        raise NotWhole("it is another file than the one that is known, or half of it")
    return "the known file" if sha256 else _pickle(path) if path.suffix == ".pkl" else found


def _pickle(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(-1, 2)
        if file.read(1) != b".":
            raise NotWhole("it is a pickle that is cut off: it does not end with its end mark")
    return "pickle"


def _array(path: Path, shape: tuple[int, ...] | None) -> str:
    array = read_npy(path)
    sides = " × ".join(map(str, array.shape))
    if shape is not None and array.shape != shape:
        raise NotWhole(f"it is an array of {sides}, not of {' × '.join(map(str, shape))}")
    return f"{array.dtype} of {sides}"
