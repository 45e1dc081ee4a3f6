"""Gradients of the projection: to means, orientations, scales, poses and intrinsics.

With the rows a = J_0 W, b = J_1 W of the combined map, Sigma_2d = [a; b] Sigma [a; b]^T + EPS_2D I, and G = d loss / d
Sigma_2d = -conic V conic, V the symmetric gradient of the conic.

Gaussians are processed 64 at a time: their numbers are gathered into rows of one flat array, over which the vector loop
runs. Sums over views are taken in order within a block of Gaussians, and pose gradients block by block, so that results
do not depend on the number of threads.
"""

from __future__ import annotations

import numpy as np

from sparseags_ns.rasterizer.kernels.ewa import (
    apply,
    clamp,
    combine,
    covariance_gradient,
    dot,
    image_margins,
    pose_rows,
    spread,
)
from sparseags_ns.rasterizer.kernels.jit import jit
from sparseags_ns.rasterizer.kernels.projection import BLOCK, rotation_matrix, unit_quaternion

CAMERA_COLUMNS = 16
"""Gradient of one camera: the upper three rows of T (12), then fx, fy, cx, cy."""
_U = np.uint64
_HUGE = 1e30

# Rows of the vector loop's array, `BLOCK` numbers each: the Gaussians, their gradients, and one view of them.
_GEOMETRY, _SUMS = 0, 9
(
    _PX, _PY, _PZ, _XX, _XY, _XZ, _YY, _YZ, _ZZ,
    _VPX, _VPY, _VPZ, _VXX, _VXY, _VXZ, _VYY, _VYZ, _VZZ,
    _SEEN, _A, _B, _C, _VU, _VV, _VA, _VB, _VC, _VZ,
) = (_U(BLOCK * row) for row in range(28))  # fmt: skip
ROWS = 28


@jit
def gather_gaussians(geometry, n, ids, begin, count, block):
    """Copy the geometry of Gaussians ids[begin : begin + count] and clear their sums; NaN and infinity become zeros."""
    F = block.dtype.type
    for i in range(count):
        g = ids[begin + i]
        total = F(0)
        for row in range(9):
            total += abs(geometry[row * n + g])
        for row in range(9):
            # Not isfinite(): it tests x - x, which the compiler may replace by 0 under the fast-math flags.
            block[(_GEOMETRY + row) * BLOCK + i] = geometry[row * n + g] if total < F(_HUGE) else F(0)
            block[(_SUMS + row) * BLOCK + i] = F(0)


@jit
def gather_view(ids, begin, count, radii, conics, v_means2d, v_conics, v_depths, block):
    """Copy the conics and gradients of one view, with zeros where a Gaussian is not seen; v_depths may be None."""
    F = block.dtype.type
    for i in range(_U(count)):
        g = ids[_U(begin) + i]
        seen = radii[g] > 0
        block[_SEEN + i] = F(1) if seen else F(0)
        block[_A + i], block[_B + i], block[_C + i] = conics[g, 0], conics[g, 1], conics[g, 2]
        block[_VU + i], block[_VV + i] = (v_means2d[g, 0], v_means2d[g, 1]) if seen else (F(0), F(0))
        block[_VA + i] = v_conics[g, 0] if seen else F(0)
        block[_VB + i] = v_conics[g, 1] if seen else F(0)
        block[_VC + i] = v_conics[g, 2] if seen else F(0)
        block[_VZ + i] = F(0)
        if v_depths is not None:
            block[_VZ + i] = v_depths[g] if seen else F(0)


@jit
def _load_gaussian(block, i):
    """Mean and world covariance of Gaussian i of the block."""
    Sigma = (block[_XX + i], block[_XY + i], block[_XZ + i], block[_YY + i], block[_YZ + i], block[_ZZ + i])
    return (block[_PX + i], block[_PY + i], block[_PZ + i]), Sigma


@jit
def _add_row(total, s, a, t, b, v, p):
    """total + (s a + t b + v p, v): one row of the pose's gradient."""
    return (
        total[0] + s * a[0] + t * b[0] + v * p[0],
        total[1] + s * a[1] + t * b[1] + v * p[1],
        total[2] + s * a[2] + t * b[2] + v * p[2],
        total[3] + v,
    )


@jit
def _add_gaussian(block, i, v_point, v_Sigma, r0, r1, r2):
    """Add the gradients of one mean, given in the camera's frame, and of its world covariance."""
    vx, vy, vz = v_point
    block[_VPX + i] += r0[0] * vx + r1[0] * vy + r2[0] * vz
    block[_VPY + i] += r0[1] * vx + r1[1] * vy + r2[1] * vz
    block[_VPZ + i] += r0[2] * vx + r1[2] * vy + r2[2] * vz
    block[_VXX + i] += v_Sigma[0]
    block[_VXY + i] += v_Sigma[1]
    block[_VXZ + i] += v_Sigma[2]
    block[_VYY + i] += v_Sigma[3]
    block[_VYZ + i] += v_Sigma[4]
    block[_VZZ + i] += v_Sigma[5]


@jit
def project_block_vjp(block, count, T, K, width, height, with_gaussians, v_camera):
    """Add the gradients of one view to the block's sums and to v_camera (16): the vector loop.

    `with_gaussians` is None if only the gradient of the camera is needed. Chain rule, from the image back to the world:
    conic -> Sigma_2d -> the rows a, b of J W and Sigma; a, b -> the entries of J and the rows of W; J and the projected
    centre (u, v) -> the point (x, y, z) in the camera's frame and K; the point -> the mean and the pose. Here w = 1 /
    z.
    """
    F = block.dtype.type
    two, zero = F(2), F(0)
    zeros = (zero, zero, zero, zero)
    r0, r1, r2, t = pose_rows(T)
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    left, right, top, bottom = image_margins(width, height, fx)
    row0, row1, row2, v_K = zeros, zeros, zeros, zeros
    for i in range(_U(0), _U(count)):
        p, Sigma = _load_gaussian(block, i)
        x, y, z = dot(r0, p) + t[0], dot(r1, p) + t[1], dot(r2, p) + t[2]
        # Gaussians that are not seen may lie at z = 0; their gradients are zero, and must not become NaN.
        w = F(1) / (z if block[_SEEN + i] > zero else F(1))
        u, v = fx * x * w + cx, fy * y * w + cy
        u_near, v_near = clamp(u, left, right), clamp(v, top, bottom)
        j00, j11, j02, j12 = fx * w, fy * w, (cx - u_near) * w, (cy - v_near) * w
        a, b = combine(j00, r0, j02, r2), combine(j11, r1, j12, r2)
        G = covariance_gradient(
            (block[_A + i], block[_B + i], block[_C + i]), (block[_VA + i], block[_VB + i], block[_VC + i])
        )
        # d loss / d a = 2 Sigma (G00 a + G01 b), d loss / d b = 2 Sigma (G01 a + G11 b). With a = j00 r0 + j02 r2 and
        # b = j11 r1 + j12 r2, the entries of J receive scalar products with the rows of the rotation.
        v_a = apply(Sigma, combine(two * G[0], a, two * G[1], b))
        v_b = apply(Sigma, combine(two * G[1], a, two * G[2], b))
        v_j00, v_j02, v_j11, v_j12 = dot(v_a, r0), dot(v_a, r2), dot(v_b, r1), dot(v_b, r2)
        # j02 = (cx - u) / z and j12 = (cy - v) / z depend on the projected centre, unless it was clamped.
        vu = block[_VU + i] - (v_j02 * w if u_near == u else zero)
        vv = block[_VV + i] - (v_j12 * w if v_near == v else zero)
        # w = 1 / z enters u and v, and all four entries of J; dw = -w^2 dz.
        vw = (vu * x + v_j00) * fx + (vv * y + v_j11) * fy + v_j02 * (cx - u_near) + v_j12 * (cy - v_near)
        vx, vy, vz = vu * j00, vv * j11, block[_VZ + i] - vw * w * w
        row0, row1 = _add_row(row0, j00, v_a, zero, v_b, vx, p), _add_row(row1, zero, v_a, j11, v_b, vy, p)
        row2 = _add_row(row2, j02, v_a, j12, v_b, vz, p)
        # cx and cy enter u and v, and directly j02 and j12.
        v_fx, v_fy = (vu * x + v_j00) * w, (vv * y + v_j11) * w
        v_K = (v_K[0] + v_fx, v_K[1] + v_fy, v_K[2] + vu + v_j02 * w, v_K[3] + vv + v_j12 * w)
        if with_gaussians is not None:
            _add_gaussian(block, i, (vx, vy, vz), spread(G, a, b), r0, r1, r2)
    for k in range(4):
        v_camera[k], v_camera[4 + k] = v_camera[k] + row0[k], v_camera[4 + k] + row1[k]
        v_camera[8 + k], v_camera[12 + k] = v_camera[8 + k] + row2[k], v_camera[12 + k] + v_K[k]


@jit
def _covariance_vjp(quat, scale, block, i, R, v_R, v_quat, v_scale):
    """Gradients of quaternion and scales from that of Sigma = R diag(s^2) R^T (each off-diagonal entry counted twice).

    Sigma = sum_j s_j^2 R_j R_j^T over the columns of R, so with the symmetric gradient V: v_(R_j) = 2 s_j^2 V R_j and
    v_(s_j) = 2 s_j R_j . V R_j. The stored off-diagonal entries are already 2 V.
    """
    F = quat.dtype.type
    w, x, y, z, inverse = unit_quaternion(quat)
    rotation_matrix(w, x, y, z, R)
    twice_V = (
        F(2) * block[_VXX + i], block[_VXY + i], block[_VXZ + i],
        F(2) * block[_VYY + i], block[_VYZ + i], F(2) * block[_VZZ + i],
    )  # fmt: skip
    for j in range(3):
        column = (R[0, j], R[1, j], R[2, j])
        v_column = apply(twice_V, column)
        v_scale[j] = scale[j] * dot(v_column, column)
        squared = scale[j] * scale[j]
        v_R[0, j], v_R[1, j], v_R[2, j] = squared * v_column[0], squared * v_column[1], squared * v_column[2]
    # Derivatives of the entries of the rotation matrix (see `rotation_matrix`) by w, x, y and z: R minus its transpose
    # goes with w, R plus its transpose with the products of x, y and z.
    d10, d02, d21 = v_R[1, 0] - v_R[0, 1], v_R[0, 2] - v_R[2, 0], v_R[2, 1] - v_R[1, 2]
    e10, e02, e21 = v_R[1, 0] + v_R[0, 1], v_R[0, 2] + v_R[2, 0], v_R[2, 1] + v_R[1, 2]
    vw = F(2) * (x * d21 + y * d02 + z * d10)
    vx = F(2) * (w * d21 + y * e10 + z * e02 - F(2) * x * (v_R[1, 1] + v_R[2, 2]))
    vy = F(2) * (w * d02 + x * e10 + z * e21 - F(2) * y * (v_R[0, 0] + v_R[2, 2]))
    vz = F(2) * (w * d10 + x * e02 + y * e21 - F(2) * z * (v_R[0, 0] + v_R[1, 1]))
    # Through the normalisation q / |q|: the component along the unit quaternion vanishes, the rest is divided by |q|.
    radial = vw * w + vx * x + vy * y + vz * z
    v_quat[0], v_quat[1] = (vw - radial * w) * inverse, (vx - radial * x) * inverse
    v_quat[2], v_quat[3] = (vy - radial * y) * inverse, (vz - radial * z) * inverse


@jit
def _write_gaussian(g, block, i, quats, scales, seen, R, v_R, v_means, v_quats, v_scales):
    """Convert one Gaussian's sums to its gradients; zeros where no view sees it."""
    F = block.dtype.type
    v_means[g, 0], v_means[g, 1], v_means[g, 2] = block[_VPX + i], block[_VPY + i], block[_VPZ + i]
    if seen:
        _covariance_vjp(quats[g], scales[g], block, i, R, v_R, v_quats[g], v_scales[g])
    else:
        v_quats[g, :], v_scales[g, :] = F(0), F(0)


@jit
def project_vjp(
    geometry, quats, scales, Ts, Ks, width, height, begin, end, radii, conics,
    v_means2d, v_conics, v_depths, v_means, v_quats, v_scales, v_cameras,
):  # fmt: skip
    """Write the gradients of Gaussians begin to end, summed over the views, and their share of v_cameras [views 16]."""
    n, dtype = quats.shape[0], geometry.dtype
    block, ids = np.empty(ROWS * BLOCK, dtype), np.arange(begin, end)
    R, v_R, seen = np.empty((3, 3), dtype), np.empty((3, 3), dtype), np.empty(BLOCK, np.bool_)
    v_cameras[:] = 0
    for first in range(0, end - begin, BLOCK):
        count = min(BLOCK, end - begin - first)
        gather_gaussians(geometry, n, ids, first, count, block)
        seen[:] = False
        for view in range(Ts.shape[0]):
            gather_view(
                ids, first, count, radii[view], conics[view], v_means2d[view], v_conics[view], v_depths[view], block
            )
            project_block_vjp(block, count, Ts[view], Ks[view], width, height, 1, v_cameras[view])
            for i in range(count):
                seen[i] |= radii[view, begin + first + i] > 0
        for i in range(count):
            _write_gaussian(begin + first + i, block, _U(i), quats, scales, seen[i], R, v_R, v_means, v_quats, v_scales)
