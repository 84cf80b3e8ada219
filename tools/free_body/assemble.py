"""The build from end to end: every room in its turn, then the members of the asset and what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import atlas, mean, posedirs, regressors, selection, shapes, write
from .decimate import decimate
from .partition import PartMesh, partition
from .phenotypes import HELD_OUT, TRAINING, draw_phenotypes
from .skeleton import PARENTS, PELVIS, joint_positions
from .skinning import skinning_weights
from .source import HalfSource, half_source, load_model, rest_shapes
from .t_pose import Posed, t_pose
from .whole import Whole, whole_mesh

_TRAINING_SEED, _HELD_OUT_SEED = 1, 2


def build() -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Members of the asset, by the names that ``pymaf_data.body.free`` reads, and a report."""
    model = load_model()
    source = half_source(model)
    training = _posed(model, source, TRAINING, _TRAINING_SEED)
    average, heads = training.vertices.mean(0), training.heads.mean(0)
    joints = joint_positions(source, heads[None])[0]
    cut = partition(average, source.faces, source.midline, joints)
    landmarks = selection.half_landmarks(source, cut, heads)
    mesh, renumber = decimate(cut, landmarks.values(), (source.eye, source.mouth))
    landmarks = {name: int(renumber[vertex]) for name, vertex in landmarks.items()}
    whole = whole_mesh(mesh)
    weights = skinning_weights(source, mesh, whole)

    # Only now is it known where the pelvis of a shape is: where its regressor says. All shapes meet there.
    rows = regressors.joint_regressor(whole, whole.vectors(mesh.vertices), weights, joints)
    halves = _centred(mesh, whole, rows, training.vertices)
    space = shapes.learn_shapes(whole, halves)
    charts = atlas.build_charts(whole, space.mean)
    members = _members(whole, space, weights, rows, landmarks) | _atlas_members(charts)
    held_out = _centred(mesh, whole, rows, _posed(model, source, HELD_OUT, _HELD_OUT_SEED).vertices)
    return members, _report(whole, space, whole.vectors(halves), whole.vectors(held_out), rows, charts)


def _members(
    whole: Whole, space: shapes.ShapeSpace, weights: np.ndarray, rows: np.ndarray, landmarks: dict[str, int]
) -> dict[str, np.ndarray]:
    """The body: what SMPL's files hold, and the companions that PyMAF reads beside them."""
    template = space.mean.astype(np.float32).astype(np.float64)  # as it will be read
    extra, h36m = regressors.named_regressors(whole, template, rows, landmarks["nose"])
    directions = posedirs.pose_directions(whole, template, weights, rows @ template)
    return {
        "v_template": template.astype(np.float32),
        "faces": whole.faces.astype(np.uint16),
        "parents": PARENTS.astype(np.int16),
        "mirror": whole.mirror.astype(np.uint16),
        **write.quantised_shapes(space.directions),
        **write.sparse_members("posedirs", directions, np.int16),
        "posedirs_scale": np.array(posedirs.UNIT, np.float32),
        **write.sparse_members("weights", weights, np.float32),
        **write.sparse_members("J_regressor", rows, np.float32),
        **write.sparse_members("extra_regressor", extra, np.float32),
        **write.sparse_members("h36m_regressor", h36m, np.float32),
        "landmark_ids": selection.landmark_ids(whole, landmarks).astype(np.uint16),
        "downsample_ids": selection.even_selection(whole, template).astype(np.uint16),
        "mean_pose6d": mean.mean_pose6d(),
        "mean_betas": np.zeros(shapes.COMPONENTS, np.float32),
        "mean_camera": mean.CAMERA.astype(np.float32),
    }


def _atlas_members(charts: atlas.Charts) -> dict[str, np.ndarray]:
    return {
        "atlas_vertex": charts.vertex.astype(np.uint16),
        "atlas_faces": charts.faces.astype(np.uint16),
        "atlas_face_part": charts.face_part.astype(np.uint8),
        "atlas_uv": charts.uv.astype(np.uint16),
        "atlas_mirror": charts.mirror.astype(np.uint16),
    }


def _posed(model: Any, source: HalfSource, count: int, seed: int) -> Posed:
    vertices, heads = rest_shapes(model, draw_phenotypes(count, seed))
    return t_pose(source, source.half(vertices), source.symmetric_bones(heads))


def _centred(mesh: PartMesh, whole: Whole, rows: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Source halves (K, V_source, 3) → halves of the body (K, V_half, 3) with their pelvis at PELVIS."""
    halves = np.stack([mesh.basis @ shape for shape in vertices])
    pelvis = rows[0].astype(np.float64) @ whole.vectors(halves) / rows[0].sum(dtype=np.float64)
    shift = PELVIS - pelvis
    shift[:, 0] = 0.0
    return halves + shift[:, None]


def _report(
    whole: Whole,
    space: shapes.ShapeSpace,
    training: np.ndarray,
    held_out: np.ndarray,
    rows: np.ndarray,
    charts: atlas.Charts,
) -> dict[str, Any]:
    betas, left = shapes.fit_error(space, held_out)
    joint_error = np.linalg.norm(
        rows @ (space.mean + np.einsum("vck,nk->nvc", space.directions, betas)) - rows @ held_out, axis=-1
    )
    stature = np.ptp(training[..., 1], axis=1)
    weight = np.array([shapes.volume(shape, whole.faces) for shape in training]) * 1010
    areas = np.abs(atlas.signed_areas(charts))
    return {
        "stature (m)": f"{stature.mean():.3f} ± {stature.std():.3f}",
        "mass at 1.01 kg/l": f"{weight.mean():.1f} ± {weight.std():.1f}",
        "variance by component (%)": np.round(100 * space.explained, 1).tolist(),
        "variance in all (%)": round(100 * float(space.explained.sum()), 2),
        "held out, vertices (mm)": f"mean {1e3 * left.mean():.2f}, p99 {1e3 * np.percentile(left, 99):.2f}",
        "held out, joints (mm)": f"mean {1e3 * joint_error.mean():.2f}, worst {1e3 * joint_error.max():.2f}",
        "held out, |beta| worst": np.round(np.abs(betas).max(0), 2).tolist(),
        "smallest chart triangle": int(areas.min()),
    }
