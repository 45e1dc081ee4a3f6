"""Drawing tiles, front to back: colour += w c with w = alpha T, then T *= 1 - alpha (3DGS, eq. 3).

The loop over pixels has no branches, only selections, so that it compiles to vector code: a pixel that is closed goes
on through the loop with weight 0.
"""

from __future__ import annotations

import math

import numpy as np

from sparseags_ns.rasterizer.constants import ALPHA_MAX, ALPHA_MIN, TRANSMITTANCE_MIN
from sparseags_ns.rasterizer.kernels.arithmetic import EXPONENT_MIN, exp2_small
from sparseags_ns.rasterizer.kernels.jit import jit
from sparseags_ns.rasterizer.kernels.layout import (
    GROUP,
    GROUPS,
    PIXELS,
    ROW_BLUE,
    ROW_GREEN,
    ROW_RED,
    ROW_T,
    ROW_X,
    ROW_Y,
    ROW_Z,
    SPLAT_A,
    SPLAT_B,
    SPLAT_BLUE,
    SPLAT_C,
    SPLAT_GREEN,
    SPLAT_LOG_OPACITY,
    SPLAT_RED,
    SPLAT_X,
    SPLAT_Y,
    SPLAT_Z,
    STATE_ROWS,
    TILE_WIDTH,
)
from sparseags_ns.rasterizer.kernels.tiles import close_groups, open_tile, tile_corner

_U = np.uint64
_LOG2_ALPHA_MIN = math.log2(ALPHA_MIN)
CLOSE_EVERY = 16
"""Splats drawn between two checks for closed groups."""


@jit
def splat_in_tile(splat, left, top):
    """The constants (u0, w0) of u = u0 - a x - b y and w = w0 - c y at pixel (x, y) of the tile."""
    F = splat.dtype.type
    dx, dy = splat[SPLAT_X] - (F(left) + F(0.5)), splat[SPLAT_Y] - (F(top) + F(0.5))
    return splat[SPLAT_A] * dx + splat[SPLAT_B] * dy, splat[SPLAT_C] * dy


@jit
def alpha_of(exponent):
    """2^exponent, 0 where it is below 1/255; not yet clamped."""
    F = type(exponent)
    # The bound keeps the polynomial in its range; the result is dropped there, as it is below 1/255.
    alpha = exp2_small(max(exponent, F(EXPONENT_MIN)))
    return alpha if exponent >= F(_LOG2_ALPHA_MIN) else F(0)


@jit
def draw_splat(state, first, end, splat, u0, w0, with_depth):
    """Draw one splat on the groups at positions first to end.

    A pixel is closed (T < 0) by the splat that would bring T to 1e-4 or below; that one no longer counts.
    `with_depth` is None to leave depth out: numba then compiles a version without it.
    """
    F = state.dtype.type
    # Read before the loop: the compiler cannot know that the writes to `state` leave `splat` as it is.
    a, b, c, log_opacity = splat[SPLAT_A], splat[SPLAT_B], splat[SPLAT_C], splat[SPLAT_LOG_OPACITY]
    red, green, blue, z = splat[SPLAT_RED], splat[SPLAT_GREEN], splat[SPLAT_BLUE], splat[SPLAT_Z]
    for p in range(_U(first) * _U(GROUP), _U(end) * _U(GROUP)):
        u = u0 - a * state[ROW_X + p] - b * state[ROW_Y + p]
        w = w0 - c * state[ROW_Y + p]
        alpha, T = min(alpha_of(log_opacity - u * u - w * w), F(ALPHA_MAX)), state[ROW_T + p]
        weight = alpha * T
        T_next = T - weight
        # A closed pixel has T < 0, so T_next is negative too and it stays closed; |T| is what the background is seen
        # with.
        is_open = T_next > F(TRANSMITTANCE_MIN)
        weight = weight if is_open else F(0)
        state[ROW_T + p] = T_next if is_open else -abs(T)
        state[ROW_RED + p] += weight * red
        state[ROW_GREEN + p] += weight * green
        state[ROW_BLUE + p] += weight * blue
        if with_depth is not None:
            state[ROW_Z + p] += weight * z


@jit
def draw_tile(state, starts, splats, ranks, groups, pairs, begin, end, left, top, with_depth):
    """Draw the listed pairs begin to end; return the first one not drawn because every pixel was closed."""
    for i in range(begin, end):
        if (i - begin) % CLOSE_EVERY == 0 and close_groups(state, starts) == 0:
            return i
        pair = pairs[i]
        first, last = starts[groups[pair, 0]], starts[groups[pair, 1] + 1]
        if last > first:
            splat = splats[ranks[i]]
            u0, w0 = splat_in_tile(splat, left, top)
            draw_splat(state, first, last, splat, u0, w0, with_depth)
    return end


@jit
def write_tile(state, left, top, width, height, background, rgb, alpha, z_sum):
    """Composite the tile over the background and write it to the images; z_sum [height width] may be None."""
    F = state.dtype.type
    for p in range(_U(PIXELS)):
        x, y = left + int(state[ROW_X + p]), top + int(state[ROW_Y + p])
        if x < width and y < height:
            T = abs(state[ROW_T + p])
            rgb[y, x, 0] = state[ROW_RED + p] + T * background[0]
            rgb[y, x, 1] = state[ROW_GREEN + p] + T * background[1]
            rgb[y, x, 2] = state[ROW_BLUE + p] + T * background[2]
            alpha[y, x] = F(1) - T
            if z_sum is not None:
                z_sum[y, x] = state[ROW_Z + p]


@jit
def composite_tiles(
    splats, pairs, ranks, groups, tile_starts, begin, end, width, height, background, rgb, alpha, z_sum, stops
):
    """Draw tiles begin to end of one view; stops[tile] receives the end of the pairs that were drawn."""
    state = np.empty(STATE_ROWS * PIXELS, splats.dtype)
    starts = np.empty(GROUPS + 1, np.int64)
    tile_columns = -(-width // TILE_WIDTH)
    for tile in range(begin, end):
        left, top = tile_corner(tile, tile_columns)
        open_tile(state, starts, left, top, width, height)
        stops[tile] = draw_tile(
            state, starts, splats, ranks, groups, pairs, tile_starts[tile], tile_starts[tile + 1], left, top, z_sum
        )
        write_tile(state, left, top, width, height, background, rgb, alpha, z_sum)
