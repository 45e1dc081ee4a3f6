"""The one door: which back end serves, what is refused, and what densification and threads rely on."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

import jaxtyping
import pytest
import torch
from gsplat.strategy import DefaultStrategy

from benchmarks.scenes import Scene, ball_scene
from sparseags_ns.rasterizer import Raster, rasterize
from sparseags_ns.rasterizer.checks import RasterizerInputError
from sparseags_ns.rasterizer.cuda import intrinsics_in_poses


def render(scene: Scene, **options: object) -> Raster:
    return rasterize(scene.gaussians, scene.cameras, scene.background, **options)  # pyright: ignore


@pytest.fixture
def unchecked_shapes() -> Iterator[None]:
    """Without the suite's run-time check of shapes, as users run the package."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def test_a_named_back_end_is_never_replaced_by_another() -> None:
    with pytest.raises(RasterizerInputError, match=r"backend='cuda' was named, but the Gaussians are on cpu"):
        render(ball_scene(3, 16, 1), backend="cuda")


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("quats", torch.zeros(3, 3), r"quats has shape \(3, 3\); expected \(3, 4\)"),
        ("K", torch.eye(3), r"K has shape \(3, 3\); expected \(1, 3, 3\)"),
        ("colors", torch.zeros(3, 5, 3), r"colors hold 5 bases; expected 1, 4, 9 or 16"),
        ("opacities", torch.zeros(3, dtype=torch.float64), r"opacities is torch.float64 on cpu"),
        ("background", torch.zeros(2, 3), r"background has shape \(2, 3\); expected \(3,\) or \(1, 3\)"),
    ],
)
def test_inputs_that_do_not_fit_are_named(name: str, value: torch.Tensor, message: str) -> None:
    scene = ball_scene(3, 16, 1)
    background = value if name == "background" else scene.background
    gaussians = replace(scene.gaussians, **{name: value}) if hasattr(scene.gaussians, name) else scene.gaussians
    cameras = replace(scene.cameras, K=value) if name == "K" else scene.cameras
    with pytest.raises(RasterizerInputError, match=message):
        rasterize(gaussians, cameras, background)


def test_sh_degree_with_rgb_colours_is_refused() -> None:
    with pytest.raises(RasterizerInputError, match="sh_degree=1, but colors are RGB"):
        render(ball_scene(3, 16, 1), sh_degree=1)


def test_one_background_serves_all_views_and_none_is_black(backend: str) -> None:
    scene = ball_scene(30, 24, 2).map(lambda t: t.to(backend))
    color = torch.tensor([0.2, 0.4, 0.6], device=backend)
    shared = rasterize(scene.gaussians, scene.cameras, color)
    black = rasterize(scene.gaussians, scene.cameras)
    torch.testing.assert_close(shared.rgb - black.rgb, (1 - black.alpha[..., None]) * color)


def test_images_and_gradients_are_bitwise_equal_for_1_2_and_4_threads() -> None:
    scene, threads, found = ball_scene(500, 72, 3, sh_bases=4), torch.get_num_threads(), []
    try:
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            leaves = scene.leaves()
            raster = render(leaves, depth=True)
            assert raster.depth is not None
            (raster.rgb.square().sum() + raster.alpha.sum() + raster.depth.sum()).backward()
            found.append([raster.rgb.detach(), *(tensor.grad for tensor in leaves.tensors().values())])
    finally:
        torch.set_num_threads(threads)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_two_python_threads_may_render_at_once() -> None:
    scenes = [ball_scene(400, 64, 2, seed=seed) for seed in range(2)]
    expected = [render(scene).rgb for scene in scenes]
    wrong: list[int] = []

    def work(index: int) -> None:
        for _ in range(20):
            leaves = scenes[index].leaves()
            raster = render(leaves)
            raster.rgb.sum().backward()
            if not torch.equal(raster.rgb.detach(), expected[index]):
                wrong.append(index)

    workers = [threading.Thread(target=work, args=(index,)) for index in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert not any(worker.is_alive() for worker in workers) and wrong == []


@pytest.mark.parametrize("absgrad", [False, True])
def test_gsplats_default_strategy_densifies_from_info(absgrad: bool, backend: str) -> None:
    scene = ball_scene(40, 32, 2, scale=0.05).map(lambda t: t.to(backend))
    names = ("means", "quats", "scales", "opacities", "colors")
    params = {name: torch.nn.Parameter(getattr(scene.gaussians, name).clone()) for name in names}
    optimizers: dict[str, torch.optim.Optimizer] = {name: torch.optim.Adam([params[name]], lr=1e-3) for name in names}
    strategy = DefaultStrategy(refine_start_iter=0, refine_every=1, reset_every=10**6, grow_grad2d=0.0, absgrad=absgrad)
    state = strategy.initialize_state()
    raster = rasterize(replace(scene.gaussians, **params), scene.cameras, absgrad=absgrad)
    strategy.step_pre_backward(params, optimizers, state, 1, raster.info)
    raster.rgb.sum().backward()
    strategy.step_post_backward(params, optimizers, state, 1, raster.info)
    assert len(params["means"]) > 40


def test_intrinsics_get_the_same_gradient_through_the_poses() -> None:
    # What gives gsplat a gradient for K; checked with the twin, which has one of its own.
    scene, found = ball_scene(60, (40, 30), 2, scale=0.08, sh_bases=4).map(torch.Tensor.double), []
    for cameras_of in (lambda cameras: cameras, intrinsics_in_poses):
        leaves = scene.leaves()
        raster = rasterize(leaves.gaussians, cameras_of(leaves.cameras), backend="reference")
        raster.rgb[:, ::2].sum().backward()
        found.append((raster.rgb.detach(), leaves.cameras.K.grad))
    (image, direct), (same_image, through_poses) = found
    torch.testing.assert_close(same_image, image)
    for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)):
        torch.testing.assert_close(through_poses[:, i, j], direct[:, i, j])


def test_importing_the_door_imports_neither_numba_nor_gsplat() -> None:
    code = "import sys, sparseags_ns.rasterizer; print([n for n in ('numba', 'gsplat') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["means", "T_camera_world", "rgb"])
def test_a_tensor_changed_in_place_before_the_backward_pass_is_an_error(name: str) -> None:
    leaves = ball_scene(30, 24, 2).leaves()
    raster = render(leaves)
    loss = raster.rgb.sum()
    with torch.no_grad():
        ({"rgb": raster.rgb} | leaves.tensors())[name].mul_(1.1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_no_gradient_is_kept_when_none_is_asked_for() -> None:
    raster = render(ball_scene(30, 24, 2), depth=True)
    assert not raster.rgb.requires_grad and not raster.info["means2d"].requires_grad
