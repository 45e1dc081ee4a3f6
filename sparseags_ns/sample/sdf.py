"""Signed distance of the sample's object: solids joined, smoothly joined and carved. Compiled.

Frame: `object`. Distances in its units, negative inside. Formulas for the solids follow I. Quilez' public list of
distance functions; the ellipsoid, the lathe and the sheared prism are first-order estimates, so rays take short steps.
"""

from __future__ import annotations

import math

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.layout import kernel

FAR = 1e9


@kernel
def _corner(a, b, edge):
    """Distance to the quadrant a < 0, b < 0 with its corner rounded off inwards by `edge`."""
    a += edge
    b += edge
    pa, pb = max(a, 0.0), max(b, 0.0)
    return min(max(a, b), 0.0) + math.sqrt(pa * pa + pb * pb) - edge


@kernel
def _box(x, y, z, hx, hy, hz, edge):
    qx, qy, qz = abs(x) - hx + edge, abs(y) - hy + edge, abs(z) - hz + edge
    px, py, pz = max(qx, 0.0), max(qy, 0.0), max(qz, 0.0)
    return min(max(qx, max(qy, qz)), 0.0) + math.sqrt(px * px + py * py + pz * pz) - edge


@kernel
def _ellipsoid(x, y, z, rx, ry, rz):
    """First-order outside and near the surface; deep inside, where that is too long, a bound."""
    ux, uy, uz = x / rx, y / ry, z / rz
    k0 = math.sqrt(ux * ux + uy * uy + uz * uz)
    shortest = min(rx, min(ry, rz))
    if k0 < 0.98:
        return (k0 - 1.0) * shortest
    gx, gy, gz = ux / rx, uy / ry, uz / rz
    rate = k0 / math.sqrt(gx * gx + gy * gy + gz * gz)
    if k0 < 1.0:
        rate += (shortest - rate) * (1.0 - k0) * 50.0
    return (k0 - 1.0) * rate


@kernel
def _cone(x, y, z, r1, r2, length):
    b = (r1 - r2) / length
    a = math.sqrt(max(1.0 - b * b, 1e-9))
    rho = math.sqrt(x * x + z * z)
    k = y * a - rho * b
    if k < 0.0:
        return math.sqrt(rho * rho + y * y) - r1
    if k > a * length:
        return math.sqrt(rho * rho + (y - length) ** 2) - r2
    return rho * a + y * b - r1


@kernel
def _trapezoid(x, y, below, above, half):
    """Distance in the plane to a trapezoid symmetric about the y axis."""
    x = abs(x)
    cap_x = x - min(x, below if y < 0.0 else above)
    cap_y = abs(y) - half
    ex, ey = above - below, 2.0 * half
    t = ((x - below) * ex + (y + half) * ey) / (ex * ex + ey * ey)
    t = min(max(t, 0.0), 1.0)
    side_x, side_y = x - below - ex * t, y + half - ey * t
    inside = side_x < 0.0 and cap_y < 0.0
    d = math.sqrt(min(cap_x * cap_x + cap_y * cap_y, side_x * side_x + side_y * side_y))
    return -d if inside else d


@kernel
def _ring(x, y, z, major, minor, sin_half, cos_half):
    x = abs(x)
    if cos_half * x > sin_half * y:
        along = x * sin_half + y * cos_half
    else:
        along = math.sqrt(x * x + y * y)
    return math.sqrt(max(x * x + y * y + z * z + major * major - 2.0 * major * along, 0.0)) - minor


@kernel
def _to_piece(rho, y, r0, y0, r1, y1):
    """Distance in the plane to a straight piece of a profile."""
    run, rise = r1 - r0, y1 - y0
    px, py = rho - r0, y - y0
    t = min(max((px * run + py * rise) / (run * run + rise * rise), 0.0), 1.0)
    px, py = px - t * run, py - t * rise
    return math.sqrt(px * px + py * py)


@kernel
def _to_profile(rho, y, half, profiles, row):
    """Distance to the profile as a chain of straight pieces, or a little less when it is far.

    The chain is cut into chunks; a chunk strays from its chord by no more than its sag (stored after the radii), so
    only chunks whose chord is near enough are looked at piece by piece.
    """
    points, chunk = at.PROFILE_POINTS, at.PROFILE_CHUNK
    height = 2.0 * half / (points - 1)
    nearest = FAR
    for c in range((points - 1) // chunk):
        a, b = c * chunk, (c + 1) * chunk
        sag = profiles[row, points + c]
        d = _to_piece(rho, y, profiles[row, a], a * height - half, profiles[row, b], b * height - half)
        if d > 4.0 * sag:
            nearest = min(nearest, d - sag)
    for c in range((points - 1) // chunk):
        a, b = c * chunk, (c + 1) * chunk
        sag = profiles[row, points + c]
        d = _to_piece(rho, y, profiles[row, a], a * height - half, profiles[row, b], b * height - half)
        if d <= 4.0 * sag and d - sag < nearest:
            for i in range(a, b):
                y0 = i * height - half
                nearest = min(nearest, _to_piece(rho, y, profiles[row, i], y0, profiles[row, i + 1], y0 + height))
    return nearest


@kernel
def _lathe(x, y, z, half, edge, profiles, row):
    """Turned profile. Close to it, a Catmull-Rom spline, so that highlights are smooth; farther off, a safe bound.

    The spline's first-order distance is too long beside a flare; where no flare is steep, the steepest slope bounds it.
    """
    last = at.PROFILE_POINTS - 1
    inner = min(max(y, -half), half)
    s = (inner + half) / (2.0 * half) * last
    i = min(int(s), last - 1)
    t = s - i
    p0, p1 = profiles[row, max(i - 1, 0)], profiles[row, i]
    p2, p3 = profiles[row, i + 1], profiles[row, min(i + 2, last)]
    m1, m2 = 0.5 * (p2 - p0), 0.5 * (p3 - p1)
    c2, c3 = 3.0 * (p2 - p1) - 2.0 * m1 - m2, 2.0 * (p1 - p2) + m1 + m2
    radius = p1 + t * (m1 + t * (c2 + t * c3))
    slope = (m1 + t * (2.0 * c2 + 3.0 * t * c3)) * last / (2.0 * half)
    rho = math.sqrt(x * x + z * z)
    side = (rho - radius) / math.sqrt(1.0 + slope * slope)
    steepest = profiles[row, at.PROFILE_COLUMNS - 1]
    if abs(side) > 0.4 * half / last:
        if steepest < 0.6:
            side = (rho - radius) / math.sqrt(1.0 + steepest * steepest)
        else:
            side = math.copysign(min(abs(side), _to_profile(rho, inner, half, profiles, row)), side)
    return _corner(side, abs(y) - half, edge)


@kernel
def to_part(parts, i, x, y, z):
    """A point of the object frame in the frame of part i."""
    dx, dy, dz = x - parts[i, 18], y - parts[i, 19], z - parts[i, 20]
    return (
        parts[i, 9] * dx + parts[i, 10] * dy + parts[i, 11] * dz,
        parts[i, 12] * dx + parts[i, 13] * dy + parts[i, 14] * dz,
        parts[i, 15] * dx + parts[i, 16] * dy + parts[i, 17] * dz,
    )


@kernel
def part_distance(parts, profiles, i, x, y, z):
    """Distance to part i alone."""
    x, y, z = to_part(parts, i, x, y, z)
    kind = int(parts[i, at.KIND])
    s = at.SIZES
    if kind == at.BOX:
        return _box(x, y, z, parts[i, s], parts[i, s + 1], parts[i, s + 2], parts[i, s + 3])
    if kind == at.ELLIPSOID:
        return _ellipsoid(x, y, z, parts[i, s], parts[i, s + 1], parts[i, s + 2])
    if kind == at.CONE:
        return _cone(x, y, z, parts[i, s], parts[i, s + 1], parts[i, s + 2])
    if kind == at.CYLINDER:
        edge = parts[i, s + 3]
        rho = math.sqrt(x * x + z * z)
        return _trapezoid(rho, y, parts[i, s] - edge, parts[i, s + 1] - edge, parts[i, s + 2] - edge) - edge
    if kind == at.RING:
        return _ring(x, y, z, parts[i, s], parts[i, s + 1], parts[i, s + 2], parts[i, s + 3])
    if kind == at.PRISM:
        edge, shear = parts[i, s + 4], parts[i, s + 5]
        side = _trapezoid(x - shear * y, y, parts[i, s] - edge, parts[i, s + 1] - edge, parts[i, s + 2] - edge)
        return _corner(side / math.sqrt(1.0 + shear * shear), abs(z) - parts[i, s + 3] + edge, 0.0) - edge
    return _lathe(x, y, z, parts[i, s], parts[i, s + 1], profiles, int(parts[i, s + 2]))


@kernel
def _join(d, part, di, i, blend):
    """Smooth minimum (quadratic, of reach `blend`) of two distances, and the nearer part."""
    if di < d:
        d, di = di, d
        part = i
    if blend > 0.0:
        h = max(blend - (di - d), 0.0)
        d -= h * h * 0.25 / blend
    return d, part


@kernel
def distance(parts, profiles, ids, count, x, y, z):
    """Distance to the object made of the parts ids[:count] (ascending), and the nearest part.

    A part is skipped where its bounding sphere is farther than what was found already: that changes nothing.
    """
    best, best_part, near, near_part, group = FAR, -1, FAR, -1, -1.0
    for j in range(count):
        i = ids[j]
        if parts[i, at.GROUP] != group:
            if near < best:
                best, best_part = near, near_part
            near, near_part, group = FAR, -1, parts[i, at.GROUP]
        blend = parts[i, at.BLEND]
        dx, dy, dz = x - parts[i, at.BOUND], y - parts[i, at.BOUND + 1], z - parts[i, at.BOUND + 2]
        carve = parts[i, at.CARVE] > 0.0
        if carve and near == FAR:
            continue
        reach = parts[i, at.BOUND_RADIUS] + blend + (max(-near, 0.0) if carve else min(near, best))
        if reach < 0.0 or dx * dx + dy * dy + dz * dz > reach * reach:
            continue
        di = part_distance(parts, profiles, i, x, y, z)
        if carve:
            flipped, near_part = _join(-near, near_part, di, i, blend)
            near = -flipped
        else:
            near, near_part = _join(near, near_part, di, i, blend)
    if near < best:
        best, best_part = near, near_part
    return best, best_part
