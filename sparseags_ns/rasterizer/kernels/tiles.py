"""The state of one tile while it is drawn, and the record of which of its groups are still open.

Groups whose pixels are all closed are swapped, in place, to the end of the state. The open ones stay contiguous and in
order from top to bottom, so that a splat covers one range of them and the inner loop never visits a closed group. The
pixels' coordinates are part of the state and move along.
"""

from __future__ import annotations

import numpy as np

from sparseags_ns.rasterizer.kernels.jit import jit
from sparseags_ns.rasterizer.kernels.layout import (
    GROUP,
    GROUPS,
    PIXELS,
    ROW_T,
    ROW_X,
    ROW_Y,
    STATE_ROWS,
    TILE_HEIGHT,
    TILE_WIDTH,
)

_U = np.uint64


@jit
def tile_corner(tile, tile_columns):
    """Left column and top row of a tile, in pixels."""
    return (tile % tile_columns) * TILE_WIDTH, (tile // tile_columns) * TILE_HEIGHT


@jit
def open_tile(state, starts, left, top, width, height):
    """Fill the state with zeros, pixel coordinates, and transmittance 1 (-1 outside the image)."""
    F = state.dtype.type
    for i in range(_U(STATE_ROWS * PIXELS)):
        state[i] = F(0)
    for p in range(PIXELS):
        x, y = p % TILE_WIDTH, p // TILE_WIDTH
        state[ROW_X + _U(p)], state[ROW_Y + _U(p)] = F(x), F(y)
        state[ROW_T + _U(p)] = F(1) if left + x < width and top + y < height else F(-1)
    for group in range(GROUPS + 1):
        starts[group] = group


@jit
def _is_open(state, position):
    """Whether any pixel of the group at a position is open: the largest T is above 0."""
    F = state.dtype.type
    largest = F(-1)
    first = ROW_T + _U(position) * _U(GROUP)
    for p in range(first, first + _U(GROUP)):
        largest = max(largest, state[p])
    return largest > F(0)


@jit
def _swap(state, one, other):
    """Exchange the groups at two positions, all rows of the state."""
    for row in range(STATE_ROWS):
        i, j = row * PIXELS + one * GROUP, row * PIXELS + other * GROUP
        for p in range(_U(GROUP)):
            state[_U(i) + p], state[_U(j) + p] = state[_U(j) + p], state[_U(i) + p]


@jit
def close_groups(state, starts):
    """Compact the open groups at the front of the state; return their number.

    starts[g] becomes the number of open groups above group g: the position of group g if it is open. Group g was open
    before if starts[g + 1] is larger than the number of groups that were open above it.
    """
    kept, position = 0, 0
    for group in range(GROUPS):
        was_open = starts[group + 1] > position
        starts[group] = kept
        if was_open:
            if _is_open(state, position):
                if kept != position:
                    _swap(state, kept, position)
                kept += 1
            position += 1
    starts[GROUPS] = kept
    return kept
