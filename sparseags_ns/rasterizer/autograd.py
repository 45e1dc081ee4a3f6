"""The three differentiable steps of the CPU back end as autograd functions: project, colour, composite.

Each step passes numpy views of contiguous tensors to the kernels and spreads the work over threads. Tensors that the
backward pass reads are saved with `save_for_backward`, so that torch reports an error if they are changed in place in
between.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sparseags_ns.rasterizer.kernels import (
    binning,
    compositing,
    compositing_vjp,
    harmonics,
    layout,
    projection,
    projection_vjp,
)
from sparseags_ns.rasterizer.threads import run_chunks, tasks_per_view

_BLOCK = 1024
"""Gaussians in one task of the steps over Gaussians. Fixed, because sums are taken block by block: it decides the last
bits."""


def as_array(tensor: Tensor) -> np.ndarray:
    """The tensor's memory as an array if it is contiguous, otherwise a copy."""
    return tensor.detach().contiguous().numpy()


def _gradient(tensor: Tensor | None, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An incoming gradient; zeros if autograd passes None."""
    return np.zeros(shape, dtype) if tensor is None else as_array(tensor)


def make_geometry(means: np.ndarray, quats: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Means and world covariances [9 N] in the layout of the projection kernels."""
    geometry = np.empty(9 * means.shape[0], means.dtype)

    def fill(begin: int, end: int) -> None:
        projection.fill_geometry(means, quats, scales, begin, end, geometry)

    run_chunks(means.shape[0], 4 * _BLOCK, fill)
    return geometry


class Project(torch.autograd.Function):
    """From Gaussians and cameras to (means2d, conics, depths, radii), each [views gaussians ...]."""

    @staticmethod
    def forward(ctx, means, quats, scales, T_camera_world, K, size, z_range):
        ctx.set_materialize_grads(False)
        arrays = [as_array(tensor) for tensor in (means, quats, scales, T_camera_world, K)]
        geometry = make_geometry(*arrays[:3])
        n, views, dtype = means.shape[0], K.shape[0], arrays[0].dtype
        means2d, conics = np.empty((views, n, 2), dtype), np.empty((views, n, 3), dtype)
        depths, radii = np.empty((views, n), dtype), np.empty((views, n), np.int32)
        (width, height), (near, far) = size, (dtype.type(z) for z in z_range)
        T, intrinsics = arrays[3], arrays[4]
        blocks = max(1, -(-n // (4 * _BLOCK)))

        def work(task: int, _: int) -> None:
            view, begin = task // blocks, task % blocks * 4 * _BLOCK
            projection.project_view(
                geometry, n, begin, min(n, begin + 4 * _BLOCK), T[view], intrinsics[view], width, height, near, far,
                means2d[view], conics[view], depths[view], radii[view],
            )  # fmt: skip

        run_chunks(views * blocks, 1, work)
        outputs = [torch.from_numpy(array) for array in (means2d, conics, depths, radii)]
        ctx.mark_non_differentiable(outputs[3])
        ctx.geometry, ctx.size = geometry, size
        ctx.save_for_backward(means, quats, scales, T_camera_world, K, outputs[1], outputs[3])
        return tuple(outputs)

    @staticmethod
    @once_differentiable
    def backward(ctx, v_means2d, v_conics, v_depths, _):
        means, quats, scales, T, K, conics, radii = (as_array(tensor) for tensor in ctx.saved_tensors)
        n, views, dtype = means.shape[0], T.shape[0], means.dtype
        (width, height), geometry = ctx.size, ctx.geometry
        v_means2d = _gradient(v_means2d, (views, n, 2), dtype)
        v_conics, v_depths = _gradient(v_conics, (views, n, 3), dtype), _gradient(v_depths, (views, n), dtype)
        v_means, v_quats, v_scales = np.empty_like(means), np.empty_like(quats), np.empty_like(scales)
        v_cameras = np.empty((-(-n // _BLOCK), views, projection_vjp.CAMERA_COLUMNS), dtype)

        def work(begin: int, end: int) -> None:
            projection_vjp.project_vjp(
                geometry, quats, scales, T, K, width, height, begin, end, radii, conics,
                v_means2d, v_conics, v_depths, v_means, v_quats, v_scales, v_cameras[begin // _BLOCK],
            )  # fmt: skip

        run_chunks(n, _BLOCK, work)
        # One row per block of Gaussians, summed in order: the same bits for any number of threads.
        v_camera = v_cameras.sum(axis=0)
        v_T, v_K = np.zeros_like(T), np.zeros_like(K)
        v_T[:, :3] = v_camera[:, :12].reshape(views, 3, 4)
        for column, (i, j) in enumerate(((0, 0), (1, 1), (0, 2), (1, 2))):
            v_K[:, i, j] = v_camera[:, 12 + column]
        gradients = [torch.from_numpy(array) for array in (v_means, v_quats, v_scales, v_T, v_K)]
        return *gradients, None, None


class Harmonics(torch.autograd.Function):
    """From means, camera centres and coefficients to colours [views gaussians 3], black where `radii` is 0."""

    @staticmethod
    def forward(ctx, means, centers, coefficients, radii, bases):
        arrays = [as_array(tensor) for tensor in (means, centers, coefficients)]
        seen, n, views = as_array(radii), means.shape[0], centers.shape[0]
        colors = np.empty((views, n, 3), arrays[0].dtype)

        def work(begin: int, end: int) -> None:
            for view in range(views):
                harmonics.harmonics_view(
                    arrays[0], arrays[1][view], arrays[2], bases, begin, end, seen[view], colors[view]
                )

        run_chunks(n, 4 * _BLOCK, work)
        output, ctx.bases = torch.from_numpy(colors), bases
        ctx.save_for_backward(means, centers, coefficients, output)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx, v_colors):
        means, centers, coefficients, colors = (as_array(tensor) for tensor in ctx.saved_tensors)
        v_colors, bases = as_array(v_colors), ctx.bases
        v_means, v_coefficients = np.empty_like(means), np.empty_like(coefficients)
        v_centers = np.empty((-(-means.shape[0] // _BLOCK), *centers.shape), means.dtype)

        def work(begin: int, end: int) -> None:
            harmonics.harmonics_vjp(
                means, centers, coefficients, bases, begin, end, colors, v_colors,
                v_means, v_centers[begin // _BLOCK], v_coefficients,
            )  # fmt: skip

        run_chunks(means.shape[0], _BLOCK, work)
        gradients = [torch.from_numpy(array) for array in (v_means, v_centers.sum(axis=0), v_coefficients)]
        return *gradients, None, None


class ViewBins(NamedTuple):
    """The splats of one view and their pairs with tiles; see `kernels.binning`."""

    ids: np.ndarray
    splats: np.ndarray
    splat_starts: np.ndarray
    pairs: np.ndarray
    ranks: np.ndarray
    groups: np.ndarray
    tile_starts: np.ndarray

    @property
    def lists(self) -> tuple[np.ndarray, ...]:
        """The arrays that the tile kernels read."""
        return self.splats, self.pairs, self.ranks, self.groups, self.tile_starts


class Composite(torch.autograd.Function):
    """From splats to (rgb [views height width 3], alpha [views height width], sum of w z or None).

    `colors` is [views gaussians 3]. The backward pass sets `means2d.absgrad` if `absgrad`.
    """

    @staticmethod
    def forward(ctx, means2d, conics, depths, opacities, colors, background, radii, size, depth, absgrad):
        ctx.set_materialize_grads(False)
        inputs = [as_array(tensor) for tensor in (means2d, conics, depths, radii, opacities, colors)]
        views, (width, height), dtype = len(inputs[0]), size, inputs[0].dtype
        bins: list[Any] = [None] * views

        def bin_view(view: int, _: int) -> None:
            m2, conic, z, radius, opacity, color = inputs
            bins[view] = ViewBins(
                *binning.bin_view(m2[view], conic[view], z[view], radius[view], opacity, color[view], width, height)
            )

        run_chunks(views, 1, bin_view)
        rgb, alpha = np.empty((views, height, width, 3), dtype), np.empty((views, height, width), dtype)
        z_sum = np.empty((views, height, width), dtype) if depth else None
        behind = as_array(background)
        stops = [np.empty(len(view_bins.tile_starts) - 1, np.int64) for view_bins in bins]

        def draw(view: int, begin: int, end: int) -> None:
            compositing.composite_tiles(
                *bins[view].lists, begin, end, width, height, behind[view], rgb[view], alpha[view],
                None if z_sum is None else z_sum[view], stops[view],
            )  # fmt: skip

        _run_tiles(views, size, draw)
        ctx.bins, ctx.stops, ctx.size, ctx.shape = bins, stops, size, means2d.shape
        ctx.means2d = means2d if absgrad else None
        images = tuple(None if array is None else torch.from_numpy(array) for array in (rgb, alpha, z_sum))
        ctx.save_for_backward(*images)
        return images

    @staticmethod
    @once_differentiable
    def backward(ctx, v_rgb, v_alpha, v_z_sum):
        rgb, alpha = (as_array(image) for image in ctx.saved_tensors[:2])
        z_sum = None if ctx.saved_tensors[2] is None else as_array(ctx.saved_tensors[2])
        bins, (width, height) = ctx.bins, ctx.size
        views, dtype, depth = len(rgb), rgb.dtype, z_sum is not None
        v_rgb, v_alpha = _gradient(v_rgb, rgb.shape, dtype), _gradient(v_alpha, alpha.shape, dtype)
        v_z = _gradient(v_z_sum, alpha.shape, dtype) if depth else None
        v_abs = np.zeros(ctx.shape, dtype) if ctx.means2d is not None else None
        columns = layout.GRAD_COLUMNS if v_abs is not None else layout.GRAD_Z + depth
        grads = [np.empty((len(view_bins.pairs), columns), dtype) for view_bins in bins]

        def draw(view: int, begin: int, end: int) -> None:
            compositing_vjp.composite_tiles_vjp(
                *bins[view].lists, begin, end, width, height, rgb[view], alpha[view],
                None if z_sum is None else z_sum[view], ctx.stops[view], v_rgb[view], v_alpha[view],
                None if v_z is None else v_z[view], None if v_abs is None else 1, grads[view],
            )  # fmt: skip

        _run_tiles(views, ctx.size, draw)
        outputs = [np.zeros((*ctx.shape[:2], *tail), dtype) for tail in ((2,), (3,), (), (), (3,))]

        v_background = np.zeros((views, 3), dtype)

        def reduce(view: int, _: int) -> None:
            if ctx.needs_input_grad[5]:
                compositing_vjp.background_vjp(alpha[view], v_rgb[view], v_background[view])
            compositing_vjp.reduce_splats(
                *bins[view][:3], grads[view], 1 if depth else None, None if v_abs is None else 1,
                *(output[view] for output in outputs), None if v_abs is None else v_abs[view],
            )  # fmt: skip

        run_chunks(views, 1, reduce)
        if ctx.means2d is not None and v_abs is not None:
            ctx.means2d.absgrad = torch.from_numpy(v_abs)
        v_means2d, v_conics, v_depths, v_opacities, v_colors = (torch.from_numpy(array) for array in outputs)
        behind = torch.from_numpy(v_background)
        return v_means2d, v_conics, v_depths, v_opacities.sum(0), v_colors, behind, None, None, None, None


def _run_tiles(views: int, size: tuple[int, int], draw: Any) -> None:
    """Call draw(view, begin, end) for ranges of tiles that cover all views."""
    tiles = -(-size[0] // layout.TILE_WIDTH) * -(-size[1] // layout.TILE_HEIGHT)
    chunk = max(1, -(-tiles // tasks_per_view(views)))
    pieces = -(-tiles // chunk)

    def work(task: int, _: int) -> None:
        begin = task % pieces * chunk
        draw(task // pieces, begin, min(tiles, begin + chunk))

    run_chunks(views * pieces, 1, work)
