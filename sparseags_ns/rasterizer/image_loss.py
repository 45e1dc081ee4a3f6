"""Photometric loss of renders against photos: a mix of L1, L2 and 1 - SSIM, one number for each view.

On CPU one fused kernel computes loss and gradient together, several times faster than convolutions under autograd;
on other devices the loss is computed in torch. Colours are 0 to 1. A pixel's weight (1 known, 0 unknown) scales its
error in L1 and L2; SSIM compares the photo with photo + weight (render - photo), and a window has the weight of its
central pixel.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from sparseags_ns.rasterizer.checks import RasterizerInputError
from sparseags_ns.rasterizer.constants import SSIM_C1, SSIM_C2, SSIM_SIGMA, SSIM_WINDOW


def photometric_loss(
    rendered: Float[Tensor, "views height width 3"],
    target: Float[Tensor, "views height width 3"],
    weights: Float[Tensor, "views height width"] | None = None,
    *,
    l1: float = 0.8,
    l2: float = 0.0,
    dssim: float = 0.2,
) -> Float[Tensor, " views"]:
    """l1 mean|e| + l2 mean(e^2) + dssim (1 - mean SSIM) of each view; differentiable by `rendered` only.

    Args:
        rendered: gradients flow to it.
        target: the photos; receive no gradient.
        weights: weights of the pixels, 0 to 1, for weighted means; all 1 if None.
        l1, l2, dssim: weights of the terms; the defaults are those of 3DGS (Kerbl et al. 2023, eq. 7).
    """
    if dssim > 0 and min(rendered.shape[1:3]) < SSIM_WINDOW:
        raise RasterizerInputError(
            f"SSIM needs images of {SSIM_WINDOW} pixels a side or more, got {rendered.shape[2]} x {rendered.shape[1]}; "
            "set dssim=0 at this size"
        )
    filled = torch.ones_like(rendered[..., 0]) if weights is None else weights
    target, filled = target.detach(), filled.detach()
    if rendered.device.type == "cpu":
        return _FusedLoss.apply(rendered, target, filled, (l1, l2, dssim))  # pyright: ignore[reportReturnType]
    return photometric_loss_in_torch(rendered, target, filled, l1=l1, l2=l2, dssim=dssim)


def photometric_loss_in_torch(
    rendered: Float[Tensor, "views height width 3"],
    target: Float[Tensor, "views height width 3"],
    weights: Float[Tensor, "views height width"],
    *,
    l1: float,
    l2: float,
    dssim: float,
) -> Float[Tensor, " views"]:
    """`photometric_loss` in torch operations, for other devices and as the oracle of the kernel's tests."""
    error = rendered - target
    terms = (l1 * error.abs() + l2 * error.square()).mean(dim=-1)
    loss = (terms * weights).sum(dim=(1, 2)) / weights.sum(dim=(1, 2)).clamp_min(1e-12)
    if dssim == 0:
        return loss
    edge = SSIM_WINDOW // 2
    centers = weights[:, edge:-edge, edge:-edge]
    similarity = ssim_map(target + weights[..., None] * error, target).mean(dim=1)
    total = centers.sum(dim=(1, 2))
    mean = (similarity * centers).sum(dim=(1, 2)) / total.clamp_min(1e-12)
    return loss + dssim * torch.where(total > 0, 1 - mean, 0)


def ssim_map(
    x: Float[Tensor, "views height width 3"], y: Float[Tensor, "views height width 3"]
) -> Float[Tensor, "views 3 windows_down windows_across"]:
    """SSIM of each window that lies inside the image (Wang et al. 2004)."""
    steps = torch.arange(SSIM_WINDOW, dtype=x.dtype, device=x.device) - SSIM_WINDOW // 2
    taps = torch.softmax(-0.5 * (steps / SSIM_SIGMA) ** 2, dim=0)

    def mean(image: Tensor) -> Tensor:
        planes = functional.conv2d(image.flatten(0, 1)[:, None], taps[None, None, None, :])
        return functional.conv2d(planes, taps[None, None, :, None])[:, 0].unflatten(0, image.shape[:2])

    x, y = x.permute(0, 3, 1, 2), y.permute(0, 3, 1, 2)
    mean_x, mean_y = mean(x), mean(y)
    both, squares = mean_x * mean_y, mean_x.square() + mean_y.square()
    covariance, variances = mean(x * y) - both, mean(x * x + y * y) - squares
    return ((2 * both + SSIM_C1) * (2 * covariance + SSIM_C2)) / ((squares + SSIM_C1) * (variances + SSIM_C2))


class _FusedLoss(torch.autograd.Function):
    """Loss and gradient from the kernel; each thread processes one view at a time."""

    @staticmethod
    def forward(ctx, rendered, target, weights, mix):
        from sparseags_ns.rasterizer.autograd import as_array
        from sparseags_ns.rasterizer.kernels.ssim import photometric_image
        from sparseags_ns.rasterizer.threads import run_chunks

        x, y, w = as_array(rendered), as_array(target), as_array(weights)
        losses = np.empty(len(x), x.dtype)
        gradient = np.empty_like(x) if rendered.requires_grad else None
        l1, l2, dssim = (x.dtype.type(value) for value in mix)

        def work(view: int, _: int) -> None:
            v_x = None if gradient is None else gradient[view]
            losses[view] = photometric_image(x[view], y[view], w[view], l1, l2, dssim, v_x)

        run_chunks(len(x), 1, work)
        if gradient is not None:
            ctx.save_for_backward(torch.from_numpy(gradient))
        return torch.from_numpy(losses)

    @staticmethod
    def backward(ctx, v_loss):
        (gradient,) = ctx.saved_tensors
        return v_loss[:, None, None, None] * gradient, None, None, None
