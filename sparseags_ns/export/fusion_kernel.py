"""The kernel of `fusion`: what all depth maps say of each voxel. One thread's work; releases the GIL."""

from __future__ import annotations

import numpy as np

from sparseags_ns.rasterizer.kernels.jit import jit

SEEN, FREE, UNSEEN = 0, 1, 2
_EDGE = 0.03
"""Neighbouring depths further apart than this share of them are two surfaces: nothing is interpolated between them."""


@jit
def ahead_of_surface(alpha, depth, x, y, z, solid):
    """How far the surface in a pixel lies behind a point that is seen there at depth z.

    Returns a kind and the distance: UNSEEN outside the picture, FREE where the object does not cover the pixel, else
    SEEN. Alpha is interpolated between pixel centres; so is depth, but not across an edge, where it would lie in the
    air.
    """
    height, width = alpha.shape
    if not (x >= 0.0 and y >= 0.0 and x < width and y < height):
        return UNSEEN, 0.0
    left, top = int(max(x - 0.5, 0.0)), int(max(y - 0.5, 0.0))
    left, top = min(left, width - 2), min(top, height - 2)
    u, v = min(max(x - 0.5 - left, 0.0), 1.0), min(max(y - 0.5 - top, 0.0), 1.0)
    cover, total, mean, low, high, heaviest, nearest = 0.0, 0.0, 0.0, 1e30, 0.0, -1.0, 0.0
    for row in range(2):
        for column in range(2):
            weight = (u if column else 1.0 - u) * (v if row else 1.0 - v)
            a, d = alpha[top + row, left + column], depth[top + row, left + column]
            cover += weight * a
            if a >= solid:
                total += weight
                mean += weight * d
                low, high = min(low, d), max(high, d)
                if weight > heaviest:
                    heaviest, nearest = weight, d
    if cover < solid or total <= 0.0:
        return FREE, 0.0
    mean /= total
    return SEEN, (mean if high - low < _EDGE * mean else nearest) - z


@jit
def fuse(poses, intrinsics, alphas, depths, weights, origin, spacing, begin, end, truncation, solid, field):
    """Write the mean truncated distance, in truncations, of voxels [begin, end) of the first axis into `field`.

    poses [views 3 4] are world-to-camera, intrinsics [views 4] are fx fy cx cy.
    """
    for i in range(begin, end):
        for j in range(field.shape[1]):
            for k in range(field.shape[2]):
                px, py, pz = origin[0] + i * spacing, origin[1] + j * spacing, origin[2] + k * spacing
                total, count = 0.0, 0.0
                for view in range(poses.shape[0]):
                    P = poses[view]
                    z = P[2, 0] * px + P[2, 1] * py + P[2, 2] * pz + P[2, 3]
                    if z <= 0.0:
                        continue
                    x = (P[0, 0] * px + P[0, 1] * py + P[0, 2] * pz + P[0, 3]) / z
                    y = (P[1, 0] * px + P[1, 1] * py + P[1, 2] * pz + P[1, 3]) / z
                    K = intrinsics[view]
                    kind, ahead = ahead_of_surface(
                        alphas[view], depths[view], K[0] * x + K[2], K[1] * y + K[3], z, solid
                    )
                    if kind == FREE:
                        total += weights[view]
                        count += weights[view]
                    elif kind == SEEN and ahead > -truncation:
                        total += weights[view] * min(ahead / truncation, 1.0)
                        count += weights[view]
                field[i, j, k] = total / count if count > 0.0 else -1.0


@jit
def gather_colors(
    poses, intrinsics, alphas, depths, colors, counts, points, normals, slack, solid, begin, end, out, weight
):
    """Write into `out` [points 3] the mean colour of the renders that see each point, by how squarely they see it.

    `weight` [points] becomes 0 where none sees it.
    """
    for i in range(begin, end):
        total, r, g, b = 0.0, 0.0, 0.0, 0.0
        px, py, pz = points[i, 0], points[i, 1], points[i, 2]
        for view in range(poses.shape[0]):
            P, K = poses[view], intrinsics[view]
            x = P[0, 0] * px + P[0, 1] * py + P[0, 2] * pz + P[0, 3]
            y = P[1, 0] * px + P[1, 1] * py + P[1, 2] * pz + P[1, 3]
            z = P[2, 0] * px + P[2, 1] * py + P[2, 2] * pz + P[2, 3]
            if z <= 0.0:
                continue
            n = normals[i]
            facing = -(
                (P[0, 0] * n[0] + P[0, 1] * n[1] + P[0, 2] * n[2]) * x
                + (P[1, 0] * n[0] + P[1, 1] * n[1] + P[1, 2] * n[2]) * y
                + (P[2, 0] * n[0] + P[2, 1] * n[1] + P[2, 2] * n[2]) * z
            ) / np.sqrt(x * x + y * y + z * z)
            if facing <= 0.1:
                continue
            u, v = K[0] * x / z + K[2], K[1] * y / z + K[3]
            kind, ahead = ahead_of_surface(alphas[view], depths[view], u, v, z, solid)
            if kind != SEEN or abs(ahead) > slack:
                continue
            column, row = min(int(u), alphas.shape[2] - 1), min(int(v), alphas.shape[1] - 1)
            a = alphas[view, row, column]
            if a < solid:
                continue
            w = counts[view] * facing * facing * facing
            total += w
            r += w * colors[view, row, column, 0] / a
            g += w * colors[view, row, column, 1] / a
            b += w * colors[view, row, column, 2] / a
        weight[i] = total
        if total > 0.0:
            out[i, 0], out[i, 1], out[i, 2] = r / total, g / total, b / total
