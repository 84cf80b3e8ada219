"""Fits, and what training leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .reader import Reader, factory


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


def _write_spin(folder: Path) -> Iterator[Path]:
    spin, pose, betas, flag = factory("spin"), np.ones((3, 72)), np.zeros((3, 10)), np.ones(3, bool)
    yield spin.static(folder / "fits.npy", pose, betas)
    yield spin.multi_view(folder / "mview.npz", pose, betas, flag)
    yield spin.final(folder / "final.npz", pose, betas, flag)
    yield spin.companion(folder / "set.npz", np.array([b"a.jpg"] * 3), np.ones((3, 2)), np.ones(3))


def _read_spin(folder: Path) -> Any:
    files = ("fits.npy", "mview.npz", "final.npz")
    return [read_fits(f"spin:{{0}}/{name}:{{0}}/set.npz")(folder) for name in files]


def _write_cliff(folder: Path) -> Iterator[Path]:
    N, cliff = 3, factory("cliff")
    said = (np.array(["a.jpg"] * N), np.ones((N, 3)), np.zeros((N, 72)), np.zeros((N, 10)), np.ones((N, 3)))
    yield cliff.write(folder / "cliff.npz", *said, (640, 480), np.ones((N, 24, 3)), annot_id=np.arange(N))


def _people(count: int) -> Any:
    made, K = factory("published"), np.array([[800.0, 0, 320], [0, 800, 240], [0, 0, 1]])
    names, box = np.array([f"train2014/{i}.jpg" for i in range(count)]), np.tile([330.0, 260, 200], (count, 1))
    joints = np.random.default_rng(0).uniform(100, 300, (count, 44, 2))
    pose, trans = np.zeros((count, 72)), np.tile([0, 0, 4.0], (count, 1))
    return made.People(
        names, np.arange(count), box, pose, np.zeros((count, 10)), np.tile(K, (count, 1, 1)), trans, joints
    )


def _write_hmr2(folder: Path) -> Iterator[Path]:
    made = factory("published")
    yield made.hmr2_tars(folder / "tars", _people(2)) / "000000.tar"
    yield made.hmr2_npz(folder / "coco_val.npz", _people(3))


def _read_hmr2(folder: Path) -> Any:
    return read_fits("hmr2:{}/tars")(folder), read_fits("hmr2:{}/coco_val.npz")(folder)


def _write_camera_hmr(folder: Path) -> Iterator[Path]:
    yield factory("published").camera_hmr(folder / "coco-release.npz", _people(3))


def _write_neural_annot(folder: Path) -> Iterator[Path]:
    yield factory("published").neural_annot(folder / "smpl.json", _people(3))


def _write_human_data(folder: Path) -> Iterator[Path]:
    yield factory("humandata").placed(folder / "human.npz", _people(3)._replace(betas=np.ones((3, 10))))


def _write_bedlam(folder: Path) -> Iterator[Path]:
    yield factory("bedlam").scene(folder / "scene.npz", _people(3))
    yield factory("bedlam").token_hmr(folder / "a.tar", _people(2))


def _read_bedlam(folder: Path) -> Any:
    return read_fits("bedlam:{}/scene.npz")(folder), read_fits("tokenhmr:{}/a.tar")(folder)


def _write_table(folder: Path) -> Iterator[Path]:
    made, people = factory("published"), _people(3)
    yield made.table(folder / "table.npz", people)
    matrices, pi = np.tile(np.eye(3), (3, 24, 1, 1)), np.array([[0.9, 0, 0]] * 3)
    changes = {"image": None, "pose": None, "K": None, "translation": None}
    yield made.table(folder / "view.npz", people, **changes, annotation_id=np.arange(3), rotmat=matrices, pi=pi)


def _read_table(folder: Path) -> Any:
    return read_fits("table:{}/table.npz")(folder), read_fits("table:{}/view.npz")(folder)


def _write_sam3dbody(folder: Path) -> Iterator[Path]:
    made, people = factory("sam3dbody"), _people(2)
    mesh = np.random.default_rng(0).uniform(0.0, 1.7, (made.VERTICES, 3))
    one = made.person(people.box[0], mesh, people.trans[0], people.K[0])
    yield made.one_pickle(folder, {"a.jpg": [one]})
    yield made.by_person(folder / "files", {"b.jpg": [one]}) / "b_subj00.npz"


def _read_sam3dbody(folder: Path) -> Any:
    tables = [read_fits("sam3dbody:{}/" + name)(folder)[0] for name in ("all.pkl", "files")]
    return [table.other for table in tables]


def read_fits(text: str) -> Callable[[Path], Any]:
    def read(folder: Path) -> Any:
        from pymaf_data.fits.joined import read_fits as read_joined
        from pymaf_data.fits.request import FitRequest

        return read_joined(FitRequest.of(text.format(folder)))

    return read


def _write_corrections(folder: Path) -> Iterator[Path]:
    said = '{"image": "a.jpg", "annotation": 7, "verdict": "prefer", "source": "eft", "note": "x"}'
    other = '{"image": "a.jpg", "annotation": 8, "verdict": "drop", "source": null}'
    (folder / "c.json").write_text(f'{{"corrections": 1, "verdicts": [{said}, {other}]}}')
    yield folder / "c.json"


def _read_corrections(folder: Path) -> Any:
    from pymaf_data.fits.corrections import read_corrections, verdicts_on

    return verdicts_on(read_corrections(folder / "c.json"), [("a.jpg", 7), ("a.jpg", 8)], {"eft": "0"})


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


def _write_sam3dbody_data(folder: Path) -> Iterator[Path]:
    made, people = factory("sam3dbody"), _people(2)
    said = [made.row("a.jpg", people.box[i], people.trans[i], people.K[i], np.zeros(201)) for i in range(2)]
    yield made.parquet(folder / "000000.parquet", said)


READERS = {
    "truth": Reader(_write_truth, read_fits("truth:{}/truth.npz")),
    "EFT": Reader(_write_eft, read_fits("eft:{}/eft.json")),
    "CLIFF": Reader(_write_cliff, read_fits("cliff:{}/cliff.npz")),
    "SPIN's fits": Reader(_write_spin, _read_spin),
    "HMR2": Reader(_write_hmr2, _read_hmr2),
    "CameraHMR": Reader(_write_camera_hmr, read_fits("camerahmr:{}/coco-release.npz")),
    "NeuralAnnot": Reader(_write_neural_annot, read_fits("neuralannot:{}/smpl.json")),
    "HumanData": Reader(_write_human_data, read_fits("humandata:{}/human.npz")),
    "BEDLAM": Reader(_write_bedlam, _read_bedlam),
    "table": Reader(_write_table, _read_table),
    "SAM 3D Body": Reader(_write_sam3dbody, _read_sam3dbody),
    "SAM 3D Body's data set": Reader(_write_sam3dbody_data, read_fits("sam3dbody-data:{}/000000.parquet")),
    "corrections": Reader(_write_corrections, _read_corrections),
    "run": Reader(_write_run, _read_run),
    "checkpoint": Reader(_write_checkpoint, _read_checkpoint),
}
