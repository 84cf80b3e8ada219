"""Two thousand people of the generated world, their truth written in every format: what comes back, and what does not.

One to five people stand on an image, each image has a camera of its own. The worst pose and pixel of each format are
printed (``pytest -s``).
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pymaf_data.body import BodyModel
from pymaf_data.body.free import load_free_arrays
from pymaf_data.errors import FitError
from pymaf_data.fits.table import CAMERA, VIEW
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.storage import Store, open_store

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("free_as_neutral")]

N = 2000
SIZE = (640, 480)
MIRROR = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]


@pytest.fixture(scope="module")
def sample(factory: ModuleType, body: BodyModel) -> Any:
    """People with all 12 body keypoints, as ``factory.Known``; their images are not painted."""
    from pymaf_data.world.produce import single_thread
    from pymaf_data.world.scene import draw_scene

    rng, people, number = np.random.default_rng(15), [], 0
    with single_thread():
        while len(people) < N:
            scene, number = draw_scene(rng, body, SIZE, "train"), number + 1
            shown = zip(scene.people, scene.complete(), strict=True)
            people += [(number, scene.view.intrinsics, person) for person, complete in shown if complete]
    numbers, intrinsics, bodies = zip(*people[:N], strict=True)
    K, joints = np.stack(intrinsics), np.stack([one.joints49 for one in bodies])
    native = K @ np.stack([np.c_[np.eye(3), one.translation] for one in bodies])
    names, none = np.array([f"train2014/{number:012d}.jpg" for number in numbers]), np.zeros(N, np.uint8)
    persons = replace(factory.annotated(pixels(K, joints).round(2), joints), names=names)
    pose, betas = np.stack([one.pose for one in bodies]), np.stack([one.figure.betas for one in bodies])
    return factory.Known(persons, factory.Fits(pose, betas, native, none, none), joints)


def pixels(K: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(N, J, 2) where cameras (N, 3, 3) see points (N, J, 3)."""
    seen = points @ K.transpose(0, 2, 1)
    return seen[..., :2] / seen[..., 2:]


@pytest.fixture(scope="module")
def crowd(published: ModuleType, sample: Any) -> Any:
    """The sample as ``published.People``."""
    K, persons, truth = sample.truth.native[:, :, :3], sample.persons, sample.truth
    trans = np.linalg.solve(K, truth.native[:, :, 3:])[..., 0]
    columns = persons.names, persons.annotation_id, persons.box, truth.pose, truth.betas, K, trans
    return published.People(*columns, pixels(K, sample.joints[:, :44]))


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory, factory: ModuleType, sample: Any) -> Store:
    return factory.make_store(tmp_path_factory.mktemp("store") / "s.zarr", sample.persons, 512)


@pytest.fixture
def store(untouched: Store, tmp_path: Path) -> Path:
    return Path(shutil.copytree(untouched.path, tmp_path / "s.zarr"))


@pytest.fixture(scope="module")
def made(request: pytest.FixtureRequest, published: ModuleType) -> Any:
    """The factories by name, and the body."""
    names = ("factory", "eft", "spin", "cliff", "humandata", "bedlam", "npz", "up_3d", "threedoh50k", "body")
    return SimpleNamespace(published=published, **{name: request.getfixturevalue(name) for name in names})


# Writers: (made, people, folder) → the request of a file that the folder holds then.


def joints_of(body: BodyModel, people: Any) -> np.ndarray:
    """(M, 49, 3) camera-space metres."""
    turns = Rotation.from_rotvec(people.pose.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    posed = body.keypoints(torch.from_numpy(turns), torch.from_numpy(people.betas))[1].numpy()
    moved: np.ndarray = posed + people.trans[:, None]
    return moved


def rest_of(body: BodyModel, people: Any) -> np.ndarray:
    rest: np.ndarray = body.rest_joints(torch.from_numpy(people.betas))[:, 0].numpy()
    return rest


def truth(made: Any, people: Any, folder: Path) -> str:
    persons = SimpleNamespace(annotation_id=people.ids)
    native = np.concatenate([people.K, people.K @ people.trans[..., None]], 2)
    known = SimpleNamespace(persons=persons, truth=SimpleNamespace(native=native, pose=people.pose, betas=people.betas))
    return f"truth:{made.factory.write_truth(folder / 't.npz', known, BodyModel('smpl-neutral', load_free_arrays()))}"


def eft(made: Any, people: Any, folder: Path) -> str:
    joints, rest = joints_of(made.body, people), rest_of(made.body, people)
    entries = [
        made.eft.entry(people.box[i], people.pose[i], people.betas[i], joints[i], people.trans[i] + rest[i], rest[i],
                       people.K[i], imageName=people.names[i].split("/")[-1], annotId=int(people.ids[i]),
                       smpltype="smpl") for i in range(len(joints))
    ]  # fmt: skip
    return f"eft:{made.eft.write_eft(folder / 'e.json', entries)}"


def cliff(made: Any, people: Any, folder: Path) -> str:
    said = people.names, people.box, people.pose, people.betas, people.trans, SIZE, joints_of(made.body, people)[:, :24]
    return f"cliff:{made.cliff.write(folder / 'c.npz', *said, focal_l=people.K[:, 0, 0])}"


def spin(name: str) -> Callable[[Any, Any, Path], str]:
    def written(made: Any, people: Any, folder: Path) -> str:
        companion = made.spin.companion(folder / "set_train.npz", people.names, people.box[:, :2], people.box[:, 2])
        every = np.ones(len(people.names), bool)
        if name.endswith(".npy"):
            path = made.spin.static(folder / name, people.pose, people.betas)
        else:
            write = made.spin.multi_view if "mview" in name else made.spin.final
            path = write(folder / name, people.pose, people.betas, every)
        return f"spin:{path}:{companion}"

    return written


def npz(made: Any, people: Any, folder: Path) -> str:
    rows = [made.npz.person(name, box[:2], box[2] / 200) for name, box in zip(people.names, people.box, strict=True)]
    return f"npz:{made.npz.save(folder / 'coco_2014_train.npz', rows, pose=people.pose, shape=people.betas)}"


def hmr2_tars(made: Any, people: Any, folder: Path) -> str:
    return f"hmr2:{made.published.hmr2_tars(folder / 'tars', people)}"


def hmr2_npz(made: Any, people: Any, folder: Path) -> str:
    return f"hmr2:{made.published.hmr2_npz(folder / 'h.npz', people)}"


def up_3d(made: Any, people: Any, folder: Path) -> str:
    root = folder / "up-3d"
    root.mkdir()
    for i, number in enumerate(people.ids.tolist()):
        w, h = np.rint(2 * people.K[i, :2, 2]).astype(int).tolist()
        made.up_3d.save_body(
            root, number, people.pose[i], people.betas[i], people.trans[i], 2 * float(people.K[i, 0, 0])
        )
        made.up_3d.save_crop(root, number, 2 * h, 2 * w, (0, h), (0, w))  # fitted at twice the size
    return f"up-3d:{root}"


def threedoh50k(made: Any, people: Any, folder: Path) -> str:
    """Turned in a world whose unit is a part of a metre."""
    rest, entries = rest_of(made.body, people), {}
    for i, name in enumerate(people.names.tolist()):
        entry = made.threedoh50k.entry(0, np.random.default_rng(int(people.ids[i])))
        extri, scale = np.array(entry["extri"]), float(entry["scale"][0])
        R, T = extri[:3, :3], extri[:3, 3]
        root = Rotation.from_matrix(R.T) * Rotation.from_rotvec(people.pose[i, :3])
        trans = R.T @ (scale * (rest[i] + people.trans[i]) - T) - scale * rest[i]
        entries[str(i)] = entry | {
            "img_path": name.replace("/", "\\"), "trans": [trans.tolist()], "betas": [people.betas[i].tolist()],
            "pose": [[*root.as_rotvec().tolist(), *people.pose[i, 3:].tolist()]], "intri": people.K[i].tolist(),
            "bbox": (people.box[i, :2] + [[-20.0, -30.0], [20.0, 30.0]]).tolist(),
        }  # fmt: skip
    (folder / "annots.json").write_text(json.dumps(entries))
    return f"3doh50k:{folder / 'annots.json'}"


class Form(NamedTuple):
    """A format.

    Attributes:
        write: its writer.
        frame: from where roots are seen.
        camera: the kind of its camera.
        twice: whether it can say a person twice.
        beyond: share of the people whom no camera of this kind shows as they are: close, before a wide lens.
    """

    write: Callable[[Any, Any, Path], str]
    frame: int
    camera: str = "perspective"
    twice: bool = True
    beyond: float = 0.0


FORMS = {
    "truth": Form(truth, CAMERA, twice=False),
    "eft": Form(eft, VIEW, "orthographic", beyond=0.002),
    "cliff": Form(cliff, CAMERA),
    "spin static": Form(spin("coco_fits.npy"), VIEW, "none", beyond=0.001),
    "spin final": Form(spin("coco.npz"), VIEW, "none", beyond=0.001),
    "spin mview": Form(
        spin("mpi-inf-3dhp_mview_fits.npz"), CAMERA, "none", beyond=0.06
    ),  # roots before a lens that is not known
    "npz": Form(npz, VIEW, "none", beyond=0.001),
    "hmr2 tars": Form(hmr2_tars, VIEW, "none", beyond=0.001),
    "hmr2 npz": Form(hmr2_npz, VIEW, "none", beyond=0.001),
    "camerahmr": Form(lambda made, people, to: f"camerahmr:{made.published.camera_hmr(to / 'a.npz', people)}", CAMERA),
    "neuralannot": Form(
        lambda made, people, to: f"neuralannot:{made.published.neural_annot(to / 'a.json', people)}",
        CAMERA,
        twice=False,
    ),
    "humandata": Form(lambda made, people, to: f"humandata:{made.humandata.placed(to / 'a.npz', people)}", CAMERA),
    "bedlam": Form(lambda made, people, to: f"bedlam:{made.bedlam.scene(to / 'a.npz', people)}", CAMERA),
    "agora": Form(lambda made, people, to: f"bedlam:{made.bedlam.scene(to / 'a.npz', people, agora=True)}", CAMERA),
    "tokenhmr": Form(lambda made, people, to: f"tokenhmr:{made.bedlam.token_hmr(to / 'a.tar', people)}", CAMERA),
    "table": Form(lambda made, people, to: f"table:{made.published.table(to / 'a.npz', people)}", CAMERA),
    "up-3d": Form(up_3d, CAMERA, twice=False),
    "3doh50k": Form(threedoh50k, CAMERA),
}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Form:
    return FORMS[request.param]


def attach(store: Path, form: Form, made: Any, people: Any, folder: Path) -> Any:
    """Write and attach; who knew nothing but the crop saw roots along its ray."""
    if form.frame == VIEW and form.camera == "none":
        people = people._replace(pose=roots_along_rays(people))
    request = form.write(made, people, folder)
    return attach_fits(AttachOptions(store=store, fits=(f"fits={request}",))).sources[0]


def turns_of_rays(people: Any) -> Rotation:
    """N least turns that take the rays of crops to the axis."""
    rays = np.linalg.solve(people.K, np.insert(people.box[:, :2], 2, 1, 1)[..., None])[..., 0]
    axis = np.cross(rays / np.linalg.norm(rays, axis=1, keepdims=True), [0.0, 0.0, 1.0])
    sine = np.linalg.norm(axis, axis=1, keepdims=True)
    return Rotation.from_rotvec(axis / sine * np.arcsin(sine))


def roots_along_rays(people: Any) -> np.ndarray:
    """(N, 72) poses as who knew nothing but the crop sees them."""
    root = turns_of_rays(people) * Rotation.from_rotvec(people.pose[:, :3])
    return np.hstack([root.as_rotvec(), people.pose[:, 3:]])


def along_rays(people: Any, points: np.ndarray, rest: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, J, 3) of bodies so turned about their roots (N, 3), and where s·X + t meets pixels closest."""
    R = turns_of_rays(people).as_matrix()
    turned = (points - rest[:, None]) @ R.transpose(0, 2, 1) + rest[:, None]
    X, middle = turned[..., :2], seen.mean(1, keepdims=True)
    flat = X - X.mean(1, keepdims=True)
    scale = (flat * (seen - middle)).sum((1, 2)) / (flat**2).sum((1, 2))
    return turned, scale[:, None, None] * flat + middle


def test_the_truth_comes_back(
    request: pytest.FixtureRequest, form: Form, made: Any, sample: Any, crowd: Any, store: Path, tmp_path: Path
) -> None:
    """In any order; where the format allows it, a quarter of the persons stand there twice."""
    rows = np.random.default_rng(0).permutation([*range(N), *range(N // 4 if form.twice else 0)])
    report = attach(store, form, made, crowd.take(rows), tmp_path)
    beyond, opened = N - report.valid, open_store(store)
    assert report.proved and beyond <= form.beyond * N
    assert report.without == ({"reprojection too large": beyond} if beyond else {})
    valid = opened.array("fits/fits/valid")[:]
    pose, betas, native, frame, residual = (
        opened.array(f"fits/fits/{key}")[:][valid] for key in ("pose", "betas", "native", "frame", "weak_residual")
    )
    people, joints = crowd.take(valid), sample.joints[valid]
    written = roots_along_rays(people) if form.frame == VIEW else people.pose
    turns = [Rotation.from_rotvec(each.reshape(-1, 3)) for each in (pose, written)]
    angle = (turns[0].inv() * turns[1]).magnitude().max()
    assert angle < 1e-4 and np.abs(betas - people.betas).max() < 1e-5
    assert {*frame.tolist()} == {form.frame}
    assert opened.current("fits/fits").attributes["native_kind"] == form.camera
    assert np.isfinite(residual).all() and report.weak_residual.maximum == pytest.approx(residual.max())
    apart = 0.0
    if form.camera == "none":
        assert not native.any()
    else:
        points, seen = joints - people.trans[:, None], pixels(people.K, joints)
        if form.camera == "orthographic":
            points, seen = along_rays(people, points, rest_of(made.body, people), seen)
        found = np.pad(points, ((0, 0), (0, 0), (0, 1)), constant_values=1) @ native.transpose(0, 2, 1)
        apart = np.linalg.norm(found[..., :2] / found[..., 2:] - seen, axis=-1).max()
        assert apart < 0.05
    if form.camera == "perspective":
        assert report.reprojection.maximum < 0.1  # of the view; keypoints are rounded to hundredths
    name = request.node.callspec.id
    spread = f"{np.median(residual):.1f}, at most {residual.max():.1f}"
    print(f"\n{name:12} pose {angle:.1e} rad, {apart:.4f} px, π residual {spread}; beyond {beyond}")


def test_bodies_of_mhr_come_back(
    mhr: Any, body: BodyModel, sam3dbody: ModuleType, crowd: Any, store: Path, tmp_path: Path
) -> None:
    """Vertices of SAM 3D Body: what is left of the conversion, and how far turns are from those that were posed."""
    assets, up = mhr
    images: dict[str, list[Any]] = {}
    for first in range(0, N, 100):
        part = crowd.take(slice(first, first + 100))
        rotations = torch.from_numpy(Rotation.from_rotvec(part.pose.reshape(-1, 3)).as_matrix()).reshape(-1, 24, 3, 3)
        posed = body.mesh(rotations, torch.from_numpy(part.betas)).numpy()
        for name, *said, vertices in zip(part.names.tolist(), part.box, part.trans, part.K, posed, strict=True):
            box, trans, K = said
            images.setdefault(name, []).append(sam3dbody.person(box, up @ vertices, trans, K))
    request = f"fits=sam3dbody:{sam3dbody.stacked(tmp_path / 'out', images)}"
    report = attach_fits(AttachOptions(store=store, fits=(request,), assets=assets)).sources[0]
    assert (report.proved, report.valid, report.without) == (True, N, {})
    pose = open_store(store).array("fits/fits/pose")[:]
    turns = [Rotation.from_rotvec(each.reshape(-1, 3)) for each in (pose, crowd.pose)]
    angles = np.degrees((turns[0].inv() * turns[1]).magnitude())
    print(f"\nsam3dbody    {report.conversion}, {np.median(angles):.3f}°, at most {angles.max():.2f}°")
    assert report.conversion.p95[0] < 2 and np.quantile(angles, 0.99) < 1 and report.reprojection.maximum < 1


def test_who_is_missing_or_said_otherwise_has_none(
    form: Form, made: Any, crowd: Any, store: Path, tmp_path: Path
) -> None:
    """Every second person is missing; ten are there twice, in two poses."""
    half = crowd.take(slice(0, None, 2))
    if form.twice:
        other = half.take(slice(10))
        other = other._replace(pose=np.hstack([other.pose[:, :3], other.pose[:, 3:] + 0.2]))
        half = type(half)(*(np.concatenate(both) for both in zip(half, other, strict=True)))
    report = attach(store, form, made, half, tmp_path)
    twice = 10 * form.twice
    assert report.without.pop("no fit in the source") == N // 2 + twice
    assert N // 2 - twice - report.valid == sum(report.without.values()) <= form.beyond * N
    found = np.flatnonzero(open_store(store).array("fits/fits/valid")[:])
    assert np.isin(found, np.arange(2 * twice, N, 2)).all()


FAULTS = {  # what is done to a file, and what is said of it
    "shifted": r"rows look shifted by 1: otherwise",
    "shuffled": r"rows look shuffled: others' fits lie no farther",
    "mirrored": r"bodies look mirrored: otherwise",
    "half the size": r"images look scaled by 2\.00: otherwise|those of this store look scaled by 2\.00",
    "foreign": r"holds none of the persons",
}


def faulty(fault: str, people: Any) -> Any:
    if fault in ("shifted", "shuffled"):  # all but the names of persons
        rows = np.roll(np.arange(N), 1) if fault == "shifted" else np.random.default_rng(1).permutation(N)
        return people.take(rows)._replace(names=people.names, ids=people.ids, box=people.box)
    if fault == "mirrored":
        pose = people.pose.reshape(-1, 24, 3)[:, MIRROR] * [1, -1, -1]
        return people._replace(pose=pose.reshape(-1, 72))
    if fault == "half the size":
        K = people.K * np.array([0.5, 0.5, 1])[:, None]
        return people._replace(box=people.box / 2, K=K, joints=people.joints / 2)
    return people._replace(names=np.char.replace(people.names, "/", "/other"), ids=people.ids + 1_000_000)


@pytest.mark.parametrize("fault", FAULTS)
def test_files_of_others_are_refused_and_say_what_they_look_like(
    fault: str, form: Form, untouched: Store, made: Any, crowd: Any, tmp_path: Path
) -> None:
    with pytest.raises(FitError) as refused:
        attach(untouched.path, form, made, faulty(fault, crowd), tmp_path)
    assert re.search(FAULTS[fault], str(refused.value)), str(refused.value)
    assert not open_store(untouched.path).has("fits/fits")
