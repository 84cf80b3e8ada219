"""The body's surface in a shape and a posture, fast: sparse pose blend shapes and skinning in one kernel.

Equal to :class:`~pymaf_data.body.model.BodyModel` within 1e-7 m, many times as fast for one body at a time, and the
same on any number of threads, so that what the settling decides does not depend on the machine.

Work is laid out so that the processor's vectors are full: blend shapes joint by joint, each over the vertices that it
moves, and skinning group by group, each of the vertices that hang on the same bones.
Shape letters: V vertices, N pairs of a joint and a vertex that it moves, G groups.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pymaf_data.kernels import njit

MOST_BONES = 4


class SkinTable(NamedTuple):
    """What posing takes of a body, in the kernel's order.

    Args:
        order: (V,) vertices, those that hang on the same bones together.
        joint_starts: (J,) where the pairs of each joint but the root begin, and their end.
        moved: (N,) which of ``order`` each pair moves.
        amounts: (9, 3, N) metres for each entry of the joint's rotation less the identity.
        group_starts: (G + 1,) where groups begin in ``order``.
        group_bones: (G, 4) their bones, −1 where there are fewer.
        weights: (4, V) of these bones, in ``order``.
    """

    order: np.ndarray
    joint_starts: np.ndarray
    moved: np.ndarray
    amounts: np.ndarray
    group_starts: np.ndarray
    group_bones: np.ndarray
    weights: np.ndarray


def skin_table(posedirs: np.ndarray, lbs_weights: np.ndarray) -> SkinTable:
    """Sort pose blend shapes (9 (J − 1), 3V) and skinning weights (V, J) for the kernel."""
    V, J = lbs_weights.shape
    heaviest = np.argsort(-lbs_weights, axis=1, kind="stable")[:, :MOST_BONES]
    carried = np.take_along_axis(lbs_weights, heaviest, axis=1) > 0
    bones = np.sort(np.where(carried, heaviest, J), axis=1)
    order = np.lexsort(bones.T[::-1])
    groups, group_starts = np.unique(bones[order], axis=0, return_index=True)
    weights = np.where(bones < J, np.take_along_axis(lbs_weights, np.minimum(bones, J - 1), axis=1), 0.0)
    blend = posedirs.reshape(J - 1, 9, V, 3)[:, :, order]
    joints, moved = np.nonzero((blend != 0).any((1, 3)))
    return SkinTable(
        order, np.searchsorted(joints, np.arange(J)), moved,
        # Single precision: 1e-9 m do not matter, and the kernel is bound by memory.
        np.ascontiguousarray(blend[joints, :, moved].transpose(1, 2, 0), np.float32),
        np.append(group_starts, V), np.where(groups < J, groups, -1), np.ascontiguousarray(weights[order].T),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def shape(template: np.ndarray, shapedirs: np.ndarray, betas: np.ndarray) -> np.ndarray:
    """The T-pose (V, 3) of a shape: the template (V, 3) and the betas' share of their directions (K, V, 3)."""
    shaped = template.copy()
    flat = shaped.reshape(-1)
    for k in range(len(betas)):
        beta, direction = betas[k], shapedirs[k].reshape(-1)
        for i in range(len(flat)):
            flat[i] += beta * direction[i]
    return shaped


@njit(cache=True, nogil=True)
def skin(
    shaped: np.ndarray, rest: np.ndarray, local: np.ndarray, world: np.ndarray, place: np.ndarray,
    order: np.ndarray, joint_starts: np.ndarray, moved: np.ndarray, amounts: np.ndarray, group_starts: np.ndarray,
    group_bones: np.ndarray, weights: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    """Pose a shaped surface.

    Args:
        shaped: (V, 3) the shape's T-pose.
        rest: (24, 3) its joints.
        local, world: (24, 3, 3) rotations relative to the parents, and in the world.
        place: (24, 3) posed joints.
        order, joint_starts, moved, amounts, group_starts, group_bones, weights: of :class:`SkinTable`.
        out: (V, 3) the posed surface.
    """
    V = len(order)
    points, posed, shift = np.empty((3, V)), np.zeros((3, V)), np.empty(len(moved))
    for i in range(V):
        v = order[i]
        points[0, i], points[1, i], points[2, i] = shaped[v, 0], shaped[v, 1], shaped[v, 2]
    for j in range(1, len(rest)):
        first, last = joint_starts[j - 1], joint_starts[j]
        for a in range(3):
            total = shift[first:last]
            total[:] = 0.0
            for b in range(3):  # rows of the joint's rotation less the identity
                f = local[j, b, 0] - (b == 0)
                g = local[j, b, 1] - (b == 1)
                h = local[j, b, 2] - (b == 2)
                x = amounts[3 * b, a, first:last]
                y = amounts[3 * b + 1, a, first:last]
                z = amounts[3 * b + 2, a, first:last]
                for k in range(len(total)):
                    total[k] += f * x[k] + g * y[k] + h * z[k]
            for k in range(first, last):
                points[a, moved[k]] += shift[k]
    for g in range(len(group_bones)):
        first, last = group_starts[g], group_starts[g + 1]
        x, y, z = points[0, first:last], points[1, first:last], points[2, first:last]
        for k in range(group_bones.shape[1]):
            j = group_bones[g, k]
            if j < 0:
                break
            weight = weights[k, first:last]
            for a in range(3):
                r0, r1, r2 = world[j, a, 0], world[j, a, 1], world[j, a, 2]
                t = place[j, a] - (r0 * rest[j, 0] + r1 * rest[j, 1] + r2 * rest[j, 2])
                value = posed[a, first:last]
                for i in range(len(value)):
                    value[i] += weight[i] * (r0 * x[i] + r1 * y[i] + r2 * z[i] + t)
    for i in range(V):
        v = order[i]
        out[v, 0], out[v, 1], out[v, 2] = posed[0, i], posed[1, i], posed[2, i]
