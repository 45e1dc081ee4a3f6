"""Surface patterns of the sample's materials: noise, stripes, wood, bricks, block letters. Compiled.

u, v are texture coordinates in cells of the pattern; x, y, z is a point in the frame that carries it. A pattern returns
the coverage of colour A by colour B and then by colour C (0 to 1), and a factor for the brightness.
"""

from __future__ import annotations

import math

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.layout import kernel

# Block letters on a grid of 3 x 3 nodes (0 to 8 row by row from the top left): the strokes of A C E F H I J K L M N O
# P S T U V X Y Z and 1 4 7, as pairs of nodes.
_STROKES = (
    "06 02 28 35|02 06 68|02 06 68 34|02 06 34|06 28 35|17 02 68|28 78 67|06 32 38|06 68|06 04 42 28|06 08 28|"
    "02 28 86 60|06 02 25 53|02 03 35 58 86|02 17|06 68 82|07 72|08 26|04 24 47|02 26 68|17 68|03 35 28|02 26"
)
GLYPHS = np.full((len(_STROKES.split("|")), 5, 4), -1.0)
"""Letters, strokes, end points u1 v1 u2 v2 in a cell [0, 1]^2 with v up; -1 where there are fewer strokes."""
for _row, _letter in enumerate(_STROKES.split("|")):
    for _column, (_a, _b) in enumerate(_letter.split()):
        _ends = [(0.22 + 0.28 * (int(n) % 3), 0.84 - 0.34 * (int(n) // 3)) for n in (_a, _b)]
        GLYPHS[_row, _column] = [*_ends[0], *_ends[1]]


@kernel
def hash01(i, j, k, seed):
    """A pseudorandom number in [0, 1) from three integers."""
    h = (i * 374761393 + j * 668265263 + k * 2147483647 + seed * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 15)) * 2246822519) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 3266489917) & 0xFFFFFFFF
    return ((h ^ (h >> 16)) & 0xFFFFFF) / 16777216.0


@kernel
def smooth(low, high, x):
    """Hermite step from 0 at `low` to 1 at `high`."""
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@kernel
def noise(x, y, z, seed):
    """Smooth value noise, -1 to 1, features of size 1."""
    i, j, k = int(math.floor(x)), int(math.floor(y)), int(math.floor(z))
    a, b, c = x - i, y - j, z - k
    a, b, c = a * a * (3 - 2 * a), b * b * (3 - 2 * b), c * c * (3 - 2 * c)
    total = 0.0
    for corner in range(8):
        di, dj, dk = corner & 1, (corner >> 1) & 1, corner >> 2
        weight = (a if di else 1 - a) * (b if dj else 1 - b) * (c if dk else 1 - c)
        total += weight * hash01(i + di, j + dj, k + dk, seed)
    return 2.0 * total - 1.0


@kernel
def fractal(x, y, z, seed):
    """Three octaves of noise, about -1 to 1."""
    return (
        0.57 * noise(x, y, z, seed)
        + 0.29 * noise(2.03 * x + 7.1, 2.03 * y, 2.03 * z, seed + 1)
        + 0.14 * noise(4.11 * x, 4.11 * y + 3.7, 4.11 * z, seed + 2)
    )


@kernel
def cells(x, y, z, seed):
    """Distances to the nearest and second nearest of random points, one in each unit cell; a label of the first."""
    i, j, k = int(math.floor(x)), int(math.floor(y)), int(math.floor(z))
    first, second, label = 9.0, 9.0, 0.0
    for n in range(27):
        ci, cj, ck = i + n % 3 - 1, j + (n // 3) % 3 - 1, k + n // 9 - 1
        dx = ci + 0.15 + 0.7 * hash01(ci, cj, ck, seed) - x
        dy = cj + 0.15 + 0.7 * hash01(ci, cj, ck, seed + 17) - y
        dz = ck + 0.15 + 0.7 * hash01(ci, cj, ck, seed + 31) - z
        d = dx * dx + dy * dy + dz * dz
        if d < first:
            first, second, label = d, first, hash01(ci, cj, ck, seed + 53)
        elif d < second:
            second = d
    return math.sqrt(first), math.sqrt(second), label


@kernel
def glyph(u, v, letter, weight):
    """1 on the strokes of a block letter in the cell [0, 1]^2, else 0; `weight` is half the stroke's width."""
    row = int(letter * GLYPHS.shape[0]) % GLYPHS.shape[0]
    nearest = 9.0
    for s in range(GLYPHS.shape[1]):
        u1, v1 = GLYPHS[row, s, 0], GLYPHS[row, s, 1]
        if u1 < 0.0:
            break
        eu, ev = GLYPHS[row, s, 2] - u1, GLYPHS[row, s, 3] - v1
        t = min(max(((u - u1) * eu + (v - v1) * ev) / (eu * eu + ev * ev), 0.0), 1.0)
        du, dv = u - u1 - t * eu, v - v1 - t * ev
        nearest = min(nearest, du * du + dv * dv)
    return 1.0 - smooth(weight * 0.85, weight * 1.15, math.sqrt(nearest))


@kernel
def _bricks(u, v, x, y, z, mortar, seed):
    row = int(math.floor(v))
    u += 0.5 * (row & 1)
    column = int(math.floor(u))
    edge = min(min(u - column, 1.0 - (u - column)) * 2.0, min(v - row, 1.0 - (v - row)))
    tone = 0.75 + 0.5 * hash01(row, column, seed, seed + 3)
    joint = 1.0 - smooth(0.5 * mortar, mortar, edge + 0.02 * noise(9 * x, 9 * y, 9 * z, seed))
    darker = smooth(0.75, 0.8, hash01(row, column, seed, seed + 9))
    return darker * (1.0 - joint), joint, tone if joint < 0.5 else 1.0


@kernel
def _shingles(u, v, seed):
    row = int(math.floor(v))
    u += 0.5 * (row & 1)
    column = int(math.floor(u))
    fu, fv = u - column - 0.5, v - row
    below = fv < 0.45 * (1.0 - math.sqrt(max(1.0 - 4.0 * fu * fu, 0.0)))
    tone = 0.72 + 0.5 * hash01(row - (1 if below else 0), column, seed, seed + 5)
    shade = 0.62 if below else 0.8 + 0.3 * smooth(0.0, 0.5, fv)
    return smooth(0.7, 0.72, hash01(row, column, seed, seed + 11)), 0.0, tone * shade


@kernel
def _panels(u, v, seam, rivets, seed):
    i, j = int(math.floor(u)), int(math.floor(v))
    fu, fv = u - i, v - j
    edge = min(min(fu, 1.0 - fu), min(fv, 1.0 - fv))
    dark = 1.0 - 0.65 * (1.0 - smooth(0.4 * seam, seam, edge))
    accent = smooth(0.82, 0.83, hash01(i, j, seed, seed + 7))
    du, dv = min(fu, 1.0 - fu) - 0.13, min(fv, 1.0 - fv) - 0.13
    rivet = rivets * (1.0 - smooth(0.035, 0.055, math.sqrt(du * du + dv * dv)))
    return accent, rivet, dark * (0.94 + 0.12 * hash01(i, j, seed, seed + 13))


@kernel
def _dots(u, v, radius, jitter, seed):
    row = int(math.floor(v))
    u += 0.5 * (row & 1)
    column = int(math.floor(u))
    du = u - column - 0.5 - jitter * (hash01(row, column, seed, seed + 1) - 0.5)
    dv = v - row - 0.5 - jitter * (hash01(row, column, seed, seed + 2) - 0.5)
    size = radius * (1.0 - 0.8 * jitter * hash01(row, column, seed, seed + 4))
    dot = 1.0 - smooth(size - 0.03, size + 0.03, math.sqrt(du * du + dv * dv))
    second = smooth(0.6, 0.61, hash01(row, column, seed, seed + 6))
    return dot, dot * second, 1.0


@kernel
def _wood(u, v, x, y, z, rings, seed):
    """Growth rings around an axis near z, stretched along it, with pores."""
    wobble = 0.35 * fractal(1.3 * u, 1.3 * v, 0.5 * z, seed)
    r = math.sqrt((u + 0.6) ** 2 + (v - 0.9) ** 2) * rings + wobble
    ring = r - math.floor(r)
    grain = smooth(0.1, 0.75, ring) * (1.0 - smooth(0.85, 1.0, ring))
    pores = max(fractal(26 * u, 26 * v, 1.5 * z, seed + 5), 0.0)
    return grain, 0.0, 1.0 - 0.35 * pores


@kernel
def _checks(u, v, tartan):
    fu, fv = u - math.floor(u), v - math.floor(v)
    bu = smooth(0.48, 0.52, fu) * (1.0 - smooth(0.97, 1.0, fu))
    bv = smooth(0.48, 0.52, fv) * (1.0 - smooth(0.97, 1.0, fv))
    line = tartan * max(1.0 - smooth(0.03, 0.05, abs(fu - 0.25)), 1.0 - smooth(0.03, 0.05, abs(fv - 0.25)))
    return tartan * 0.5 * (bu + bv) + (1.0 - tartan) * (bu + bv - 2.0 * bu * bv), line, 1.0


@kernel
def pattern(kind, u, v, x, y, z, a, b, seed):
    """Coverage by colours B and C, and brightness, of one pattern. Each branch explains its parameters `a` and `b`."""
    if kind == at.STRIPES:  # a: share of B; b: wobble
        f = u + b * fractal(0.7 * x, 0.7 * y, 0.7 * z, seed)
        f -= math.floor(f)
        stripe = smooth(-0.02, 0.02, f) * (1.0 - smooth(a - 0.02, a + 0.02, f))
        return stripe, 0.0, 1.0
    if kind == at.DOTS:  # a: radius; b: jitter
        return _dots(u, v, a, b, seed)
    if kind == at.WOOD:  # a: rings in a cell
        return _wood(u, v, x, y, z, a, seed)
    if kind == at.PATCHES:  # a: threshold of B; b: threshold of C
        n = fractal(u, v, z, seed)
        m = fractal(1.3 * u + 5.0, 1.3 * v, 1.3 * z, seed + 9)
        return smooth(a - 0.03, a + 0.03, n), smooth(b - 0.03, b + 0.03, m), 1.0 + 0.05 * n
    if kind == at.BRICKS:  # a: width of the joint
        return _bricks(u, v, x, y, z, a, seed)
    if kind == at.PANELS:  # a: width of the seam; b: rivets (0 or 1)
        return _panels(u, v, a, b, seed)
    if kind == at.CHECKS:  # a: tartan (1) or chess board (0)
        return _checks(u, v, a)
    if kind == at.SHINGLES:
        return _shingles(u, v, seed)
    if kind == at.GLYPHS:  # a: share of cells with a letter; b: half the stroke's width
        i, j = int(math.floor(u)), int(math.floor(v))
        on = glyph(u - i, v - j, hash01(i, j, seed, seed + 1), b) if hash01(i, j, seed, seed + 2) < a else 0.0
        return on, on * smooth(0.66, 0.67, hash01(i, j, seed, seed + 3)), 1.0
    if kind == at.CELLS:  # a: width of the gap between cells
        first, second, label = cells(u, v, z, seed)
        return 1.0 - smooth(a, a + 0.06, second - first), smooth(0.7, 0.71, label), 0.85 + 0.3 * label
    if kind == at.BANDS:  # a: share of B; b: share of C; irregular bands along v
        row = math.floor(v)
        f = v - row
        band = 1.0 if f < a else 0.0
        thin = smooth(1.0 - b - 0.02, 1.0 - b, f) * (1.0 - smooth(0.98, 1.0, f))
        return band * smooth(0.0, 0.03, f) * (1.0 - smooth(a - 0.03, a, f)), thin, 1.0
    return 0.0, 0.0, 1.0
