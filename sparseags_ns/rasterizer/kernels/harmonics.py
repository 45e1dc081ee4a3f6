"""Colours from spherical harmonics, degree 0 to 3, and their gradients; what `reference.harmonics` computes.

The basis functions are evaluated as polynomials of the unit direction d = (mean - centre) / distance. The gradient of
the mean is that of d through the normalisation, (v_d - (v_d . d) d) / distance, and that of the centre its negative.
"""

from __future__ import annotations

import math

import numpy as np

from sparseags_ns.rasterizer.constants import SH_C0, SH_C1, SH_C2, SH_C3
from sparseags_ns.rasterizer.kernels.jit import jit

BASES_MAX = 16


@jit
def _unit_direction(mean, center):
    """Unit direction from the camera's centre to the mean, and 1 / distance."""
    F = mean.dtype.type
    x, y, z = mean[0] - center[0], mean[1] - center[1], mean[2] - center[2]
    inverse = F(1) / max(math.sqrt(x * x + y * y + z * z), F(1e-12))
    return x * inverse, y * inverse, z * inverse, inverse


@jit
def _fill_basis(x, y, z, bases, basis):
    """Write the first 1, 4, 9 or 16 basis functions at the unit direction (x, y, z)."""
    F = basis.dtype.type
    basis[0] = F(SH_C0)
    if bases > 1:
        basis[1], basis[2], basis[3] = -F(SH_C1) * y, F(SH_C1) * z, -F(SH_C1) * x
    if bases > 4:
        basis[4], basis[5] = F(SH_C2[0]) * x * y, -F(SH_C2[0]) * y * z
        basis[6] = F(SH_C2[1]) * (F(3) * z * z - F(1))
        basis[7], basis[8] = -F(SH_C2[0]) * x * z, F(SH_C2[2]) * (x * x - y * y)
    if bases > 9:
        five = F(5) * z * z
        basis[9], basis[10] = -F(SH_C3[0]) * y * (F(3) * x * x - y * y), F(SH_C3[1]) * x * y * z
        basis[11], basis[12] = -F(SH_C3[2]) * y * (five - F(1)), F(SH_C3[3]) * z * (five - F(3))
        basis[13], basis[14] = -F(SH_C3[2]) * x * (five - F(1)), F(SH_C3[4]) * z * (x * x - y * y)
        basis[15] = -F(SH_C3[0]) * x * (x * x - F(3) * y * y)


@jit
def _direction_vjp(x, y, z, bases, v):
    """Gradient of the direction from the gradient v of the basis: the transposed Jacobian of `_fill_basis`, times v.

    x, y and z count as independent here; the caller removes the radial part.
    """
    F = v.dtype.type
    vx, vy, vz = F(0), F(0), F(0)
    if bases > 1:
        vx, vy, vz = -F(SH_C1) * v[3], -F(SH_C1) * v[1], F(SH_C1) * v[2]
    if bases > 4:
        vx += F(SH_C2[0]) * (y * v[4] - z * v[7]) + F(2 * SH_C2[2]) * x * v[8]
        vy += F(SH_C2[0]) * (x * v[4] - z * v[5]) - F(2 * SH_C2[2]) * y * v[8]
        vz += F(-SH_C2[0]) * (y * v[5] + x * v[7]) + F(6 * SH_C2[1]) * z * v[6]
    if bases > 9:
        five, difference = F(5) * z * z, F(3) * (x * x - y * y)
        vx += F(SH_C3[0]) * (F(-6) * x * y * v[9] - difference * v[15]) + F(SH_C3[1]) * y * z * v[10]
        vx += F(-SH_C3[2]) * (five - F(1)) * v[13] + F(2 * SH_C3[4]) * x * z * v[14]
        vy += F(SH_C3[0]) * (-difference * v[9] + F(6) * x * y * v[15]) + F(SH_C3[1]) * x * z * v[10]
        vy += F(-SH_C3[2]) * (five - F(1)) * v[11] - F(2 * SH_C3[4]) * y * z * v[14]
        vz += F(SH_C3[1]) * x * y * v[10] - F(10 * SH_C3[2]) * z * (y * v[11] + x * v[13])
        vz += F(3 * SH_C3[3]) * (five - F(1)) * v[12] + F(SH_C3[4]) * (x * x - y * y) * v[14]
    return vx, vy, vz


@jit
def harmonics_view(means, center, coefficients, bases, begin, end, radii, colors):
    """Colours max(0, 0.5 + sum of coefficients times basis) of Gaussians begin to end in one view; 0 where not seen."""
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
    """Write the gradients of Gaussians begin to end, summed over the views, and of the views' centres.

    v_means and v_coefficients are both None if only the gradient of the centres is needed.
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
            # A colour that was clamped to 0, or was not seen, has no gradient.
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
