"""The kernels' gradients are the derivatives of what they draw: finite differences in float64, input by input."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmarks.scenes import ball_scene
from sparseags_ns.rasterizer import rasterize


@pytest.mark.parametrize("sh_bases", [None, 9])
@pytest.mark.parametrize(
    "name", ["means", "quats", "scales", "opacities", "colors", "background", "T_camera_world", "K"]
)
def test_gradient_of_every_input_passes_gradcheck(name: str, sh_bases: int | None) -> None:
    # Wide splats: over the whole image alpha stays clear of its threshold, where the image jumps.
    scene = ball_scene(5, (9, 7), 2, scale=0.9, sh_bases=sh_bases, seed=3).map(Tensor.double)
    scene = scene.with_tensors({"means": 0.3 * scene.gaussians.means})

    weights = torch.randn(3, 2 * 7 * 9 * 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def weighted_sums(value: Tensor) -> Tensor:
        changed = scene.with_tensors({name: value})
        raster = rasterize(changed.gaussians, changed.cameras, changed.background, depth=True, backend="cpu")
        assert raster.depth is not None
        return weights @ torch.cat([raster.rgb.flatten(), raster.alpha.flatten(), raster.depth.flatten()])

    value = scene.tensors()[name].clone().requires_grad_()
    assert torch.autograd.gradcheck(weighted_sums, (value,), eps=1e-6, atol=1e-6, rtol=1e-5)
