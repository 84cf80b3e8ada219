"""Use the renderer alone: a posed body, lit and as a dense-correspondence (IUV) map, side by side in a PNG.

    python examples/render_body.py body.png

Bodies have y up and face +z; a camera looks along +z with y down. Half a turn about x stands one before the other.
"""

from __future__ import annotations

import math
import sys

import cv2
import numpy as np
import torch

import pymaf_data
from pymaf_data.geometry import axis_angle_to_matrix, full_frame
from pymaf_data.render import atlas_of_body, overlay, part_image, render_iuv

SIZE = 400
POSE = {"pelvis": (math.pi, 0.0, 0.0), "left_shoulder": (0.0, 0.0, 0.9), "right_elbow": (0.0, 1.6, 0.0)}
JOINTS = {"pelvis": 0, "left_shoulder": 16, "right_elbow": 19}  # of SMPL's 24


def main(path: str) -> None:
    """Pose, place, render, write."""
    body = pymaf_data.body.load_body("free")
    pose = torch.zeros(1, 24, 3)
    for joint, angle in POSE.items():
        pose[0, JOINTS[joint]] = torch.tensor(angle)
    vertices = body(axis_angle_to_matrix(pose), torch.zeros(1, 10)).vertices  # (1, 6890, 3) metres

    focal = 1.5 * SIZE
    intrinsics = torch.tensor([[[focal, 0.0, SIZE / 2], [0.0, focal, SIZE / 2], [0.0, 0.0, 1.0]]])
    camera = full_frame(intrinsics, torch.tensor([[0.0, 0.2, 3.5]]))  # the body stands 3.5 m away

    maps = render_iuv(vertices, camera, atlas_of_body(body.name), size=SIZE)  # part (1, S, S), uv (1, 2, S, S)
    dense = part_image(maps.part[0], maps.uv[0])
    ground = np.full((SIZE, SIZE, 3), 235, np.uint8)
    lit = overlay(ground, vertices[0], body.faces, camera)
    if not cv2.imwrite(path, np.hstack([lit, dense])[..., ::-1]):  # OpenCV writes BGR
        raise OSError(f"{path} cannot be written")
    print(f"{path}: {int(maps.mask.sum())} pixels show {len(np.unique(maps.part)) - 1} parts")


if __name__ == "__main__":
    main(sys.argv[1])
