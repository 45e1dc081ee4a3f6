"""The fast rasterizers draw what their readable twin draws, and send back the same gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from benchmarks.scenes import Scene, ball_scene
from sparseags_ns.rasterizer import Backend, rasterize

F64_ERROR = 1e-9
"""Largest error over largest value, float64: rounding only."""
F32_IMAGE_ERROR, F32_GRADIENT_ERROR = 1e-6, 3e-5
"""Mean error over largest value, float32 against the float64 twin."""
F32_NEEDLE_GRADIENT_ERROR = 1e-4
"""Largest gradient error in float32 for splats 120 times as long as thin and narrower than a pixel, whose covariances
are nearly singular."""
F32_WORST_ERROR = 0.011
"""Worst element, float32: where a splat's alpha is 1/255, or its radius a whole number before it is rounded up,
rounding decides whether it counts; gsplat's radius cuts splats where alpha can still be 0.011 (e^-4.5)."""


def render_with_gradients(
    scene: Scene, backend: Backend, *, depth: bool = True, absgrad: bool = True
) -> dict[str, Tensor]:
    """Everything that comes out: images, screen-space gradients, and the gradient of every input."""
    leaves = scene.leaves()
    raster = rasterize(
        leaves.gaussians, leaves.cameras, leaves.background, depth=depth, absgrad=absgrad, backend=backend
    )
    raster.info["means2d"].retain_grad()
    images = {"rgb": raster.rgb, "alpha": raster.alpha, **({} if raster.depth is None else {"depth": raster.depth})}
    torch.stack([(image * _ripple(image)).sum() for image in images.values()]).sum().backward()
    out = {name: image.detach() for name, image in images.items()} | {"radii": raster.info["radii"]}
    out |= {f"v_{name}": tensor.grad for name, tensor in leaves.tensors().items() if tensor.grad is not None}
    out["v_means2d"] = raster.info["means2d"].grad
    if absgrad:
        out["absgrad"] = raster.info["means2d"].absgrad
    return out


def _ripple(image: Tensor) -> Tensor:
    """A different weight for each pixel, all positive lest sums cancel."""
    steps = torch.arange(image.numel(), dtype=image.dtype, device=image.device)
    return 1 + 0.5 * torch.sin(0.1 * steps).view(image.shape)


def errors(expected: dict[str, Tensor], got: dict[str, Tensor]) -> dict[str, tuple[float, float]]:
    """Mean and maximum of the differences of each tensor, over its largest value."""
    result = {}
    for name, value in expected.items():
        if value.numel():
            size = value.double().abs().max().clamp_min(1e-12)
            difference = (value.double() - got[name].double().to(value.device)).abs() / size
            result[name] = (float(difference.mean()), float(difference.max()))
    return result


def change(name: str, edit: Callable[[Tensor], Tensor]) -> Callable[[Scene], Scene]:
    return lambda scene: scene.with_tensors({name: edit(scene.tensors()[name])})


SCENES: dict[str, Callable[[Scene], Scene]] = {
    "ball": lambda scene: scene,
    "some_behind": change("means", lambda means: means * 6),
    "all_behind": change("means", lambda means: means + 100.0 * torch.tensor([0.0, 1.0, 0.0])),
    "huge": change("scales", lambda scales: scales * 60),
    "tiny": change("scales", lambda scales: scales * 1e-4),
    "needles": change("scales", lambda scales: scales * torch.tensor([12.0, 1.0, 0.1])),
    "transparent": change("opacities", lambda opacities: opacities * 0.004),
    "opaque": change("opacities", torch.ones_like),
    "off_screen": change("means", lambda means: means + torch.tensor([0.9, 0.0, 0.0])),
    "no_background": change("background", torch.zeros_like),
}


@pytest.mark.parametrize("sh_bases", [None, 16])
@pytest.mark.parametrize("name", SCENES)
def test_float64_kernel_matches_the_twin_in_values_and_every_gradient(name: str, sh_bases: int | None) -> None:
    scene = SCENES[name](ball_scene(80, (43, 36), 3, scale=0.06, sh_bases=sh_bases)).map(Tensor.double)
    found = errors(render_with_gradients(scene, "reference"), render_with_gradients(scene, "cpu"))
    assert {key: value for key, value in found.items() if value[1] > F64_ERROR} == {}


@pytest.mark.parametrize("depth", [False, True])
@pytest.mark.parametrize("name", ["ball", "some_behind", "opaque", "needles", "off_screen"])
def test_float32_back_ends_match_the_float64_twin(name: str, depth: bool, backend: Backend) -> None:
    scene = SCENES[name](ball_scene(300, (64, 48), 2, scale=0.05, sh_bases=4))
    got = render_with_gradients(scene.map(lambda t: t.to(backend)), backend, depth=depth, absgrad=False)
    expected = render_with_gradients(scene.map(Tensor.double), "reference", depth=depth, absgrad=False)
    found = errors(expected, got)
    gradient_error = F32_NEEDLE_GRADIENT_ERROR if name == "needles" else F32_GRADIENT_ERROR
    allowed = {key: gradient_error if key.startswith("v_") else F32_IMAGE_ERROR for key in found}
    assert {key: value for key, value in found.items() if value[0] > allowed[key]} == {}
    assert {key: value for key, value in found.items() if value[1] > F32_WORST_ERROR} == {}


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (33, 17), (7, 65)])
def test_images_of_any_size_match_the_twin(size: tuple[int, int]) -> None:
    scene = ball_scene(40, size, 2, scale=0.1).map(Tensor.double)
    found = errors(render_with_gradients(scene, "reference"), render_with_gradients(scene, "cpu"))
    assert {key: value for key, value in found.items() if value[1] > F64_ERROR} == {}


@pytest.mark.parametrize("sh_bases", [None, 4])
def test_zero_gaussians_show_the_background(sh_bases: int | None, backend: Backend) -> None:
    scene = ball_scene(0, (20, 12), 2, sh_bases=sh_bases).map(lambda t: t.to(backend))
    got = render_with_gradients(scene, backend)
    assert torch.equal(got["rgb"], scene.background[:, None, None].expand(2, 12, 20, 3))
    assert got["alpha"].abs().max() == 0 and got["depth"].abs().max() == 0


def test_one_gaussian_peaks_at_its_projection_with_its_own_depth(backend: str) -> None:
    scene = ball_scene(1, 64, 1).with_tensors({"means": torch.zeros(1, 3), "opacities": torch.ones(1)})
    scene = scene.map(lambda t: t.to(backend))
    raster = rasterize(scene.gaussians, scene.cameras, depth=True)
    assert raster.depth is not None
    row, column = divmod(int(raster.alpha[0].argmax()), 64)
    assert {row, column} <= {31, 32}
    torch.testing.assert_close(raster.depth[0, row, column], raster.info["depths"][0, 0])
    assert raster.depth[0, 0, 0] == 0 and raster.alpha[0, 0, 0] == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["means", "quats", "scales", "opacities"])
def test_a_broken_gaussian_is_left_out_and_poisons_no_gradient(name: str, value: float) -> None:
    scene = ball_scene(50, (24, 24), 2, scale=0.1)
    broken = scene.tensors()[name].clone()
    broken[7] = value
    without = scene.with_tensors({"opacities": scene.gaussians.opacities * (torch.arange(50) != 7)})
    got = render_with_gradients(scene.with_tensors({name: broken}), "cpu")
    expected = render_with_gradients(without, "cpu")
    torch.testing.assert_close(got["rgb"], expected["rgb"])
    assert all(bool(tensor.isfinite().all()) for key, tensor in got.items() if key.startswith("v_"))


def test_a_zero_quaternion_neither_crashes_nor_gives_nan() -> None:
    scene = ball_scene(5, 16, 1, scale=0.1).with_tensors({"quats": torch.zeros(5, 4)})
    assert all(bool(tensor.isfinite().all()) for tensor in render_with_gradients(scene, "cpu").values())
