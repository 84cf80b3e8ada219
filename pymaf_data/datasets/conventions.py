"""How data sets list their joints: conventions that a manifest can name, and lists of a manifest's own.

Each joint of a list is one of J49's, by name, or is ignored because J49 has none that is the same joint:

    MPII16, LSP14, H36M17   as SPIN maps them: MPII's and LSP's hips are J24's hips, MPII's upper neck and Human3.6M's
                            thorax are ``neck_lsp``, Human3.6M's neck base is ``jaw_h36m``
    AIC14, CrowdPose14      the head is its top (``head_top_lsp``), the neck is ``neck_lsp``
    PoseTrack               ``head_top`` is ``head_top_lsp``; ``head_bottom`` is not the others' neck: ignored
    Halpe                   17 joints of COCO, head (its top), neck; middle of the hips, feet, face, hands ignored
    COCO-WholeBody          17 joints of COCO; feet, face, hands ignored, or absent as in the released file
    OpenPose18, 25          the half of J49 that OpenPose detects (``openpose:nose`` …), not the annotated one

Names are taken at their word: mmpose's example of Human3.6M calls the legs' sides the other way round, and has to be
listed joint by joint. Files spell joints in many ways; :func:`key` is what two spellings of one joint have in common.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property

from pymaf_data.geometry.joints import COCO17, H36M17, J24, J49, LSP14, MPII16, OPENPOSE, OPENPOSE25, Convention

_SIDES = {"l": "left", "r": "right", "left": "left", "right": "right"}


def key(name: str) -> str:
    """A joint's name without case, spaces, hyphens and underscores, its side in front and spelled out.

    ``Left Eye``, ``left-eye``, ``LEye``, ``eye_l`` → ``lefteye``.
    """
    spaced = re.sub(r"([a-z])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3 \2\4", name)
    words = [_SIDES.get(word, word) for word in re.findall(r"[^\W_]+", spaced.casefold())]
    return "".join(sorted(words, key=lambda word: word not in ("left", "right")))


def numbered(names: Sequence[str]) -> bool:
    """Whether names only count (``0`` … ``16``, ``point_1`` … ``point_17``), and so say no joint."""
    found = [re.fullmatch(r"(\D*)(\d{1,6})", name.strip()) for name in names]
    parts = [(match[1].casefold(), int(match[2])) for match in found if match]
    return len(parts) == len(names) and parts == [(parts[0][0], parts[0][1] + i) for i in range(len(parts))]


@dataclass(frozen=True)
class JointList:
    """The joints of a data set in the order of its files.

    Attributes:
        name: what manifests and messages call it.
        names: joints as the data set calls them.
        joints: the joint of J49 that each is; None for one that is ignored.
        spelled: further names under which files list a joint, by position.
        lengths: how many joints an annotation may have, where that is not the length of this list.
    """

    name: str
    names: tuple[str, ...]
    joints: tuple[str | None, ...]
    spelled: Mapping[int, Sequence[str]] = field(default_factory=dict)
    lengths: tuple[int, ...] = ()

    @cached_property
    def needed(self) -> int:
        """How many joints from the first on hold all that are not ignored."""
        return max(i for i, joint in enumerate(self.joints) if joint) + 1

    @cached_property
    def counts(self) -> frozenset[int]:
        """How many joints an annotation may have."""
        return frozenset(self.lengths or (len(self.names),))

    @cached_property
    def keys(self) -> tuple[frozenset[str], ...]:
        """For each joint, what its names have in common with what files call it."""
        return tuple(
            frozenset(key(text) for name in (own, *self.spelled.get(i, ())) for text in (name, _short(name)))
            for i, own in enumerate(self.names)
        )

    def fits(self, names: Sequence[str]) -> bool:
        """Whether names of a file are those of this list, from the first to the last joint that is not ignored."""
        pairs = zip(names[: self.needed], self.keys, strict=False)
        return len(names) >= self.needed and all(key(name) in known for name, known in pairs)


def _short(name: str) -> str:
    # In one lower-case word the side cannot be told from the rest: "lshoulder".
    return re.sub(r"^(l|r)(eft|ight)_", r"\1", name)


def _listed(
    name: str, convention: Convention, spelled: Mapping[str, str] | None = None, lengths: tuple[int, ...] = ()
) -> JointList:
    """A list of the joints of a convention; ``spelled`` has, by joint, other names with commas between."""
    known = set(J49.joints)
    return JointList(
        name,
        tuple(joint.removeprefix(OPENPOSE) for joint in convention.joints),
        tuple(joint if joint in known else None for joint in convention.joints),
        {convention.index(joint): names.split(",") for joint, names in (spelled or {}).items()},
        lengths,
    )


def _limb(side: str) -> tuple[str, ...]:
    return tuple(f"{side}_{part}" for part in ("shoulder", "elbow", "wrist"))


def _leg(side: str) -> tuple[str, ...]:
    return tuple(f"{side}_{part}" for part in ("hip", "knee", "ankle"))


_TOP, _NECK = "head_top,top_head,top_of_head,head", "neck,upper_neck"
_HEAD = {"head_top_lsp": _TOP, "neck_lsp": _NECK}

AIC14 = Convention(
    "AIC14", (*_limb("right"), *_limb("left"), *_leg("right"), *_leg("left"), "head_top_lsp", "neck_lsp")
)
CROWDPOSE14 = Convention("CrowdPose14", (*COCO17.joints[5:], "head_top_lsp", "neck_lsp"))
POSETRACK17 = Convention("PoseTrack", ("nose", "head_bottom", "head_top_lsp", *COCO17.joints[3:]))
WHOLEBODY23 = Convention(
    "COCO-WholeBody",
    (*COCO17.joints, *(f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel"))),
)
HALPE26 = Convention(
    "Halpe",
    (
        *COCO17.joints,
        *("head_top_lsp", "neck_lsp", "mid_hip"),
        *(f"{side}_{part}" for part in ("big_toe", "small_toe", "heel") for side in ("left", "right")),
    ),
)
#: OpenPose's model of COCO: BODY_25 without the middle of the hips and without feet.
OPENPOSE18 = Convention("OpenPose18", (*OPENPOSE25.joints[:8], *OPENPOSE25.joints[9:19]))

_H36M = {
    **{"pelvis_mpii": "pelvis,root,root_pelvis,hip", "spine_h36m": "spine", "neck_lsp": "thorax"},
    **{"jaw_h36m": "neck_base,neck_nose,neck,nose", "head_h36m": "head"},
    **{"left_ankle": "left_foot", "right_ankle": "right_foot"},
}

#: The conventions that a manifest can name.
CONVENTIONS = (
    _listed("COCO17", COCO17),
    _listed(
        "J24", J24, {"pelvis_mpii": "pelvis", "thorax_mpii": "thorax", "head_top_lsp": "head_top", "neck_lsp": _NECK}
    ),
    _listed("LSP14", LSP14, _HEAD),
    _listed("MPII16", MPII16, _HEAD | {"pelvis_mpii": "pelvis", "thorax_mpii": "thorax"}),
    _listed("H36M17", H36M17, _H36M),
    _listed("CrowdPose14", CROWDPOSE14, _HEAD),
    _listed("AIC14", AIC14, _HEAD),
    _listed("PoseTrack", POSETRACK17, {"head_top_lsp": "head_top", "head_bottom": _NECK}),
    _listed("Halpe", HALPE26, _HEAD, (26, 136)),
    _listed("COCO-WholeBody", WHOLEBODY23, {}, (17, 23, 133)),
    _listed("OCHuman", COCO17),
    _listed("OpenPose18", OPENPOSE18),
    _listed("OpenPose25", OPENPOSE25),
)


@cache  # readers ask for each person
def find(name: str) -> JointList | None:
    """The convention of a name; case and hyphens do not matter, a number of joints at its end may be left out."""
    bare = re.sub(r"\d+$", "", key(name))
    number = key(name).removeprefix(bare)
    exact = [known for known in CONVENTIONS if key(known.name) == key(name)]
    near = [known for known in CONVENTIONS if re.sub(r"\d+$", "", key(known.name)) == bare]
    chosen = exact or [known for known in near if not number or int(number) in known.counts]
    return chosen[0] if len(chosen) == 1 else None


def own_list(pairs: Iterable[tuple[str, str | None]]) -> JointList:
    """A manifest's own list: (name in the file, joint of J49 or None) in the file's order."""
    names, joints = zip(*pairs, strict=True)
    return JointList("the manifest's own list", names, joints)


def fitting(names: Sequence[str]) -> JointList | None:
    """The convention that a file with these names of joints has; of several, the one with most of them."""
    known = [known for known in CONVENTIONS if known.fits(names)]
    return max(known, key=lambda known: known.needed, default=None)


def way_out(names: Sequence[str], origin: str) -> str:
    """What to write for ``keypoints`` in a manifest, so that a file with these names of joints is read."""
    known = fitting(names)
    if known:
        return f"keypoints: {{convention: {known.name}, origin: {origin}}}"
    guessed = guesses(names)
    if not any(joint for _, joint in guessed):
        entry = f"{{name: {json.dumps(names[0])}, joint: …}}"
        return f"keypoints: {{origin: {origin}, joints: [{entry}, …]}}, for each its joint of J49 or null: ignored"
    entries = (f"{{name: {json.dumps(name)}, joint: {joint or 'null'}}}" for name, joint in guessed)
    return f"keypoints: {{origin: {origin}, joints: [{', '.join(entries)}]}}"


def of_count(count: int) -> list[str]:
    """Names of the conventions with so many joints."""
    return [known.name for known in CONVENTIONS if count in known.counts]


def guesses(names: Sequence[str]) -> list[tuple[str, str | None]]:
    """Each name with the joint of J24 that is called so, up to the last that has one."""
    known = next(known for known in CONVENTIONS if known.name == "J24")
    by_key = {text: joint for joint, texts in zip(known.joints, known.keys, strict=True) for text in texts}
    joints = [by_key.get(key(name)) for name in names]
    guessed = [
        (name, joint if joint not in joints[:i] else None)
        for i, (name, joint) in enumerate(zip(names, joints, strict=True))
    ]
    last = max((i for i, joint in enumerate(joints) if joint), default=len(joints) - 1)
    return guessed[: last + 1]
