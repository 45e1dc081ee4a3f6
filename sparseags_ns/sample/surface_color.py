"""What colour and gloss the sample's object has at a surface point: pattern, mottling, decals, bumps. Compiled.

Frame: `object`; the pattern's point is in the frame of its part unless the material asks for the object's.
"""

from __future__ import annotations

import math

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.decals import decal_at
from sparseags_ns.sample.jit import kernel
from sparseags_ns.sample.patterns import fractal, noise, pattern
from sparseags_ns.sample.sdf import to_part


@kernel
def _texture_point(materials, m, parts, part, x, y, z, nx, ny, nz):
    """Texture coordinates u, v and the 3D point of the pattern, all in cells."""
    if materials[m, at.FROM_OBJECT] < 0.5:
        x, y, z = to_part(parts, part, x, y, z)
        r = at.ROTATION
        nx, ny, nz = (
            parts[part, r] * nx + parts[part, r + 1] * ny + parts[part, r + 2] * nz,
            parts[part, r + 3] * nx + parts[part, r + 4] * ny + parts[part, r + 5] * nz,
            parts[part, r + 6] * nx + parts[part, r + 7] * ny + parts[part, r + 8] * nz,
        )
    fu, fv = materials[m, at.FREQ_U], materials[m, at.FREQ_V]
    mapping = int(materials[m, at.MAPPING])
    if mapping == at.MAP_CYLINDER:  # FREQ_U counts whole cells around the axis
        return (math.atan2(x, z) / (2.0 * math.pi) + 0.5) * fu, y * fv, x * fv, y * fv, z * fv
    if mapping == at.MAP_BOX:
        ax, ay, az = abs(nx), abs(ny), abs(nz)
        if ay >= ax and ay >= az:
            return x * fu, z * fv, x * fu, y * fv, z * fu
        if ax >= az:
            return z * fu, y * fv, x * fu, y * fv, z * fu
    return x * fu, y * fv, x * fu, y * fv, z * fu


@kernel
def bumped(materials, m, x, y, z, nx, ny, nz):
    """The normal, tilted by the material's fine relief."""
    amount, f = materials[m, at.BUMP], materials[m, at.BUMP_FREQ]
    if amount <= 0.0:
        return nx, ny, nz
    x, y, z, e, seed = x * f, y * f, z * f, 0.05, int(materials[m, at.SEED])
    here = noise(x, y, z, seed)
    gx = (noise(x + e, y, z, seed) - here) / e
    gy = (noise(x, y + e, z, seed) - here) / e
    gz = (noise(x, y, z + e, seed) - here) / e
    along = gx * nx + gy * ny + gz * nz
    nx, ny, nz = nx - amount * (gx - along * nx), ny - amount * (gy - along * ny), nz - amount * (gz - along * nz)
    length = math.sqrt(nx * nx + ny * ny + nz * nz)
    return nx / length, ny / length, nz / length


@kernel
def surface_color(parts, materials, decals, part, x, y, z, nx, ny, nz):
    """Linear RGB and roughness at a surface point."""
    m = int(parts[part, at.MATERIAL])
    a, b, c = at.COLOR_A, at.COLOR_B, at.COLOR_C
    roughness = materials[m, at.ROUGHNESS]
    row, choice = decal_at(decals, parts[part, at.GROUP], x, y, z, nx, ny, nz)
    if row >= 0:
        c0 = at.DECAL_A + 3 * choice
        return (decals[row, c0], decals[row, c0 + 1], decals[row, c0 + 2]), decals[row, at.DECAL_ROUGHNESS]
    u, v, px, py, pz = _texture_point(materials, m, parts, part, x, y, z, nx, ny, nz)
    seed = int(materials[m, at.SEED])
    kind = int(materials[m, at.PATTERN])
    w1, w2, tone = pattern(kind, u, v, px, py, pz, materials[m, at.PARAM_A], materials[m, at.PARAM_B], seed)
    if materials[m, at.MOTTLE] > 0.0:
        f = materials[m, at.MOTTLE_FREQ]
        tone *= 1.0 + materials[m, at.MOTTLE] * fractal(x * f, y * f, z * f, seed + 101)
    red = (materials[m, a] * (1.0 - w1) + materials[m, b] * w1) * (1.0 - w2) + materials[m, c] * w2
    green = (materials[m, a + 1] * (1.0 - w1) + materials[m, b + 1] * w1) * (1.0 - w2) + materials[m, c + 1] * w2
    blue = (materials[m, a + 2] * (1.0 - w1) + materials[m, b + 2] * w1) * (1.0 - w2) + materials[m, c + 2] * w2
    return (red * tone, green * tone, blue * tone), roughness
