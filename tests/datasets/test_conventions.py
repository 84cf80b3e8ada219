"""Lists of joints against the index lists of the published code, and spellings that tools use for them."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from pymaf_data.datasets import Manifest, Raw, Selection, load_manifest, select
from pymaf_data.datasets import conventions as known
from pymaf_data.datasets.conventions import CONVENTIONS, find, key, numbered
from pymaf_data.errors import ConfigError, RawDataCorrupt
from pymaf_data.geometry.joints import COCO17, J49, index_map

# For each joint its place in J49, −1 where J49 has none. COCO, MPII, H36M, LSP: SPIN's lists in J24, moved by 25.
# OpenPose: its own numbering of BODY_25. The others by hand, from the data sets' descriptions.
BODY = [25 + i for i in (19, 20, 21, 22, 23, 9, 8, 10, 7, 11, 6, 3, 2, 4, 1, 5, 0)]
PLACES: dict[str, list[int]] = {
    "COCO17": BODY,
    "OCHuman": BODY,
    "J24": list(range(25, 49)),
    "LSP14": list(range(25, 39)),
    "MPII16": [25 + i for i in (0, 1, 2, 3, 4, 5, 14, 15, 12, 13, 6, 7, 8, 9, 10, 11)],
    "H36M17": [25 + i for i in (14, 3, 4, 5, 2, 1, 0, 16, 12, 17, 18, 9, 10, 11, 8, 7, 6)],
    "CrowdPose14": [34, 33, 35, 32, 36, 31, 28, 27, 29, 26, 30, 25, 38, 37],
    "AIC14": [33, 32, 31, 34, 35, 36, 27, 26, 25, 28, 29, 30, 38, 37],
    "PoseTrack": [44, -1, 38, *BODY[3:]],
    "Halpe": [*BODY, 38, 37, *[-1] * 7],
    "COCO-WholeBody": [*BODY, *[-1] * 6],
    "OpenPose18": [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18],
    "OpenPose25": list(range(25)),
}
COUNTS = {"Halpe": {26, 136}, "COCO-WholeBody": {17, 23, 133}}

# As the categories of published files (mmpose's converted ones, FiftyOne's and CVAT's skeletons) list them.
_LISTS = {
    "H36M17": "root (pelvis),left_hip,left_knee,left_foot,right_hip,right_knee,right_foot,spine,thorax,neck_base,"
    "head,left_shoulder,left_elbow,left_wrist,right_shoulder,right_elbow,right_wrist",
    "MPII16": "Right-ankle,Right-knee,Right-hip,Left-hip,Left-knee,Left-ankle,Pelvis,Thorax,Upper-neck,Head-top,"
    "Right-wrist,Right-elbow,Right-shoulder,Left-shoulder,Left-elbow,Left-wrist",
    "AIC14": "Right Shoulder,Right Elbow,Right Wrist,Left Shoulder,Left Elbow,Left Wrist,Right Hip,Right Knee,"
    "Right Ankle,Left Hip,Left Knee,Left Ankle,Head top,Neck",
    "CrowdPose14": "left_shoulder,right_shoulder,left_elbow,right_elbow,left_wrist,right_wrist,left_hip,right_hip,"
    "left_knee,right_knee,left_ankle,right_ankle,head,neck",
    "PoseTrack": "nose,head_bottom,head_top,left_ear,right_ear,left_shoulder,right_shoulder,left_elbow,right_elbow,"
    "left_wrist,right_wrist,left_hip,right_hip,left_knee,right_knee,left_ankle,right_ankle",
    "Halpe": "Nose,LEye,REye,LEar,REar,LShoulder,RShoulder,LElbow,RElbow,LWrist,RWrist,LHip,RHip,LKnee,RKnee,"
    "LAnkle,RAnkle,Head,Neck,Hip,LBigToe,RBigToe,LSmallToe,RSmallToe,LHeel,RHeel",
    "OpenPose18": "Nose,Neck,RShoulder,RElbow,RWrist,LShoulder,LElbow,LWrist,RHip,RKnee,RAnkle,LHip,LKnee,LAnkle,"
    "REye,LEye,REar,LEar,Background",
    "OpenPose25": "Nose,Neck,RShoulder,RElbow,RWrist,LShoulder,LElbow,LWrist,MidHip,RHip,RKnee,RAnkle,LHip,LKnee,"
    "LAnkle,REye,LEye,REar,LEar,LBigToe,LSmallToe,LHeel,RBigToe,RSmallToe,RHeel",
}
FILES = {name: text.split(",") for name, text in _LISTS.items()}


def manifest(root: Path, keypoints: dict[str, Any]) -> Manifest:
    """COCO's, with other keypoints, read back from a file."""
    content = load_manifest("coco").model_dump(mode="json") | {"keypoints": keypoints, "default_selection": "any"}
    content["selections"] = {"any": {"title": "any", "requires": []}}
    path = root / "mine.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return load_manifest(path)


def read(made: Any, mine: Manifest) -> Selection:
    return select(Raw(made.root, mine, "train"))


def listed(coco: ModuleType, root: Path, names: list[str], count: int) -> Any:
    """A set of one person with ``count`` joints in a row, whose category lists ``names``."""
    made = coco.CocoSet(root)
    person = made.person(made.picture(320, 240), bbox=[20.0, 20.0, 280.0, 200.0])
    person["keypoints"] = [number for i in range(count) for number in (30 + i, 40 + i, 2)]
    made.categories[0]["keypoints"] = names
    return made.save()


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda convention: convention.name)
def test_every_joint_is_the_one_of_the_published_lists(convention: known.JointList) -> None:
    places = [J49.index(joint) if joint else -1 for joint in convention.joints]
    assert places == PLACES[convention.name]
    assert convention.counts == COUNTS.get(convention.name, {len(places)})


def test_the_shipped_conventions_mirror() -> None:
    for convention in (known.AIC14, known.CROWDPOSE14, known.POSETRACK17, known.HALPE26, known.WHOLEBODY23):
        flip = convention.flip_permutation
        assert flip[flip].tolist() == list(range(len(convention)))
        middle = [joint for i, joint in enumerate(convention.joints) if flip[i] == i]
        assert not any("left" in joint or "right" in joint for joint in middle)
        moved = index_map(J49, convention)
        assert (J49.flip_permutation[moved[moved >= 0]] == moved[flip][moved >= 0]).all()


@pytest.mark.parametrize("name", FILES)
def test_files_in_use_are_read_by_their_convention(name: str, coco: ModuleType, tmp_path: Path) -> None:
    names, places = FILES[name], PLACES[name]
    count = len(places)
    made = listed(coco, tmp_path, names, count)
    (record,) = read(made, manifest(tmp_path, {"convention": name, "origin": "continuous"})).records
    assert record.keypoints == {J49.joints[at]: (30.0 + i, 40.0 + i, 2) for i, at in enumerate(places) if at >= 0}


@pytest.mark.parametrize("name", FILES)
def test_no_convention_takes_the_file_of_another(name: str) -> None:
    """But those whose joints come first in it: Halpe's are COCO's and more."""
    takers = {other.name for other in CONVENTIONS if other.fits(FILES[name])}
    assert takers == {name} | ({"COCO17", "OCHuman", "COCO-WholeBody"} if name == "Halpe" else set())


@pytest.mark.parametrize(
    ("name", "count"), [("Halpe", 26), ("Halpe", 136), ("COCO-WholeBody", 17), ("COCO-WholeBody", 133)]
)
def test_faces_and_hands_may_follow_or_not(name: str, count: int, coco: ModuleType, tmp_path: Path) -> None:
    made = listed(coco, tmp_path, [], count)
    made.annotations[0]["keypoints"][77::3] = [0.87] * len(made.annotations[0]["keypoints"][77::3])  # scores of a face
    (record,) = read(made.save(), manifest(tmp_path, {"convention": name, "origin": "index"})).records
    assert len(record.keypoints) == sum(place >= 0 for place in PLACES[name])
    assert record.keypoints["right_ankle"] == (46.5, 56.5, 2)


@pytest.mark.parametrize(
    "spelled",
    [
        lambda name: name.replace("_", " "),
        lambda name: name.title().replace("_", "-"),
        lambda name: name.upper(),
        lambda name: name.replace("left_", "L").replace("right_", "R"),
        lambda name: name.replace("left_", "l_").replace("right_", "r_"),
        lambda name: name.replace("left_", "l").replace("right_", "r"),
        lambda name: "_".join(reversed(name.split("_"))),
        lambda name: "".join(word.title() for word in name.split("_")),
        lambda name: f" {name} ",
    ],
    ids=["spaces", "Left-Eye", "LEFT_EYE", "Leye", "l_eye", "leye", "eye_left", "LeftEye", "blanks"],
)
def test_spellings_of_coco(spelled: Any, coco: ModuleType, tmp_path: Path) -> None:
    made = listed(coco, tmp_path, [spelled(name) for name in COCO17.joints], 17)
    assert read(made, manifest(tmp_path, {"convention": "COCO17", "origin": "index"})).kept == 1


@pytest.mark.parametrize(
    "names",
    [[], None, [str(i) for i in range(17)], list(range(1, 18)), [f"point_{i}" for i in range(17)], "nose, left_eye"],
    ids=["empty", "null", "0 to 16", "1 to 17", "point_0", "text"],
)
def test_joints_that_are_not_named_are_in_the_order_of_the_manifest(
    names: Any, coco: ModuleType, tmp_path: Path
) -> None:
    made = listed(coco, tmp_path, names, 17)
    (record,) = read(made, manifest(tmp_path, {"convention": "COCO17", "origin": "index"})).records
    assert record.keypoints["left_eye"] == (31.5, 41.5, 2)


@pytest.mark.parametrize("count", [17, 21])
def test_of_a_longer_list_the_first_joints_are_the_convention(count: int, coco: ModuleType, tmp_path: Path) -> None:
    """Human-Art names 21 joints; its annotations have 17, those of its other key 21."""
    names = [*COCO17.joints, "left_finger", "right_finger", "left_toe", "right_toe"]
    made = listed(coco, tmp_path, names, count)
    (record,) = read(made, manifest(tmp_path, {"convention": "COCO17", "origin": "index"})).records
    assert set(record.keypoints) == set(COCO17.joints)
    made = listed(coco, tmp_path / "more", names, 19)
    assert read(made, manifest(tmp_path, {"convention": "COCO17", "origin": "index"})).counts == {"malformed": 1}


@pytest.mark.parametrize(
    "names",
    [
        list(reversed(COCO17.joints)),
        COCO17.joints[:16],
        [str(i) for i in reversed(range(17))],
        ["鼻", *COCO17.joints[1:]],
        [None, *COCO17.joints[1:]],
        ["left_eye", "nose", *COCO17.joints[2:]],
        ["left_nose", *COCO17.joints[1:]],
        ["nose", "right_eye", "left_eye", *COCO17.joints[3:]],
    ],
    ids=["reversed", "16", "counting down", "Chinese", "null", "two swapped", "a side more", "sides swapped"],
)
def test_other_joints_are_refused(names: list[Any], coco: ModuleType, tmp_path: Path) -> None:
    made = listed(coco, tmp_path, names, 17)
    with pytest.raises(RawDataCorrupt, match="COCO17"):
        read(made, manifest(tmp_path, {"convention": "COCO17", "origin": "index"}))


_OTHERS = {
    "AP-10K": "left_eye,right_eye,nose,neck,root_of_tail,left_shoulder,left_elbow,left_front_paw,right_shoulder,"
    "right_elbow,right_front_paw,left_hip,left_knee,left_back_paw,right_hip,right_knee,right_back_paw",
    "JHMDB": "neck,belly,head,right_shoulder,left_shoulder,right_hip,left_hip,right_elbow,left_elbow,right_knee,"
    "left_knee,right_wrist,left_wrist,right_ankle,left_ankle",
}
OTHERS = {name: text.split(",") for name, text in _OTHERS.items()}
OTHERS["quotes"] = ['"nose"', "nose: tip", "neck", "upper_neck", "{left} eye"]


@pytest.mark.parametrize("names", [*FILES.values(), *OTHERS.values()], ids=[*FILES, *OTHERS])
def test_the_advice_of_a_refusal_leads_to_a_manifest_that_reads_the_file(
    names: list[str], coco: ModuleType, tmp_path: Path
) -> None:
    made = listed(coco, tmp_path, names, len(names))
    try:
        read(made, manifest(tmp_path, {"convention": "J24", "origin": "index"}))
    except RawDataCorrupt as error:
        advice = yaml.safe_load(error.action.splitlines()[-1])
    mine = manifest(tmp_path, advice["keypoints"])
    if "joints" in advice["keypoints"]:  # the guess is to be looked over; it is no dead end
        assert {entry["name"]: entry["joint"] for entry in advice["keypoints"]["joints"]}.items() >= {
            (name, key_of) for name, key_of in (("left_hip", "left_hip"), ("root_of_tail", None)) if name in names
        }
    assert read(made, mine).kept == 1


def test_a_manifest_lists_joints_of_its_own(coco: ModuleType, tmp_path: Path) -> None:
    joints = [
        {"name": "鼻", "joint": "nose"},
        {"name": "tail", "joint": None},
        {"name": "Hand (left)", "joint": "left_wrist"},
        {"name": "toe", "joint": "openpose:left_big_toe"},
    ]
    mine = manifest(tmp_path, {"joints": joints, "origin": "index"})
    made = listed(coco, tmp_path, ["鼻", "Tail", "left hand", "TOE"], 4)
    (record,) = read(made, mine).records
    assert record.keypoints == {
        "nose": (30.5, 40.5, 2),
        "left_wrist": (32.5, 42.5, 2),
        "openpose:left_big_toe": (33.5, 43.5, 2),
    }
    with pytest.raises(RawDataCorrupt):
        read(listed(coco, tmp_path / "b", ["目", "Tail", "left hand", "TOE"], 4), mine)


@pytest.mark.parametrize(
    ("keypoints", "message"),
    [
        ({"origin": "index"}, "convention.*joints"),
        ({"origin": "index", "convention": "COCO17", "joints": [{"name": "a", "joint": "nose"}]}, "one of both"),
        ({"origin": "index", "joints": [{"name": "a", "joint": "noze"}]}, "J49 has no joint 'noze'; it has .*nose"),
        ({"origin": "index", "joints": [{"name": "a"}]}, "joint: Field required"),
        ({"origin": "index", "joints": [{"name": "a", "joint": None}]}, "no joint of J49"),
        ({"origin": "index", "joints": [{"name": n, "joint": "nose"} for n in "ab"]}, "twice"),
        ({"origin": "index", "joints": [{"name": "a", "joint": "nose", "side": 1}]}, "side"),
        ({"origin": "index", "joints": ["nose"]}, r"joints\.0"),
        ({"origin": "index", "convention": "OpenPose"}, "OpenPose18, OpenPose25"),
        ({"origin": "index", "convention": ""}, "known: COCO17"),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else "",
)
def test_a_wrong_list_is_named(keypoints: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        manifest(tmp_path, keypoints)


def test_a_convention_is_found_by_its_name_however_written() -> None:
    for name, found in {
        **{"coco": "COCO17", "COCO-17": "COCO17", "crowdpose": "CrowdPose14", "CrowdPose14": "CrowdPose14"},
        **{"halpe136": "Halpe", "Halpe26": "Halpe", "coco_wholebody": "COCO-WholeBody", "AIC": "AIC14"},
        **{"COCO WholeBody 133": "COCO-WholeBody", "openpose25": "OpenPose25", "h36m": "H36M17", "MPII": "MPII16"},
    }.items():
        assert getattr(find(name), "name", None) == found
    assert not [name for name in ("OpenPose", "COCO18", "Halpe27", "17", "", "nobody") if find(name)]


def test_keys_keep_apart_what_differs() -> None:
    assert key("LEye") == key("eye (left)") == key("left__EYE") != key("REye")
    assert len({key(joint) for joint in J49.joints}) == len(J49)
    assert numbered(["7", "8"]) and not numbered(["8", "7"]) and not numbered(["a1", "b2"]) and not numbered(["1", "x"])
