"""Gradients of the projection: to means, orientations, scales, poses and intrinsics.

With the rows a = J_0 W, b = J_1 W of the combined map, Sigma_2d = [a; b] Sigma [a; b]^T + 0.3 I, and G = d loss / d
Sigma_2d = -conic V conic, V the symmetric gradient of the conic.

Gaussians are taken 64 at a time: their numbers are gathered into rows of one flat array, over which the vector loop
runs. Sums over views are taken in order within a block of Gaussians, and pose gradients block by block, so that they
do not depend on the number of threads.
"""

from __future__ import annotations

import numpy as np

from sparseags_ns.rasterizer.kernels.ewa import (
    clamp,
    covariance_gradient,
    dot,
    image_margins,
    row_of_map,
    times_symmetric,
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
    """Copy the geometry of Gaussians ids[begin : begin + count] and clear their sums; broken ones become zeros."""
    F = block.dtype.type
    for i in range(count):
        g = ids[begin + i]
        total = F(0)
        for row in range(9):
            total += abs(geometry[row * n + g])
        for row in range(9):
            # Compared with a number, for the compiler may take NaN - NaN, which is isfinite's test, for 0.
            block[(_GEOMETRY + row) * BLOCK + i] = geometry[row * n + g] if total < F(_HUGE) else F(0)
            block[(_SUMS + row) * BLOCK + i] = F(0)


@jit
def gather_view(ids, begin, count, radii, conics, v_means2d, v_conics, v_depths, block):
    """Copy conics and gradients of one view, zeros where a Gaussian is not seen; v_depths may be None."""
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
def _add_covariance(block, i, g00, g01, g11, a0, a1, a2, b0, b1, b2):
    """Add [a b] G [a b]^T, the gradient of the world covariance; off-diagonal entries count twice."""
    two = type(g00)(2)
    block[_VXX + i] += g00 * a0 * a0 + two * g01 * a0 * b0 + g11 * b0 * b0
    block[_VXY + i] += two * (g00 * a0 * a1 + g01 * (a0 * b1 + a1 * b0) + g11 * b0 * b1)
    block[_VXZ + i] += two * (g00 * a0 * a2 + g01 * (a0 * b2 + a2 * b0) + g11 * b0 * b2)
    block[_VYY + i] += g00 * a1 * a1 + two * g01 * a1 * b1 + g11 * b1 * b1
    block[_VYZ + i] += two * (g00 * a1 * a2 + g01 * (a1 * b2 + a2 * b1) + g11 * b1 * b2)
    block[_VZZ + i] += g00 * a2 * a2 + two * g01 * a2 * b2 + g11 * b2 * b2


@jit
def project_block_vjp(block, count, T, K, width, height, with_gaussians, v_camera):
    """The vector loop: add the gradients of one view to the block's sums and to v_camera (16).

    `with_gaussians` is None where only the camera's gradient is asked for.
    """
    F = block.dtype.type
    r00, r01, r02, t0 = T[0, 0], T[0, 1], T[0, 2], T[0, 3]
    r10, r11, r12, t1 = T[1, 0], T[1, 1], T[1, 2], T[1, 3]
    r20, r21, r22, t2 = T[2, 0], T[2, 1], T[2, 2], T[2, 3]
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    left, right, top, bottom = image_margins(width, height, fx)
    c0, c1, c2, c3, c4, c5, c6, c7 = F(0), F(0), F(0), F(0), F(0), F(0), F(0), F(0)
    c8, c9, c10, c11, c12, c13, c14, c15 = F(0), F(0), F(0), F(0), F(0), F(0), F(0), F(0)
    for i in range(_U(0), _U(count)):
        px, py, pz = block[_PX + i], block[_PY + i], block[_PZ + i]
        xx, xy, xz = block[_XX + i], block[_XY + i], block[_XZ + i]
        yy, yz, zz = block[_YY + i], block[_YZ + i], block[_ZZ + i]
        x, y = dot(r00, r01, r02, px, py, pz) + t0, dot(r10, r11, r12, px, py, pz) + t1
        z = dot(r20, r21, r22, px, py, pz) + t2
        inverse_z = F(1) / (z if block[_SEEN + i] > F(0) else F(1))
        u, v = fx * x * inverse_z + cx, fy * y * inverse_z + cy
        u_near, v_near = clamp(u, left, right), clamp(v, top, bottom)
        j00, j11, j02, j12 = fx * inverse_z, fy * inverse_z, (cx - u_near) * inverse_z, (cy - v_near) * inverse_z
        a0, a1, a2 = row_of_map(j00, j02, r00, r01, r02, r20, r21, r22)
        b0, b1, b2 = row_of_map(j11, j12, r10, r11, r12, r20, r21, r22)
        g00, g01, g11 = covariance_gradient(
            block[_A + i], block[_B + i], block[_C + i], block[_VA + i], block[_VB + i], block[_VC + i]
        )
        # Gradients of the rows: 2 (G [a; b] Sigma), then of J's four entries.
        h0, h1, h2 = row_of_map(g00, g01, a0, a1, a2, b0, b1, b2)
        k0, k1, k2 = row_of_map(g01, g11, a0, a1, a2, b0, b1, b2)
        va0, va1, va2 = times_symmetric(xx, xy, xz, yy, yz, zz, F(2) * h0, F(2) * h1, F(2) * h2)
        vb0, vb1, vb2 = times_symmetric(xx, xy, xz, yy, yz, zz, F(2) * k0, F(2) * k1, F(2) * k2)
        v_j00, v_j02 = dot(va0, va1, va2, r00, r01, r02), dot(va0, va1, va2, r20, r21, r22)
        v_j11, v_j12 = dot(vb0, vb1, vb2, r10, r11, r12), dot(vb0, vb1, vb2, r20, r21, r22)
        # J depends on u and v only where they are not clamped.
        vu = block[_VU + i] - (v_j02 * inverse_z if u_near == u else F(0))
        vv = block[_VV + i] - (v_j12 * inverse_z if v_near == v else F(0))
        vx, vy = vu * j00, vv * j11
        v_inverse_z = (vu * x + v_j00) * fx + (vv * y + v_j11) * fy
        v_inverse_z += v_j02 * (cx - u_near) + v_j12 * (cy - v_near)
        vz = block[_VZ + i] - v_inverse_z * inverse_z * inverse_z
        c0, c1, c2, c3 = c0 + j00 * va0 + vx * px, c1 + j00 * va1 + vx * py, c2 + j00 * va2 + vx * pz, c3 + vx
        c4, c5, c6, c7 = c4 + j11 * vb0 + vy * px, c5 + j11 * vb1 + vy * py, c6 + j11 * vb2 + vy * pz, c7 + vy
        c8, c9 = c8 + j02 * va0 + j12 * vb0 + vz * px, c9 + j02 * va1 + j12 * vb1 + vz * py
        c10, c11 = c10 + j02 * va2 + j12 * vb2 + vz * pz, c11 + vz
        c12, c13 = c12 + (vu * x + v_j00) * inverse_z, c13 + (vv * y + v_j11) * inverse_z
        # The direct path of the centre, and J's -(u - cx) / z where u is not clamped with it.
        c14, c15 = c14 + vu + v_j02 * inverse_z, c15 + vv + v_j12 * inverse_z
        if with_gaussians is not None:
            _add_covariance(block, i, g00, g01, g11, a0, a1, a2, b0, b1, b2)
            block[_VPX + i] += r00 * vx + r10 * vy + r20 * vz
            block[_VPY + i] += r01 * vx + r11 * vy + r21 * vz
            block[_VPZ + i] += r02 * vx + r12 * vy + r22 * vz
    sums = (c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15)
    for k in range(CAMERA_COLUMNS):
        v_camera[k] += sums[k]


@jit
def _covariance_vjp(quat, scale, block, i, R, v_R, v_quat, v_scale):
    """From the gradient of Sigma = R diag(s^2) R^T (off-diagonal entries counted twice) to quaternion and scales."""
    F = quat.dtype.type
    w, x, y, z, inverse = unit_quaternion(quat)
    rotation_matrix(w, x, y, z, R)
    s00, s01, s02 = F(2) * block[_VXX + i], block[_VXY + i], block[_VXZ + i]
    s11, s12, s22 = F(2) * block[_VYY + i], block[_VYZ + i], F(2) * block[_VZZ + i]
    for j in range(3):
        # Column j of 2 V R; the loss changes by s_j^2 (2 V R)_j . dR_j and by s_j R_j . (2 V R)_j ds_j.
        c0, c1, c2 = times_symmetric(s00, s01, s02, s11, s12, s22, R[0, j], R[1, j], R[2, j])
        v_scale[j] = scale[j] * dot(c0, c1, c2, R[0, j], R[1, j], R[2, j])
        squared = scale[j] * scale[j]
        v_R[0, j], v_R[1, j], v_R[2, j] = squared * c0, squared * c1, squared * c2
    d10, d02, d21 = v_R[1, 0] - v_R[0, 1], v_R[0, 2] - v_R[2, 0], v_R[2, 1] - v_R[1, 2]
    e10, e02, e21 = v_R[1, 0] + v_R[0, 1], v_R[0, 2] + v_R[2, 0], v_R[2, 1] + v_R[1, 2]
    vw = F(2) * (x * d21 + y * d02 + z * d10)
    vx = F(2) * (w * d21 + y * e10 + z * e02 - F(2) * x * (v_R[1, 1] + v_R[2, 2]))
    vy = F(2) * (w * d02 + x * e10 + z * e21 - F(2) * y * (v_R[0, 0] + v_R[2, 2]))
    vz = F(2) * (w * d10 + x * e02 + y * e21 - F(2) * z * (v_R[0, 0] + v_R[1, 1]))
    radial = vw * w + vx * x + vy * y + vz * z
    v_quat[0], v_quat[1] = (vw - radial * w) * inverse, (vx - radial * x) * inverse
    v_quat[2], v_quat[3] = (vy - radial * y) * inverse, (vz - radial * z) * inverse


@jit
def _write_gaussian(g, block, i, quats, scales, seen, R, v_R, v_means, v_quats, v_scales):
    """Turn one Gaussian's sums into its gradients; zeros where no view sees it."""
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
    """Gradients of Gaussians begin to end, summed over the views; v_cameras [views 16] receives the cameras'."""
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
