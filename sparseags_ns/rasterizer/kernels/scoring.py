"""Scoring pose hypotheses against one photograph: render, compare, forget; one thread renders whole hypotheses.

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
    """Loss of one image, and its gradients; `valid` sums to 1."""
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
def _splat_gradients(lists, stops, size, rgb, alpha, v_rgb, v_alpha, ids, splat_starts, v_means2d, v_conics, v_colors):
    """From the images' gradients to those of the splats that were drawn; other elements stay as they are."""
    splats, pairs, ranks, groups, tile_starts = lists
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
    """Losses of hypotheses begin to end.

    `coefficients` is None for RGB in `colors`; else `colors` is scratch of this call. v_Ts [hypotheses 16] (three
    rows of the pose, then intrinsics) is None if no gradient is asked for; v_centers [hypotheses 3] too.
    """
    n, (height, width), dtype = opacities.shape[0], mask.shape, geometry.dtype
    means2d, v_means2d, conics, v_conics = (
        np.empty((n, 2), dtype), np.empty((n, 2), dtype), np.empty((n, 3), dtype), np.empty((n, 3), dtype),
    )  # fmt: skip
    depths, radii, v_colors = np.empty(n, dtype), np.empty(n, np.int32), np.zeros((1, n, 3), dtype)
    rgb, v_rgb = np.empty((height, width, 3), dtype), np.empty((height, width, 3), dtype)
    alpha, v_alpha = np.empty((height, width), dtype), np.empty((height, width), dtype)
    block = np.empty(ROWS * BLOCK, dtype)
    for h in range(begin, end):
        project_view(geometry, n, 0, n, Ts[h], Ks[h], width, height, near, far, means2d, conics, depths, radii)
        if coefficients is not None:
            harmonics_view(means, centers[h], coefficients, bases, 0, n, radii, colors)
        ids, splats, splat_starts, pairs, ranks, groups, tile_starts = bin_view(
            means2d, conics, depths, radii, opacities, colors, width, height
        )
        tiles = tile_starts.shape[0] - 1
        stops = np.empty(tiles, np.int64)
        composite_tiles(
            splats, pairs, ranks, groups, tile_starts, 0, tiles, width, height, background, rgb, alpha, None, stops
        )
        losses[h] = compare(rgb, alpha, target, mask, valid, mask_weight, v_rgb, v_alpha)
        if v_Ts is not None:
            lists = (splats, pairs, ranks, groups, tile_starts)
            _splat_gradients(
                lists, stops, (width, height), rgb, alpha, v_rgb, v_alpha, ids, splat_starts,
                v_means2d, v_conics, v_colors[0],
            )  # fmt: skip
            _camera_gradient(
                geometry, n, Ts[h], Ks[h], (width, height), ids, radii, conics, v_means2d, v_conics, block, v_Ts[h]
            )
            if coefficients is not None:
                harmonics_vjp(
                    means, centers[h : h + 1], coefficients, bases, 0, n, colors.reshape((1, n, 3)), v_colors,
                    None, v_centers[h : h + 1], None,
                )  # fmt: skip
                v_colors[:] = 0
