"""Scoring pose hypotheses against one photo. A thread renders and compares whole hypotheses and keeps no image.

loss = sum of valid (|rgb - target|^2 / 3 + mask_weight (alpha - mask)^2) / sum of valid.
"""

from __future__ import annotations

import numpy as np

from sparseags_ns.rasterizer.kernels.binning import bin_view
from sparseags_ns.rasterizer.kernels.compositing import composite_tiles
from sparseags_ns.rasterizer.kernels.compositing_vjp import composite_tiles_vjp, reduce_splats
from sparseags_ns.rasterizer.kernels.harmonics import harmonics_view, harmonics_vjp
from sparseags_ns.rasterizer.kernels.jit import jit
from sparseags_ns.rasterizer.kernels.layout import GRAD_Z
from sparseags_ns.rasterizer.kernels.projection import BLOCK, project_view
from sparseags_ns.rasterizer.kernels.projection_vjp import ROWS, gather_gaussians, gather_view, project_block_vjp


@jit
def compare(rgb, alpha, target, mask, valid, mask_weight, v_rgb, v_alpha):
    """Loss of one render, and its gradients by the render; `valid` sums to 1."""
    F = rgb.dtype.type
    loss = F(0)
    for y in range(rgb.shape[0]):
        for x in range(rgb.shape[1]):
            weight = valid[y, x]
            error = alpha[y, x] - mask[y, x]
            loss += weight * mask_weight * error * error
            v_alpha[y, x] = F(2) * weight * mask_weight * error
            for k in range(3):
                error = rgb[y, x, k] - target[y, x, k]
                loss += weight / F(3) * error * error
                v_rgb[y, x, k] = F(2) / F(3) * weight * error
    return loss


@jit
def _draw(bins, size, background, rgb, alpha):
    """Draw all tiles of one view; return the end of the pairs that each tile drew."""
    _, splats, _, pairs, ranks, groups, tile_starts = bins
    stops = np.empty(tile_starts.shape[0] - 1, np.int64)
    composite_tiles(
        splats, pairs, ranks, groups, tile_starts, 0, stops.shape[0], size[0], size[1],
        background, rgb, alpha, None, stops,
    )  # fmt: skip
    return stops


@jit
def _splat_gradients(bins, stops, size, rgb, alpha, v_rgb, v_alpha, v_means2d, v_conics, v_colors):
    """Write the gradients of the splats that were drawn, from those of the images; other elements keep their values."""
    ids, splats, splat_starts, pairs, ranks, groups, tile_starts = bins
    grads = np.empty((pairs.shape[0], GRAD_Z), splats.dtype)
    composite_tiles_vjp(
        splats, pairs, ranks, groups, tile_starts, 0, stops.shape[0], size[0], size[1],
        rgb, alpha, None, stops, v_rgb, v_alpha, None, None, grads,
    )  # fmt: skip
    reduce_splats(ids, splats, splat_starts, grads, None, None, v_means2d, v_conics, None, None, v_colors, None)


@jit
def _camera_gradient(geometry, n, T, K, size, ids, radii, conics, v_means2d, v_conics, block, v_camera):
    """Sum the gradient of pose (12) and intrinsics (4) over the splats that were drawn."""
    v_camera[:] = 0
    for begin in range(0, ids.shape[0], BLOCK):
        count = min(BLOCK, ids.shape[0] - begin)
        gather_gaussians(geometry, n, ids, begin, count, block)
        gather_view(ids, begin, count, radii, conics, v_means2d, v_conics, None, block)
        project_block_vjp(block, count, T, K, size[0], size[1], None, v_camera)


@jit
def score_hypotheses(
    geometry, means, opacities, colors, coefficients, bases, Ts, centers, Ks, begin, end, background, near, far,
    target, mask, valid, mask_weight, losses, v_Ts, v_centers,
):  # fmt: skip
    """Write the losses of hypotheses begin to end, and their gradients by the pose.

    `coefficients` is None if `colors` is RGB; otherwise `colors` is scratch memory. v_Ts [hypotheses 16] (three rows of
    the pose, then intrinsics) and v_centers [hypotheses 3] (through the viewing directions) are None if no gradient is
    needed.
    """
    n, (height, width), dtype = opacities.shape[0], mask.shape, geometry.dtype
    means2d, conics = np.empty((n, 2), dtype), np.empty((n, 3), dtype)
    depths, radii = np.empty(n, dtype), np.empty(n, np.int32)
    v_means2d, v_conics, v_colors = np.empty((n, 2), dtype), np.empty((n, 3), dtype), np.zeros((1, n, 3), dtype)
    rgb, v_rgb = np.empty((height, width, 3), dtype), np.empty((height, width, 3), dtype)
    alpha, v_alpha = np.empty((height, width), dtype), np.empty((height, width), dtype)
    block = np.empty(ROWS * BLOCK, dtype)
    # The scratch memory above is reused by all hypotheses of the call.
    for h in range(begin, end):
        project_view(geometry, n, 0, n, Ts[h], Ks[h], width, height, near, far, means2d, conics, depths, radii)
        if coefficients is not None:
            harmonics_view(means, centers[h], coefficients, bases, 0, n, radii, colors)
        bins = bin_view(means2d, conics, depths, radii, opacities, colors, width, height)
        stops = _draw(bins, (width, height), background, rgb, alpha)
        losses[h] = compare(rgb, alpha, target, mask, valid, mask_weight, v_rgb, v_alpha)
        if v_Ts is not None:
            _splat_gradients(bins, stops, (width, height), rgb, alpha, v_rgb, v_alpha, v_means2d, v_conics, v_colors[0])
            _camera_gradient(
                geometry, n, Ts[h], Ks[h], (width, height), bins[0], radii, conics, v_means2d, v_conics, block, v_Ts[h]
            )
            if coefficients is not None:
                harmonics_vjp(
                    means, centers[h : h + 1], coefficients, bases, 0, n, colors.reshape((1, n, 3)), v_colors,
                    None, v_centers[h : h + 1], None,
                )  # fmt: skip
                # Only drawn splats are written; another hypothesis draws others.
                v_colors[:] = 0
