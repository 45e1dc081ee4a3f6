"""Targets and losses of the joint step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from sparseags_ns.optimization.losses import (
    joint_loss,
    make_targets,
    needles,
    oversize,
    random_backgrounds,
    squared_error,
)
from sparseags_ns.optimization.settings import JointSettings
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views


def weights(alpha: float = 1.0, **others: float) -> JointSettings:
    """Settings with weight 1 of the colours and no other term than those given."""
    none = dict.fromkeys(("unknown_alpha_weight", "opacity_weight", "oversize_weight", "needle_weight"), 0.0)
    return JointSettings(**{**none, "rgb_weight": 1.0, "alpha_weight": alpha, **others})  # type: ignore[arg-type]


def test_reduced_targets_do_not_bleed_hidden_colour(make_views: Callable[..., Views]) -> None:
    views = make_views(2, 32)
    # Colour under alpha 0 is arbitrary in a photograph: a loud one must not show anywhere.
    loud = torch.where(views.masks[..., None] > 0, views.images, torch.tensor([1.0, 0.0, 1.0]))
    quiet, noisy = make_targets(views, 8), make_targets(replace(views, images=loud), 8)
    assert torch.allclose(quiet.premultiplied, noisy.premultiplied)


def test_reduced_targets_keep_the_mean(make_views: Callable[..., Views]) -> None:
    views = make_views(2, 32)
    full, reduced = make_targets(views), make_targets(views, 16)
    background = torch.tensor([[0.2, 0.5, 0.9]]).expand(2, 3)
    assert reduced.alpha.shape == (2, 16, 16)
    torch.testing.assert_close(full.over(background).mean((1, 2)), reduced.over(background).mean((1, 2)))


def test_a_pixel_with_an_unknown_part_is_unknown(make_views: Callable[..., Views]) -> None:
    views = make_views(1, 8)
    valid = views.valid.clone()
    valid[0, 3, 3] = 0
    reduced = make_targets(replace(views, valid=valid), 4).valid[0]
    assert reduced[1, 1] == 0 and reduced.sum() == 15


def test_sizes_that_do_not_divide_keep_the_mean(make_views: Callable[..., Views]) -> None:
    views = make_views(1, 30)
    assert make_targets(views, 8).alpha.shape == (1, 8, 8)
    torch.testing.assert_close(make_targets(views, 8).alpha.mean(), views.masks.mean(), atol=0.01, rtol=0.0)


def test_targets_are_never_enlarged(make_views: Callable[..., Views]) -> None:
    assert make_targets(make_views(1, 16), 64).alpha.shape == (1, 16, 16)


def test_invalid_pixels_add_no_error() -> None:
    rendered, target = torch.rand(1, 4, 4, 3), torch.rand(1, 4, 4, 3)
    valid = torch.ones(1, 4, 4)
    valid[0, 0] = 0
    spoiled = rendered.clone()
    spoiled[0, 0] = 99.0
    assert squared_error(spoiled, target, valid) == squared_error(rendered, target, valid)
    assert squared_error(rendered[..., 0], target[..., 0], valid) > 0


def test_oversize_counts_only_the_excess() -> None:
    scales = torch.tensor([[0.01, 0.02, 0.05], [0.01, 0.1, 0.01]])
    assert oversize(scales, 0.06) == pytest.approx(0.04 / 2)


def test_needles_count_only_the_excess() -> None:
    scales = torch.tensor([[0.01, 0.08, 0.01], [0.02, 0.06, 0.05]])
    assert needles(scales, 4.0) == pytest.approx(math.log(2) / 2)


def test_outside_the_photograph_alpha_counts_at_its_share_and_colour_does_not(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(2, 16)
    nowhere = replace(views, images=0 * views.images, masks=0 * views.masks, valid=0 * views.valid)
    background, targets = torch.ones(2, 3), make_targets(nowhere)
    losses, raster = joint_loss(
        toy_gaussians, views.cameras, targets, background, weights(2.0, unknown_alpha_weight=0.1)
    )
    assert losses["rgb"] == 0 and losses["alpha"] == pytest.approx(0.2 * float(raster.alpha.square().mean()))
    plain, _ = joint_loss(toy_gaussians, views.cameras, targets, background, weights(2.0))
    assert plain["alpha"] == 0


def test_joint_loss_vanishes_at_the_truth_and_grows_away_from_it(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views, settings = make_views(3, 32), weights()
    background = random_backgrounds(3, seed=0, step=7)
    targets = make_targets(views)
    true, _ = joint_loss(toy_gaussians, views.cameras, targets, background, settings)
    moved = replace(toy_gaussians, means=toy_gaussians.means + 0.05)
    wrong, _ = joint_loss(moved, views.cameras, targets, background, settings)
    assert true["rgb"] < 1e-6 and true["alpha"] < 1e-6
    assert wrong["rgb"] > 1e-3 and wrong["alpha"] > 1e-3


def test_regularisers_appear_only_with_a_weight(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views = make_views(2, 16)
    background = torch.ones(2, 3)
    plain, _ = joint_loss(toy_gaussians, views.cameras, make_targets(views), background, weights())
    settings = weights(opacity_weight=2.0, oversize_weight=1.0, oversize_limit=0.01, needle_weight=1.0)
    full, _ = joint_loss(toy_gaussians, views.cameras, make_targets(views), background, settings)
    assert set(plain) == {"rgb", "alpha"}
    assert full["needle"] == 0, "the Gaussians are round"
    assert full["opacity"] == pytest.approx(2 * 0.9) and full["oversize"] == pytest.approx(0.03)


def test_backgrounds_repeat_for_the_same_step_and_differ_between_steps() -> None:
    assert torch.equal(random_backgrounds(4, 1, 5), random_backgrounds(4, 1, 5))
    assert not torch.equal(random_backgrounds(4, 1, 5), random_backgrounds(4, 1, 6))
    assert not torch.equal(random_backgrounds(4, 1, 5), random_backgrounds(4, 2, 5))
