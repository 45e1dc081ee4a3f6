"""Decals, small flat pictures pressed onto the sample's parts: windows, doors, eyes, lettering, grilles. Compiled.

Frame of a decal: u to its right, v up, w out of the surface. The function of a picture returns which of the decal's
colours A, B, C covers a point, or -1 for none; u and v are in half sizes (-1 to 1), `aspect` is half width over half
height.
"""

from __future__ import annotations

import math

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.layout import kernel
from sparseags_ns.sample.patterns import glyph, hash01, noise

NONE, A, B, C = -1, 0, 1, 2


@kernel
def _rounded(u, v, aspect, corner):
    """Distance to the edge of the rounded frame, in half heights; negative inside."""
    qu, qv = abs(u) * aspect - aspect + corner, abs(v) - 1.0 + corner
    pu, pv = max(qu, 0.0), max(qv, 0.0)
    return min(max(qu, qv), 0.0) + math.sqrt(pu * pu + pv * pv) - corner


@kernel
def _window(u, v, aspect, bars, border):
    """A: glass, B: frame and bars, C: a slanting reflection in the glass."""
    if _rounded(u, v, aspect, 0.12) > -border:
        return B
    bar = 0.45 * border
    across = (u + 1.0) * 0.5 * bars
    if bars > 1.0 and abs(across - math.floor(across + 0.5)) * 2.0 * aspect / bars < bar:
        return B
    if bars > 1.0 and abs(v) < bar:
        return B
    slant = u * aspect + 0.7 * v
    return C if 0.1 < slant < 0.4 or 0.5 < slant < 0.58 else A


@kernel
def _door(u, v, aspect):
    """A: leaf, B: frame and panels' edges, C: knob and small window."""
    if _rounded(u, v, aspect, 0.08) > -0.09:
        return B
    if (u - 0.62) ** 2 * aspect * aspect + (v + 0.05) ** 2 < 0.006:
        return C
    if abs(u) < 0.45 and 0.35 < v < 0.75:
        return C
    panel = max(abs(abs(u) - 0.35) / 0.22, abs(v + 0.4) / 0.38)
    return B if 0.86 < panel < 1.0 else A


@kernel
def _gauge(u, v, hand):
    """A: face, B: rim, ticks, hand, C: red sector."""
    r = math.sqrt(u * u + v * v)
    if r > 1.0:
        return NONE
    angle = math.atan2(u, v)
    if r > 0.86:
        return B
    turns = angle * 12.0 / (2.0 * math.pi)
    if r > 0.66 and abs(turns - math.floor(turns + 0.5)) < 0.16:
        return B
    along, across = u * math.sin(hand) + v * math.cos(hand), u * math.cos(hand) - v * math.sin(hand)
    if (-0.12 < along < 0.62 and abs(across) < 0.055) or r < 0.1:
        return B
    return C if r > 0.45 and 0.9 < angle < 1.9 else A


@kernel
def _star(u, v, points, depth):
    """Distance to the edge of a star with `points` tips, in half sizes; negative inside."""
    r = math.sqrt(u * u + v * v)
    sector = math.pi / points
    angle = abs((math.atan2(u, v) + 2.0 * math.pi) % (2.0 * sector) - sector) / sector
    return r - (depth + (1.0 - depth) * angle)


@kernel
def _flower(u, v, points, seed):
    """A: petals, B: stem and leaves, C: heart."""
    du, dv = u, v - 0.35
    r = math.sqrt(du * du + dv * dv)
    if r < 0.17:
        return C
    petals = 0.42 + 0.2 * math.cos(points * math.atan2(du, dv))
    if r < petals:
        return A
    bend = 0.18 * math.sin(3.0 * v + seed)
    if v < 0.0 and abs(u - bend) < 0.05:
        return B
    leaf_u, leaf_v = abs(u - bend) - 0.3, v + 0.55 - 0.3 * (abs(u - bend) - 0.3)
    return B if (leaf_u / 0.3) ** 2 + (leaf_v / 0.11) ** 2 < 1.0 else NONE


@kernel
def picture(kind, u, v, aspect, p, q, seed):
    """Which colour of the decal covers the point, or NONE. Each branch explains its parameters `p` and `q`."""
    if kind == at.PLATE:  # p: corner radius, q: border
        d = _rounded(u, v, aspect, p)
        return NONE if d > 0.0 else (B if d > -q else A)
    if kind == at.DISC:  # an eye or lamp; p: radius of B, q: radius of C, which looks a little aside
        r, aside = math.sqrt(u * u + v * v), math.sqrt((u - 0.12) ** 2 + (v - 0.1) ** 2)
        return NONE if r > 1.0 else (C if aside < q else (B if r < p else A))
    if kind == at.TEXT:  # p: letters in the line, q: lines; A is the ground unless p < 0
        d, count = _rounded(u, v, aspect, 0.1), abs(p)
        if d > 0.0:
            return NONE
        cu, cv = (u * 0.94 + 1.0) * 0.5 * count, (v * 0.9 + 1.0) * 0.5 * q
        i, j = int(math.floor(cu)), int(math.floor(cv))
        on = glyph(cu - i, cv - j, hash01(i, j, seed, seed + 1), 0.085) > 0.5
        ground = NONE if p < 0.0 else (C if d > -0.08 else A)
        return B if on and d < -0.08 else ground
    if kind == at.WINDOW:  # p: panes across, q: border
        return NONE if _rounded(u, v, aspect, 0.12) > 0.0 else _window(u, v, aspect, p, q)
    if kind == at.STAR:  # p: points, q: depth of the notches
        d = _star(u, v, p, q)
        return NONE if d > 0.0 else (A if d < -0.12 else B)
    if kind == at.GAUGE:  # p: angle of the hand
        return _gauge(u, v, p)
    if kind == at.GRILLE:  # p: slots; q: 1 for holes instead of slots
        if _rounded(u, v, aspect, 0.25) > 0.0:
            return NONE
        f = (v * 0.5 + 0.5) * p
        g = (u * 0.5 + 0.5) * p * aspect
        fu, fv = g - math.floor(g) - 0.5, f - math.floor(f) - 0.5
        hole = fu * fu + fv * fv < 0.1 if q > 0.5 else abs(fv) < 0.26
        return B if hole and _rounded(u, v, aspect, 0.25) < -0.1 else A
    if kind == at.DOOR:
        return NONE if _rounded(u, v, aspect, 0.08) > 0.0 else _door(u, v, aspect)
    if kind == at.FLOWER:  # p: petals
        return _flower(u + 0.06 * noise(2 * u, 2 * v, 0.0, seed), v, p, seed % 7)
    return NONE


@kernel
def decal_at(decals, group, x, y, z, nx, ny, nz):
    """Row and colour (A, B or C) of the topmost decal of a group that covers a surface point; -1 and NONE without."""
    # Columns 2 to 10 hold the decal's axes u, v, w (at.DECAL_ROTATION), 11 to 13 its middle (at.DECAL_ORIGIN).
    for row in range(decals.shape[0] - 1, -1, -1):
        if decals[row, at.DECAL_GROUP] != group:
            continue
        dx, dy, dz = x - decals[row, 11], y - decals[row, 12], z - decals[row, 13]
        w = decals[row, 8] * dx + decals[row, 9] * dy + decals[row, 10] * dz
        facing = decals[row, 8] * nx + decals[row, 9] * ny + decals[row, 10] * nz
        if abs(w) > decals[row, at.DECAL_DEPTH] or facing < 0.25:
            continue
        half_u, half_v = decals[row, at.DECAL_HALF_U], decals[row, at.DECAL_HALF_V]
        u = (decals[row, 2] * dx + decals[row, 3] * dy + decals[row, 4] * dz) / half_u
        v = (decals[row, 5] * dx + decals[row, 6] * dy + decals[row, 7] * dz) / half_v
        if abs(u) > 1.0 or abs(v) > 1.0:
            continue
        p, q = decals[row, at.DECAL_P], decals[row, at.DECAL_Q]
        kind, seed = int(decals[row, at.DECAL_KIND]), int(decals[row, at.DECAL_SEED])
        color = picture(kind, u, v, half_u / half_v, p, q, seed)
        if color != NONE:
            return row, color
    return -1, NONE
