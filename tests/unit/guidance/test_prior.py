"""The prior's step from end to end: gradients through UNet, VAE and rasterizer reach Gaussians, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.zero123_models import write_folder
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras, project
from sparseags_ns.guidance.networks import Networks
from sparseags_ns.guidance.zero123 import Zero123, Zero123Options
from sparseags_ns.optimization.losses import joint_loss, make_targets
from sparseags_ns.optimization.novel_views import sample_novel_view
from sparseags_ns.optimization.prior import (
    Prior,
    PriorSettings,
    PriorSettingsError,
    build_prior,
    render_side,
    square_cameras,
    square_images,
)
from sparseags_ns.optimization.settings import SPARSEAGS_PAPER
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views

SMALL = PriorSettings(guidance_sizes=(32, 48, 64), guidance_every=1, guidance_weight=1.0)
ALL = torch.ones(3, dtype=torch.bool)


@pytest.fixture
def views(make_views: Callable[..., Views]) -> Views:
    return make_views(3, 32)


@pytest.fixture
def prior(tiny: Networks, views: Views) -> Prior:
    return Prior(Zero123(tiny, Zero123Options(image_size=64)), views, SMALL)


def leaves(gaussians: Gaussians) -> Gaussians:
    """Copies that collect gradients, longer than wide, so that their orientation matters."""
    stretched = replace(gaussians, scales=gaussians.scales * torch.tensor([0.5, 1.0, 2.0]))
    return Gaussians(**{name: value.clone().requires_grad_() for name, value in vars(stretched).items()})


def grads(loss: torch.Tensor, gaussians: Gaussians) -> list[torch.Tensor]:
    return list(torch.autograd.grad(loss, list(vars(gaussians).values())))


def test_gradients_flow_from_the_unet_into_every_tensor_of_the_gaussians(
    prior: Prior, views: Views, toy_gaussians: Gaussians
) -> None:
    gaussians = leaves(toy_gaussians)
    loss, diagnostics = prior.loss(gaussians, views.cameras, ALL, ratio=0.5, step=3)
    for name, gradient in zip(vars(gaussians), grads(loss, gaussians), strict=True):
        assert torch.isfinite(gradient).all() and gradient.abs().sum() > 0, name
    assert diagnostics["guidance_t"] == 500 and loss > 0


class Spy(Zero123):
    """Zero123 that records the arguments of its last call."""

    asked: dict[str, Any]

    def __call__(self, rendered, camera, conditions, cameras, ratio, generator):
        self.asked = {"corner": rendered[0, 0].detach(), "camera": camera, "state": generator.get_state()}
        return super().__call__(rendered, camera, conditions, cameras, ratio, generator)


def test_the_gradient_equals_that_of_one_graph(tiny: Networks, views: Views, toy_gaussians: Gaussians) -> None:
    """The backward pass in two parts equals the plain chain rule through render, VAE and loss."""
    spy, gaussians = Spy(tiny, Zero123Options(image_size=64)), leaves(toy_gaussians)
    prior = Prior(spy, views, replace(SMALL, guidance_weight=0.25))
    loss, _ = prior.loss(gaussians, views.cameras, ALL, ratio=0.5, step=3)
    camera, generator = spy.asked["camera"], torch.Generator()
    generator.set_state(spy.asked["state"])
    rendered = rasterize(gaussians, camera, spy.asked["corner"][None]).rgb[0].clamp(0, 1)
    masks = views.masks[..., None]
    conditions = spy.condition(views.images * masks + 1 - masks)
    value, _ = spy(rendered, camera, conditions, views.cameras, 0.5, generator)
    weight = 0.25 / len(views)
    torch.testing.assert_close(loss, weight * value)
    for ours, theirs in zip(grads(loss, gaussians), grads(weight * value, gaussians), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))


class Brightness:
    """A guidance whose loss is the sum of the render's pixels."""

    def condition(self, images: torch.Tensor) -> torch.Tensor:
        return images

    def __call__(self, rendered, camera, conditions, cameras, ratio, generator):
        return rendered.sum(), {}


@pytest.mark.parametrize("count", [2, 4, 8])
@pytest.mark.parametrize("distrusted", [0, 1])
def test_the_prior_stands_beside_the_sum_of_the_views_losses(
    count: int, distrusted: int, make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    """The paper's objective is the sum of the trusted views' losses and the weighted loss of the prior; ours, which
    has their mean, must be the same but for the number of views as a common factor."""
    views = make_views(count + distrusted, 32)
    trusted = torch.arange(len(views)) < count
    settings = replace(SPARSEAGS_PAPER.settings, background_color="white")
    prior = Prior(Brightness(), views, replace(SMALL, guidance_weight=0.5))
    gaussians = leaves(toy_gaussians)
    white, targets = torch.ones(len(views), 3), make_targets(views)

    def photographs(index: torch.Tensor) -> torch.Tensor:
        losses, _ = joint_loss(gaussians, views.cameras[index], targets[index], white[index], settings)
        return torch.stack(list(losses.values())).sum()

    summed = torch.stack([photographs(view[None]) for view in trusted.nonzero().flatten()]).sum()
    ours = (
        photographs(trusted.nonzero().flatten()) + prior.loss(gaussians, views.cameras, trusted, ratio=0.1, step=1)[0]
    )
    alone = Prior(Brightness(), views, replace(SMALL, guidance_weight=1.0))
    value = alone.loss(gaussians, views.cameras, trusted, ratio=0.1, step=1)[0] * count
    papers = summed + 0.5 * value
    torch.testing.assert_close(count * ours, papers)
    for mine, theirs in zip(grads(count * ours, gaussians), grads(papers, gaussians), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4 * float(theirs.abs().max()))
    # The value itself: the sum of the render's pixels, seen from where the prior looks.
    view = sample_novel_view(
        gaussians, views.cameras[trusted.nonzero().flatten()], 32, torch.Generator().manual_seed(1 ^ 0x5EED)
    )
    rendered = rasterize(gaussians, view.camera, view.background).rgb[0].clamp(0, 1)
    torch.testing.assert_close(value, rendered.sum())


def test_poses_are_not_moved(prior: Prior, views: Views, toy_gaussians: Gaussians) -> None:
    tangents = torch.zeros(3, 6, requires_grad=True)
    cameras = views.cameras.with_poses(views.cameras.T_camera_world @ se3.exp(tangents))
    for step in range(4):
        gaussians = leaves(toy_gaussians)
        loss, _ = prior.loss(gaussians, cameras, ALL, ratio=0.5, step=step)
        assert torch.autograd.grad(loss, tangents, allow_unused=True) == (None,)


def test_poses_are_moved_if_asked_each_conditioned_on_the_other_views(
    tiny: Networks, views: Views, toy_gaussians: Gaussians
) -> None:
    prior = Prior(Zero123(tiny, Zero123Options(image_size=64)), views, replace(SMALL, guidance_moves_poses=True))
    tangents, moved = torch.zeros(3, 6, requires_grad=True), []
    cameras = views.cameras.with_poses(views.cameras.T_camera_world @ se3.exp(tangents))
    for step in range(12):
        loss, _ = prior.loss(toy_gaussians, cameras, ALL, ratio=0.5, step=step)
        if loss.requires_grad:
            (gradient,) = torch.autograd.grad(loss, tangents, retain_graph=True)
            moved.append(gradient.abs().sum(-1).nonzero().flatten().tolist())
    assert 2 < len(moved) < 10 and all(len(views_moved) == 1 for views_moved in moved)
    assert {view for views_moved in moved for view in views_moved} == {0, 1, 2}


def test_views_that_are_not_trusted_neither_condition_nor_place_the_camera(
    prior: Prior, views: Views, toy_gaussians: Gaussians
) -> None:
    trusted = torch.tensor([True, False, True])
    moved = views.cameras.T_camera_world.clone()
    moved[1] = se3.inverse(moved[1])
    elsewhere = views.cameras.with_poses(moved)
    losses = [prior.loss(toy_gaussians, c, trusted, ratio=0.5, step=1)[0] for c in (views.cameras, elsewhere)]
    assert losses[0] == losses[1] != prior.loss(toy_gaussians, views.cameras, ALL, ratio=0.5, step=1)[0]


def test_a_step_repeats_exactly_and_steps_and_seeds_differ(
    tiny: Networks, prior: Prior, views: Views, toy_gaussians: Gaussians
) -> None:
    other = Prior(Zero123(tiny, Zero123Options(image_size=64)), views, SMALL)
    seeded = Prior(Zero123(tiny, Zero123Options(image_size=64)), views, SMALL, seed=1)
    torch.rand(5)
    losses = [
        p.loss(toy_gaussians, views.cameras, ALL, ratio=0.5, step=step)[0].item()
        for p, step in ((prior, 7), (other, 7), (prior, 8), (seeded, 7))
    ]
    assert losses[0] == losses[1] and len(set(losses)) == 3


def test_the_prior_leaves_torchs_global_generator_alone(prior: Prior, views: Views, toy_gaussians: Gaussians) -> None:
    before = torch.random.get_rng_state()
    prior.loss(toy_gaussians, views.cameras, ALL, ratio=0.5, step=0)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_photographs_are_encoded_once(tiny: Networks, views: Views, toy_gaussians: Gaussians) -> None:
    calls = []

    class Counting(Zero123):
        def condition(self, images):
            calls.append(len(images))
            return super().condition(images)

    prior = Prior(Counting(tiny, Zero123Options(image_size=64)), views, SMALL)
    for step in range(3):
        prior.loss(toy_gaussians, views.cameras, ALL, ratio=0.5, step=step)
    assert calls == [3]


@pytest.mark.parametrize("every, warmup, due", [(1, 0.0, 10), (3, 0.0, 4), (1, 0.5, 5), (2, 0.25, 4)])
def test_the_prior_is_due_every_so_many_steps_after_its_warm_up(
    every: int, warmup: float, due: int, tiny: Networks, views: Views
) -> None:
    settings = replace(SMALL, guidance_every=every, guidance_warmup=warmup)
    prior = Prior(Zero123(tiny, Zero123Options()), views, settings)
    assert sum(prior.is_due(step, (step + 1) / 10) for step in range(10)) == due


def test_renders_grow_with_the_run() -> None:
    sizes = [render_side(ratio, (128, 256, 512)) for ratio in (0.01, 0.3, 0.31, 0.6, 0.61, 1.0)]
    assert sizes == [128, 128, 256, 256, 512, 512]


def test_images_that_are_not_square_are_padded_with_white_and_their_principal_points_move(
    make_cameras: Callable[..., Cameras],
) -> None:
    cameras = make_cameras([0.0, 40.0], size=60)
    wide = replace(cameras, width=60, height=40)
    point = torch.tensor([[0.1, 0.02, -0.05]])
    before, after = project(wide, point)[0], project(square_cameras(wide), point)[0]
    images = square_images(torch.zeros(2, 40, 60, 3))
    assert images.shape == (2, 60, 60, 3) and images[:, :10].min() == 1 and images[:, 10:50].max() == 0
    torch.testing.assert_close(after - before, torch.tensor([0.0, 10.0]).expand(2, 1, 2))
    assert square_images(torch.zeros(2, 8, 8, 3)).shape == (2, 8, 8, 3)


def test_none_builds_no_prior(views: Views) -> None:
    assert build_prior(PriorSettings(guidance="none"), views, "cpu") is None


def test_photographs_without_masks_are_warned_of(
    views: Views, tmp_path: Path, tiny: Networks, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tiny, tmp_path, "cc_projection")
    assert build_prior(PriorSettings(guidance=str(tmp_path)), views, "cpu") is not None
    assert "objects on white" not in capsys.readouterr().err
    build_prior(PriorSettings(guidance=str(tmp_path)), replace(views, masks=torch.ones_like(views.masks)), "cpu")
    assert "knows objects on white" in capsys.readouterr().err


def test_an_interval_of_no_steps_is_refused(views: Views) -> None:
    with pytest.raises(PriorSettingsError, match="guidance-every is 0: it must be 1 step or more"):
        build_prior(PriorSettings(guidance="none", guidance_every=0), views, "cpu")
