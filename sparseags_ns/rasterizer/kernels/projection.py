"""From Gaussians in the world to ellipses in one image: EWA projection.

Sigma_2d = J W Sigma W^T J^T + EPS_2D I, with W the camera's rotation and J the derivative of the pinhole projection
(Zwicker et al. 2001, eq. 29 and 31). With (u, v) = (fx x / z + cx, fy y / z + cy),

    J = [fx / z, 0, -fx x / z^2; 0, fy / z, -fy y / z^2] = [fx / z, 0, (cx - u) / z; 0, fy / z, (cy - v) / z],

where u and v in J are clamped to a margin around the image, as 3DGS does: far outside, the linear approximation
explodes.

The geometry array [9 N] holds rows of N numbers, so that the vector loop reads consecutive addresses: mean x, y, z;
Sigma xx, xy, xz, yy, yz, zz.
"""

from __future__ import annotations

import math

import numpy as np

from sparseags_ns.rasterizer.constants import EPS_2D, RADIUS_SIGMAS
from sparseags_ns.rasterizer.kernels.arithmetic import whole_above
from sparseags_ns.rasterizer.kernels.ewa import apply, clamp, combine, dot, image_margins, pose_rows
from sparseags_ns.rasterizer.kernels.jit import jit

BLOCK = 64
"""Gaussians projected by one run of the vector loop."""
_U = np.uint64
_RADIUS_MAX = 2.0**30

# Rows of the vector loop's results, `BLOCK` numbers each.
_X, _Y, _CONIC_A, _CONIC_B, _CONIC_C, _DEPTH, _DET, _REACH = (_U(BLOCK * row) for row in range(8))
_RESULT_ROWS = 8


@jit
def unit_quaternion(quat):
    """Normalise (w, x, y, z); also returns 1 / length. Lengths below 1e-12 count as 1e-12, as in torch."""
    F = quat.dtype.type
    length = math.sqrt(quat[0] * quat[0] + quat[1] * quat[1] + quat[2] * quat[2] + quat[3] * quat[3])
    inverse = F(1) / max(length, F(1e-12))
    return quat[0] * inverse, quat[1] * inverse, quat[2] * inverse, quat[3] * inverse, inverse


@jit
def rotation_matrix(w, x, y, z, R):
    """Write the rotation of a unit quaternion to R [3 3]."""
    F = R.dtype.type
    R[0, 0], R[0, 1], R[0, 2] = F(1) - F(2) * (y * y + z * z), F(2) * (x * y - w * z), F(2) * (x * z + w * y)
    R[1, 0], R[1, 1], R[1, 2] = F(2) * (x * y + w * z), F(1) - F(2) * (x * x + z * z), F(2) * (y * z - w * x)
    R[2, 0], R[2, 1], R[2, 2] = F(2) * (x * z - w * y), F(2) * (y * z + w * x), F(1) - F(2) * (x * x + y * y)


@jit
def fill_geometry(means, quats, scales, begin, end, geometry):
    """Write means and world covariances, Sigma = R diag(s^2) R^T, of Gaussians begin to end."""
    n = means.shape[0]
    R = np.empty((3, 3), means.dtype)
    for i in range(begin, end):
        w, x, y, z, _ = unit_quaternion(quats[i])
        rotation_matrix(w, x, y, z, R)
        for j in range(3):
            geometry[j * n + i] = means[i, j]
        row = 3
        for j in range(3):
            for k in range(j, 3):
                value = means.dtype.type(0)
                for m in range(3):
                    value += R[j, m] * R[k, m] * scales[i, m] * scales[i, m]
                geometry[row * n + i] = value
                row += 1


@jit
def project_block(geometry, n, begin, count, T, K, width, height, out):
    """Project Gaussians begin to begin + count into the rows of `out`: the vector loop, without any branch."""
    F = geometry.dtype.type
    N = _U(n)
    r0, r1, r2, t = pose_rows(T)
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    left, right, top, bottom = image_margins(width, height, fx)
    for i in range(_U(0), _U(count)):
        g = _U(begin) + i
        p = geometry[g], geometry[N + g], geometry[_U(2) * N + g]
        Sigma = (
            geometry[_U(3) * N + g], geometry[_U(4) * N + g], geometry[_U(5) * N + g],
            geometry[_U(6) * N + g], geometry[_U(7) * N + g], geometry[_U(8) * N + g],
        )  # fmt: skip
        depth = dot(r2, p) + t[2]
        inverse_z = F(1) / depth
        u, v = fx * (dot(r0, p) + t[0]) * inverse_z + cx, fy * (dot(r1, p) + t[1]) * inverse_z + cy
        # Rows of J W: J has two entries each, so they are combinations of two rows of the rotation.
        a = combine(fx * inverse_z, r0, (cx - clamp(u, left, right)) * inverse_z, r2)
        b = combine(fy * inverse_z, r1, (cy - clamp(v, top, bottom)) * inverse_z, r2)
        Sigma_b = apply(Sigma, b)
        cov_a, cov_b, cov_c = dot(a, apply(Sigma, a)) + F(EPS_2D), dot(a, Sigma_b), dot(b, Sigma_b) + F(EPS_2D)
        det = cov_a * cov_c - cov_b * cov_b
        middle, inverse_det = F(0.5) * (cov_a + cov_c), F(1) / max(det, F(1e-10))
        # The larger eigenvalue of Sigma_2d; the bound under the root is gsplat's.
        largest = middle + math.sqrt(max(middle * middle - det, F(0.01)))
        out[_X + i], out[_Y + i], out[_DEPTH + i], out[_DET + i] = u, v, depth, det
        out[_CONIC_A + i], out[_CONIC_B + i] = cov_c * inverse_det, -cov_b * inverse_det
        out[_CONIC_C + i] = cov_a * inverse_det
        out[_REACH + i] = F(RADIUS_SIGMAS) * math.sqrt(largest)


@jit
def project_view(geometry, n, begin, end, T, K, width, height, near, far, means2d, conics, depths, radii):
    """Project Gaussians begin to end into one view; a Gaussian that is not seen gets radius 0 and zeros."""
    F = geometry.dtype.type
    out = np.empty(_RESULT_ROWS * BLOCK, geometry.dtype)
    for first in range(begin, end, BLOCK):
        count = min(BLOCK, end - first)
        project_block(geometry, n, first, count, T, K, width, height, out)
        for i in range(_U(0), _U(count)):
            g = first + i
            u, v, depth = out[_X + i], out[_Y + i], out[_DEPTH + i]
            # Written so that any NaN makes the Gaussian invisible.
            in_range = depth > near and depth < far and out[_DET + i] > F(0) and out[_REACH + i] < F(_RADIUS_MAX)
            radius = F(whole_above(out[_REACH + i])) if in_range else F(0)
            seen = in_range and u + radius > 0 and u - radius < width and v + radius > 0 and v - radius < height
            radii[g] = int(radius) if seen else 0
            depths[g] = depth
            means2d[g, 0], means2d[g, 1] = (u, v) if seen else (F(0), F(0))
            conics[g, 0] = out[_CONIC_A + i] if seen else F(0)
            conics[g, 1] = out[_CONIC_B + i] if seen else F(0)
            conics[g, 2] = out[_CONIC_C + i] if seen else F(0)
