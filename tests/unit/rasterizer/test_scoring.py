"""Scoring pose hypotheses gives the loss of the images it never keeps, and its gradient by the poses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from benchmarks.scenes import Scene, ball_scene
from sparseags_ns.rasterizer import Backend, Target, rasterize, score_poses
from sparseags_ns.rasterizer.checks import RasterizerInputError

SIZE = (40, 33)
BACKGROUND = torch.tensor([0.1, 0.6, 0.3])


def problem(sh_bases: int | None, dtype: torch.dtype = torch.float64, device: str = "cpu") -> tuple[Scene, Target]:
    """A scene with six hypotheses of which the first is true, and the target that it shows."""
    scene = ball_scene(120, SIZE, 6, scale=0.06, sh_bases=sh_bases).map(lambda t: t.to(dtype))
    truth = rasterize(scene.gaussians, scene.cameras[:1])
    valid = (torch.rand(SIZE[1], SIZE[0], generator=torch.Generator().manual_seed(0)) > 0.3).to(dtype)
    maps = (truth.rgb[0], truth.alpha[0], valid, scene.cameras.K[0])
    return scene.map(lambda t: t.to(device)), Target(*(t.to(device) for t in maps))


def score(scene: Scene, target: Target, backend: Backend) -> tuple[Tensor, Tensor]:
    """Losses, and gradient of their sum weighted by 1, 2, 3, ..."""
    T = scene.cameras.T_camera_world.clone().requires_grad_()
    background = BACKGROUND.to(T)
    loss = score_poses(scene.gaussians, target, T, background=background, backend=backend)
    (loss * torch.arange(1, len(loss) + 1, device=loss.device)).sum().backward()
    assert T.grad is not None
    return loss.detach(), T.grad


@pytest.mark.parametrize("sh_bases", [None, 9])
def test_cpu_scores_and_pose_gradients_are_those_of_the_twin(sh_bases: int | None) -> None:
    inputs = problem(sh_bases)
    for got, expected in zip(score(*inputs, "cpu"), score(*inputs, "reference"), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("sh_bases", [None, 4])
def test_float32_scores_agree_with_the_float64_twin(sh_bases: int | None, backend: Backend) -> None:
    expected, expected_gradient = score(*problem(sh_bases), "reference")
    got, gradient = score(*problem(sh_bases, torch.float32, backend), backend)
    torch.testing.assert_close(got.cpu().double(), expected, rtol=1e-4, atol=1e-7)
    largest = float(expected_gradient.abs().max())
    torch.testing.assert_close(gradient.cpu().double(), expected_gradient, rtol=0, atol=1e-4 * largest)


def test_the_true_pose_scores_nothing_and_the_others_more(backend: Backend) -> None:
    loss, _ = score(*problem(None, torch.float32, backend), backend)
    assert loss[0] < 1e-9 and loss[1:].min() > 1e-3


def test_pixels_of_unknown_content_do_not_count() -> None:
    scene, target = problem(None)
    unknown = target.valid == 0
    colors = torch.where(unknown[..., None], 1 - target.premultiplied, target.premultiplied)
    spoiled = replace(target, premultiplied=colors, mask=torch.where(unknown, 1 - target.mask, target.mask))
    expected, got = score(scene, target, "cpu"), score(scene, spoiled, "cpu")
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


def test_each_hypothesis_may_have_its_own_intrinsics() -> None:
    scene, target = problem(None)
    K = scene.cameras.K * torch.tensor([1.1, 1.1, 1.0], dtype=torch.float64)[:, None]
    T = scene.cameras.T_camera_world
    K[0] = scene.cameras.K[0]
    together = score_poses(scene.gaussians, replace(target, K=K), T)
    torch.testing.assert_close(together[:1], score_poses(scene.gaussians, replace(target, K=K[0]), T[:1]))
    torch.testing.assert_close(together[1:], score_poses(scene.gaussians, replace(target, K=K[1]), T[1:]))


@pytest.mark.parametrize("hypotheses", [0, 1])
def test_any_number_of_hypotheses_is_scored(hypotheses: int) -> None:
    scene, target = problem(None)
    poses = scene.cameras.T_camera_world[:hypotheses].clone().requires_grad_()
    loss = score_poses(scene.gaussians, target, poses)
    loss.sum().backward()
    assert loss.shape == (hypotheses,) and poses.grad is not None


def test_scores_are_bitwise_equal_for_1_and_3_threads() -> None:
    inputs, threads, found = problem(4, torch.float32), torch.get_num_threads(), []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            found.append(score(*inputs, "cpu"))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_a_photograph_without_known_pixels_is_refused() -> None:
    scene, target = problem(None)
    with pytest.raises(RasterizerInputError, match="`valid` is 0 in every pixel"):
        unknown = replace(target, valid=torch.zeros_like(target.valid))
        score_poses(scene.gaussians, unknown, scene.cameras.T_camera_world)
