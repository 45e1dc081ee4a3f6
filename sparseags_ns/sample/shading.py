"""Colour and light of the sample's object at a surface point: patterns, bumps, lamps, GGX highlights. Compiled.

Frame: `object`; directions are unit vectors away from the surface, radiance is linear RGB. A pattern's point is in the
frame of its part unless the material asks for the object's. All lights are fixed to the object, so a highlight moves
over it when the camera does: a key light, two soft boxes and a soft sky.
"""

from __future__ import annotations

import math

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.decals import decal_at
from sparseags_ns.sample.layout import kernel
from sparseags_ns.sample.patterns import fractal, noise, pattern, smooth
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


@kernel
def sky(y):
    """Radiance of the surroundings by height of the direction: a pale room above, a warm, darker floor below."""
    up = smooth(-0.25, 0.9, y)
    return 0.40 + 0.42 * up, 0.37 + 0.46 * up, 0.34 + 0.52 * up


@kernel
def surroundings(lights, x, y, z, roughness):
    """Radiance of the room's reflection in a direction, blurred by the roughness."""
    r, g, b = sky(y)
    r, g, b = 0.75 * r, 0.75 * g, 0.75 * b
    blur = 0.02 + 0.55 * roughness
    for row in range(1, lights.shape[0]):
        cosine = lights[row, 0] * x + lights[row, 1] * y + lights[row, 2] * z
        edge = lights[row, at.LIGHT_HALF_COS]
        strength = smooth(edge - blur, edge + 0.4 * blur, cosine) * 0.08 / (0.08 + 0.6 * roughness * roughness)
        r += strength * lights[row, 3]
        g += strength * lights[row, 4]
        b += strength * lights[row, 5]
    return r, g, b


@kernel
def diffuse_room(lights, x, y, z):
    """Irradiance over pi on a surface with this normal, of sky and soft boxes."""
    r, g, b = sky(0.6 * y)
    r, g, b = 0.72 * r, 0.72 * g, 0.72 * b
    for row in range(1, lights.shape[0]):
        cosine = lights[row, 0] * x + lights[row, 1] * y + lights[row, 2] * z
        strength = 0.09 * max(0.25 + 0.75 * cosine, 0.0) ** 2
        r += strength * lights[row, 3]
        g += strength * lights[row, 4]
        b += strength * lights[row, 5]
    return r, g, b


@kernel
def highlight(n_l, n_v, n_h, v_h, roughness, f0):
    """GGX microfacet reflection of a directional light, times n.l (Walter et al. 2007; Smith's masking by Schlick)."""
    alpha = max(roughness * roughness, 0.02)
    a2 = alpha * alpha
    d = n_h * n_h * (a2 - 1.0) + 1.0
    k = 0.5 * alpha
    masking = 1.0 / ((n_l * (1.0 - k) + k) * (n_v * (1.0 - k) + k))
    fresnel = f0 + (1.0 - f0) * (1.0 - v_h) ** 5
    return a2 / (math.pi * d * d) * masking * 0.25 * fresnel * n_l


@kernel
def _channel(color, metallic, specular, key, room, mirror, n_l, n_h, v_h, n_v, roughness, occlusion):
    """Radiance of one colour channel: diffuse, highlight of the key light, reflection of the room."""
    f0 = specular * (1.0 - metallic) + color * metallic
    value = color * (1.0 - metallic) * (key * n_l + room * occlusion)
    if n_l > 0.0:
        value += min(key * highlight(n_l, n_v, n_h, v_h, roughness, f0), 4.0)
    glancing = 0.6 * (1.0 - roughness) * (1.0 - n_v) ** 5
    return value + mirror * (f0 + (1.0 - f0) * glancing) * occlusion * (0.35 + 0.65 * occlusion)


@kernel
def shade(lights, color, roughness, metallic, specular, normal, view, shadow, occlusion):
    """Radiance towards the viewer: key light with shadow, room with occlusion, highlights and reflections."""
    nx, ny, nz = normal
    vx, vy, vz = view
    n_v = max(nx * vx + ny * vy + nz * vz, 1e-3)
    n_l = max(nx * lights[0, 0] + ny * lights[0, 1] + nz * lights[0, 2], 0.0)
    hx, hy, hz = vx + lights[0, 0], vy + lights[0, 1], vz + lights[0, 2]
    length = math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9
    n_h = max((nx * hx + ny * hy + nz * hz) / length, 0.0)
    v_h = max((vx * hx + vy * hy + vz * hz) / length, 0.0)
    room = diffuse_room(lights, nx, ny, nz)
    mirror = surroundings(lights, 2.0 * n_v * nx - vx, 2.0 * n_v * ny - vy, 2.0 * n_v * nz - vz, roughness)
    key = (lights[0, 3] * shadow, lights[0, 4] * shadow, lights[0, 5] * shadow)
    angles = (n_l, n_h, v_h, n_v, roughness, occlusion)
    return (
        _channel(color[0], metallic, specular, key[0], room[0], mirror[0], *angles),
        _channel(color[1], metallic, specular, key[1], room[1], mirror[1], *angles),
        _channel(color[2], metallic, specular, key[2], room[2], mirror[2], *angles),
    )


@kernel
def film(x):
    """Response of the photograph: linear up to 0.7, a soft shoulder above; then the sRGB curve, 0 to 1."""
    if x > 0.7:
        x = 0.7 + 0.3 * (1.0 - math.exp((0.7 - x) / 0.3))
    x = max(x, 0.0)
    return 12.92 * x if x <= 0.0031308 else 1.055 * x ** (1.0 / 2.4) - 0.055
