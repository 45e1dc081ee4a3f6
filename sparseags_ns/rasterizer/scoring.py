"""Scores of camera poses against one photo: thousands of hypotheses, one number each, no image kept.

loss = sum of valid (|rgb - target|^2 / 3 + mask_weight (alpha - mask)^2) / sum of valid, over the pixels.

Frames: `world`; `camera`, OpenCV axes. Units: world units; pixels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.rasterizer.checks import Backend, RasterizerInputError, check_backend, check_inputs, expand_background
from sparseags_ns.rasterizer.constants import FAR, NEAR
from sparseags_ns.rasterizer.types import Gaussians, Target

_BATCH = 64
"""Hypotheses in one call of a back end that keeps its images (all but the CPU kernel)."""


class _Comparison(NamedTuple):
    """What the renders of the hypotheses are compared with."""

    background: Float[Tensor, " 3"]
    colors: Float[Tensor, "height width 3"]
    """The photo over that background."""
    mask: Float[Tensor, "height width"]
    weights: Float[Tensor, "height width"]
    """Weight of each pixel; they sum to 1."""
    mask_weight: float


def score_poses(
    gaussians: Gaussians,
    target: Target,
    T_camera_world: Float[Tensor, "hypotheses 4 4"],
    *,
    background: Float[Tensor, " 3"] | None = None,
    mask_weight: float = 0.5,
    sh_degree: int | None = None,
    backend: Backend = "auto",
    near: float = NEAR,
    far: float = FAR,
) -> Float[Tensor, " hypotheses"]:
    """Loss of each pose; differentiable with respect to the poses only, where they require a gradient.

    Args:
        gaussians: the scene; receives no gradient.
        target: the photo and its intrinsics.
        T_camera_world: the hypotheses.
        background: colour behind both the photo and the renders; black if None.
        mask_weight: weight of the squared error of alpha relative to that of the colour.
        sh_degree, backend, near, far: as for `rasterize`.

    Raises:
        RasterizerInputError: no pixel of the target is valid, or the inputs do not fit together.
    """
    height, width = target.mask.shape
    cameras = Cameras(T_camera_world, target.K.expand(len(T_camera_world), 3, 3), width, height)
    check_inputs(gaussians, cameras, sh_degree)
    total = target.valid.sum()
    if not total > 0:
        raise RasterizerInputError("`valid` is 0 in every pixel: there is nothing to compare the hypotheses with")
    behind = expand_background(background, gaussians.means, 1)[0]
    comparison = _Comparison(behind, target.over(behind), target.mask, target.valid / total, mask_weight)
    chosen = check_backend(backend, gaussians.means.device)
    score = _score_on_cpu if chosen == "cpu" else _score_by_images
    options = {"sh_degree": sh_degree, "backend": chosen, "near": near, "far": far}
    loss, gradient = score(gaussians, cameras, comparison, options)
    return loss if gradient is None else _KnownGradient.apply(T_camera_world, loss, gradient)


class _KnownGradient(torch.autograd.Function):
    """A loss for each pose whose gradient was computed along with it."""

    @staticmethod
    def forward(ctx, T_camera_world, loss, gradient):
        ctx.save_for_backward(gradient)
        return loss.clone()

    @staticmethod
    def backward(ctx, v_loss):
        (gradient,) = ctx.saved_tensors
        return v_loss[:, None, None] * gradient, None, None


def _score_by_images(
    gaussians: Gaussians, cameras: Cameras, comparison: _Comparison, options: dict[str, Any]
) -> tuple[Tensor, Tensor | None]:
    """Losses and gradients through `rasterize`, a batch of hypotheses at a time."""
    from sparseags_ns.rasterizer import rasterize

    background, colors, mask, weights, mask_weight = comparison
    frozen = Gaussians(*(getattr(gaussians, name).detach() for name in Gaussians.__dataclass_fields__))
    wanted = cameras.T_camera_world.requires_grad and torch.is_grad_enabled()
    losses, gradients = [], []
    for begin in range(0, len(cameras), _BATCH):
        batch = cameras[begin : begin + _BATCH]
        batch = batch.with_poses(batch.T_camera_world.detach().requires_grad_(wanted))
        with torch.set_grad_enabled(wanted):
            raster = rasterize(frozen, batch, background, **options)
            color_errors = (raster.rgb - colors).square().mean(dim=-1)
            loss = ((color_errors + mask_weight * (raster.alpha - mask).square()) * weights).sum(dim=(1, 2))
            if wanted:
                gradients += torch.autograd.grad(loss.sum(), batch.T_camera_world)
        losses.append(loss.detach())
    loss = torch.cat(losses) if losses else background.new_zeros(0)
    return loss, torch.cat(gradients) if gradients else None


def _score_on_cpu(
    gaussians: Gaussians, cameras: Cameras, comparison: _Comparison, options: dict[str, Any]
) -> tuple[Tensor, Tensor | None]:
    """Losses and gradients through the kernel in which each thread renders whole hypotheses."""
    from sparseags_ns.rasterizer.autograd import as_array, make_geometry
    from sparseags_ns.rasterizer.kernels.projection_vjp import CAMERA_COLUMNS
    from sparseags_ns.rasterizer.kernels.scoring import score_hypotheses
    from sparseags_ns.rasterizer.threads import run_chunks, tasks_per_view

    means, quats, scales, opacities, colors = (
        as_array(getattr(gaussians, name)) for name in ("means", "quats", "scales", "opacities", "colors")
    )
    coefficients, bases, sh_degree = None, 0, options["sh_degree"]
    if colors.ndim == 3:
        coefficients, bases = colors, colors.shape[1] if sh_degree is None else (sh_degree + 1) ** 2
    behind, target, mask, weights = (as_array(tensor) for tensor in comparison[:4])
    T, K, dtype = as_array(cameras.T_camera_world), as_array(cameras.K), means.dtype
    # Not numpy's inverse: its BLAS wakes threads of its own, which then spin and double the CPU time.
    centers = as_array(torch.linalg.inv(cameras.T_camera_world.detach())[:, :3, 3].contiguous())
    geometry, count = make_geometry(means, quats, scales), len(cameras)
    wanted = cameras.T_camera_world.requires_grad and torch.is_grad_enabled()
    losses = np.empty(count, dtype)
    v_Ts, v_centers = (np.zeros((count, CAMERA_COLUMNS), dtype), np.zeros((count, 3), dtype)) if wanted else (None,) * 2
    near, far, mask_weight = (dtype.type(x) for x in (options["near"], options["far"], comparison.mask_weight))

    def work(begin: int, end: int) -> None:
        view_colors = colors if coefficients is None else np.empty((len(means), 3), dtype)
        score_hypotheses(
            geometry, means, opacities, view_colors, coefficients, bases, T, centers, K, begin, end, behind,
            near, far, target, mask, weights, mask_weight, losses, v_Ts, v_centers,
        )  # fmt: skip

    run_chunks(count, max(1, count // tasks_per_view(1)), work)
    if v_Ts is None or v_centers is None:
        return torch.from_numpy(losses), None
    return torch.from_numpy(losses), _pose_gradient(cameras.T_camera_world, v_Ts, v_centers)


def _pose_gradient(T_camera_world: Tensor, v_Ts: np.ndarray, v_centers: np.ndarray) -> Tensor:
    """Sum of the gradients through the projection and through the viewing directions of the harmonics."""
    gradient = torch.zeros_like(T_camera_world)
    gradient[:, :3] = torch.from_numpy(v_Ts[:, :12].reshape(-1, 3, 4))
    if not v_centers.any():
        return gradient
    with torch.enable_grad():
        poses = T_camera_world.detach().requires_grad_()
        centers = torch.linalg.inv(poses)[:, :3, 3]
        (through_centers,) = torch.autograd.grad(centers, poses, torch.from_numpy(v_centers))
    return gradient + through_centers
