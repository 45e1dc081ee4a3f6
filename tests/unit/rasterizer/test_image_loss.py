"""The fused photometric loss is L1, L2 and SSIM as defined, with their gradients, and ignores unknown pixels."""

from __future__ import annotations

import pytest
import torch
from pytorch_msssim import ssim
from torch import Tensor

from sparseags_ns.rasterizer import photometric_loss
from sparseags_ns.rasterizer.checks import RasterizerInputError
from sparseags_ns.rasterizer.image_loss import photometric_loss_in_torch

MIXES = [(0.8, 0.0, 0.2), (0.0, 1.0, 0.5), (0.5, 0.5, 0.0), (0.0, 0.0, 1.0)]


def images(height: int, width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Renders, photographs and weights of two views."""
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.rand(2, 2, height, width, 3, generator=generator, dtype=torch.float64)
    weights = (torch.rand(2, height, width, generator=generator) > 0.2).to(dtype)
    return x.to(dtype), (0.7 * x + 0.3 * noise).to(dtype), weights


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("size", [(11, 11), (40, 33), (12, 70)])
def test_fused_loss_and_gradient_match_the_torch_form(size: tuple[int, int], mix: tuple[float, float, float]) -> None:
    x, y, weights = images(*size, torch.float64)
    options = dict(zip(("l1", "l2", "dssim"), mix, strict=True))
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    fused, plain = photometric_loss(a, y, weights, **options), photometric_loss_in_torch(b, y, weights, **options)
    for loss in (fused, plain):
        (loss * torch.tensor([1.0, 2.0])).sum().backward()
    torch.testing.assert_close(fused, plain, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(a.grad, b.grad, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-7), (torch.float32, 2e-6)])
def test_ssim_is_that_of_pytorch_msssim(dtype: torch.dtype, tolerance: float) -> None:
    x, y, _ = images(50, 37, dtype)
    expected = ssim(x.permute(0, 3, 1, 2), y.permute(0, 3, 1, 2), data_range=1.0, size_average=False)
    got = 1 - photometric_loss(x, y, l1=0.0, dssim=1.0)
    torch.testing.assert_close(got, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("mix", MIXES)
def test_gradient_of_the_loss_passes_gradcheck(mix: tuple[float, float, float]) -> None:
    x, y, weights = (tensor[:1] for tensor in images(12, 11, torch.float64))
    options = dict(zip(("l1", "l2", "dssim"), mix, strict=True))
    assert torch.autograd.gradcheck(lambda v: photometric_loss(v, y, weights, **options), (x.requires_grad_(),))


def test_unknown_pixels_neither_count_nor_receive_gradients() -> None:
    x, y, weights = images(24, 24, torch.float64)
    other = torch.where(weights[..., None] > 0, x, 1 - x).requires_grad_()
    loss = photometric_loss(other, y, weights)
    torch.testing.assert_close(loss, photometric_loss(x, y, weights), rtol=1e-12, atol=0)
    loss.sum().backward()
    assert other.grad is not None and other.grad[weights == 0].abs().max() == 0


def test_a_view_without_known_pixels_has_no_loss() -> None:
    x, y, weights = images(16, 16, torch.float32)
    weights[1] = 0
    x.requires_grad_()
    loss = photometric_loss(x, y, weights)
    loss.sum().backward()
    assert loss[1] == 0 and x.grad is not None and x.grad[1].abs().max() == 0 and bool(x.grad.isfinite().all())


def test_images_smaller_than_the_ssim_window_are_refused() -> None:
    x, y, _ = images(10, 30, torch.float32)
    with pytest.raises(RasterizerInputError, match="SSIM needs images of 11 pixels a side or more, got 30 x 10"):
        photometric_loss(x, y)
    assert photometric_loss(x, y, dssim=0.0).shape == (2,)
