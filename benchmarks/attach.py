"""Attaching published fits to a large store: processor seconds of each step, of all threads, and peak memory.

    .venv/bin/python benchmarks/attach.py [--only eft cliff …] [--persons 300000]

A store without crops of invented persons, two on most images, and a file of fits to all of them in another order, as
their authors write them; each format is attached in a process of its own. What machine this is tell two references:
`json` is json.loads of EFT's file (of 64 MB, and so many times more), `bodies` body.keypoints of all persons.
Goals: EFT's proof 40 s and the whole 60 s at 300,000 persons; 2 GB at 500,000 of any format.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing import Process
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from _measure import RESULTS, machine, write

_SIZE, _DIFFERENT, _BLOCK = (640, 480), 4096, 8192
_ATTACH = """
import json, sys, time
from pathlib import Path
import torch
from pymaf_data.body import BodyModel
from pymaf_data.body.free import load_free_arrays
from pymaf_data.fits import joined
from pymaf_data.stages import attach_fits as stage, attach_source
torch.set_num_threads(1)
neutral = BodyModel("smpl-neutral", load_free_arrays(), torch.float64)
attach_source.load_body = lambda *_: neutral
spent = {}
def timed(owner, name, called, clock=time.process_time):
    inner = getattr(owner, name)
    def run(*arguments, **named):
        start, waited = clock(), time.perf_counter()
        try:
            return inner(*arguments, **named)
        finally:
            spent[called] = spent.get(called, 0) + clock() - start
            if clock is time.process_time:
                spent[called + "_waited"] = spent.get(called + "_waited", 0) + time.perf_counter() - waited
    setattr(owner, name, run)
timed(stage, "open_sources", "read")
timed(attach_source.SourceJob, "begin", "proof")
timed(joined, "join", "join")
timed(attach_source, "measure", "measure", time.thread_time)  # on several threads at once
timed(stage, "run_shards", "proof_and_shards")
timed(stage, "attach_choice", "choice")
start, clock = time.process_time(), time.perf_counter()
report = stage.attach_fits(stage.AttachOptions(store=Path(sys.argv[1]), fits=(sys.argv[2],)))
spent["seconds"], spent["seconds_waited"] = time.process_time() - start, time.perf_counter() - clock
peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1e3  # of this program alone
rounded = {name: round(value, 2) for name, value in spent.items()}
print(json.dumps({"valid": report.sources[0].valid, **rounded, "peak_megabytes": round(peak)}))
"""
_JSON = """
import json, sys, time
from pathlib import Path
with Path(sys.argv[1]).open("rb") as file:
    part = file.read(1 << 26).rpartition(b", {")[0] + b"]}"
start = time.process_time()
json.loads(part)
print(round((time.process_time() - start) * Path(sys.argv[1]).stat().st_size / len(part), 2))
"""
_BODIES = """
import sys, time
import torch
from pymaf_data.body import load_body
from pymaf_data.geometry.rotations import axis_angle_to_matrix
torch.set_num_threads(1)
body, persons = load_body("free", dtype=torch.float64), int(sys.argv[1])
pose, betas = 0.2 * torch.randn(64, 24, 3, dtype=torch.float64), torch.randn(64, 10, dtype=torch.float64)
with torch.no_grad():
    body.keypoints(axis_angle_to_matrix(pose), betas)
    start = time.process_time()
    for _ in range(persons // 64):
        body.keypoints(axis_angle_to_matrix(pose), betas)
print(round(time.process_time() - start, 2))
"""


class People(NamedTuple):
    """N persons seen by an orthographic and by a perspective camera, which agree within a few pixels."""

    names: np.ndarray
    ids: np.ndarray
    box: np.ndarray
    pose: np.ndarray
    betas: np.ndarray
    trans: np.ndarray
    keypoints: np.ndarray  # (N, 49, 2) px

    def take(self, rows: Any) -> People:
        """Some of them."""
        return People(*(values[rows] for values in self))


FOCAL, DEPTH = 5000.0, 60.0  # so long that no ray is far from parallel to the axis
K = np.array([[FOCAL, 0, _SIZE[0] / 2], [0, FOCAL, _SIZE[1] / 2], [0, 0, 1]])


def invent(persons: int) -> People:
    """A few thousand bodies, again and again, each person at a place of their own."""
    import torch

    from pymaf_data.body import load_body
    from pymaf_data.geometry.rotations import axis_angle_to_matrix

    rng, body = np.random.default_rng(0), load_body("free", dtype=torch.float64)
    pose = rng.normal(0, 0.2, (_DIFFERENT, 24, 3))
    pose[:, 0] = [np.pi, 0, 0]
    betas = rng.normal(0, 0.7, (_DIFFERENT, 10))
    with torch.no_grad():
        rotations = axis_angle_to_matrix(torch.from_numpy(pose))
        joints = body.keypoints(rotations, torch.from_numpy(betas))[1].numpy()
    which, image = np.arange(persons) % _DIFFERENT, np.sort(rng.integers(0, max(persons // 2, 1), persons))
    place = np.stack([rng.uniform(-4, 4, persons), rng.uniform(-3, 3, persons), np.full(persons, DEPTH)], 1)
    keypoints = np.empty((persons, 49, 2), np.float32)
    for first in range(0, persons, _BLOCK):
        rows = slice(first, first + _BLOCK)
        seen = (joints[which[rows]] + place[rows, None]) @ K.T
        keypoints[rows] = seen[..., :2] / seen[..., 2:] + rng.normal(0, 0.5, (len(seen), 49, 2))
    low, high = keypoints.min(1), keypoints.max(1)
    box = np.concatenate([(low + high) / 2, 1.2 * (high - low).max(1, keepdims=True)], 1).astype(np.float64)
    names = np.array([f"train2014/COCO_train2014_{number:012d}.jpg" for number in image.tolist()])
    return People(names, np.arange(persons) + 1000, box, pose.reshape(-1, 72)[which], betas[which], place, keypoints)


def write_store(path: Path, people: People) -> None:
    """What ``ingest`` leaves, without crops."""
    from pymaf_data.stages.ingest_shard import array_specs
    from pymaf_data.storage import Plan, Provenance, create_store

    rows = tuple(zip(people.names.tolist(), people.ids.tolist(), strict=True))
    specs = array_specs(400, len(rows[0][0]), 512)[1:]
    plan = Plan(dataset="benchmark", split="train", rows=rows)
    store = create_store(path, plan, specs, Provenance())
    with store.lock("ingest"):
        writer = store.stage("ingest", plan.digest, specs)
        for shard in writer.missing():
            part = people.take(writer.rows(shard))
            count = len(part.ids)
            data = {spec.name: np.zeros((count, *spec.shape_per_row), spec.dtype) for spec in specs}
            data["keypoints"][..., :2], data["keypoints"][..., 2] = part.keypoints, 1
            data["visibility"][:], data["image_size"][:], data["present"][:] = 2, _SIZE, True
            writer.write_shard(shard, data | {"box": part.box, "annotation_id": part.ids}, "0" * 64)
        writer.finish()


def eft(folder: Path, people: People) -> str:
    """As json.dump writes float32 matrices; the crop's camera is the perspective one's at the pelvis."""
    from scipy.spatial.transform import Rotation

    bodies = people.pose[np.argsort(people.ids)[:_DIFFERENT]]
    matrices = Rotation.from_rotvec(bodies.reshape(-1, 3)).as_matrix().astype(np.float32)
    texts = [json.dumps(one.tolist()) for one in matrices.reshape(-1, 24, 3, 3)]
    with (folder / "eft.json").open("w") as file:
        file.write('{"ver": 0.1, "meta": {"dbname": "COCO2014-All"}, "data": [')
        for i, (name, key, box, _, betas, trans, _) in enumerate(zip(*people, strict=True)):
            low, high = np.trunc(box[:2] - box[2] / 2), np.trunc(box[:2] + box[2] / 2)
            scale = 2 * FOCAL / DEPTH / (high[1] - low[1])
            at = K[:2, :2] @ trans[:2] / DEPTH + K[:2, 2]
            offset = 2 * (at - low) / (high[1] - low[1]) - 1
            rest = {
                "parm_shape": betas.tolist(), "parm_cam": [scale, *offset.tolist()], "bbox_scale": box[2] / 200,
                "bbox_center": box[:2].tolist(), "joint_validity_openpose18": [True] * 18, "smpltype": "smpl",
                "annotId": int(key), "imageName": name.split("/")[1], "subjectId": 0,
            }  # fmt: skip
            which = int(key - 1000) % _DIFFERENT
            file.write(f'{", " * bool(i)}{{"parm_pose": {texts[which]}, {json.dumps(rest)[1:]}')
        file.write("]}")
    return f"eft:{folder / 'eft.json'}"


def neuralannot(folder: Path, people: People) -> str:
    camera = json.dumps({"focal": [FOCAL, FOCAL], "princpt": [_SIZE[0] / 2, _SIZE[1] / 2]})
    with (folder / "neuralannot.json").open("w") as file:
        for i, (_, key, _, pose, betas, trans, _) in enumerate(zip(*people, strict=True)):
            body = json.dumps({"pose": pose.tolist(), "shape": betas.tolist(), "trans": trans.tolist()})
            file.write(f'{", " if i else "{"}"{key}": {{"smpl_param": {body}, "cam_param": {camera}}}')
        file.write("}")
    return f"neuralannot:{folder / 'neuralannot.json'}"


def _npz(folder: Path, name: str, people: People, **arrays: Any) -> Path:
    rows = {"imgname": people.names, "center": people.box[:, :2], "scale": people.box[:, 2] / 200}
    np.savez(folder / f"{name}.npz", **rows, **arrays)
    return folder / f"{name}.npz"


def cliff(folder: Path, people: People) -> str:
    N = len(people.ids)
    more = {"global_t": people.trans, "focal_l": np.full(N, FOCAL), "annot_id": people.ids, "has_smpl": np.ones(N)}
    more |= {"S": np.zeros((N, 24, 4)), "part": np.zeros((N, 24, 3))}
    return f"cliff:{_npz(folder, 'cliff', people, pose=people.pose, shape=people.betas, **more)}"


def camerahmr(folder: Path, people: People) -> str:
    joints = np.pad(people.keypoints[:, :44], ((0, 0), (0, 0), (0, 1)), constant_values=1).astype(np.float64)
    more = {"cam_int": np.tile(K, (len(people.ids), 1, 1)), "gtkps": joints}
    return f"camerahmr:{_npz(folder, 'camerahmr', people, pose=people.pose, shape=people.betas, **more)}"


def hmr2(folder: Path, people: People) -> str:
    N = len(people.ids)
    more = {"has_body_pose": np.ones(N), "has_betas": np.ones(N)}
    more |= {"body_keypoints_2d": np.zeros((N, 25, 3)), "extra_keypoints_2d": np.zeros((N, 19, 3))}
    return f"hmr2:{_npz(folder, 'hmr2', people, body_pose=people.pose, betas=people.betas, **more)}"


def spin(folder: Path, people: People) -> str:
    N = len(people.ids)
    more = {"part": np.zeros((N, 24, 3)), "openpose": np.zeros((N, 25, 3))}
    companion = _npz(folder, "spin_companion", people, **more)
    np.savez(folder / "spin.npz", pose=people.pose, betas=people.betas, valid_fit=np.ones(N))
    return f"spin:{folder / 'spin.npz'}:{companion}"


def npz(folder: Path, people: People) -> str:
    N = len(people.ids)
    more = {"part": np.zeros((N, 24, 3)), "openpose": np.zeros((N, 25, 3)), "has_smpl": np.ones(N)}
    return f"npz:{_npz(folder, 'npz', people, pose=people.pose, shape=people.betas, **more)}"


def table(folder: Path, people: People) -> str:
    """With matrices, of which a table may be made: three times as large as axis angles."""
    from scipy.spatial.transform import Rotation

    N = len(people.ids)
    said = {"frame": "camera", "body": "smpl-neutral", "licence": "CC0 1.0", "pixels": "continuous"}
    more = {"K": np.tile(K, (N, 1, 1)), "translation": people.trans, "betas": people.betas, "box": people.box}
    rotmat = Rotation.from_rotvec(people.pose.reshape(-1, 3)).as_matrix().reshape(N, 24, 3, 3)
    np.savez(folder / "table.npz", image=people.names, rotmat=rotmat, **more, **said)
    return f"table:{folder / 'table.npz'}"


def humandata(folder: Path, people: People) -> str:
    """SMPL with a translation, and SPIN's joints of the 190."""
    N, mask = len(people.ids), np.isin(np.arange(190), [*range(146, 153), 4, 5, 7, 8, 55, 57, 144, 145, *range(16, 22)])
    corner, side = people.box[:, :2] - people.box[:, 2:] / 2, people.box[:, 2:]
    smpl = {"global_orient": people.pose[:, :3], "body_pose": people.pose[:, 3:].reshape(N, 23, 3)}
    smpl |= {"betas": people.betas, "transl": people.trans}
    meta = {"focal_length": np.full((N, 2), FOCAL), "principal_point": np.tile(K[:2, 2], (N, 1))}
    more = {"smpl": smpl, "meta": meta, "keypoints2d_mask": mask, "config": "renbody", "image_path": people.names}
    more |= {"keypoints2d": np.zeros((N, mask.sum(), 3)), "__keypoints_compressed__": True}
    np.savez(folder / "humandata.npz", bbox_xywh=np.hstack([corner, side, side, np.ones((N, 1))]), **more)
    return f"humandata:{folder / 'humandata.npz'}"


WRITERS: dict[str, Callable[[Path, People], str]] = {
    function.__name__: function for function in (eft, neuralannot, cliff, camerahmr, hmr2, spin, npz, table, humandata)
}


def _apart(work: Callable[[], object]) -> None:
    """In a process of its own, whose memory goes with it."""
    process = Process(target=work)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"writing failed with {process.exitcode}")


def _asked(program: str, *arguments: str) -> Any:
    return json.loads(subprocess.check_output([sys.executable, "-c", program, *arguments]))


def measure(formats: list[str], persons: int, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each format, and beside EFT's the references."""

    def prepare() -> None:
        people = invent(persons)
        write_store(folder / "store.zarr", people)
        shuffled = people.take(np.random.default_rng(1).permutation(persons))
        for name in formats:
            (folder / f"{name}.txt").write_text(WRITERS[name](folder, shuffled))

    if not (folder / "store.zarr").exists():
        _apart(prepare)
    for name in formats:
        attached = folder / "attached.zarr"
        shutil.rmtree(attached, ignore_errors=True)
        shutil.copytree(folder / "store.zarr", attached, copy_function=lambda a, b: Path(b).hardlink_to(a))
        found = _asked(_ATTACH, str(attached), (folder / f"{name}.txt").read_text())
        shutil.rmtree(attached)
        if name == "eft":
            found["references"] = {
                "json": _asked(_JSON, str(folder / "eft.json")),
                "bodies": _asked(_BODIES, str(persons)),
            }
        yield name, found


def main() -> None:
    """Measure and keep; formats that are not asked for stay as they were."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=list(WRITERS), default=list(WRITERS))
    parser.add_argument("--persons", type=int, default=300_000)
    parser.add_argument("--folder", type=Path, help="where store and files are, or come to be; by default they pass")
    options = parser.parse_args()
    kept = RESULTS / "attach.json"
    results = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    results["what"] = "processor seconds and peak memory of attaching a file of fits to a store without crops"
    with tempfile.TemporaryDirectory(prefix="bench-attach-") as passing:
        folder = options.folder or Path(passing)
        folder.mkdir(exist_ok=True)
        for name, found in measure(options.only, options.persons, folder):
            results[name] = {"persons": options.persons, **found, "machine": machine()}
            write("attach", results)


if __name__ == "__main__":
    main()
