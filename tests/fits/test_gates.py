"""The rule of the choice: preference, gates, a human's verdicts; and what becomes of whom it leaves without a fit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from pymaf_data.body import BodyModel
from pymaf_data.cli.app import app
from pymaf_data.digest import digest_json
from pymaf_data.errors import ConfigError, UsageError
from pymaf_data.fits.choice import REASONS, decide
from pymaf_data.fits.chosen import ChosenReader
from pymaf_data.fits.corrections import Corrections, Verdicts, read_corrections, verdicts_on
from pymaf_data.fits.plausibility import judge
from pymaf_data.fits.reprojection import measure
from pymaf_data.fits.rule import ChooseOptions, Rule
from pymaf_data.geometry.cameras import Camera
from pymaf_data.geometry.rle import encode_mask
from pymaf_data.geometry.rotations import axis_angle_to_matrix
from pymaf_data.loader import LoaderOptions
from pymaf_data.loader.labels import read_labels
from pymaf_data.loader.persons import persons
from pymaf_data.render.atlas import load_atlas
from pymaf_data.render.raster import rasterize
from pymaf_data.stages.attach_fits import AttachOptions, attach_fits
from pymaf_data.stages.told import attach_lines
from pymaf_data.storage import Store, open_store

GATES = {
    "reprojection": 10.0,
    "mask_iou": 0.5,
    "betas": 3.0,
    "beyond_limits": 15.0,
    "pose_prior": 2.0,
    "mirrored": 0.5,
    "scale": 1.2,
}
NAMES = ("a", "b", "c")


def slowly(rule: Rule, fits: list[dict[str, float]], verdicts: dict[int, str]) -> tuple[int, set[int]]:
    """(source, those rejected) of one person, fit by fit: −1 where there is none. −1 in ``verdicts`` speaks of all."""
    rejected = set()
    for k, fit in enumerate(fits):
        beyond = [
            (fit[gate] < limit) if gate == "mask_iou" else (fit[gate] > limit)
            for gate, limit in rule.gates.items()
            if np.isfinite(fit[gate])
        ]
        word = verdicts.get(k, verdicts.get(-1, ""))
        word = verdicts.get(-1, "") if word == "prefer" else word
        if fit["valid"] and (word == "drop" or (any(beyond) and word != "keep")):
            rejected.add(k)
    for k, word in verdicts.items():
        if word == "prefer" and fits[k]["valid"]:
            return k, rejected
    left = [k for k in range(len(fits)) if fits[k]["valid"] and k not in rejected]
    for name in rule.prefer:
        if NAMES.index(name) in left:
            return NAMES.index(name), rejected
    return min(left, key=lambda k: (fits[k]["reprojection"], k), default=-1), rejected


VALUES = {"reprojection": [0.0, 10.0, 11.0, np.inf], "mask_iou": [0.4, 0.5, np.nan]} | {
    name: [0.0, GATES[name], GATES[name] + 1] for name in ("betas", "beyond_limits", "pose_prior", "mirrored", "scale")
}


@settings(max_examples=60)
@given(st.data())
def test_the_choice_is_what_going_through_the_fits_one_by_one_gives(data: st.DataObject) -> None:
    rule = Rule(
        prefer=tuple(data.draw(st.lists(st.sampled_from(NAMES), unique=True))),
        **{name: limit for name, limit in GATES.items() if data.draw(st.booleans())},
    )
    person = st.fixed_dictionaries(
        {"valid": st.booleans()} | {name: st.sampled_from(values) for name, values in VALUES.items()}
    )
    people = data.draw(st.lists(st.lists(person, min_size=3, max_size=3), min_size=1, max_size=4))
    words = st.dictionaries(st.integers(-1, 2), st.sampled_from(["keep", "drop"]))
    said = [data.draw(words) for _ in people]
    for verdicts in said:
        if data.draw(st.booleans()):
            verdicts[data.draw(st.integers(0, 2))] = "prefer"
    measures = {name: np.array([[fits[k][name] for fits in people] for k in range(3)]) for name in people[0][0]}
    entries = sorted((row, k, word) for row, verdicts in enumerate(said) for k, word in verdicts.items())
    found = decide(rule, NAMES, measures, Verdicts(tuple(entries)))
    plainly = decide(Rule(prefer=rule.prefer), NAMES, measures)
    for row, fits in enumerate(people):
        source, rejected = slowly(rule, fits, said[row])
        assert found.source[row] == source
        assert set(np.flatnonzero(found.rejected[:, row]).tolist()) == rejected
        first, why = plainly.source[row], REASONS[found.reason[row]]
        assert (why == "no valid fit") == (first == -1)
        assert (why == "") == (source == first != -1)
        if why not in ("", "no valid fit"):
            assert (why == "another preferred by a correction") == (first not in rejected)
    preferred = {row for row, k, word in entries if word == "prefer" and not people[row][k]["valid"]}
    assert set(found.unfollowed.tolist()) == preferred


def test_each_gate_has_its_reason() -> None:
    usual = dict(zip(GATES, (1.0, 0.9, 1.0, 0.0, 1.0, -3.0, 1.1), strict=True))
    bad = dict(zip(GATES, (11.0, 0.4, 3.1, 16.0, 2.1, 0.6, 1.3), strict=True))
    for gate, said in zip(
        GATES, ("reprojection", "silhouette", "shape", "joints", "pose", "mirror", "scale"), strict=True
    ):
        measures = {name: np.array([[bad[gate] if name == gate else value]]) for name, value in usual.items()}
        found = decide(Rule(**GATES), ("a",), measures | {"valid": np.array([[True]])})
        assert found.source == -1 and REASONS[found.reason[0]].startswith(said)


def test_rules_of_before_keep_their_names() -> None:
    sources = {"a": "0" * 64, "b": "1" * 64}
    for rule, prefer in ((Rule(), None), (Rule(prefer=("a",)), "a")):
        said = {"method": 1, "rule": {"prefer": prefer}, "sources": sources}
        assert rule.generation(sources) == digest_json(said)
    assert Rule(prefer=("a",)).attributes(sources)["rule"] == "a where valid, else lowest reprojection among valid fits"
    others = [Rule(prefer=("a", "b")), Rule(prefer=("b", "a")), Rule(betas=3), Rule(betas=0), Rule(pose_prior=3)]
    names = {rule.generation(sources) for rule in others} | {Rule().generation(sources, "2" * 64)}
    assert len(names) == 6 and Rule().generation(sources) not in names


def written(path: Path, *verdicts: Any) -> Path:
    path.write_text(json.dumps({"corrections": 1, "verdicts": verdicts}))
    return path


def said(verdict: str, source: str | None = None, image: Any = "a.jpg", annotation: Any = 1, **more: Any) -> dict:
    return {"image": image, "annotation": annotation, "verdict": verdict, "source": source} | more


@pytest.mark.parametrize(
    "verdicts",
    [
        [said("keep", "a"), said("drop", "a")],
        [said("prefer", "a"), said("prefer", "b")],
        [said("prefer", "a"), said("drop", "a")],
        [said("prefer")],
        [said("perhaps", "a")],
        [said("drop", image=3)],
        [said("drop", annotation="x")],
        [said("drop", extra=1)],
        ["drop"],
    ],
)
def test_verdicts_that_cannot_be_followed_are_refused(tmp_path: Path, verdicts: list[Any]) -> None:
    with pytest.raises(ConfigError):
        read_corrections(written(tmp_path / "c.json", *verdicts))


def test_files_that_are_no_corrections(tmp_path: Path) -> None:
    for text in ("", "[]", "{}", '{"corrections": 2, "verdicts": []}', "[" * 100_000, '{"corrections": 1}'):
        (tmp_path / "c.json").write_text(text)
        with pytest.raises(ConfigError):
            read_corrections(tmp_path / "c.json")
    with pytest.raises(ConfigError):
        read_corrections(tmp_path / "none.json")


def test_what_verdicts_say_names_the_choice_and_not_how_they_stand_in_the_file() -> None:
    rows, sources = [("a.jpg", 1), ("a.jpg", 2), ("b.jpg", 1)], {"a": "0", "b": "1"}

    def found(*verdicts: dict) -> tuple[Verdicts, str]:
        return verdicts_on(Corrections.parse({"corrections": 1, "verdicts": verdicts}, "c"), rows, sources)

    mine = [said("drop", "b"), said("keep", None, "b.jpg"), said("prefer", "a", annotation=2)]
    others = [said("drop", image="z.jpg"), said("keep", "eft")]
    verdicts, digest = found(*mine)
    assert verdicts.entries == ((0, 1, "drop"), (1, 0, "prefer"), (2, -1, "keep"))
    assert verdicts.of(slice(1, 3)).entries == ((0, 0, "prefer"), (1, -1, "keep"))
    again, same = found(*others, *reversed(mine), said("drop", "b", note="twice"))
    assert (again.entries, same) == (verdicts.entries, digest)
    assert again.strangers == ("z.jpg #1: drop all",) and again.sourceless == ("a.jpg #1: keep eft",)
    assert found(*others)[1] == "" != digest
    assert found(*mine[1:])[1] != digest


@pytest.fixture
def truth(tmp_path: Path, factory: ModuleType, known: Any, body: BodyModel) -> Path:
    """Truth of which two have an extreme shape, small beside the tolerance."""
    betas = known.truth.betas.copy()
    betas[[2, 5], 9] = 3.5
    return factory.write_truth(tmp_path / "truth.npz", known, body, betas=betas, annotation_noise=np.array(1.0))


def attach(store: Store, truth: Path | None = None, **choose: Any) -> Any:
    fits = (f"truth:{truth}", f"second=truth:{truth}") if truth else ()
    return attach_fits(AttachOptions(store=store.path, fits=fits, choose=ChooseOptions(**choose)))


def test_whom_the_gates_leave_without_a_fit_trains_with_keypoints(
    store: Store, truth: Path, tmp_path: Path, body: BodyModel
) -> None:
    attach(store, truth)
    plain = open_store(store.path).array("choice/source")[:]
    assert "reason" not in open_store(store.path).current("choice").record.specs
    whole = read_labels(open_store(store.path), body, load_atlas("free"), maps=False, allow_partial=False)
    assert whole.has_fit.all()
    verdicts = [
        said("keep", "second", *store.rows[5]),
        said("drop", None, *store.rows[8]),
        said("prefer", "truth", *store.rows[9]),
        said("prefer", "second", *store.rows[0]),
        said("drop", None, "elsewhere.jpg"),
    ]
    report = attach(store, betas=3, corrections=written(tmp_path / "c.json", *verdicts))
    choice = report.choice
    assert choice.persons == {"second": len(store) - 3, "truth": 1} and choice.none == 2
    shape, dropped, preferred = REASONS[4], REASONS[7], REASONS[8]
    assert choice.rejected == {"second": {shape: 1, dropped: 1}, "truth": {shape: 2, dropped: 1}}
    assert choice.kept_out == {shape: 1, dropped: 1, preferred: 1}
    lines = "\n".join(attach_lines(report))
    assert "4 verdicts followed" in lines and "elsewhere.jpg #1: drop all" in lines
    opened = open_store(store.path)
    reasons, codes = opened.current("choice").attributes["reasons"], opened.array("choice/reason")[:]
    kept_out = {row: reasons[codes[row]] for row in np.flatnonzero(codes).tolist()}
    assert kept_out == {2: shape, 8: dropped, 9: preferred}
    assert ChosenReader(opened).reasons(np.array([0, 2, 8])) == ["", shape, dropped]
    labels = read_labels(opened, body, load_atlas("free"), maps=False, allow_partial=False)
    assert np.flatnonzero(~labels.has_fit).tolist() == [2, 8]
    assert np.array_equal(labels.keypoints[:], whole.keypoints[:]) and labels.present.all()
    fitted = persons(labels, np.arange(len(store)), body.of_joints(), LoaderOptions(joints3d="fitted")).joints3d
    assert not labels.betas[[2, 8]].any() and not (fitted[[2, 8], :, 3] > 0).any() and fitted[9, :, 3].all()
    assert attach(store).choice.generation != choice.generation  # and back, as it was
    assert np.array_equal(open_store(store.path).array("choice/source")[:], plain)


def test_the_order_of_preference_and_what_is_not_there(store: Store, truth: Path) -> None:
    attach(store, truth)
    flags = ["--prefer", "truth,second", "--max-betas", "3", "--max-pose-prior", "9", "--json"]
    done = CliRunner().invoke(app, ["attach-fits", str(store.path), "--direct", *flags])
    found = json.loads(done.stdout)[0]["choice"]
    assert found["persons"] == {"second": 0, "truth": len(store) - 2} and found["none"] == 2
    assert found["rule"].startswith("truth, then second where") and found["rule"].endswith("betas ≤ 3, pose_prior ≤ 9")
    found = attach(store, prefer=("truth", "second"), mask_iou=0.5).choice
    assert found.unjudged == {"mask_iou": 2 * len(store)} and found.persons["truth"] == len(store)
    with pytest.raises(UsageError, match="no source spin"):
        attach(store, prefer=("truth", "spin"))
    with pytest.raises(UsageError, match="beside"):
        AttachOptions(store=store.path, prefer="truth", choose=ChooseOptions(prefer=("second",)))


def test_the_keypoints_tell_a_fit_from_its_mirror_image(faults: ModuleType, known: Any, body: BodyModel) -> None:
    persons, rng = known.persons, np.random.default_rng(6)
    measured = measure(body, known.truth, persons)
    own = measured.mirrored
    assert own.max() < 0 and np.median(own) < -5 and measured.scale.max() < 1.001
    flipped = faults.mirrored(known.truth, persons, body, rng)
    np.testing.assert_allclose(measure(body, flipped, persons).mirrored, -own, atol=0.1)
    moved = replace(flipped, native=flipped.native.copy())
    moved.native[:, :2] = 1.5 * moved.native[:, :2] + 40 * moved.native[:, 2:]  # neither place nor scale decides
    measured = measure(body, moved, persons)
    np.testing.assert_allclose(measured.mirrored, -own, atol=0.1)
    larger = faults.wrong_scale(known.truth, persons, body, rng)
    np.testing.assert_allclose(measure(body, larger, persons).scale, 1.25, atol=0.001)
    points = persons.keypoints.copy()
    for row, count in ((0, 2), (1, 3)):
        points[row, np.flatnonzero(points[row, :, 2] > 0)[count:]] = 0
    few = measure(body, known.truth, replace(persons, keypoints=points))
    assert np.isnan(few.mirrored).tolist() == np.isnan(few.scale).tolist() == [True] + [False] * 23


def test_who_is_placed_under_the_image_s_camera_is_mirrored_by_that(
    faults: ModuleType, known: Any, body: BodyModel
) -> None:
    """Off its axis the mirror image of the view is another body's: by that, near the edge, hardly anybody is caught."""
    persons = replace(known.persons, intrinsics=known.truth.native[:, :, :3], has_intrinsics=np.ones(24, bool))
    own = measure(body, known.truth, persons, "none")
    assert own.reprojection.max() < 0.05 and own.mirrored.max() < 0
    flipped = faults.mirrored(known.truth, persons, body, np.random.default_rng(6))
    found = measure(body, flipped, persons, "none")
    np.testing.assert_allclose(found.mirrored, -own.mirrored, atol=0.1)


def test_planted_faults_are_caught_and_good_fits_are_not(faults: ModuleType, known: Any, body: BodyModel) -> None:
    """A coarse version of ``benchmarks/gates.py``: the same faults, in two dozen persons."""
    persons, good, rng = known.persons, faults.noisy(known.truth, np.random.default_rng(3)), np.random.default_rng(4)
    pose = axis_angle_to_matrix(torch.from_numpy(known.truth.pose).reshape(-1, 24, 3))
    vertices = body.mesh(pose, torch.from_numpy(known.truth.betas))
    drawn = rasterize(vertices, body.faces, Camera(torch.from_numpy(known.truth.native)), (480, 640), "numba").mask
    masks = [(encode_mask(mask), []) for mask in drawn]

    def caught(fits: Any, camera: str) -> np.ndarray:
        found = measure(body, fits, persons, camera)
        fits = replace(fits, native=found.native)
        judged = judge(body, fits, found.weak_camera, persons, masks, camera)
        values = {"valid": found.solvable, "reprojection": found.reprojection, "mirrored": found.mirrored}
        values["scale"] = found.scale
        values["betas"] = np.abs(fits.betas).max(1)
        return decide(faults.STRICT, ("fits",), {k: v[None] for k, v in (values | vars(judged)).items()}).source < 0

    unposed = faults.in_view(good, persons)
    assert caught(good, "perspective").mean() <= 0.05 and caught(unposed, "none").mean() <= 0.05
    for name, plant in faults.FAULTS.items():
        planted = plant(good, persons, body, rng)  # of one image each: "same image" plants none
        assert not planted.valid.any() or caught(planted, "perspective")[planted.valid].mean() >= 0.95, name
    mirrored = faults.mirrored(unposed, persons, body, rng)
    differs = faults.apart(mirrored, unposed, body) > faults.HARDLY
    assert caught(mirrored, "none")[differs].mean() >= 0.95, "π is solved on the keypoints, and hides no mirror image"
    limb = caught(faults.flipped_limb(good, persons, body, rng), "perspective").mean()
    assert 0.1 < limb < 0.9, "what two dimensions cannot show, limits of joints show of some"
