"""Which splats draw on which tiles of one view, front to back, and on which rows of each tile.

A splat reaches a pixel if gsplat lists it for the pixel's 16 x 16 tile (square of 3 sigma, rounded outwards) and its
alpha there can be 1/255 or more: u^2 + w^2 <= q with q = log2(255 opacity). The second condition is an ellipse, which
is cut column of tiles by column of tiles; both are result-preserving.

A pair is one splat in one tile. Pairs are numbered by splat, so the gradients of a splat lie side by side; each tile
lists its pairs from near to far.
"""

from __future__ import annotations

import math

import numpy as np

from sparseags_ns.rasterizer.constants import ALPHA_MIN, GSPLAT_TILE
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
# Boxes are grown a little, so that rounding never loses a pixel; alpha is tested again at each pixel.
_GROW, _PAD = 1.0001, 1e-3


@jit
def visible_in_order(depths, radii, opacities):
    """Indices of the Gaussians that can leave a trace in this view, nearest first."""
    F = opacities.dtype.type
    ids = np.empty(radii.shape[0], np.int32)
    count = 0
    for g in range(radii.shape[0]):
        if radii[g] > 0 and opacities[g] >= F(ALPHA_MIN) and math.isfinite(opacities[g]):
            ids[count] = g
            count += 1
    ids = ids[:count]
    return ids[depth_order(depths[ids])]


@jit
def make_splats(ids, means2d, conics, depths, opacities, colors):
    """Gather the splats of one view in drawing order, ready to draw.

    With the conic (A, B, C): a = sqrt(A k), b = B k / a, c = sqrt(C k - b^2), k = log2(e) / 2, so that
    u^2 + w^2 = sigma log2(e).
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
    F = type(center)
    tile = F(GSPLAT_TILE)
    first = math.floor(_clamp((center - radius) / tile, F(-1), F(size)))
    end = math.ceil(_clamp((center + radius) / tile, F(-1), F(size)))
    return max(first * GSPLAT_TILE, 0), min(end * GSPLAT_TILE, size)


@jit
def _reached_pixels(low, high, first, end):
    """Pixels from `first` up to `end` whose centres lie in [low, high]; again first and end."""
    F = type(low)
    from_pixel = math.ceil(_clamp(low - F(0.5), F(first), F(end)))
    to_pixel = math.floor(_clamp(high - F(0.5), F(first - 1), F(end - 1))) + 1
    return from_pixel, to_pixel


@jit
def splat_box(splat, radius, width, height):
    """Pixels that a splat may reach: first column, end column, first row, end row."""
    F = splat.dtype.type
    x0, x1 = _listed_pixels(splat[SPLAT_X], F(radius), width)
    y0, y1 = _listed_pixels(splat[SPLAT_Y], F(radius), height)
    a, b, c = splat[SPLAT_A], splat[SPLAT_B], splat[SPLAT_C]
    q = max(splat[SPLAT_LOG_OPACITY] - F(_LOG2_ALPHA_MIN), F(0))
    reach_y = math.sqrt(q) / c
    reach_x = math.sqrt(q * (b * b + c * c)) / (a * c)
    pad_x, pad_y = reach_x * F(_GROW) + F(_PAD), reach_y * F(_GROW) + F(_PAD)
    x0, x1 = _reached_pixels(splat[SPLAT_X] - pad_x, splat[SPLAT_X] + pad_x, x0, x1)
    y0, y1 = _reached_pixels(splat[SPLAT_Y] - pad_y, splat[SPLAT_Y] + pad_y, y0, y1)
    return x0, x1, y0, y1


@jit
def column_rows(splat, left, y0, y1):
    """Rows from y0 to y1 that the splat's ellipse reaches within the 8 pixels right of `left`; first and end.

    On the ellipse, dy = (-a b dx +- sqrt((b^2 + c^2) q - (a c dx)^2)) / (b^2 + c^2). The upper branch is concave
    with its top (height sqrt(q) / c) at dx = -b / a times it: the highest point over an interval is at the point of
    the interval nearest to there. The lower branch is the upper one turned by 180 degrees.
    """
    F = splat.dtype.type
    a, b, c = splat[SPLAT_A], splat[SPLAT_B], splat[SPLAT_C]
    q = max(splat[SPLAT_LOG_OPACITY] - F(_LOG2_ALPHA_MIN), F(0))
    from_dx, to_dx = splat[SPLAT_X] - (F(left) + F(TILE_WIDTH - 0.5)), splat[SPLAT_X] - (F(left) + F(0.5))
    top_dx = -b * math.sqrt(q) / (a * c)
    norm = b * b + c * c
    dx_high, dx_low = _clamp(top_dx, from_dx, to_dx), _clamp(-top_dx, from_dx, to_dx)
    root_high = math.sqrt(max(norm * q - (a * c * dx_high) ** 2, F(0)))
    root_low = math.sqrt(max(norm * q - (a * c * dx_low) ** 2, F(0)))
    dy_high, dy_low = (root_high - a * b * dx_high) / norm, (-root_low - a * b * dx_low) / norm
    pad = (dy_high - dy_low) * F(_GROW - 1) + F(_PAD) + abs(dy_high) * F(1e-5)
    return _reached_pixels(splat[SPLAT_Y] - dy_high - pad, splat[SPLAT_Y] - dy_low + pad, y0, y1)


@jit
def _count_pairs_at_most(boxes):
    total = 0
    for rank in range(boxes.shape[0]):
        columns = (boxes[rank, 1] - 1) // TILE_WIDTH - boxes[rank, 0] // TILE_WIDTH + 1
        rows = (boxes[rank, 3] - 1) // TILE_HEIGHT - boxes[rank, 2] // TILE_HEIGHT + 1
        if boxes[rank, 1] > boxes[rank, 0] and boxes[rank, 3] > boxes[rank, 2]:
            total += columns * rows
    return total


@jit
def list_pairs(splats, boxes, tile_columns, splat_starts, tile_counts, tiles, groups):
    """Write the tile and the first and last group of rows of every pair, splat by splat; return their number."""
    count = 0
    for rank in range(splats.shape[0]):
        splat_starts[rank] = count
        x0, x1, y0, y1 = boxes[rank, 0], boxes[rank, 1], boxes[rank, 2], boxes[rank, 3]
        if x1 <= x0 or y1 <= y0:
            continue
        for column in range(x0 // TILE_WIDTH, (x1 - 1) // TILE_WIDTH + 1):
            first, end = column_rows(splats[rank], column * TILE_WIDTH, y0, y1)
            if end <= first:
                continue
            for row in range(first // TILE_HEIGHT, (end - 1) // TILE_HEIGHT + 1):
                top = row * TILE_HEIGHT
                tiles[count] = row * tile_columns + column
                groups[count, 0] = (max(first, top) - top) // GROUP_HEIGHT
                groups[count, 1] = (min(end, top + TILE_HEIGHT) - 1 - top) // GROUP_HEIGHT
                tile_counts[tiles[count]] += 1
                count += 1
    splat_starts[splats.shape[0]] = count
    return count


@jit
def sort_pairs(tiles, splat_starts, tile_counts):
    """List the pairs of each tile, nearest splat first: a stable counting sort. Pairs, their splats, tile starts."""
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
    """All of the above for one view: ids, splats, splat_starts, pairs, ranks, groups (by pair), tile_starts."""
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
