"""What this machine has and lacks: packages, accelerator, licensed companions, data sets, stores.

Nothing here is needed for the free body and the generated sample; every line that lacks something says what it is for,
where to get it and where to put it.
"""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from pathlib import Path

from pymaf_data.asset_files import Asset, NotWhole, describe, known_assets
from pymaf_data.config import StrictModel
from pymaf_data.datasets import known_manifests, load_manifest
from pymaf_data.errors import PymafDataError
from pymaf_data.paths import DataRoot
from pymaf_data.storage import open_store

_PACKAGES = ("torch", "numpy", "zarr", "numba", "opencv-python-headless", "simplejpeg", "smplx", "h5py", "tensorboard")
_OPTIONAL = {
    "prefect": "flows (or pass --direct)",
    "dask": "flows on a cluster",
    "pycocotools": "COCO's average precision",
    "cdflib": "the poses of Human3.6M",
    "pyarrow": "SAM 3D Body's data set",
    "ai-edge-litert": "finding persons in images",
}


class Check(StrictModel):
    """One line of the diagnosis: ``present`` is False where something is lacking and ``advice`` says what to do."""

    group: str
    name: str
    present: bool
    required: bool
    detail: str
    advice: str = ""


def diagnose(root: DataRoot) -> list[Check]:
    """Look at everything; never fails because something is absent."""
    return [*_packages(), _accelerator(), *_renderers(), *_assets(root.assets), *_data(root)]


def _packages() -> list[Check]:
    checks = []
    for name, purpose in {**dict.fromkeys(_PACKAGES, ""), **_OPTIONAL}.items():
        required = name not in _OPTIONAL
        try:
            detail = importlib.metadata.version(name)
            checks.append(Check(group="packages", name=name, present=True, required=required, detail=detail))
        except importlib.metadata.PackageNotFoundError:
            advice = f"for {purpose}: see the README's extras." if purpose else "reinstall pymaf-data."
            checks.append(
                Check(group="packages", name=name, present=False, required=required, detail="absent", advice=advice)
            )
    return checks


def _accelerator() -> Check:
    import torch

    cores = f"{torch.get_num_threads()} CPU threads, {platform.machine()}"
    if torch.cuda.is_available():
        return Check(
            group="machine",
            name="GPU",
            present=True,
            required=False,
            detail=f"{torch.cuda.get_device_name()}; {cores}",
        )
    built = "this torch is built with CUDA, no device answers" if torch.version.cuda else "this torch is a CPU build"
    advice = "training on the CPU works and is slow: install a CUDA build of torch on a machine with an NVIDIA GPU."
    return Check(group="machine", name="GPU", present=False, required=False, detail=f"{built}; {cores}", advice=advice)


def _renderers() -> list[Check]:
    """Rasterizer backends: which are here, and why the others are not."""
    from pymaf_data.render.backends import presences

    return [
        Check(
            group="renderers",
            name=found.name,
            present=found.present,
            required=found.name == "numba",
            detail=found.detail,
            advice=found.lacking,
        )
        for found in presences()
    ]


def _assets(folder: Path) -> list[Check]:
    return [_asset(asset, asset.find(folder)) for asset in known_assets()]


def _asset(asset: Asset, path: Path) -> Check:
    """Whether a companion is there and is what its name says."""
    present, detail = False, "absent"
    try:
        if path.is_symlink() and not path.exists():
            detail = f"a link to {path.readlink()}, which is not there"
        elif path.is_file():
            detail = f"{path.stat().st_size} bytes, {describe(path, asset.shape, asset.sha256)}"
            present = True
        elif path.exists():
            detail = "not a file"
    except NotWhole as problem:
        detail = f"{path.stat().st_size} bytes, unusable: {problem}"
    except OSError as error:
        detail = f"cannot be read: {error.strerror}"
    advice = "" if present else f"{asset.purpose}. Get it: {asset.get}. Put it: {path}. Licence: {asset.licence}."
    return Check(group="assets", name=asset.path, present=present, required=False, detail=detail, advice=advice)


def _data(root: DataRoot) -> list[Check]:
    existing = next(folder for folder in (root.path, *root.path.resolve().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    stores = root.stores()
    advice = "" if stores else "pymaf-data ingest DATASET makes one; pymaf-data sample makes a stand-in for raw data."
    detail = ", ".join(path.name for path in stores) or "none"
    return [
        Check(
            group="data", name="data root", present=True, required=True, detail=f"{root.path} ({free >> 30} GiB free)"
        ),
        *(_raw(name, root.raw(name)) for name in known_manifests()),
        Check(group="data", name="stores", present=bool(stores), required=False, detail=detail, advice=advice),
        *map(_store, stores),
    ]


def _raw(name: str, folder: Path) -> Check:
    """Which splits of a known data set lie in their place."""
    here, whole = [], False
    for split, entry in load_manifest(name).splits.items():
        there, absent = entry.here(folder), entry.absent(folder)
        whole |= not absent
        if there:
            here.append(f"{split} ({' and '.join(there)}{' alone' * bool(absent)})")
    advice = "" if whole else f"`pymaf-data ingest {name}` looks there, or where --root says, and tells what belongs."
    detail = f"{folder}: {', '.join(here) or 'absent'}"
    return Check(group="data", name=f"raw {name}", present=whole, required=False, detail=detail, advice=advice)


def _store(path: Path) -> Check:
    """What a store says of itself."""
    try:
        store = open_store(path)
        stages = ", ".join(info.stage for info in store.stages() if info.current and info.complete)
    except (PymafDataError, OSError) as error:
        detail, advice = str(error).splitlines()[0], f"`pymaf-data verify {path}` says more."
        return Check(group="data", name=path.name, present=False, required=False, detail=detail, advice=advice)
    detail = f"{store.head['dataset']} {store.head['split']}, {len(store):,} persons; {stages or 'nothing'} complete"
    return Check(group="data", name=path.name, present=True, required=False, detail=detail)
