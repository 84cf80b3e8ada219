"""The forward pass against the smplx package, for the free body and for a SMPL-format file."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from smplx import SMPL
from smplx.utils import Struct
from smplx.vertex_ids import vertex_ids as smplx_vertex_ids

from pymaf_data.body import BodyModel, load_body
from pymaf_data.body.names import LANDMARKS
from pymaf_data.geometry.joints import H36M17, J14, index_map

# smplx's name of each landmark, in our order.
SMPLX_LANDMARKS = (
    *("nose", "reye", "leye", "rear", "lear", "LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel"),
    *("lthumb", "lindex", "lmiddle", "lring", "lpinky", "rthumb", "rindex", "rmiddle", "rring", "rpinky"),
)
# SPIN's JOINT_MAP as published: where each joint of J49 lies among smplx's 45 joints and the 9 extra ones.
JOINT_MAP = [
    *(24, 12, 17, 19, 21, 16, 18, 20, 0, 2, 5, 8, 1, 4, 7, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34),
    *(8, 5, 45, 46, 4, 7, 21, 19, 17, 16, 18, 20, 47, 48, 49, 50, 51, 52, 53, 24, 26, 25, 28, 27),
]


def smplx_of(body: BodyModel, dtype: torch.dtype) -> SMPL:
    V = len(body.v_template)
    array = {name: getattr(body, name).double().numpy() for name in ("v_template", "shapedirs", "J_regressor")}
    parents = body.parents.numpy().copy()
    struct = Struct(
        **array,
        f=body.faces.numpy(),
        posedirs=body.posedirs.double().numpy().T.reshape(V, 3, -1),
        weights=body.lbs_weights.double().numpy(),
        kintree_table=np.stack([parents, np.arange(24)]),
    )
    ids = dict(zip(SMPLX_LANDMARKS, body._landmarks.tolist(), strict=True))
    return SMPL("", data_struct=struct, vertex_ids=ids, dtype=dtype)


def compare(body: BodyModel, reference: SMPL, draw, dtype: torch.dtype, tolerance: float) -> None:
    pose, axis_angle, betas, translation = draw(4, dtype=dtype)
    ours = body(pose, betas, translation)
    theirs = reference(
        betas=betas,
        global_orient=axis_angle[:, :1].reshape(4, 3),
        body_pose=axis_angle[:, 1:].reshape(4, 69),
        transl=translation,
    )
    # Rodrigues of smplx adds 1e-8 to the angle, hence no tighter bound in float64.
    assert (ours.vertices - theirs.vertices).abs().max() < tolerance
    assert (ours.skeleton - theirs.joints[:, :24]).abs().max() < tolerance
    # SPIN regresses from the untranslated body; rows of its file sum to 1 within 2e-4 only.
    extra = body._extra @ (theirs.vertices - translation[:, None]) + translation[:, None]
    all54 = torch.cat([theirs.joints, extra], 1)
    assert (ours.joints - all54[:, JOINT_MAP]).abs().max() < tolerance


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-7)])
def test_free_body(random_bodies, dtype, tolerance):
    body = load_body("free", dtype=dtype)
    compare(body, smplx_of(body, dtype), random_bodies, dtype, tolerance)


@pytest.mark.parametrize("gender", ["neutral", "female"])
def test_smpl_file_read_by_both(smpl_folder, random_bodies, gender):
    body = load_body(f"smpl-{gender}", smpl_folder)
    reference = SMPL(str(smpl_folder / "smpl"), gender=gender, dtype=torch.float32)
    compare(body, reference, random_bodies, torch.float32, 1e-5)


def test_landmarks_of_smpl_are_those_of_smplx(smpl_folder):
    body = load_body("smpl-neutral", smpl_folder)
    expected = [smplx_vertex_ids["smplh"][name] for name in SMPLX_LANDMARKS]
    assert body._landmarks.tolist() == expected
    assert len(LANDMARKS) == len(expected)


@pytest.mark.parametrize("iteration", [0, 1, 2, 3])
def test_released_network(shared, smpl_folder, iteration):
    """Bodies recorded from the authors' released network: vertices, J49, skeleton and H36M's evaluation joints."""
    recorded = np.load(shared / "reference/pymaf_parity/pymaf_forward.npz")
    got = {name: recorded[f"it{iteration}_{name}"] for name in ("verts_sub", "kp_3d", "smpl_kp_3d", "kp_3d_h36m14")}
    rotmat, shape = (torch.tensor(recorded[f"it{iteration}_{name}"]) for name in ("rotmat", "pred_shape"))
    body = load_body("smpl-neutral", smpl_folder)
    out = body(rotmat, shape)
    assert np.abs(out.vertices[:, recorded["verts_sub_idx"]].numpy() - got["verts_sub"]).max() < 1e-5
    assert np.abs(out.joints.numpy() - got["kp_3d"]).max() < 1e-5
    assert np.abs(out.skeleton.numpy() - got["smpl_kp_3d"]).max() < 1e-5
    h36m = body.h36m(out.vertices)
    j14 = (h36m - h36m[:, :1])[:, index_map(H36M17, J14)]
    assert np.abs(j14.numpy() - got["kp_3d_h36m14"]).max() < 1e-5
