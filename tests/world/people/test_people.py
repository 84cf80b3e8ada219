"""Dressed people: clothes end where they are cut, in every posture; what is not dressed is the body."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from pymaf_data.geometry.joints import SMPL24
from pymaf_data.world.engine.film import Film
from pymaf_data.world.image import _draw
from pymaf_data.world.people import Outfit, Tailor, draw_outfit, palette
from pymaf_data.world.people import kernels as k
from pymaf_data.world.people import outfit as outfits

pytestmark = pytest.mark.long  # of the world, which is finished

STRAIGHT, MEAN = np.zeros(4), np.zeros(10)
KITS = {kit.__name__.strip("_"): kit for _, kit, _ in outfits._KITS}


@pytest.fixture(scope="module")
def tailor(workshop) -> Tailor:
    return Tailor(workshop.body, workshop.atlas)


@pytest.fixture(scope="module")
def people(scenes):
    """(view, person) of different postures."""
    first = {}
    for scene in scenes:
        for person in scene.people:
            first.setdefault(person.figure.family, (scene.view, person))
    assert len(first) >= 6
    return list(first.values())


def outfit_of(tailor: Tailor, seed: int, monkeypatch=None, kit: str = "") -> Outfit:
    if kit:
        monkeypatch.setattr(outfits, "_KITS", ((1.0, KITS[kit], False),))
    return draw_outfit(np.random.default_rng(seed), tailor.rest, False, True, STRAIGHT)


def dressed(tailor: Tailor, person, outfit: Outfit, grounded: bool = False):
    return tailor.dress(person.rotations, person.figure.betas, person.world, person.bones, outfit, grounded)


def materials(tailor: Tailor, outfit: Outfit) -> np.ndarray:
    found = np.empty(len(tailor.rest), np.int64)
    k.worn(tailor.region, tailor.rest, outfit.cut, found)
    return found


def other(outfit: Outfit, **thickness: float) -> Outfit:
    """The outfit with other thicknesses of some materials."""
    thick = outfit.thickness.copy()
    for name, value in thickness.items():
        thick[getattr(k, name)] = value
    return dataclasses.replace(outfit, thickness=thick)


def test_a_sleeve_ends_where_it_is_cut_in_every_posture(tailor, people, monkeypatch):
    """Red tops over blue skin: on bare and covered arms alike, red is what lies within the sleeve's length."""
    outfit = outfit_of(tailor, 3, monkeypatch, "casual")
    colour = np.zeros_like(outfit.cloth.colour)
    colour[:, :, 1], colour[k.TOP], colour[k.SKIN] = 0.5, [0.9, 0, 0], [0, 0, 0.9]
    cloth = outfit.cloth._replace(colour=colour, pattern=0 * outfit.cloth.pattern, weave=0 * outfit.cloth.weave)
    for sleeve in (0.30, 0.5):
        worn = dataclasses.replace(outfit, cloth=cloth, cut=outfit.cut._replace(sleeve=sleeve, outer_sleeve=0.0))
        seen = [0, 0]
        for view, person in people:
            film, one = Film(view), dressed(tailor, person, worn)
            _draw(film, one)
            part = film.rectangle(one.vertices, one.faces)
            if part is None:
                continue
            face, arm = part.raster.face, part.raster.mask.copy()
            arm[arm] = one.regions[face[arm]] == k.ARM
            along = np.einsum("pk,pk->p", part.raster.bary[arm], np.abs(one.rest[one.faces[face[arm]]][..., 0]))
            albedo = film.canvas.albedo[part.place][arm]
            clear = np.abs(along - sleeve) > 0.004  # colour may be shared by the samples of a pixel
            red = albedo[:, 0] > albedo[:, 2]
            wrong = red[clear] != (along < sleeve)[clear]
            assert wrong.mean() < 0.01
            seen = [seen[0] + red.sum(), seen[1] + (~red).sum()]
        assert min(seen) > 500


def test_bare_skin_is_the_body(tailor, people):
    """Where nothing is worn, a dressed person's surface is the bare body's; elsewhere it is near."""
    for seed, (_, person) in enumerate(people):
        outfit = outfit_of(tailor, seed)
        skin = materials(tailor, outfit) == k.SKIN
        V = len(tailor.rest)
        found = dressed(tailor, person, outfit).vertices[:V]
        assert skin.sum() > 100
        np.testing.assert_allclose(found[skin], person.world[skin], atol=1e-12)
        assert np.linalg.norm(found - person.world, axis=1).max() < 0.16


def test_a_dressed_body_less_its_thickness_is_the_body(tailor, people, monkeypatch):
    """A centimetre more of cloth moves the surface along the turned normal by a centimetre, and nothing else."""
    outfit = outfit_of(tailor, 1, monkeypatch, "sweater")
    top = materials(tailor, outfit) == k.TOP
    V = len(tailor.rest)
    assert top.sum() > 500
    for _, person in people:
        thin, thick = (dressed(tailor, person, other(outfit, TOP=value)) for value in (0.01, 0.02))
        moved = thick.vertices[:V] - thin.vertices[:V]
        assert not moved[~top].any()
        along = 0.01 * np.einsum("vij,vj->vi", thin.turns[:V].astype(np.float64), tailor._normals)
        np.testing.assert_allclose(moved[top], along[top], atol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(moved[top], axis=1), 0.01, rtol=0.5)


@pytest.mark.parametrize("kit", KITS)
def test_every_kit_dresses_every_posture(tailor, people, monkeypatch, kit):
    for seed, (view, person) in enumerate(people):
        outfit = outfit_of(tailor, seed, monkeypatch, kit)
        one = dressed(tailor, person, outfit, grounded=not person.figure.airborne)
        for array in (one.vertices, one.normals, one.rest, one.turns, outfit.cloth.colour, outfit.thickness):
            assert np.isfinite(array).all()
        assert (outfit.cloth.colour >= 0).all()
        assert one.faces.min() >= 0 and one.faces.max() < len(one.vertices)
        assert len(one.regions) == len(one.faces)
        np.testing.assert_allclose(np.linalg.norm(one.normals, axis=1), 1, atol=0.01)
        film = Film(view)
        _draw(film, one)
        drawn = np.isfinite(film.canvas.depth)
        assert drawn.sum() > 100
        assert np.isfinite(film.canvas.albedo[drawn]).all() and film.canvas.albedo[drawn].min() >= 0
        assert np.isfinite(film.canvas.normal[drawn]).all()


def test_soles_do_not_sink_into_the_ground(tailor, people):
    sunk = 0
    for seed, (_, person) in enumerate(people):
        outfit = outfit_of(tailor, seed)
        sunk += dressed(tailor, person, outfit).vertices[:, 1].min() < 0
        assert dressed(tailor, person, outfit, grounded=True).vertices[:, 1].min() >= 0
    assert sunk, "the test must have seen soles that would sink"


@pytest.mark.parametrize("seed", range(12))
def test_clothes_are_cut_alike_left_and_right(tailor, seed):
    """The T-pose's mirror image wears the same, on the body and anywhere near it."""
    cut = outfit_of(tailor, seed).cut
    rng = np.random.default_rng(seed)
    points = tailor.rest + rng.normal(scale=0.01, size=tailor.rest.shape)
    left, right = np.empty(len(points), np.int64), np.empty(len(points), np.int64)
    k.worn(tailor.region, points, cut, left)
    k.worn(tailor.region, points * [-1, 1, 1], cut, right)
    assert np.array_equal(left, right)
    assert len(np.unique(left)) >= 3


def test_patterns_are_alike_left_and_right_but_for_numbers_and_cloth(tailor):
    """What a pattern is made of mirrors along the body; numbers are printed to be read, and noise is noise."""
    points = tailor.rest[::7]
    for kind in (k.PLAIN, k.RINGS, k.RAGLAN, k.SIDE, k.FADED, k.BLOCK):
        for (x, y, z), region in zip(points, tailor.region[::7], strict=True):
            one, two = (k._second(kind, region, side * x, y, z, 0.04, 0.3) for side in (1, -1))
            assert one == two
    torso = np.flatnonzero(tailor.region == k.TORSO)
    both = [
        [k._second(k.NUMBER, k.TORSO, side * x, y, z, 0.04, 0.27) for x, y, z in tailor.rest[torso]] for side in (1, -1)
    ]
    assert both[0] != both[1]
    assert sum(both[0]) > 10


def test_skin_tones_and_hair_cover_the_range():
    rng = np.random.default_rng(0)
    skins, hairs = (np.array([draw(rng) for _ in range(600)]) for draw in (palette.skin, palette.hair))
    light = skins @ [0.2126, 0.7152, 0.0722]
    assert light.min() < 0.03 and light.max() > 0.45
    shares = np.histogram(np.cbrt(light), bins=5, range=(0.28, 0.82))[0] / 600
    assert shares.min() > 0.08, "no tone is rare"
    assert (np.diff(skins, axis=1) <= 0.02).all(), "red ≥ green ≥ blue"
    assert (hairs.max(1) < 0.03).mean() > 0.2 and (hairs.max(1) > 0.3).any()
    for drawn in (skins, hairs, np.array([palette.cloth(rng) for _ in range(200)])):
        assert drawn.min() >= 0 and drawn.max() <= 1


def test_many_kits_heads_and_shoes_are_drawn(tailor):
    drawn = [outfit_of(tailor, seed) for seed in range(200)]
    cuts = [outfit.cut for outfit in drawn]
    bald, hat, glasses, boots = (
        np.mean([test(cut) for cut in cuts])
        for test in (
            lambda c: c.bald > 0, lambda c: c.hat_line < 1, lambda c: c.glasses > 0, lambda c: -1.04 < c.shoe_top < 0
        )
    )  # fmt: skip
    assert 0.005 < bald < 0.15
    assert 0.04 < hat < 0.25
    assert 0.05 < glasses < 0.35
    assert 0.04 < boots < 0.25
    assert 0.05 < np.mean([any(mesh.material == k.BOTTOM for mesh in outfit.meshes) for outfit in drawn]) < 0.25
    assert len({outfit.cut.sleeve for outfit in drawn}) > 50


def skirted(tailor, monkeypatch) -> Outfit:
    outfit = outfit_of(tailor, 4, monkeypatch, "skirt")
    (skirt,) = [mesh for mesh in outfit.meshes if mesh.material == k.BOTTOM]
    return dataclasses.replace(outfit, meshes=(skirt,))


def test_a_skirt_follows_its_wearer(tailor, workshop, monkeypatch):
    """Turned and moved with the body, wide on wide hips, forward with the thighs, and nowhere inside the pelvis."""
    outfit, V = skirted(tailor, monkeypatch), len(tailor.rest)

    def skirt_of(rotations, betas=MEAN):
        out = workshop.body(torch.from_numpy(rotations)[None], torch.from_numpy(betas)[None])
        return tailor.dress(
            rotations, betas, out.vertices[0].numpy(), out.skeleton[0].numpy(), outfit, grounded=False
        ).vertices[V:], out.skeleton[0].numpy()

    rest = np.broadcast_to(np.eye(3), (24, 3, 3)).copy()
    straight, bones = skirt_of(rest)
    np.testing.assert_allclose(straight, outfit.meshes[0].rest, atol=1e-9)
    turned = rest.copy()
    turned[0] = [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]
    np.testing.assert_allclose(skirt_of(turned)[0], (straight - bones[0]) @ turned[0].T + bones[0], atol=1e-9)
    walking, degrees = rest.copy(), np.deg2rad(-30)
    c, s = np.cos(degrees), np.sin(degrees)
    walking[SMPL24.index("left_hip_smpl")] = [[1, 0, 0], [0, c, -s], [0, s, c]]
    moved = skirt_of(walking)[0] - straight
    hem = straight[:, 1] < straight[:, 1].min() + 0.05
    assert moved[hem & (straight[:, 0] > 0.1), 2].min() > 0.05, "the left side goes forward with the left thigh"
    assert np.abs(moved[hem & (straight[:, 0] < -0.1)]).max() < 0.05
    assert np.abs(moved[straight[:, 1] > -0.15]).max() < 0.02, "the waist stays"
    widths = []
    for beta in (-2.0, 2.0):
        betas = np.zeros(10)
        betas[1] = beta
        out = workshop.body(torch.from_numpy(rest)[None], torch.from_numpy(betas)[None]).vertices[0].numpy()
        hips = np.abs(out[np.abs(tailor.rest[:, 1] + 0.25) < 0.03][:, 0])
        widths.append((np.ptp(skirt_of(rest, betas)[0][:, 0]), hips[hips < 0.35].max()))
    assert (widths[1][0] > widths[0][0]) == (widths[1][1] > widths[0][1])


def test_same_chance_same_outfit(tailor):
    def flat(outfit: Outfit) -> bytes:
        arrays = [np.asarray(value, np.float64) for value in (*outfit.cut, *outfit.cloth, outfit.thickness)]
        arrays += [mesh.rest for mesh in outfit.meshes]
        return b"".join(array.tobytes() for array in arrays)

    assert flat(outfit_of(tailor, 5)) == flat(outfit_of(tailor, 5))
    assert flat(outfit_of(tailor, 5)) != flat(outfit_of(tailor, 6))


def test_sporty_people_wear_sports_clothes_and_raised_thighs_no_skirts(tailor):
    def share(sporty: bool, skirts: bool, test) -> float:
        rest = tailor.rest
        drawn = [draw_outfit(np.random.default_rng(n), rest, sporty, skirts, STRAIGHT) for n in range(400)]
        return float(np.mean([test(outfit) for outfit in drawn]))

    def has_skirt(outfit: Outfit) -> bool:
        return any(mesh.material == k.BOTTOM for mesh in outfit.meshes)

    def has_number(outfit: Outfit) -> bool:
        return bool((outfit.cloth.pattern == k.NUMBER).any())

    assert share(False, False, has_skirt) == 0 < share(False, True, has_skirt)
    assert share(True, False, has_number) > 1.5 * share(False, False, has_number) > 0
