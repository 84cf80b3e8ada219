"""Every reader of files that others made: a small sound file, and the call that reads it."""

from __future__ import annotations

import contextlib
import importlib.util
import pickle
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from scipy import sparse

FACTORIES = Path(__file__).resolve().parents[1] / "factories"


@dataclass(frozen=True)
class Reader:
    """One reader.

    Attributes:
        write: writes sound files into a folder; each file that it yields is mutated in its turn.
        read: reads the folder's files; a value or a PymafDataError is right, anything else is a fault.
    """

    write: Callable[[Path], Iterator[Path]]
    read: Callable[[Path], Any]


def factory(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FACTORIES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Bodies and atlases


def _write_pickle(folder: Path) -> Iterator[Path]:
    leaf = b"cchumpy.ch\nCh\n)\x81" + pickle.dumps({"x": np.arange(6.0)}, 2)[2:-1] + b"b"
    rest: dict[str, Any] = {
        "f": np.arange(12, dtype=np.uint32).reshape(4, 3),
        "J_regressor": sparse.csc_matrix(np.eye(3, 4)),
        "kintree_table": np.array([[4294967295, 0], [0, 1]], np.uint32),
        "bs_style": "lbs",
        "nested": [(1, 2.5), {"a": None}, {1, 2}, np.float32(2), np.array([None, "x"], dtype=object)],
    }
    for protocol in (0, 2, 5):
        path = folder / f"{protocol}.pkl"
        body = pickle.dumps(rest, protocol)
        path.write_bytes(b"(" + leaf + body + b"0t." if protocol == 2 else body)
        yield path


def _read_pickle(folder: Path) -> Any:
    from pymaf_data.body import load_trusted_pickle

    return [load_trusted_pickle(path) for path in sorted(folder.glob("*.pkl"))]


def _write_model(folder: Path) -> Iterator[Path]:
    """A whole SMPL file: what is read from it is checked against its shapes."""
    V = 6890
    zeros: dict[str, Any] = {
        "v_template": np.zeros((V, 3), np.float16), "shapedirs": np.zeros((V, 3, 1), np.int8),
        "posedirs": np.zeros((V, 3, 207), np.int8), "f": np.zeros((1, 3), np.int32),
        "weights": np.zeros((V, 24), np.int8),
        "kintree_table": np.zeros((2, 24), np.int32), "J_regressor": sparse.csc_matrix((24, V)),
    }  # fmt: skip
    path = folder / "smpl.pkl"
    path.write_bytes(pickle.dumps(zeros, 2))
    yield path


def _read_model(folder: Path) -> Any:
    from pymaf_data.body.smpl import _read_model as read

    return read(folder / "smpl.pkl")


def _write_downsampling(folder: Path) -> Iterator[Path]:
    path = folder / "mesh_downsampling.npz"
    D = np.empty(2, object)
    D[:] = [sparse.csc_matrix(np.eye(1723, 6890)), sparse.csr_matrix(np.eye(431, 1723))]
    np.savez_compressed(path, D=D)
    yield path


def _read_downsampling(folder: Path) -> Any:
    from pymaf_data.body.smpl import read_downsampling

    return read_downsampling(folder / "mesh_downsampling.npz", 6890)


def _write_arrays(folder: Path) -> Iterator[Path]:
    path = folder / "smpl_mean_params.npz"
    np.savez(path, pose=np.zeros(144), shape=np.zeros(10), cam=np.zeros(3))
    yield path
    np.save(folder / "regressor.npy", np.eye(3, 5))
    yield folder / "regressor.npy"


def _read_arrays(folder: Path) -> Any:
    from pymaf_data.body.smpl import _read_mean, _read_regressor

    return _read_mean(folder / "smpl_mean_params.npz"), _read_regressor(folder / "regressor.npy", "")


def _write_atlas(folder: Path) -> Iterator[Path]:
    from scipy.io import savemat

    cells = np.empty((1, 24), object)
    for part in range(24):
        cells[0, part] = np.full((2, 2), 0.5)
    content = {
        "All_vertices": np.array([[1, 2, 3]]), "All_Faces": np.array([[1, 2, 3]]),
        "All_FaceIndices": np.array([[1]]), "All_U_norm": np.zeros((3, 1)), "All_V_norm": np.zeros((3, 1)),
    }  # fmt: skip
    savemat(folder / "UV_Processed.mat", content)
    yield folder / "UV_Processed.mat"
    savemat(folder / "UV_symmetry_transforms.mat", {"U_transforms": cells, "V_transforms": cells}, do_compression=True)
    yield folder / "UV_symmetry_transforms.mat"


def _read_atlas(folder: Path) -> Any:
    from pymaf_data.render import load_atlas

    return load_atlas(folder / "UV_Processed.mat")


def _write_mat(folder: Path) -> Iterator[Path]:
    from scipy.io import savemat

    inner = np.array([[(1.0, "left_ankle"), (2.0, "head")]], dtype=[("x", object), ("name", object)])
    content = {"v": {"points": inner, "sparse": sparse.eye(3).tocsc(), "flag": np.array([True]), "z": np.array([1j])}}
    for packed in (False, True):
        path = folder / f"{int(packed)}.mat"
        savemat(path, content, do_compression=packed)
        yield path


def _read_mat(folder: Path) -> Any:
    from pymaf_data.untrusted.mat import read_mat

    return [read_mat(path, ["v"]) for path in sorted(folder.glob("*.mat"))]


def _write_mat73(folder: Path) -> Iterator[Path]:
    content = {"v": [np.eye(3), "text", np.array([[True]])], "w": np.ones((4, 1, 17, 2))}
    for packed in (False, True):
        yield factory("mat73").save(folder / f"{int(packed)}.mat", content, packed)


def _read_mat73(folder: Path) -> Any:
    from pymaf_data.untrusted.mat73 import map_cells, read_mat73

    paths = sorted(folder.glob("*.mat"))
    return [(read_mat73(path, ["v", "w"]), map_cells(path, "v", np.max, 1)) for path in paths]


# Fits and runs


def _write_truth(folder: Path) -> Iterator[Path]:
    N = 5
    np.savez(
        folder / "truth.npz", annotation_id=np.arange(N), pose=np.zeros((N, 72)), betas=np.zeros((N, 10)),
        translation=np.zeros((N, 3)), intrinsics=np.zeros((N, 3, 3)), body=np.array("free"),
        body_fingerprint=np.array("0" * 64), annotation_noise=np.array(0.5),
    )  # fmt: skip
    yield folder / "truth.npz"


def _write_eft(folder: Path) -> Iterator[Path]:
    eft, eye = factory("eft"), np.eye(3)
    K = np.array([[800.0, 0, 320], [0, 800, 240], [0, 0, 1]])
    place = np.array([0.1, 0.2, 4.0])
    keys = {"imageName": "a.jpg", "annotId": 7}
    one = eft.entry(np.array([330.0, 260, 200]), np.zeros(72), np.zeros(10), eye + place, place, np.zeros(3), K, **keys)
    yield eft.write_eft(folder / "eft.json", [one] * 3)


def _read_fits(text: str) -> Callable[[Path], Any]:
    def read(folder: Path) -> Any:
        from pymaf_data.fits.joined import read_fits
        from pymaf_data.fits.request import FitRequest

        return read_fits(FitRequest.of(text.format(folder)))

    return read


def _write_run(folder: Path) -> Iterator[Path]:
    from pymaf_data.runs.history import History, HistoryLine
    from pymaf_data.runs.snapshots import Snapshot, SnapshotFolder

    history = History(folder, 0)
    for step in (1, 2):
        errors = {"M0": {"mpjpe": 1.0, "pa_mpjpe": 2.0}}
        history.append(HistoryLine(step=step, kind="held_out", scalars={"loss": 1.0}, errors=errors, persons=3))
    yield folder / "history.jsonl"
    one = np.zeros((2, 4, 3), np.float32)
    snapshots = SnapshotFolder(folder)
    snapshots.write(1, Snapshot(rotation=one, betas=one, camera=one, mpjpe=one))
    yield next(snapshots.path.glob("step-*.npz"))


def _read_run(folder: Path) -> Any:
    from pymaf_data.runs.history import read_history
    from pymaf_data.runs.snapshots import SnapshotFolder

    return read_history(folder), SnapshotFolder(folder).read(1)


def _write_checkpoint(folder: Path) -> Iterator[Path]:
    import torch

    path = folder / "checkpoint.pt"
    torch.save(
        {"model": {"a.weight": torch.zeros(4, 4), "a.bias": torch.zeros(4)}, "step": 3, "options": {"x": [1]}}, path
    )
    yield path


def _read_checkpoint(folder: Path) -> Any:
    from pymaf_data.runs.checkpoints import load_tensors

    return load_tensors(folder / "checkpoint.pt")


# Raw data


def _write_annotations(folder: Path) -> Iterator[Path]:
    yield factory("coco").small_set(folder / "raw", pictures=2).file


def _read_annotations(folder: Path) -> Any:
    from pymaf_data.datasets import Raw, load_manifest, select

    return select(Raw(folder / "raw", load_manifest("coco"), "train"))


def _write_mpii(folder: Path) -> Iterator[Path]:
    mpii = factory("mpii")
    person = mpii.rect(mpii.points([(10.0 + i, 20.0 + i) for i in range(16)]))
    image = mpii.image("1.jpg", mpii.struct(person, mpii.rect(mpii.NOTHING)))
    yield mpii.save(folder / "raw", [image, mpii.image("2.jpg", mpii.NOTHING)], [1, 0], compress=False)


def _read_mpii(folder: Path) -> Any:
    from pymaf_data.datasets import Raw, load_manifest, select

    return select(Raw(folder / "raw", load_manifest("mpii"), "train"))


def _write_lsp(folder: Path) -> Iterator[Path]:
    leeds = factory("lsp")
    yield leeds.lsp(folder / "raw", leeds.people(1002), np.zeros((1002, 14), bool), "lsp_dataset")
    leeds.save_image(folder / "raw" / "lsp_dataset" / "images" / "im1001.jpg")
    leeds.upi_s1h(folder / "raw", 1001, *leeds.outlines())
    yield from (folder / "raw").glob("upi-s1h/**/*.png")
    yield leeds.hr_lspet(folder / "raw", leeds.people(3), np.ones((3, 14), bool), [1, 3, 4])


def _read_lsp(folder: Path) -> Any:
    return _selection(folder, "lsp", "test"), _selection(folder, "lspet", "train")


def _write_up_3d(folder: Path) -> Iterator[Path]:
    up_3d = factory("up_3d")
    for number in (1, 2):
        up_3d.save_person(folder / "raw", number, np.ones((3, 14)) * [[5], [9], [1]], (2, 3, 20, 30), (24, 32))
        up_3d.save_body(folder / "raw", number, np.zeros(72), np.zeros(10), np.ones(3))
        up_3d.save_crop(folder / "raw", number, 32, 24, (0, 32), (0, 24))
    up_3d.save_list(folder / "raw", "train.txt", [1, 2])
    yield folder / "raw" / "train.txt"
    yield from sorted((folder / "raw").glob("00001_[!i]*"))  # all but the image


def _read_up_3d(folder: Path) -> Any:
    fits = _read_fits("up-3d:{}/raw")
    return _selection(folder, "up-3d", "train"), fits(folder)


def _selection(folder: Path, name: str, split: str) -> Any:
    from pymaf_data.datasets import Raw, load_manifest, select

    return select(Raw(folder / "raw", load_manifest(name), split))


def _write_threedpw(folder: Path) -> Iterator[Path]:
    threedpw = factory("threedpw")
    yield threedpw.save(folder / "raw", "test", threedpw.sequence("walk_00", 2, "mf"))


def _write_threedoh50k(folder: Path) -> Iterator[Path]:
    threedoh50k, random = factory("threedoh50k"), np.random.default_rng(0)
    entries = {f"{number:05d}": threedoh50k.entry(number, random) for number in (1, 0)}
    yield threedoh50k.save(folder / "raw", "test", entries)
    yield folder / "raw" / "testset" / "masks" / "00001.png"


def _write_ssp3d(folder: Path) -> Iterator[Path]:
    ssp3d = factory("ssp3d")
    yield ssp3d.save(folder / "raw", ssp3d.labels(1))


def _read_test_split(name: str, fits: str) -> Callable[[Path], Any]:
    """A data set's own fits, in a file or folder below ``raw``, and the persons of its test split."""

    def read(folder: Path) -> Any:
        from pymaf_data.datasets import Raw, select
        from pymaf_data.errors import PymafDataError
        from pymaf_data.fits.readers import find_reader

        with contextlib.suppress(PymafDataError):  # what one refuses, the other may take
            find_reader(name).read(folder / "raw" / fits, None)
        return select(Raw(folder / "raw", _manifest(name), "test"))

    return read


@cache
def _manifest(name: str) -> Any:
    from pymaf_data.datasets import load_manifest

    return load_manifest(name)


def _write_cdf(folder: Path) -> Iterator[Path]:
    h36m, pose = factory("h36m"), np.arange(192.0).reshape(2, 96)
    yield h36m.save_cdf(folder / "row.cdf", pose)
    yield h36m.save_cdf(folder / "column.cdf", pose, column=True, double=False)
    yield h36m.save_cdf(folder / "packed.cdf", pose, packed=6)


def _read_cdf(folder: Path) -> Any:
    from pymaf_data.errors import RawDataCorrupt
    from pymaf_data.untrusted.cdf import read_cdf

    found, refused = [], []
    for path in sorted(folder.glob("*.cdf")):
        try:
            found.append(read_cdf(path, "Pose"))
        except RawDataCorrupt as error:
            refused.append(error)
    if refused:
        raise refused[0]
    return found


def _write_h36m(folder: Path) -> Iterator[Path]:
    h36m = factory("h36m")
    world = h36m.start(folder / "raw")
    for camera in h36m.CAMERAS[:2]:
        h36m.add(world, 9, "Greeting", camera, 2)
    yield from sorted((folder / "raw").glob("S9/*/*/*.cdf"))
    yield folder / "raw" / "metadata.xml"


def _read_h36m(folder: Path) -> Any:
    from pymaf_data.datasets import Raw, select

    manifest = _manifest("h36m").with_options("p1", ["known_bad=correct"])
    return select(Raw(folder / "raw", manifest, "p1"))


def _write_mosh(folder: Path) -> Iterator[Path]:
    path = folder / "S9" / "Greeting_cam0_aligned.pkl"
    path.parent.mkdir()
    path.write_bytes(factory("threedpw").pickled({"new_poses": np.ones((3, 72)), "betas": np.zeros(10)}))
    yield path


def _write_metadata(folder: Path) -> Iterator[Path]:
    factory("h36m").start(folder)
    yield folder / "metadata.xml"


def _read_metadata(folder: Path) -> Any:
    from pymaf_data.datasets.h36m_cameras import read_metadata

    return read_metadata(folder / "metadata.xml")


def _write_boxes(folder: Path) -> Iterator[Path]:
    h36m = factory("h36m")
    world, mask = h36m.start(folder), h36m.rectangle(3, 4, 20, 30, 40, 50)
    yield h36m.save_boxes(world, 9, "Greeting", h36m.CAMERAS[0], [mask] * 3)


def _read_boxes(folder: Path) -> Any:
    from pymaf_data.datasets.h36m_boxes import read_boxes

    return read_boxes(next(folder.rglob("*.mat")), [0, 2])


def _write_tdhp(*names: str) -> Callable[[Path], Iterator[Path]]:
    """Both splits, of whose files those of some names are mutated."""

    def write(folder: Path) -> Iterator[Path]:
        tdhp, root = factory("tdhp"), folder / "raw"
        tdhp.sequence(root, "S1/Seq1", 6, {0: 4}, 64)
        K = tdhp.lens(root / "mpi_inf_3dhp_test_set/test_util/camera_calibration/ts1-4cameras.calib", (64, 64))
        solid = tdhp.people(4, 1)
        points, ones = tdhp.seen(K, solid)[:, tdhp.TEST], np.ones(4)
        content = tdhp.measured(points, solid[:, tdhp.TEST], ones, ones)
        factory("mat73").save(root / "mpi_inf_3dhp_test_set/TS1/annot_data.mat", content)
        tdhp.measured_images(root / "mpi_inf_3dhp_test_set/TS1/imageSequence", [0], (64, 64))
        yield from (path for name in names for path in sorted(root.rglob(name)))

    return write


def _read_tdhp(split: str, images: bool = False) -> Callable[[Path], Any]:
    def read(folder: Path) -> Any:
        from pymaf_data.datasets import Raw, find_reader, one_image, select

        raw = Raw(folder / "raw", _manifest("mpi-inf-3dhp").with_options(split, ["every=1"]), split, "any")
        found = select(raw).records
        with find_reader("mpi-inf-3dhp").images(raw) as source:
            return found, [one_image(source, name, (64, 64)) for name, _ in found.row_keys() if images]

    return read


def _write_npz(folder: Path) -> Iterator[Path]:
    npz = factory("npz")
    more = {"S": np.ones((24, 4)), "openpose": np.ones((25, 3)), "gender": "m", "pose": np.zeros(72)}
    more |= {"shape": np.zeros(10), "has_smpl": 1}
    rows = [npz.person("a.jpg", (9, 9), 0.1 + i, np.ones((24, 3)), **more) for i in range(3)]
    yield npz.save(folder / "mpii_train.npz", rows)
    yield npz.save(folder / "objects.npz", rows, imgname=np.array(["a.jpg", b"a.jpg", None], object), gender=None)


@cache
def _manifest_of_npz() -> Any:
    from pymaf_data.datasets import load_manifest

    return load_manifest("npz")


def _read_npz(folder: Path) -> Any:
    """Its persons, compared with themselves, and its fits; the second file also where the first is refused."""
    from pymaf_data.datasets import Raw, select
    from pymaf_data.errors import PymafDataError
    from pymaf_data.fits.readers.npz import READER
    from pymaf_data.stages.against import compare

    found, refused = [], []
    for path in (folder / "mpii_train.npz", folder / "objects.npz"):
        try:
            raw = Raw(folder, *_manifest_of_npz().of_file(path, "train"))
            found.append((READER.read(path, None), compare(path, select(raw).records, raw)))
        except PymafDataError as error:
            refused.append(error)
    if refused:
        raise refused[0]
    return found


def _write_own(folder: Path) -> Iterator[Path]:
    made = factory("coco").small_set(folder, pictures=2, persons=1)
    made.annotations[1]["segmentation"] = {"size": [72, 96], "counts": [700, 20, 72 * 96 - 720]}
    made.annotations[0]["segmentation"] = [[10.5, 8, 50, 8, 50, 64.25], [1, 2, 30, 2, 3, 40]]
    yield made.save().file
    openpose = factory("openpose")
    yield openpose.write(folder / "op", f"{1:012d}", [openpose.detection(made.annotations[0]["keypoints"])])


def _read_own(folder: Path) -> Any:
    from pymaf_data.datasets import Raw, select
    from pymaf_data.datasets.own import own_data

    file = folder / "annotations" / "person_keypoints_train2014.json"
    root, manifest = own_data(file, folder / "train2014", None, "train")
    manifest = manifest.with_options("train", ["masks=true"]).with_files("train", openpose="op")
    return select(Raw(root, manifest, "train"))


def _write_aic(folder: Path) -> Iterator[Path]:
    factory("keypoint_sets").aic(folder / "raw")
    yield from (folder / "raw").rglob("*.json")


def _read_aic(folder: Path) -> Any:
    from pymaf_data.datasets import Raw, load_manifest, select

    return select(Raw(folder / "raw", load_manifest("aic"), "train"))


def _write_yaml(package: str, name: str) -> Callable[[Path], Iterator[Path]]:
    def write(folder: Path) -> Iterator[Path]:
        from importlib.resources import files

        path = folder / "file.yaml"
        path.write_bytes((files(package) / name).read_bytes())
        yield path

    return write


def _read_manifest(folder: Path) -> Any:
    from pymaf_data.datasets.manifest import load_manifest

    return load_manifest(folder / "file.yaml")


def _read_recipe(folder: Path) -> Any:
    from pymaf_data.paths import DataRoot
    from pymaf_data.recipe import load_recipe, pipeline

    return pipeline(load_recipe(str(folder / "file.yaml")), DataRoot(folder))


def _write_images(folder: Path) -> Iterator[Path]:
    import cv2

    image = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    for name in ("a.jpg", "b.png", "c.webp"):
        path = folder / name
        path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
        yield path


def _read_images(folder: Path) -> Any:
    from pymaf_data.datasets.images import Images

    images = Images(folder, ".")
    return [images.load(name, (32, 24)) for name in ("a.jpg", "b.png", "c.webp")]


def _write_archives(folder: Path) -> Iterator[Path]:
    import tarfile
    import zipfile

    image = folder / "image.png"
    list(_write_images(folder))
    (folder / "b.png").rename(image)
    for name, method in (("stored.zip", zipfile.ZIP_STORED), ("deflated.zip", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(folder / name, "w", method) as archive:
            for number in range(3):
                archive.write(image, f"images/{number}.png")
        yield folder / name
    forms = (("gnu.tar", "w", tarfile.GNU_FORMAT), ("pax.tar.gz", "w:gz", tarfile.PAX_FORMAT))
    for name, mode, form in forms:
        with tarfile.open(folder / name, mode, format=form) as archive:  # type: ignore[call-overload]
            for number in range(3):
                archive.add(image, f"images/{number}{'é' * 60}.png" if number == 1 else f"images/{number}.png")
        yield folder / name


def _read_archives(folder: Path) -> Any:
    from pymaf_data.datasets.archives import ArchivedImages, archives_of

    source = ArchivedImages(archives_of(folder, "none", sorted(folder.glob("*.[tz]*"))), "images")
    return [(source.stamp(f"images/{n}.png"), *source.decode(f"images/{n}.png", [-1], (32, 24))) for n in range(4)]


# Stores


def _write_store(folder: Path) -> Iterator[Path]:
    from pymaf_data.body import load_body

    factory("stores").invented_store(folder / "s.zarr", load_body("free"), persons=6, shard=4)
    files = sorted(path for path in (folder / "s.zarr").rglob("*") if path.is_file())
    # Some of every kind: metadata, records, commits, pointers, shards.
    yield from files[:: max(len(files) // 40, 1)]


def _read_store(folder: Path) -> Any:
    from pymaf_data.storage import open_store
    from pymaf_data.storage.verify import verify

    found = verify(folder / "s.zarr")
    store = open_store(folder / "s.zarr")
    names = [f"{info.stage}/{spec}".removeprefix("ingest/") for info in store.stages() for spec in info.record.specs]
    return found, [store.array(name)[:] for name in names if not name.startswith("image")]


def _write_lock(folder: Path) -> Iterator[Path]:
    from pymaf_data.storage.lock import StageLock

    (folder / "locks").mkdir()
    lock = StageLock(folder, "ingest")
    with lock:
        (path,) = (path for path in folder.rglob("*.lock"))
        content = path.read_bytes()
    path.write_bytes(content)
    yield path


def _read_lock(folder: Path) -> Any:
    from pymaf_data.storage.lock import holder_of, living_holders

    return holder_of(folder, "ingest"), living_holders(folder)


READERS: dict[str, Reader] = {
    "pickle": Reader(_write_pickle, _read_pickle),
    "SMPL model": Reader(_write_model, _read_model),
    "mesh_downsampling": Reader(_write_downsampling, _read_downsampling),
    "npy and npz": Reader(_write_arrays, _read_arrays),
    "atlas .mat": Reader(_write_atlas, _read_atlas),
    "mat": Reader(_write_mat, _read_mat),
    "mat 7.3": Reader(_write_mat73, _read_mat73),
    "truth": Reader(_write_truth, _read_fits("truth:{}/truth.npz")),
    "EFT": Reader(_write_eft, _read_fits("eft:{}/eft.json")),
    "run": Reader(_write_run, _read_run),
    "checkpoint": Reader(_write_checkpoint, _read_checkpoint),
    "annotations": Reader(_write_annotations, _read_annotations),
    "mpii": Reader(_write_mpii, _read_mpii),
    "LSP": Reader(_write_lsp, _read_lsp),
    "UP-3D": Reader(_write_up_3d, _read_up_3d),
    "3dpw": Reader(_write_threedpw, _read_test_split("3dpw", ".")),
    "3doh50k": Reader(_write_threedoh50k, _read_test_split("3doh50k", "testset")),
    "ssp-3d": Reader(_write_ssp3d, _read_test_split("ssp-3d", ".")),
    "cdf": Reader(_write_cdf, _read_cdf),
    "h36m": Reader(_write_h36m, _read_h36m),
    "mosh": Reader(_write_mosh, _read_fits("h36m-mosh:{}")),
    "metadata.xml": Reader(_write_metadata, _read_metadata),
    "boxes of h36m": Reader(_write_boxes, _read_boxes),
    "3dhp annot.mat": Reader(_write_tdhp("annot.mat"), _read_tdhp("train")),
    "3dhp annot_data": Reader(_write_tdhp("annot_data.mat"), _read_tdhp("test")),
    "3dhp calibration": Reader(_write_tdhp("camera.calibration"), _read_tdhp("train")),
    "3dhp lens": Reader(_write_tdhp("*.calib"), _read_tdhp("test")),
    "3dhp video": Reader(_write_tdhp("video_0.avi"), _read_tdhp("train", images=True)),
    "persons' npz": Reader(_write_npz, _read_npz),
    "own data": Reader(_write_own, _read_own),
    "aic": Reader(_write_aic, _read_aic),
    "manifest": Reader(_write_yaml("pymaf_data.manifests", "coco.yaml"), _read_manifest),
    "recipe": Reader(_write_yaml("pymaf_data.manifests.recipes", "demo.yaml"), _read_recipe),
    "images": Reader(_write_images, _read_images),
    "archives": Reader(_write_archives, _read_archives),
    "store": Reader(_write_store, _read_store),
    "lock": Reader(_write_lock, _read_lock),
}


def sound(name: str, folder: Path) -> list[tuple[Path, bytes]]:
    """Write a reader's sound files, anew; returns those to mutate with their bytes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return [(path, path.read_bytes()) for path in list(READERS[name].write(folder))]
