"""SPIN's fits: through the file whose rows they follow, proved by what no π can explain."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pymaf_data.digest import digest_file
from pymaf_data.errors import FitError, PymafDataError
from pymaf_data.fits.joined import read_fits
from pymaf_data.fits.readers import spin as reader
from pymaf_data.fits.readers.reader import ByAnnotation, ByImage
from pymaf_data.fits.request import FitRequest
from pymaf_data.fits.table import CAMERA, VIEW
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.storage import Store, open_store

ALL = np.ones(24, bool)
FILES = ("lsp-orig_fits.npy", "mpi_inf_3dhp.npz", "mpi-inf-3dhp_mview_fits.npz")


pytestmark = pytest.mark.usefixtures("free_as_neutral")


@pytest.fixture
def write(tmp_path: Path, spin: ModuleType, known: Any) -> Callable[..., str]:
    """The request for a file of fits with its companion; ``rows`` are those that the files have, in their order."""

    def written(name: str, rows: Any = slice(None), pose: Any = None, flag: Any = ALL, **persons: Any) -> str:
        path, said = tmp_path / name, known.persons
        fits = (known.truth.pose if pose is None else pose)[rows], known.truth.betas[rows]
        if path.suffix == ".npy":
            spin.static(path, *fits)
        else:
            (spin.multi_view if "mview" in name else spin.final)(path, *fits, flag[rows])
        names = persons.get("names", said.names)[rows]
        centres = persons.get("centres", said.box[:, :2])[rows]
        return f"spin:{path}:{spin.companion(tmp_path / 'set_train.npz', names, centres, said.box[rows, 2])}"

    return written


def attach(store: Store, request: str) -> Any:
    return attach_fits(AttachOptions(store=store.path, fits=(request,))).sources[0]


def apart(pose: np.ndarray, truth: np.ndarray) -> float:
    """The largest angle between two poses (N, 72)."""
    turns = [Rotation.from_rotvec(each.reshape(-1, 3)) for each in (pose, truth)]
    return float((turns[0].inv() * turns[1]).magnitude().max())


@pytest.mark.parametrize("name", FILES)
def test_every_file_comes_back_in_any_order(name: str, store: Store, write: Callable[..., str], known: Any) -> None:
    order = np.random.default_rng(1).permutation(24)
    source = attach(store, write(name, order))
    assert (source.valid, source.without, source.body, source.proved) == (24, {}, "smpl-neutral", True)
    assert source.reprojection.maximum < 8, "what π does not explain of a pinhole nearby"
    found = {key: open_store(store.path).array(f"fits/spin/{key}")[:] for key in ("pose", "betas", "frame", "native")}
    assert apart(found["pose"], known.truth.pose) < 1e-4
    assert np.allclose(found["betas"], known.truth.betas, atol=1e-6) and not found["native"].any()
    assert set(found["frame"].tolist()) == {CAMERA if "mview" in name else VIEW}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("shifted", r"rows look shifted by 1: otherwise [0-5] px"),
        ("shuffled", r"rows look shuffled: others"),
        ("mirrored", r"bodies look mirrored: otherwise [0-5] px"),
        ("turned", r"bodies look turned by 180°, y up for down: otherwise [0-5] px"),
    ],
)
def test_rows_of_others_and_bodies_turned_otherwise_are_refused(
    wrong: str, said: str, store: Store, write: Callable[..., str], spin: ModuleType, known: Any
) -> None:
    pose = known.truth.pose.copy()
    if wrong == "mirrored":
        pose = spin.mirror(pose)
    elif wrong == "turned":
        pose[:, :3] = (Rotation.from_rotvec([np.pi, 0, 0]) * Rotation.from_rotvec(pose[:, :3])).as_rotvec()
    else:
        pose = pose[np.roll(np.arange(24), 1) if wrong == "shifted" else np.random.default_rng(2).permutation(24)]
    with pytest.raises(FitError, match="do not reproject") as refused:
        attach(store, write("a.npz", pose=pose, flag=np.arange(24) != 7))
    assert re.search(said, str(refused.value))
    assert not open_store(store.path).has("fits/spin")


def test_who_is_not_in_the_files_or_not_valid_has_no_fit(store: Store, write: Callable[..., str], known: Any) -> None:
    half = np.arange(24) % 2 == 0
    source = attach(store, write("a.npz", half, flag=np.arange(24) != 4))
    assert (source.valid, source.without) == (11, {"no fit in the source": 13})
    pose, valid = (open_store(store.path).array(f"fits/spin/{key}")[:] for key in ("pose", "valid"))
    assert np.flatnonzero(valid).tolist() == [i for i in range(0, 24, 2) if i != 4]
    assert apart(pose[valid], known.truth.pose[valid]) < 1e-4


def test_a_few_that_failed_are_taken_out(store: Store, write: Callable[..., str], known: Any) -> None:
    pose = known.truth.pose.copy()
    pose[:6, :3] = (Rotation.from_rotvec([np.pi, 0, 0]) * Rotation.from_rotvec(pose[:6, :3])).as_rotvec()
    pose[7, 3] = np.nan
    source = attach(store, write("a_fits.npy", pose=pose))
    assert source.valid == 17
    assert source.without == {"coordinates not finite": 1, "camera not solvable": 6}


def test_a_person_listed_twice_has_a_fit_where_both_agree(store: Store, write: Callable[..., str], known: Any) -> None:
    rows = np.array([*range(24), 3, 9])
    assert attach(store, write("a.npz", rows)).valid == 24
    pose, more = known.truth.pose, write("a.npz", rows)
    path = Path(more.split(":")[1])
    np.savez(path, pose=np.vstack([pose, pose[[3, 8]]]), betas=known.truth.betas[rows], valid_fit=np.ones(26))
    source = attach(store, more)
    assert (source.valid, source.without) == (23, {"no fit in the source": 1})


def test_zeros_stand_for_no_fit(write: Callable[..., str], known: Any) -> None:
    pose, betas = known.truth.pose.copy(), known.truth.betas.copy()
    request = write("h36m_fits.npy")
    pose[[1, 2]], betas[[1, 3]] = 0, 0
    np.save(request.split(":")[1], np.hstack([pose, betas]))
    table, _ = read_fits(FitRequest.of(request))
    assert table.rows is not None and table.rows.tolist() == [0, *range(2, 24)]
    np.save(request.split(":")[1], np.zeros((24, 82)))
    with pytest.raises(FitError, match="none is a fit"):
        read_fits(FitRequest.of(request))
    with pytest.raises(FitError, match="none is a fit"):
        read_fits(FitRequest.of(write("a.npz", flag=~ALL)))


def test_flags_and_names_come_in_many_types(write: Callable[..., str], known: Any) -> None:
    some = np.arange(24) % 3 != 1
    names = known.persons.names
    as_bytes = np.array([name.encode() for name in names.tolist()])
    for flag in (some.astype(np.float32), some.astype(np.uint8), some[:, None]):
        for said in (as_bytes, names.astype(object)):
            table, _ = read_fits(FitRequest.of(write("a.npz", flag=flag, names=said)))
            assert isinstance(table.keys, ByImage) and table.keys.names.tolist() == names[some].tolist()
    broken = np.array([b"\xff", *as_bytes[1:]])
    table, _ = read_fits(FitRequest.of(write("a.npz", names=broken)))
    assert isinstance(table.keys, ByImage) and table.keys.names.tolist() == ["", *names[1:].tolist()]


def test_in_a_store_of_the_companion_rows_are_persons(write: Callable[..., str], known: Any) -> None:
    """Two persons of one image in one place are told apart by nothing else."""
    names, centres = known.persons.names.copy(), known.persons.box[:, :2].copy()
    names[3], centres[3] = names[2], centres[2]
    request = write("coco.npz", names=names, centres=centres, flag=np.arange(24) != 5)
    table, _ = read_fits(FitRequest.of(request), [digest_file(Path(request.split(":")[2]))])
    assert isinstance(table.keys, ByAnnotation) and table.keys.ids.tolist() == [i for i in range(24) if i != 5]


def test_persons_of_other_images_and_pixels_are_nobody_here(
    store: Store, write: Callable[..., str], known: Any
) -> None:
    foreign = np.array([f"elsewhere/{name}" for name in range(24)])
    small = 0.25 * known.persons.box[:, :2]
    for persons, said in (({"names": foreign}, "none of the persons"), ({"centres": small}, r"look scaled by 4\.00")):
        with pytest.raises(FitError, match=said):
            attach(store, write("a.npz", **persons))


@pytest.mark.parametrize(
    ("name", "arrays", "match"),
    [
        ("a.npy", np.zeros((24, 72)), "fits of float64"),
        ("a.npy", np.zeros(82), "fits of float64"),
        ("a.npy", np.zeros(()), "fits of float64"),
        ("a.npy", np.full((24, 82), "a"), "fits of"),
        ("a.npy", np.ones((23, 82)), "24 rows, the fits 23"),
        ("a.npz", {"pose": np.ones((24, 72)), "betas": np.ones((24, 10))}, "lacks valid_fit"),
        ("a.npz", {"pose": np.ones((24, 72)), "shape": np.ones((24, 10))}, "lacks has_smpl"),
        ("a.npz", {"pose": np.ones((24, 72))}, "lacks shape"),
        ("a.npz", {"pose": np.ones((24, 69)), "betas": np.ones((24, 10)), "valid_fit": ALL}, "pose of float64"),
        ("a.npz", {"pose": np.ones((24, 72)), "betas": np.ones((24, 11)), "valid_fit": ALL}, "betas of float64"),
        ("a.npz", {"pose": np.ones((24, 72)), "betas": np.ones((24, 10)), "valid_fit": ALL[1:]}, "valid_fit of bool"),
        ("a.npz", {"pose": np.ones((24, 72)), "imgname": np.full(24, "a")}, "names persons"),
        ("a.npz", b"PK", "cannot read"),
        ("a.npy", b"", "not a NumPy array"),
    ],
    ids=str,
)  # fmt: skip
def test_files_that_are_no_such_fits(name: str, arrays: Any, match: str, write: Callable[..., str]) -> None:
    request = write(name)
    path = Path(request.split(":")[1])
    if isinstance(arrays, bytes):
        path.write_bytes(arrays)
    else:
        np.savez(path, **arrays) if isinstance(arrays, dict) else np.save(path, arrays)
    with pytest.raises(FitError, match=match):
        read_fits(FitRequest.of(request))


def test_the_file_that_rows_follow_is_asked_for(write: Callable[..., str]) -> None:
    request = write("a.npz")
    with pytest.raises(PymafDataError, match="lacks a path"):
        FitRequest.of("spin")
    with pytest.raises(FitError, match="there is no"):
        read_fits(FitRequest.of(f"{request}x"))
    assert reader.READER.companion
