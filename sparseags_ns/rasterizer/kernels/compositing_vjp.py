"""Gradients of the compositing, drawing front to back a second time.

A pixel's colour is C = sum_i w_i c_i + T_last background, with w_i = alpha_i T_i and T_(i+1) = T_i (1 - alpha_i). Every
later weight holds the factor 1 - alpha_i, so

    d C / d alpha_i = T_i c_i - (sum_(j>i) w_j c_j + T_last background) / (1 - alpha_i).

With v the pixel's gradient, q = c_i . v, and R = (sum_(j>=i) w_j c_j + T_last background) . v, which still holds splat
i itself, this is d loss / d alpha_i = (T_i q - R) / (1 - alpha_i); afterwards R -= w_i q. The pixel's alpha, 1 -
T_last, adds T_last v_alpha / (1 - alpha_i): R starts at C . v - T_last v_alpha. Going front to back needs neither the
index of each pixel's last splat nor a division by a small T.

alpha = opacity exp(-sigma), so P = alpha d loss / d alpha = -d loss / d sigma = opacity d loss / d opacity. Means and
conics enter through sigma only, which is quadratic in (u, w): their gradients follow from the moments of P over the
pixels, sum P (1, u, w, u^2, u w, w^2), after the loop.
"""

from __future__ import annotations

import math

import numpy as np

from sparseags_ns.rasterizer.constants import ALPHA_MAX, TRANSMITTANCE_MIN
from sparseags_ns.rasterizer.kernels.compositing import CLOSE_EVERY, alpha_of, splat_in_tile
from sparseags_ns.rasterizer.kernels.ewa import combine, dot
from sparseags_ns.rasterizer.kernels.jit import jit
from sparseags_ns.rasterizer.kernels.layout import (
    GRAD_1,
    GRAD_ABS_X,
    GRAD_ABS_Y,
    GRAD_BLUE,
    GRAD_COLUMNS,
    GRAD_GREEN,
    GRAD_RED,
    GRAD_U,
    GRAD_UU,
    GRAD_UW,
    GRAD_W,
    GRAD_WW,
    GRAD_Z,
    GROUP,
    GROUPS,
    PIXELS,
    ROW_BLUE,
    ROW_GREEN,
    ROW_RED,
    ROW_REST,
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
    SPLAT_Z,
    STATE_ROWS,
    TILE_WIDTH,
)
from sparseags_ns.rasterizer.kernels.tiles import close_groups, open_tile, tile_corner

_U = np.uint64
_LN_2 = math.log(2.0)


@jit
def draw_splat_vjp(state, first, end, splat, u0, w0, with_depth, with_abs, grad):
    """Draw one splat again and sum its gradients over the pixels into `grad`.

    `with_depth` and `with_abs` are None to leave these sums out: numba then compiles a version without them.
    """
    F = state.dtype.type
    a, b, c, log_opacity, z = splat[SPLAT_A], splat[SPLAT_B], splat[SPLAT_C], splat[SPLAT_LOG_OPACITY], splat[SPLAT_Z]
    color = (splat[SPLAT_RED], splat[SPLAT_GREEN], splat[SPLAT_BLUE])
    s1, su, sw, suu, suw, sww = F(0), F(0), F(0), F(0), F(0), F(0)
    s_color, s_z, abs_x, abs_y = (F(0), F(0), F(0)), F(0), F(0), F(0)
    for p in range(_U(first) * _U(GROUP), _U(end) * _U(GROUP)):
        u = u0 - a * state[ROW_X + p] - b * state[ROW_Y + p]
        w = w0 - c * state[ROW_Y + p]
        free_alpha = alpha_of(log_opacity - u * u - w * w)
        alpha, T = min(free_alpha, F(ALPHA_MAX)), state[ROW_T + p]
        T_next = T - alpha * T
        is_open = T_next > F(TRANSMITTANCE_MIN)
        weight = alpha * T if is_open else F(0)
        state[ROW_T + p] = T_next if is_open else -abs(T)
        v_color = (state[ROW_RED + p], state[ROW_GREEN + p], state[ROW_BLUE + p])
        q = dot(color, v_color)
        if with_depth is not None:
            q += z * state[ROW_Z + p]
            s_z += weight * state[ROW_Z + p]
        rest = state[ROW_REST + p]
        state[ROW_REST + p] = rest - weight * q
        # Where alpha was clamped to its maximum, neither opacity nor sigma has a gradient.
        P = alpha * (T * q - rest) / (F(1) - alpha) if is_open and free_alpha <= F(ALPHA_MAX) else F(0)
        Pu, Pw = P * u, P * w
        s1, su, sw = s1 + P, su + Pu, sw + Pw
        suu, suw, sww = suu + Pu * u, suw + Pu * w, sww + Pw * w
        s_color = combine(F(1), s_color, weight, v_color)
        if with_abs is not None:
            # |P d sigma / d x| without the factor 2 ln 2, which `reduce_splats` applies (AbsGS, Ye et al. 2024).
            abs_x, abs_y = abs_x + abs(a * Pu), abs_y + abs(b * Pu + c * Pw)
    grad[GRAD_1], grad[GRAD_U], grad[GRAD_W], grad[GRAD_UU], grad[GRAD_UW], grad[GRAD_WW] = s1, su, sw, suu, suw, sww
    grad[GRAD_RED], grad[GRAD_GREEN], grad[GRAD_BLUE] = s_color
    if with_depth is not None:
        grad[GRAD_Z] = s_z
    if with_abs is not None:
        grad[GRAD_ABS_X], grad[GRAD_ABS_Y] = abs_x, abs_y


@jit
def load_gradients(state, left, top, width, height, rgb, alpha, v_rgb, v_alpha, z_sum, v_z_sum):
    """Fill the state with the gradients of the tile's pixels and the initial R."""
    F = state.dtype.type
    for p in range(_U(PIXELS)):
        x, y = left + int(state[ROW_X + p]), top + int(state[ROW_Y + p])
        if x < width and y < height:
            v_red, v_green, v_blue = v_rgb[y, x, 0], v_rgb[y, x, 1], v_rgb[y, x, 2]
            state[ROW_RED + p], state[ROW_GREEN + p], state[ROW_BLUE + p] = v_red, v_green, v_blue
            rest = rgb[y, x, 0] * v_red + rgb[y, x, 1] * v_green + rgb[y, x, 2] * v_blue
            rest -= (F(1) - alpha[y, x]) * v_alpha[y, x]
            if z_sum is not None:
                state[ROW_Z + p] = v_z_sum[y, x]
                rest += z_sum[y, x] * v_z_sum[y, x]
            state[ROW_REST + p] = rest


@jit
def draw_tile_vjp(
    state, starts, splats, ranks, groups, pairs, begin, end, stop, left, top, with_depth, with_abs, grads
):
    """Write the gradients of the pairs begin to end; those from `stop` on were not drawn and get zeros.

    Groups are closed after the same splats as in the forward pass, so that every pixel goes through the same states.
    """
    F = state.dtype.type
    for i in range(begin, end):
        if i < stop and (i - begin) % CLOSE_EVERY == 0:
            close_groups(state, starts)
        pair = pairs[i]
        first, last = starts[groups[pair, 0]], starts[groups[pair, 1] + 1]
        if i < stop and last > first:
            splat = splats[ranks[i]]
            u0, w0 = splat_in_tile(splat, left, top)
            draw_splat_vjp(state, first, last, splat, u0, w0, with_depth, with_abs, grads[pair])
        else:
            for k in range(grads.shape[1]):
                grads[pair, k] = F(0)


@jit
def composite_tiles_vjp(
    splats, pairs, ranks, groups, tile_starts, begin, end, width, height,
    rgb, alpha, z_sum, stops, v_rgb, v_alpha, v_z_sum, with_abs, grads,
):  # fmt: skip
    """Gradients of the pairs of tiles begin to end of one view."""
    state = np.empty(STATE_ROWS * PIXELS, splats.dtype)
    starts = np.empty(GROUPS + 1, np.int64)
    tile_columns = -(-width // TILE_WIDTH)
    for tile in range(begin, end):
        first, last = tile_starts[tile], tile_starts[tile + 1]
        if first == last:
            continue
        left, top = tile_corner(tile, tile_columns)
        open_tile(state, starts, left, top, width, height)
        load_gradients(state, left, top, width, height, rgb, alpha, v_rgb, v_alpha, z_sum, v_z_sum)
        draw_tile_vjp(
            state, starts, splats, ranks, groups, pairs, first, last, stops[tile], left, top, z_sum, with_abs, grads
        )


@jit
def reduce_splats(
    ids, splats, splat_starts, grads, with_depth, with_abs,
    v_means2d, v_conics, v_depths, v_opacities, v_colors, v_abs,
):  # fmt: skip
    """Sum each splat's moments of P over its tiles and convert them to gradients of the projection.

    sigma = ln 2 (u^2 + w^2) with u = a dx + b dy, w = c dy, so d sigma / d x = 2 ln 2 a u and
    d sigma / d y = 2 ln 2 (b u + c w). For the conic, sigma = 1/2 (A dx^2 + 2 B dx dy + C dy^2): its gradient is
    -(1/2 sum P dx^2, sum P dx dy, 1/2 sum P dy^2), written in moments of u and w.

    The outputs are one view's; only the rows of `ids` are written. v_opacities may be None; v_depths and v_abs are not
    touched where their flags are None.
    """
    F = splats.dtype.type
    total = np.empty(GRAD_COLUMNS, splats.dtype)
    for rank in range(ids.shape[0]):
        total[:] = F(0)
        for pair in range(splat_starts[rank], splat_starts[rank + 1]):
            for k in range(grads.shape[1]):
                total[k] += grads[pair, k]
        g, a, b, c = ids[rank], splats[rank, SPLAT_A], splats[rank, SPLAT_B], splats[rank, SPLAT_C]
        scale = F(2 * _LN_2)
        v_means2d[g, 0] = -scale * a * total[GRAD_U]
        v_means2d[g, 1] = -scale * (b * total[GRAD_U] + c * total[GRAD_W])
        # The inverse of the whitening: dx = u / a - e w and dy = w / c, with e = b / (a c).
        e = b / (a * c)
        uw, ww = total[GRAD_UW], total[GRAD_WW]
        v_conics[g, 0] = F(-0.5) * (total[GRAD_UU] / (a * a) - F(2) * e / a * uw + e * e * ww)
        v_conics[g, 1] = -(uw / a - e * ww) / c
        v_conics[g, 2] = F(-0.5) * ww / (c * c)
        if v_opacities is not None:
            v_opacities[g] = total[GRAD_1] / F(2.0 ** splats[rank, SPLAT_LOG_OPACITY])
        v_colors[g, 0], v_colors[g, 1], v_colors[g, 2] = total[GRAD_RED], total[GRAD_GREEN], total[GRAD_BLUE]
        if with_depth is not None:
            v_depths[g] = total[GRAD_Z]
        if with_abs is not None:
            v_abs[g, 0], v_abs[g, 1] = scale * total[GRAD_ABS_X], scale * total[GRAD_ABS_Y]


@jit
def background_vjp(alpha, v_rgb, v_background):
    """Write the gradient of one view's background: sum over the pixels of T v_rgb."""
    F = alpha.dtype.type
    red, green, blue = F(0), F(0), F(0)
    for y in range(alpha.shape[0]):
        for x in range(alpha.shape[1]):
            T = F(1) - alpha[y, x]
            red, green, blue = red + T * v_rgb[y, x, 0], green + T * v_rgb[y, x, 1], blue + T * v_rgb[y, x, 2]
    v_background[0], v_background[1], v_background[2] = red, green, blue
