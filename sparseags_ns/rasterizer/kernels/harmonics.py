"""Colours from spherical harmonics, degree 0 to 3, and their gradients; what `reference.harmonics` computes.

The basis is evaluated as polynomials of the unit direction; its derivative is that of the polynomials, projected onto
the sphere: v_direction - (v_direction . d) d, divided by the distance.
"""

from __future__ import annotations

import math

import numpy as np

from sparseags_ns.rasterizer.kernels.jit import jit

_K0 = 0.28209479177387814
_K1 = 0.4886025119029199
_K2 = (1.0925484305920792, 0.31539156525252005, 0.5462742152960396)
_K3 = (0.5900435899266435, 2.890611442640554, 0.4570457994644658, 0.3731763325901154, 1.445305721320277)
BASES_MAX = 16


@jit
def _unit_direction(mean, center):
    """Direction from the camera's centre to the mean, and 1 / distance."""
    F = mean.dtype.type
    x, y, z = mean[0] - center[0], mean[1] - center[1], mean[2] - center[2]
    inverse = F(1) / max(math.sqrt(x * x + y * y + z * z), F(1e-12))
    return x * inverse, y * inverse, z * inverse, inverse


@jit
def _fill_basis(x, y, z, bases, basis):
    """The first 1, 4, 9 or 16 basis functions."""
    F = basis.dtype.type
    basis[0] = F(_K0)
    if bases > 1:
        basis[1], basis[2], basis[3] = -F(_K1) * y, F(_K1) * z, -F(_K1) * x
    if bases > 4:
        basis[4], basis[5] = F(_K2[0]) * x * y, -F(_K2[0]) * y * z
        basis[6] = F(_K2[1]) * (F(3) * z * z - F(1))
        basis[7], basis[8] = -F(_K2[0]) * x * z, F(_K2[2]) * (x * x - y * y)
    if bases > 9:
        five = F(5) * z * z
        basis[9], basis[10] = -F(_K3[0]) * y * (F(3) * x * x - y * y), F(_K3[1]) * x * y * z
        basis[11], basis[12] = -F(_K3[2]) * y * (five - F(1)), F(_K3[3]) * z * (five - F(3))
        basis[13], basis[14] = -F(_K3[2]) * x * (five - F(1)), F(_K3[4]) * z * (x * x - y * y)
        basis[15] = -F(_K3[0]) * x * (x * x - F(3) * y * y)


@jit
def _direction_vjp(x, y, z, bases, v):
    """Gradient of the direction (before the projection onto the sphere) from the gradient v of the basis."""
    F = v.dtype.type
    vx, vy, vz = F(0), F(0), F(0)
    if bases > 1:
        vx, vy, vz = -F(_K1) * v[3], -F(_K1) * v[1], F(_K1) * v[2]
    if bases > 4:
        vx += F(_K2[0]) * (y * v[4] - z * v[7]) + F(2 * _K2[2]) * x * v[8]
        vy += F(_K2[0]) * (x * v[4] - z * v[5]) - F(2 * _K2[2]) * y * v[8]
        vz += F(-_K2[0]) * (y * v[5] + x * v[7]) + F(6 * _K2[1]) * z * v[6]
    if bases > 9:
        five, difference = F(5) * z * z, F(3) * (x * x - y * y)
        vx += F(_K3[0]) * (F(-6) * x * y * v[9] - difference * v[15]) + F(_K3[1]) * y * z * v[10]
        vx += F(-_K3[2]) * (five - F(1)) * v[13] + F(2 * _K3[4]) * x * z * v[14]
        vy += F(_K3[0]) * (-difference * v[9] + F(6) * x * y * v[15]) + F(_K3[1]) * x * z * v[10]
        vy += F(-_K3[2]) * (five - F(1)) * v[11] - F(2 * _K3[4]) * y * z * v[14]
        vz += F(_K3[1]) * x * y * v[10] - F(10 * _K3[2]) * z * (y * v[11] + x * v[13])
        vz += F(3 * _K3[3]) * (five - F(1)) * v[12] + F(_K3[4]) * (x * x - y * y) * v[14]
    return vx, vy, vz


@jit
def harmonics_view(means, center, coefficients, bases, begin, end, radii, colors):
    """max(0, 0.5 + sum of coefficients times basis) of Gaussians begin to end in one view; 0 where not seen."""
    F = means.dtype.type
    basis = np.empty(BASES_MAX, means.dtype)
    for g in range(begin, end):
        red, green, blue = F(0), F(0), F(0)
        if radii[g] > 0:
            x, y, z, _ = _unit_direction(means[g], center)
            _fill_basis(x, y, z, bases, basis)
            red, green, blue = F(0.5), F(0.5), F(0.5)
            for k in range(bases):
                red += basis[k] * coefficients[g, k, 0]
                green += basis[k] * coefficients[g, k, 1]
                blue += basis[k] * coefficients[g, k, 2]
        colors[g, 0], colors[g, 1], colors[g, 2] = max(red, F(0)), max(green, F(0)), max(blue, F(0))


@jit
def harmonics_vjp(
    means, centers, coefficients, bases, begin, end, colors, v_colors, v_means, v_centers, v_coefficients
):
    """Gradients of Gaussians begin to end, summed over the views, and of the views' centres, overwritten.

    v_means and v_coefficients are both None where only the centres' gradient is asked for.
    """
    F = means.dtype.type
    basis, v_basis = np.empty(BASES_MAX, means.dtype), np.empty(BASES_MAX, means.dtype)
    v_centers[:] = F(0)
    for g in range(begin, end):
        if v_means is not None:
            v_means[g, :] = F(0)
        if v_coefficients is not None:
            v_coefficients[g, :, :] = F(0)
        for view in range(centers.shape[0]):
            # Where the colour was clamped to 0 (and where nothing was seen) nothing flows.
            red = v_colors[view, g, 0] if colors[view, g, 0] > F(0) else F(0)
            green = v_colors[view, g, 1] if colors[view, g, 1] > F(0) else F(0)
            blue = v_colors[view, g, 2] if colors[view, g, 2] > F(0) else F(0)
            if red == F(0) and green == F(0) and blue == F(0):
                continue
            x, y, z, inverse = _unit_direction(means[g], centers[view])
            _fill_basis(x, y, z, bases, basis)
            for k in range(bases):
                if v_coefficients is not None:
                    v_coefficients[g, k, 0] += basis[k] * red
                    v_coefficients[g, k, 1] += basis[k] * green
                    v_coefficients[g, k, 2] += basis[k] * blue
                v_basis[k] = coefficients[g, k, 0] * red + coefficients[g, k, 1] * green + coefficients[g, k, 2] * blue
            vx, vy, vz = _direction_vjp(x, y, z, bases, v_basis)
            radial = vx * x + vy * y + vz * z
            vx, vy, vz = (vx - radial * x) * inverse, (vy - radial * y) * inverse, (vz - radial * z) * inverse
            if v_means is not None:
                for k, v in enumerate((vx, vy, vz)):
                    v_means[g, k] += v
            for k, v in enumerate((vx, vy, vz)):
                v_centers[view, k] -= v
