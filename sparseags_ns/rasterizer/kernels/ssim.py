"""Photometric loss of one image and its gradient: L1, L2 and 1 - SSIM (Wang et al. 2004), fused.

Images are rows of width x 3 numbers, channels interleaved: a horizontal neighbour is 3 numbers away, and one loop
filters all channels. The window is Gaussian, 11 x 11, sigma 1.5, and stays inside the image (no padding). With mu the
windowed means, P = mean of x y, S = mean of x^2 + y^2 (only their sum is needed):

    SSIM = A1 A2 / (B1 B2),  A1 = 2 mu_x mu_y + C1,  A2 = 2 (P - mu_x mu_y) + C2,
                             B1 = mu_x^2 + mu_y^2 + C1,  B2 = S - mu_x^2 - mu_y^2 + C2.

The gradient by x needs the derivatives of each window's SSIM by its mu_x, S and P:

    d SSIM / d mu_x = 2 (mu_y (A2 - A1) / (B1 B2) - SSIM mu_x (1 / B1 - 1 / B2)),
    d SSIM / d S = -SSIM / B2,  d SSIM / d P = 2 A1 / (B1 B2).

mu_x, S and P are filters of x, x^2 + y^2 and x y, and the filter is symmetric: its transpose is the same filter,
applied to the derivatives padded with zeros. So v_x = filter(v_mu) + 2 x filter(v_S) + y filter(v_P).
"""

from __future__ import annotations

import numpy as np

from sparseags_ns.rasterizer.constants import SSIM_C1, SSIM_C2, SSIM_SIGMA, SSIM_WINDOW
from sparseags_ns.rasterizer.kernels.jit import jit

_REACH = SSIM_WINDOW - 1
_U = np.uint64
_TAPS = np.exp(-0.5 * ((np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2) / SSIM_SIGMA) ** 2)
_W0, _W1, _W2, _W3, _W4, _W5 = (float(w) for w in (_TAPS / _TAPS.sum())[: SSIM_WINDOW // 2 + 1])
_MAPS = 4  # x, y, x^2 + y^2, x y
_DERIVATIVES = 3  # by mu_x, S, P


@jit
def filter_line(source, begin, step, out, to, count):
    """out[to + j] = sum over k of w_k source[begin + j + k step]: along a row (step 3) or down a column."""
    F = source.dtype.type
    w0, w1, w2, w3, w4, w5 = F(_W0), F(_W1), F(_W2), F(_W3), F(_W4), F(_W5)
    b, s, t = _U(begin), _U(step), _U(to)
    for j in range(_U(0), _U(count)):
        i = b + j
        total = w0 * (source[i] + source[i + _U(10) * s]) + w1 * (source[i + s] + source[i + _U(9) * s])
        total += w2 * (source[i + _U(2) * s] + source[i + _U(8) * s])
        total += w3 * (source[i + _U(3) * s] + source[i + _U(7) * s])
        total += w4 * (source[i + _U(4) * s] + source[i + _U(6) * s]) + w5 * source[i + _U(5) * s]
        out[t + j] = total


@jit
def _products(x, y, begin, count, lines):
    """One row of x, y, x^2 + y^2 and x y, one after another in `lines`."""
    b, n = _U(begin), _U(count)
    for j in range(_U(0), n):
        p, q = x[b + j], y[b + j]
        lines[j], lines[n + j] = p, q
        lines[_U(2) * n + j], lines[_U(3) * n + j] = p * p + q * q, p * q


@jit
def _ssim_line(lines, count, weights, to, derivatives, plane):
    """Weighted sum of the SSIM of one row of windows; its weighted derivatives go to row `to` of each plane."""
    F = lines.dtype.type
    n, t, size = _U(count), _U(to), _U(plane)
    total = F(0)
    for j in range(_U(0), n):
        mx, my, S, P = lines[j], lines[n + j], lines[_U(2) * n + j], lines[_U(3) * n + j]
        A1, B1 = F(2) * mx * my + F(SSIM_C1), mx * mx + my * my + F(SSIM_C1)
        A2, B2 = F(2) * (P - mx * my) + F(SSIM_C2), S - mx * mx - my * my + F(SSIM_C2)
        inverse_1, inverse_2 = F(1) / B1, F(1) / B2
        both, weight = inverse_1 * inverse_2, weights[j]
        ssim = A1 * A2 * both
        total += weight * ssim
        derivatives[t + j] = weight * F(2) * (my * (A2 - A1) * both - ssim * mx * (inverse_1 - inverse_2))
        derivatives[size + t + j] = -weight * ssim * inverse_2
        derivatives[_U(2) * size + t + j] = weight * F(2) * A1 * both
    return total


@jit
def ssim_with_derivatives(x, y, weights, height, row):
    """Weighted sum of SSIM over the windows of one image, and its derivatives with a border of zeros.

    `row` is the length of an image row; `weights` [windows down, windows across x 3] flat. The planes [3, height + 10,
    row + 30] are the derivatives by mu_x, S and P; filtering them with that border gives one number per pixel.
    """
    windows, high = row - 3 * _REACH, height - _REACH
    across = np.empty(_MAPS * height * windows, x.dtype)
    lines = np.empty(_MAPS * row, x.dtype)
    for r in range(height):
        _products(x, y, r * row, row, lines)
        for k in range(_MAPS):
            filter_line(lines, k * row, 3, across, (k * height + r) * windows, windows)
    wide = row + 3 * _REACH
    plane = (height + _REACH) * wide
    derivatives = np.zeros(_DERIVATIVES * plane, x.dtype)
    total = x.dtype.type(0)
    for r in range(high):
        for k in range(_MAPS):
            filter_line(across, (k * height + r) * windows, windows, lines, k * windows, windows)
        to = (r + _REACH) * wide + 3 * _REACH
        total += _ssim_line(lines, windows, weights[r * windows : (r + 1) * windows], to, derivatives, plane)
    return total, derivatives


@jit
def _combine(lines, x, y, begin, count, gradient):
    """v_x = filtered v_mu + 2 x filtered v_S + y filtered v_P."""
    F = x.dtype.type
    b, n = _U(begin), _U(count)
    for j in range(_U(0), n):
        gradient[b + j] = lines[j] + F(2) * x[b + j] * lines[n + j] + y[b + j] * lines[_U(2) * n + j]


@jit
def ssim_gradient(x, y, derivatives, height, row, gradient):
    """Write the gradient of the weighted sum of SSIM by x, from the derivatives of the windows."""
    wide, high = row + 3 * _REACH, height + _REACH
    across = np.empty(_DERIVATIVES * high * row, x.dtype)
    lines = np.empty(_DERIVATIVES * row, x.dtype)
    for k in range(_DERIVATIVES):
        for r in range(high):
            filter_line(derivatives, (k * high + r) * wide, 3, across, (k * high + r) * row, row)
    for r in range(height):
        for k in range(_DERIVATIVES):
            filter_line(across, (k * high + r) * row, row, lines, k * row, row)
        _combine(lines, x, y, r * row, row, gradient)


@jit
def _window_weights(weights):
    """Weight of each window, that of its central pixel, repeated for the three channels; and the sum of them all."""
    high, across, edge = weights.shape[0] - _REACH, weights.shape[1] - _REACH, SSIM_WINDOW // 2
    out = np.empty(high * across * 3, weights.dtype)
    for r in range(high):
        for c in range(across):
            for k in range(3):
                out[(r * across + c) * 3 + k] = weights[r + edge, c + edge]
    return out, out.sum()


@jit
def photometric_image(x, y, weights, l1, l2, dssim, gradient):
    """Loss of one image x against y, both [height width 3], and its gradient by x (written, or None).

    SSIM compares y with y + w (x - y), where w is a pixel's weight, so that unknown pixels are equal; a window has the
    weight of its central pixel.
    """
    F = x.dtype.type
    height, row = x.shape[0], x.shape[1] * 3
    # 1e-12: an image without any known pixel has loss 0 and gradient 0.
    share = F(1) / max(F(3) * weights.sum(), F(1e-12))
    blended, target = np.empty(height * row, x.dtype), y.reshape(-1)
    linear, given, repeated = np.empty(height * row, x.dtype), x.reshape(-1), np.repeat(weights.reshape(-1), 3)
    loss = F(0)
    for i in range(_U(0), _U(height * row)):
        error, weight = given[i] - target[i], repeated[i]
        blended[i] = target[i] + weight * error
        loss += weight * share * (l1 * abs(error) + l2 * error * error)
        linear[i] = weight * share * (l1 * np.sign(error) + F(2) * l2 * error)
    if dssim > F(0):
        windows, total = _window_weights(weights)
        scale = dssim / max(total, F(1e-12))
        ssim, derivatives = ssim_with_derivatives(blended, target, windows, height, row)
        loss += dssim - scale * ssim if total > F(0) else F(0)
        if gradient is not None:
            filtered = np.empty(height * row, x.dtype)
            ssim_gradient(blended, target, derivatives, height, row, filtered)
            for i in range(_U(0), _U(height * row)):
                linear[i] -= scale * repeated[i] * filtered[i]
    if gradient is not None:
        gradient.reshape(-1)[:] = linear
    return loss
