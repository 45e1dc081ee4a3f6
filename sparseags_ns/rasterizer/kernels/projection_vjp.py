"""Gradients of the projection: to means, orientations, scales, poses and intrinsics.

With the rows a = J_0 W, b = J_1 W of the combined map, Sigma_2d = [a; b] Sigma [a; b]^T + 0.3 I, and G = d loss / d
Sigma_2d = -conic V conic, V the symmetric gradient of the conic.

Sums over views are taken in order within a block of Gaussians, and pose gradients block by block, so that they do
not depend on the number of threads.
"""

from __future__ import annotations

import numpy as np

from sparseags_ns.rasterizer.constants import FRUSTUM_MARGIN
from sparseags_ns.rasterizer.kernels.jit import jit
from sparseags_ns.rasterizer.kernels.projection import rotation_matrix, unit_quaternion

CAMERA_COLUMNS = 16
"""Gradient of one camera: the upper three rows of T (12), then fx, fy, cx, cy."""


@jit
def splat_vjp(geometry, n, g, T, K, width, height, conic, v_mean2d, v_conic, v_depth, v_gaussian, v_camera):
    """Add the gradients of one Gaussian in one view to v_gaussian (mean 3, Sigma 6; or None) and v_camera (16)."""
    F = geometry.dtype.type
    xx, xy, xz = geometry[3 * n + g], geometry[4 * n + g], geometry[5 * n + g]
    yy, yz, zz = geometry[6 * n + g], geometry[7 * n + g], geometry[8 * n + g]
    px, py, pz = geometry[g], geometry[n + g], geometry[2 * n + g]
    r00, r01, r02, r10, r11, r12 = T[0, 0], T[0, 1], T[0, 2], T[1, 0], T[1, 1], T[1, 2]
    r20, r21, r22 = T[2, 0], T[2, 1], T[2, 2]
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    x = r00 * px + r01 * py + r02 * pz + T[0, 3]
    y = r10 * px + r11 * py + r12 * pz + T[1, 3]
    inverse_z = F(1) / (r20 * px + r21 * py + r22 * pz + T[2, 3])
    u, v = fx * x * inverse_z + cx, fy * y * inverse_z + cy
    u_near = min(max(u, F(-FRUSTUM_MARGIN * width)), F((1 + FRUSTUM_MARGIN) * width))
    v_near = min(max(v, F(-FRUSTUM_MARGIN * height)), F((1 + FRUSTUM_MARGIN) * height))
    j00, j11, j02, j12 = fx * inverse_z, fy * inverse_z, (cx - u_near) * inverse_z, (cy - v_near) * inverse_z
    a0, a1, a2 = j00 * r00 + j02 * r20, j00 * r01 + j02 * r21, j00 * r02 + j02 * r22
    b0, b1, b2 = j11 * r10 + j12 * r20, j11 * r11 + j12 * r21, j11 * r12 + j12 * r22
    s0, s1, s2 = xx * a0 + xy * a1 + xz * a2, xy * a0 + yy * a1 + yz * a2, xz * a0 + yz * a1 + zz * a2
    q0, q1, q2 = xx * b0 + xy * b1 + xz * b2, xy * b0 + yy * b1 + yz * b2, xz * b0 + yz * b1 + zz * b2
    A, B, C = conic[0], conic[1], conic[2]
    vA, vB, vC = v_conic[0], F(0.5) * v_conic[1], v_conic[2]
    m00, m01, m10, m11 = A * vA + B * vB, A * vB + B * vC, B * vA + C * vB, B * vB + C * vC
    g00, g01, g11 = -(m00 * A + m01 * B), -(m00 * B + m01 * C), -(m10 * B + m11 * C)
    va0, va1, va2 = F(2) * (g00 * s0 + g01 * q0), F(2) * (g00 * s1 + g01 * q1), F(2) * (g00 * s2 + g01 * q2)
    vb0, vb1, vb2 = F(2) * (g01 * s0 + g11 * q0), F(2) * (g01 * s1 + g11 * q1), F(2) * (g01 * s2 + g11 * q2)
    v_j00, v_j02 = va0 * r00 + va1 * r01 + va2 * r02, va0 * r20 + va1 * r21 + va2 * r22
    v_j11, v_j12 = vb0 * r10 + vb1 * r11 + vb2 * r12, vb0 * r20 + vb1 * r21 + vb2 * r22
    # The derivative J depends on u and v only where they are not clamped.
    vu = v_mean2d[0] - (v_j02 * inverse_z if u_near == u else F(0))
    vv = v_mean2d[1] - (v_j12 * inverse_z if v_near == v else F(0))
    vx, vy = vu * fx * inverse_z, vv * fy * inverse_z
    v_inverse_z = vu * fx * x + vv * fy * y + v_j00 * fx + v_j11 * fy
    v_inverse_z += v_j02 * (cx - u_near) + v_j12 * (cy - v_near)
    vz = v_depth - v_inverse_z * inverse_z * inverse_z
    if v_gaussian is not None:
        v_gaussian[0] += r00 * vx + r10 * vy + r20 * vz
        v_gaussian[1] += r01 * vx + r11 * vy + r21 * vz
        v_gaussian[2] += r02 * vx + r12 * vy + r22 * vz
        v_gaussian[3] += g00 * a0 * a0 + F(2) * g01 * a0 * b0 + g11 * b0 * b0
        v_gaussian[4] += F(2) * (g00 * a0 * a1 + g01 * (a0 * b1 + a1 * b0) + g11 * b0 * b1)
        v_gaussian[5] += F(2) * (g00 * a0 * a2 + g01 * (a0 * b2 + a2 * b0) + g11 * b0 * b2)
        v_gaussian[6] += g00 * a1 * a1 + F(2) * g01 * a1 * b1 + g11 * b1 * b1
        v_gaussian[7] += F(2) * (g00 * a1 * a2 + g01 * (a1 * b2 + a2 * b1) + g11 * b1 * b2)
        v_gaussian[8] += g00 * a2 * a2 + F(2) * g01 * a2 * b2 + g11 * b2 * b2
    v_camera[0] += j00 * va0 + vx * px
    v_camera[1] += j00 * va1 + vx * py
    v_camera[2] += j00 * va2 + vx * pz
    v_camera[3] += vx
    v_camera[4] += j11 * vb0 + vy * px
    v_camera[5] += j11 * vb1 + vy * py
    v_camera[6] += j11 * vb2 + vy * pz
    v_camera[7] += vy
    v_camera[8] += j02 * va0 + j12 * vb0 + vz * px
    v_camera[9] += j02 * va1 + j12 * vb1 + vz * py
    v_camera[10] += j02 * va2 + j12 * vb2 + vz * pz
    v_camera[11] += vz
    v_camera[12] += (vu * x + v_j00) * inverse_z
    v_camera[13] += (vv * y + v_j11) * inverse_z
    v_camera[14] += vu + v_j02 * inverse_z
    v_camera[15] += vv + v_j12 * inverse_z


@jit
def _covariance_vjp(quat, scale, v_sigma, R, v_R, v_quat, v_scale):
    """From the gradient of Sigma = R diag(s^2) R^T (6, off-diagonal entries counted once) to quaternion and scales."""
    F = quat.dtype.type
    w, x, y, z, inverse = unit_quaternion(quat)
    rotation_matrix(w, x, y, z, R)
    s00, s01, s02, s11, s12, s22 = v_sigma[0], v_sigma[1], v_sigma[2], v_sigma[3], v_sigma[4], v_sigma[5]
    for j in range(3):
        # Column j of V R with V symmetric; the loss changes by 2 s_j^2 (V R)_j . d R_j and by 2 s_j R_j^T V R_j d s_j.
        c0 = F(2) * s00 * R[0, j] + s01 * R[1, j] + s02 * R[2, j]
        c1 = s01 * R[0, j] + F(2) * s11 * R[1, j] + s12 * R[2, j]
        c2 = s02 * R[0, j] + s12 * R[1, j] + F(2) * s22 * R[2, j]
        v_scale[j] = scale[j] * (c0 * R[0, j] + c1 * R[1, j] + c2 * R[2, j])
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
def project_vjp(
    geometry, quats, scales, Ts, Ks, width, height, begin, end, radii, conics,
    v_means2d, v_conics, v_depths, v_means, v_quats, v_scales, v_cameras,
):  # fmt: skip
    """Gradients of Gaussians begin to end, summed over the views; v_cameras [views 16] receives the cameras'."""
    F = geometry.dtype.type
    n, views = quats.shape[0], Ts.shape[0]
    v_gaussian = np.empty(9, geometry.dtype)
    R, v_R = np.empty((3, 3), geometry.dtype), np.empty((3, 3), geometry.dtype)
    v_cameras[:] = F(0)
    for g in range(begin, end):
        v_gaussian[:] = F(0)
        seen = False
        for view in range(views):
            if radii[view, g] > 0:
                seen = True
                splat_vjp(
                    geometry, n, g, Ts[view], Ks[view], width, height, conics[view, g],
                    v_means2d[view, g], v_conics[view, g], v_depths[view, g], v_gaussian, v_cameras[view],
                )  # fmt: skip
        for j in range(3):
            v_means[g, j] = v_gaussian[j]
        if seen:
            _covariance_vjp(quats[g], scales[g], v_gaussian[3:], R, v_R, v_quats[g], v_scales[g])
        else:
            v_quats[g, :], v_scales[g, :] = F(0), F(0)
