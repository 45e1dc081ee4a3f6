"""Which splats draw on which tiles of one view, front to back, and on which rows of each tile.

A splat reaches a pixel if gsplat lists it for the pixel's 16 x 16 tile (square of 3 sigma, rounded outwards) and its
alpha there can be 1/255 or more: u^2 + w^2 <= q with q = log2(255 opacity). The second condition is an ellipse, which
is intersected with each column of tiles. Neither condition leaves out a pixel that the splat would change.

A pair is one splat in one tile. Pairs are numbered by splat, so that the gradients of a splat are contiguous; each tile
lists its pairs from near to far.
"""

from __future__ import annotations

import math

import numpy as np

from sparseags_ns.rasterizer.constants import ALPHA_MIN, GSPLAT_TILE
from sparseags_ns.rasterizer.kernels.arithmetic import whole_above, whole_below
from sparseags_ns.rasterizer.kernels.jit import jit
from sparseags_ns.rasterizer.kernels.layout import (
    GROUP_HEIGHT,
    SPLAT_A,
    SPLAT_B,
    SPLAT_BLUE,
    SPLAT_C,
    SPLAT_COLUMNS,
    SPLAT_GREEN,
    SPLAT_LOG_OPACITY,
    SPLAT_RED,
    SPLAT_X,
    SPLAT_Y,
    SPLAT_Z,
    TILE_HEIGHT,
    TILE_WIDTH,
)
from sparseags_ns.rasterizer.kernels.sorting import depth_order

_LOG2_E = 1.0 / math.log(2.0)
_LOG2_ALPHA_MIN = math.log2(ALPHA_MIN)
# Boxes are enlarged slightly, so that rounding never loses a pixel; alpha is tested again at each pixel.
_GROW, _PAD = 1.0001, 1e-3
_HUGE = 1e30


@jit
def visible_in_order(depths, radii, opacities):
    """Indices of the Gaussians that can leave a trace in this view, nearest first."""
    F = opacities.dtype.type
    ids = np.empty(radii.shape[0], np.int32)
    count = 0
    for g in range(radii.shape[0]):
        if radii[g] > 0 and opacities[g] >= F(ALPHA_MIN) and opacities[g] < F(_HUGE):
            ids[count] = g
            count += 1
    ids = ids[:count]
    return ids[depth_order(depths[ids])]


@jit
def make_splats(ids, means2d, conics, depths, opacities, colors):
    """Gather the splats of one view in drawing order, whitened.

    The exponent sigma = 1/2 (A dx^2 + 2 B dx dy + C dy^2) becomes a sum of two squares by a Cholesky factorisation:
    u = a dx + b dy, w = c dy, u^2 + w^2 = sigma log2(e). Comparing coefficients with k = log2(e) / 2 gives a^2 = k A,
    a b = k B, b^2 + c^2 = k C.
    """
    F = means2d.dtype.type
    k = F(0.5 * _LOG2_E)
    splats = np.empty((ids.shape[0], SPLAT_COLUMNS), means2d.dtype)
    for rank in range(ids.shape[0]):
        g = ids[rank]
        splat = splats[rank]
        splat[SPLAT_X], splat[SPLAT_Y] = means2d[g, 0], means2d[g, 1]
        a = math.sqrt(conics[g, 0] * k)
        b = conics[g, 1] * k / a
        splat[SPLAT_A], splat[SPLAT_B] = a, b
        # Positive for a positive definite conic; the bound keeps the root real when rounding makes it slightly
        # negative.
        splat[SPLAT_C] = math.sqrt(max(conics[g, 2] * k - b * b, F(1e-20)))
        splat[SPLAT_LOG_OPACITY] = math.log2(opacities[g])
        splat[SPLAT_RED], splat[SPLAT_GREEN], splat[SPLAT_BLUE] = colors[g, 0], colors[g, 1], colors[g, 2]
        splat[SPLAT_Z] = depths[g]
    return splats


@jit
def _clamp(value, low, high):
    return min(max(value, low), high)


@jit
def _listed_pixels(center, radius, size):
    """First pixel and end of the row of whole 16-pixel tiles that gsplat lists, in an image of `size` pixels."""
    per_tile = type(center)(1 / GSPLAT_TILE)
    first, end = whole_below((center - radius) * per_tile), whole_above((center + radius) * per_tile)
    return max(first * GSPLAT_TILE, 0), min(end * GSPLAT_TILE, size)


@jit
def _reached_pixels(low, high, first, end):
    """First and last of the pixels `first` to `end` (exclusive) whose centres lie in [low, high].

    The last is below the first if there are none. The rounded numbers are positive, so int(), which rounds towards
    zero, rounds down.
    """
    F = type(low)
    return int(max(low, F(first)) + F(0.5)), int(min(high, F(end)) - F(0.5))


@jit
def splat_box(splat, radius, width, height):
    """Pixels that a splat may reach: first and last column, first and last row."""
    F = splat.dtype.type
    x0, x1 = _listed_pixels(splat[SPLAT_X], F(radius), width)
    y0, y1 = _listed_pixels(splat[SPLAT_Y], F(radius), height)
    a, b, c = splat[SPLAT_A], splat[SPLAT_B], splat[SPLAT_C]
    q = max(splat[SPLAT_LOG_OPACITY] - F(_LOG2_ALPHA_MIN), F(0))
    # Bounding box of u^2 + w^2 <= q: dy = w / c, and dx = u / a - b w / (a c) is largest along its own gradient.
    reach_y = math.sqrt(q) / c
    reach_x = math.sqrt(q * (b * b + c * c)) / (a * c)
    pad_x, pad_y = reach_x * F(_GROW) + F(_PAD), reach_y * F(_GROW) + F(_PAD)
    x0, x1 = _reached_pixels(splat[SPLAT_X] - pad_x, splat[SPLAT_X] + pad_x, x0, x1)
    y0, y1 = _reached_pixels(splat[SPLAT_Y] - pad_y, splat[SPLAT_Y] + pad_y, y0, y1)
    return x0, x1, y0, y1


@jit
def ellipse_of(splat):
    """The ellipse u^2 + w^2 = q as dy = -shear dx +- sqrt(height2 - slope2 dx^2): (shear, height2, slope2, top).

    `top` is the dx at which dy is largest. From (a dx + b dy)^2 + (c dy)^2 = q, solved for dy: shear = a b / (b^2 +
    c^2), height2 = q / (b^2 + c^2), slope2 = (a c / (b^2 + c^2))^2. dy is largest where u = 0 and w = sqrt(q).
    """
    F = splat.dtype.type
    a, b, c = splat[SPLAT_A], splat[SPLAT_B], splat[SPLAT_C]
    q = max(splat[SPLAT_LOG_OPACITY] - F(_LOG2_ALPHA_MIN), F(0))
    per_norm = F(1) / (b * b + c * c)
    slope = a * c * per_norm
    return a * b * per_norm, q * per_norm, slope * slope, -b * math.sqrt(q) / (a * c)


@jit
def column_rows(x, y, ellipse, left, y0, y1):
    """First and last of the rows y0 to y1 that an ellipse centred at (x, y) reaches in the 8 columns from `left` on.

    The ellipse's upper branch is concave: its highest point over an interval of dx is at the point of the interval
    nearest to `top`. The lower branch is the upper one turned by 180 degrees.
    """
    F = type(x)
    # (dx, dy) point from the pixel to the centre: dx falls from the first to the last column, and dy_high is the top
    # row.
    shear, height2, slope2, top = ellipse
    to_dx = x - (F(left) + F(0.5))
    from_dx = to_dx - F(TILE_WIDTH - 1)
    dx_high, dx_low = _clamp(top, from_dx, to_dx), _clamp(-top, from_dx, to_dx)
    dy_high = math.sqrt(max(height2 - slope2 * dx_high * dx_high, F(0))) - shear * dx_high
    dy_low = -math.sqrt(max(height2 - slope2 * dx_low * dx_low, F(0))) - shear * dx_low
    pad = (dy_high - dy_low + abs(dy_high)) * F(_GROW - 1) + F(_PAD)
    return _reached_pixels(y - dy_high - pad, y - dy_low + pad, y0, y1 + 1)


@jit
def _count_pairs_at_most(boxes):
    """Upper bound of the number of pairs: all tiles that the splats' bounding boxes touch."""
    total = 0
    for rank in range(boxes.shape[0]):
        x0, x1, y0, y1 = boxes[rank, 0], boxes[rank, 1], boxes[rank, 2], boxes[rank, 3]
        if x1 >= x0 and y1 >= y0:
            total += (x1 // TILE_WIDTH - x0 // TILE_WIDTH + 1) * (y1 // TILE_HEIGHT - y0 // TILE_HEIGHT + 1)
    return total


@jit
def list_pairs(splats, boxes, tile_columns, splat_starts, tile_counts, tiles, groups):
    """Write the tile and the first and last group of rows of every pair, splat by splat; return their number."""
    count = 0
    for rank in range(splats.shape[0]):
        splat_starts[rank] = count
        x0, x1, y0, y1 = boxes[rank, 0], boxes[rank, 1], boxes[rank, 2], boxes[rank, 3]
        if x1 < x0 or y1 < y0:
            continue
        x, y, ellipse = splats[rank, SPLAT_X], splats[rank, SPLAT_Y], ellipse_of(splats[rank])
        for column in range(x0 // TILE_WIDTH, x1 // TILE_WIDTH + 1):
            first, last = column_rows(x, y, ellipse, column * TILE_WIDTH, y0, y1)
            # Mostly one tile per column: the loop is written so that the compiler does not unroll it.
            tile_row, group = first // TILE_HEIGHT, first % TILE_HEIGHT // GROUP_HEIGHT
            while first <= last:
                end = min(last, tile_row * TILE_HEIGHT + TILE_HEIGHT - 1)
                tile = tile_row * tile_columns + column
                tiles[count], groups[count, 0] = tile, group
                groups[count, 1] = end % TILE_HEIGHT // GROUP_HEIGHT
                tile_counts[tile] += 1
                count += 1
                first, tile_row, group = end + 1, tile_row + 1, 0
    splat_starts[splats.shape[0]] = count
    return count


@jit
def sort_pairs(tiles, splat_starts, tile_counts):
    """List the pairs of each tile, nearest splat first: (pairs, their splats' ranks, tile starts).

    A counting sort by tile. Pairs are visited in the order of their splats, that is by depth, and the sort is stable,
    so each tile's list is in order of depth.
    """
    tile_starts = np.zeros(tile_counts.shape[0] + 1, np.int64)
    for tile in range(tile_counts.shape[0]):
        tile_starts[tile + 1] = tile_starts[tile] + tile_counts[tile]
    cursor = tile_starts[:-1].copy()
    pairs = np.empty(tiles.shape[0], np.int32)
    ranks = np.empty(tiles.shape[0], np.int32)
    for rank in range(splat_starts.shape[0] - 1):
        for pair in range(splat_starts[rank], splat_starts[rank + 1]):
            to = cursor[tiles[pair]]
            cursor[tiles[pair]] = to + 1
            pairs[to], ranks[to] = pair, rank
    return pairs, ranks, tile_starts


@jit
def bin_view(means2d, conics, depths, radii, opacities, colors, width, height):
    """Bin one view: (ids, splats, splat_starts, pairs, ranks, groups, tile_starts); `groups` is indexed by pair."""
    ids = visible_in_order(depths, radii, opacities)
    splats = make_splats(ids, means2d, conics, depths, opacities, colors)
    boxes = np.empty((ids.shape[0], 4), np.int32)
    for rank in range(ids.shape[0]):
        boxes[rank, 0], boxes[rank, 1], boxes[rank, 2], boxes[rank, 3] = splat_box(
            splats[rank], radii[ids[rank]], width, height
        )
    tile_columns, tile_rows = -(-width // TILE_WIDTH), -(-height // TILE_HEIGHT)
    capacity = _count_pairs_at_most(boxes)
    tiles, groups = np.empty(capacity, np.int32), np.empty((capacity, 2), np.uint8)
    splat_starts = np.empty(ids.shape[0] + 1, np.int64)
    tile_counts = np.zeros(tile_columns * tile_rows, np.int64)
    count = list_pairs(splats, boxes, tile_columns, splat_starts, tile_counts, tiles, groups)
    pairs, ranks, tile_starts = sort_pairs(tiles[:count], splat_starts, tile_counts)
    return ids, splats, splat_starts, pairs, ranks, groups, tile_starts
