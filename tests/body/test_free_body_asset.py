"""What the shipped asset promises, read member by member: no Anny, no build, and nothing of the code that decodes it.

``test_free_body.py`` asks the same body through the loader; here lies what only the file and its atlas can tell.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

V, F = 6890, 13776
UV_STEPS = 65534
SIGN = np.array([-1.0, 1.0, 1.0])
# SMPL's joints and SPIN's extra joints, on the other side.
JOINT_MIRROR = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]
EXTRA_MIRROR = [1, 0, 2, 3, 4, 5, 6, 7, 8]
H36M_MIRROR = [0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 10, 14, 15, 16, 11, 12, 13]
LANDMARK_MIRROR = [0, 2, 1, 4, 3, 8, 9, 10, 5, 6, 7, 16, 17, 18, 19, 20, 11, 12, 13, 14, 15]
PART_MIRROR = np.array([0, 1, 2, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15, 18, 17, 20, 19, 22, 21, 24, 23])
PARTS = range(1, 25)

Asset = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def asset() -> Asset:
    with np.load(str(files("pymaf_data.body.assets") / "free_body.npz"), allow_pickle=False) as archive:
        return dict(archive)


@pytest.fixture(scope="module")
def vertices(asset: Asset) -> np.ndarray:
    return asset["v_template"].astype(np.float64)


@pytest.fixture(scope="module")
def faces(asset: Asset) -> np.ndarray:
    return asset["faces"].astype(np.int64)


def matrix(asset: Asset, name: str, shape: tuple[int, int]) -> np.ndarray:
    members = (asset[f"{name}_{part}"] for part in ("data", "indices", "indptr"))
    data, indices, indptr = members
    return csr_matrix((data, indices.astype(np.int32), indptr.astype(np.int64)), shape=shape).toarray()


def shapedirs(asset: Asset) -> np.ndarray:
    return asset["shapedirs"] * asset["shapedirs_scale"].astype(np.float64)


def euler(faces: np.ndarray) -> int:
    edges = np.unique(np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)
    return len(np.unique(faces)) - len(edges) + len(faces)


def double_areas(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F,) of the plane (signed) or of space."""
    a, b, c = np.moveaxis(points[faces], 1, 0)
    if points.shape[1] == 2:
        return (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    return np.linalg.norm(np.cross(b - a, c - a), axis=1)


def border_loop(faces: np.ndarray) -> np.ndarray:
    directed = {(int(a), int(b)) for a, b in faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)}
    following = {a: b for a, b in directed if (b, a) not in directed}
    loop = [min(following)]
    while (at := following[loop[-1]]) != loop[0]:
        loop.append(at)
    assert len(loop) == len(following), "more than one border"
    return np.array(loop)


# --- the file -------------------------------------------------------------------------------------------------------

MEMBERS = {
    "v_template": ((V, 3), "f4"),
    "faces": ((F, 3), "u2"),
    "parents": ((24,), "i2"),
    "mirror": ((V,), "u2"),
    "shapedirs": ((V, 3, 10), "i2"),
    "shapedirs_scale": ((10,), "f4"),
    "posedirs_indptr": ((208,), "u4"),
    "posedirs_scale": ((), "f4"),
    "weights_indptr": ((V + 1,), "u4"),
    "J_regressor_indptr": ((25,), "u4"),
    "extra_regressor_indptr": ((10,), "u4"),
    "h36m_regressor_indptr": ((18,), "u4"),
    "landmark_ids": ((21,), "u2"),
    "downsample_ids": ((431,), "u2"),
    "mean_pose6d": ((144,), "f4"),
    "mean_betas": ((10,), "f4"),
    "mean_camera": ((3,), "f4"),
    "atlas_faces": ((F, 3), "u2"),
    "atlas_face_part": ((F,), "u1"),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_members_have_the_shapes_and_types_that_are_documented(asset: Asset, name: str) -> None:
    shape, dtype = MEMBERS[name]
    assert asset[name].shape == shape
    assert asset[name].dtype == np.dtype(dtype)
    assert np.isfinite(asset[name].astype(np.float64)).all()


def test_the_file_is_small() -> None:
    assert Path(str(files("pymaf_data.body.assets") / "free_body.npz")).stat().st_size <= 2_000_000


def test_joints_form_the_tree_of_smpl(asset: Asset) -> None:
    tree = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]
    assert asset["parents"].tolist() == tree


# --- the mesh -------------------------------------------------------------------------------------------------------


def test_no_triangle_is_degenerate(vertices: np.ndarray, faces: np.ndarray) -> None:
    area = double_areas(vertices, faces)
    corners = vertices[faces]
    squared = ((corners - np.roll(corners, -1, axis=1)) ** 2).sum((1, 2))
    quality = 2 * np.sqrt(3) * area / squared  # 1 when equilateral
    assert area.min() / 2 > 1e-7  # a tenth of a square millimetre
    assert quality.min() > 0.03
    assert np.median(quality) > 0.7


def test_no_triangle_turns_over_within_the_usual_shapes(asset: Asset, vertices: np.ndarray, faces: np.ndarray) -> None:
    def normals(points: np.ndarray) -> np.ndarray:
        a, b, c = np.moveaxis(points[faces], 1, 0)
        cross = np.cross(b - a, c - a)
        return cross / np.linalg.norm(cross, axis=1, keepdims=True)

    directions, rest = shapedirs(asset), normals(vertices)
    for k in range(10):
        for sign in (-2.0, 2.0):
            turned = (normals(vertices + sign * directions[..., k]) * rest).sum(1) < 0
            assert turned.sum() <= 8, f"beta {k} = {sign}: {turned.sum()} triangles"  # in the fold of the crotch


def test_every_joint_lies_inside(asset: Asset, vertices: np.ndarray, faces: np.ndarray) -> None:
    rows = [
        matrix(asset, name, (n, V)) for name, n in (("J_regressor", 24), ("extra_regressor", 9), ("h36m_regressor", 17))
    ]
    points = np.concatenate(rows) @ vertices
    corners = vertices[faces][None] - points[:, None, None]  # (P, F, 3, 3)
    a, b, c = np.moveaxis(corners / np.linalg.norm(corners, axis=-1, keepdims=True), 2, 0)
    cosines = 1 + (a * b).sum(-1) + (b * c).sum(-1) + (c * a).sum(-1)
    solid = 2 * np.arctan2((a * np.cross(b, c)).sum(-1), cosines).sum(1)  # van Oosterom and Strackee
    np.testing.assert_allclose(solid / (4 * np.pi), 1.0, atol=1e-6)


def test_pelvis_stays_put_whatever_the_shape(asset: Asset, vertices: np.ndarray) -> None:
    pelvis = matrix(asset, "J_regressor", (24, V))[0].astype(np.float64)
    np.testing.assert_allclose(pelvis @ vertices / pelvis.sum(), [0, -0.22, 0.03], atol=1e-5)
    np.testing.assert_allclose(np.einsum("v,vck->ck", pelvis, shapedirs(asset)), 0, atol=2e-5)


def test_the_first_two_betas_are_stature_and_girth(asset: Asset, vertices: np.ndarray) -> None:
    growth = [np.ptp((vertices + shapedirs(asset)[..., k])[:, 1]) - np.ptp(vertices[:, 1]) for k in range(10)]
    assert 0.06 < growth[0] < 0.14
    assert np.abs(growth[1:]).max() < 0.01  # nothing but the first beta makes taller
    waist = (np.abs(vertices[:, 1] + 0.1) < 0.05) & (np.abs(vertices[:, 0]) < 0.3)
    assert np.abs((vertices + shapedirs(asset)[..., 1])[waist, 0]).max() > np.abs(vertices[waist, 0]).max() + 0.01


# --- left and right -------------------------------------------------------------------------------------------------


def test_mirror_is_bit_exact(asset: Asset) -> None:
    mirror = asset["mirror"]
    assert np.array_equal(mirror[mirror], np.arange(V))
    assert np.array_equal(asset["v_template"][mirror] * SIGN.astype(np.float32), asset["v_template"])
    assert np.array_equal(asset["shapedirs"][mirror] * SIGN.astype(np.int16)[:, None], asset["shapedirs"])
    weights = matrix(asset, "weights", (V, 24))
    assert np.array_equal(weights[mirror][:, JOINT_MIRROR], weights)
    for name, flip in (
        ("J_regressor", JOINT_MIRROR),
        ("extra_regressor", EXTRA_MIRROR),
        ("h36m_regressor", H36M_MIRROR),
    ):
        rows = matrix(asset, name, (len(flip), V))
        assert np.array_equal(rows[flip][:, mirror], rows), name
    assert np.array_equal(mirror[asset["landmark_ids"]], asset["landmark_ids"][LANDMARK_MIRROR])


def test_pose_corrections_mirror_bit_exactly(asset: Asset) -> None:
    """A mirrored rotation is S·R·S, so entry (a, b) of R − I changes sign with the signs of a and b."""
    table = matrix(asset, "posedirs", (207, 3 * V)).reshape(23, 3, 3, V, 3)
    sign = SIGN.astype(np.int16)
    flip = np.array(JOINT_MIRROR[1:]) - 1
    mirrored = table[flip][:, :, :, asset["mirror"]] * sign
    mirrored = mirrored * (sign[:, None] * sign)[None, :, :, None, None]
    assert np.array_equal(mirrored, table)
    assert np.abs(table).max() * asset["posedirs_scale"] < 0.05  # subtle: centimetres, not limbs
    assert np.abs(table).max() > 0


def test_mean_pose_is_symmetric(asset: Asset) -> None:
    six = asset["mean_pose6d"].reshape(24, 3, 2)
    sign = SIGN[:, None] * SIGN[:2]
    np.testing.assert_allclose(six[JOINT_MIRROR] * sign, six, atol=1e-6)


# --- matrices and selections ----------------------------------------------------------------------------------------


def test_weights_are_convex_over_at_most_four_joints(asset: Asset) -> None:
    weights = matrix(asset, "weights", (V, 24))
    assert (weights >= 0).all()
    assert (weights > 0).sum(1).max() <= 4
    np.testing.assert_allclose(weights.sum(1, dtype=np.float64), 1, atol=3e-7)
    assert (weights.max(0) > 0.45).all()  # every joint really moves something; collars share theirs


@pytest.mark.parametrize(("name", "rows"), [("J_regressor", 24), ("extra_regressor", 9), ("h36m_regressor", 17)])
def test_regressors_are_convex(asset: Asset, name: str, rows: int) -> None:
    regressor = matrix(asset, name, (rows, V))
    assert (regressor >= 0).all()
    np.testing.assert_allclose(regressor.sum(1, dtype=np.float64), 1, atol=3e-7)
    assert (regressor > 0).sum(1).min() >= 4  # a ring or a cap, never one vertex


def test_selection_of_431_is_even(asset: Asset, vertices: np.ndarray) -> None:
    chosen = asset["downsample_ids"]
    assert len(np.unique(chosen)) == 431
    assert set(asset["mirror"][chosen]) == set(chosen)
    tree = cKDTree(vertices[chosen])
    assert tree.query(vertices)[0].max() < 0.06
    assert np.median(tree.query(vertices[chosen], k=2)[0][:, 1]) > 0.025


def test_landmarks_sit_on_their_part(asset: Asset, vertices: np.ndarray, faces: np.ndarray) -> None:
    part_of = np.zeros(V, np.int64)
    part_of[faces] = asset["atlas_face_part"][:, None]
    part = part_of[asset["landmark_ids"]].tolist()
    assert set(part[:5]) <= {23, 24}
    assert part[5:8] == [5] * 3 and part[8:11] == [6] * 3
    assert part[11:16] == [4] * 5 and part[16:] == [3] * 5
    place = vertices[asset["landmark_ids"]]
    assert place[0, 0] == 0
    tips = place[11:16]
    assert tips[2, 0] == tips[:, 0].max()  # the middle finger reaches farthest
    assert (np.diff(tips[:, 2]) < 0).all()  # thumb ahead, little finger behind: palms down


# --- the atlas ------------------------------------------------------------------------------------------------------


def test_atlas_covers_the_mesh_face_by_face(asset: Asset, faces: np.ndarray) -> None:
    assert np.array_equal(asset["atlas_vertex"][asset["atlas_faces"]], asset["faces"])
    assert set(asset["atlas_face_part"].tolist()) == set(PARTS)
    used_by = [set(asset["atlas_faces"][asset["atlas_face_part"] == part].ravel().tolist()) for part in PARTS]
    assert sum(map(len, used_by)) == len(asset["atlas_vertex"])  # no two charts share a vertex, none is unused


@pytest.mark.parametrize("part", PARTS)
def test_chart_is_an_embedded_disk(asset: Asset, part: int) -> None:
    """Triangles of one orientation whose areas add up to that of their convex border cover it exactly once."""
    uv = asset["atlas_uv"].astype(np.int64)
    faces = asset["atlas_faces"][asset["atlas_face_part"] == part].astype(np.int64)
    assert euler(faces) == 1
    areas = double_areas(uv, faces)
    assert (areas > 0).all() or (areas < 0).all()
    border = uv[border_loop(faces)]
    ahead, further = np.roll(border, -1, axis=0), np.roll(border, -2, axis=0)
    first, second = ahead - border, further - ahead
    turns = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    assert (turns * np.sign(areas[0]) > 0).all()  # strictly convex
    enclosed = (border[:, 0] * ahead[:, 1] - border[:, 1] * ahead[:, 0]).sum()
    assert enclosed == areas.sum()
    assert uv[faces].max() <= UV_STEPS
    assert abs(enclosed) / 2 > 0.85 * UV_STEPS**2  # the chart fills its square


def test_flip_of_the_atlas_is_bit_exact(asset: Asset) -> None:
    uv, vertex, image = asset["atlas_uv"].astype(np.int64), asset["atlas_vertex"], asset["atlas_mirror"]
    part = np.zeros(len(vertex), np.int64)
    part[asset["atlas_faces"]] = asset["atlas_face_part"][:, None]
    torso = part <= 2
    assert np.array_equal(image[image], np.arange(len(image)))
    assert np.array_equal(vertex[image], asset["mirror"][vertex])
    assert np.array_equal(part[image], PART_MIRROR[part])
    assert np.array_equal(uv[image][~torso], uv[~torso])
    assert np.array_equal(uv[image][torso], np.stack([UV_STEPS - uv[torso, 0], uv[torso, 1]], axis=1))


def test_mirrored_faces_lie_in_the_mirrored_part(asset: Asset) -> None:
    def keyed(triangles: np.ndarray) -> dict[tuple[int, ...], int]:
        keys = map(tuple, np.sort(triangles, axis=1).tolist())
        return dict(zip(keys, asset["atlas_face_part"].tolist(), strict=True))

    parts, mirrored = keyed(asset["faces"]), keyed(asset["mirror"][asset["faces"]])
    assert {key: int(PART_MIRROR[part]) for key, part in mirrored.items()} == parts


def test_parts_lie_where_their_numbers_say(asset: Asset, vertices: np.ndarray, faces: np.ndarray) -> None:
    centre = {part: vertices[faces[asset["atlas_face_part"] == part]].mean((0, 1)) for part in PARTS}
    for right, left in (
        (3, 4),
        (6, 5),
        (7, 8),
        (9, 10),
        (11, 12),
        (13, 14),
        (16, 15),
        (18, 17),
        (20, 19),
        (22, 21),
        (23, 24),
    ):
        assert centre[left][0] > 0 > centre[right][0]
    for front, back in ((2, 1), (10, 8), (14, 12), (15, 17), (19, 21)):
        assert centre[front][2] > centre[back][2] + 0.02
    assert centre[24][1] > centre[2][1] > centre[10][1] > centre[14][1] > centre[5][1]
    assert centre[4][0] > centre[19][0] > centre[15][0]


@pytest.mark.parametrize(
    ("one", "other", "axis"),
    [((8, 10), (12, 14), 1), ((15, 17), (19, 21), 0), ((19, 21), (4,), 0)],
    ids=["knee", "elbow", "wrist"],
)
def test_borders_across_limbs_are_straight(
    asset: Asset, vertices: np.ndarray, faces: np.ndarray, one: tuple[int, ...], other: tuple[int, ...], axis: int
) -> None:
    part = asset["atlas_face_part"]
    shared = np.intersect1d(faces[np.isin(part, one)], faces[np.isin(part, other)])
    assert len(shared) >= 8
    assert np.ptp(vertices[shared, axis]) < 0.004  # metres: no zig-zag of the mesh


def test_front_and_back_part_along_a_smooth_line(asset: Asset, vertices: np.ndarray, faces: np.ndarray) -> None:
    part = asset["atlas_face_part"]
    for front, back in ((10, 8), (14, 12), (15, 17), (19, 21)):
        seam = np.intersect1d(faces[part == front], faces[part == back])
        along = int(np.ptp(vertices[seam], axis=0).argmax())
        design = np.stack([vertices[seam, along] ** k for k in range(3)], axis=1)
        left = vertices[seam, 2] - design @ np.linalg.lstsq(design, vertices[seam, 2], rcond=None)[0]
        assert np.abs(left).max() < 0.006
