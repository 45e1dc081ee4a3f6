"""Where the first Gaussians go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from sparseags_ns.model.seeding import ball, colors_from_views, dilate, hull_votes, visual_hull
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views


def test_ball_fills_its_radius_evenly() -> None:
    points = ball(20_000, 0.3, torch.Generator().manual_seed(0))
    radii = points.norm(dim=-1)
    assert radii.max() <= 0.3
    # Half the volume lies within 2^(-1/3) of the radius.
    assert abs((radii < 0.3 * 0.5 ** (1 / 3)).float().mean() - 0.5) < 0.02


def test_hull_holds_the_object(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views = make_views(6, 64)
    votes = hull_votes(toy_gaussians.means, dilate(views.masks, 1), views)
    assert (votes > 0.999).all()


def test_hull_leaves_out_what_a_mask_rules_out(make_views: Callable[..., Views]) -> None:
    views = make_views(6, 64)
    outside = torch.tensor([[0.0, 0.48, 0.0], [0.45, 0.0, 0.3]])
    assert (hull_votes(outside, views.masks, views) < 1).all()


def test_hull_points_lie_in_every_grown_mask(make_views: Callable[..., Views]) -> None:
    views = make_views(6, 64)
    points = visual_hull(views, 500, slack_px=2, generator=torch.Generator().manual_seed(1), candidates=20_000)
    assert points.shape == (500, 3)
    assert (hull_votes(points, dilate(views.masks, 2), views) == 1).all()


def test_unknown_pixels_rule_nothing_out(make_views: Callable[..., Views]) -> None:
    views = make_views(4, 32)
    blind = replace(views, masks=torch.zeros_like(views.masks), valid=torch.zeros_like(views.valid))
    assert (hull_votes(torch.zeros(1, 3), blind.masks, blind) == 1).all()
    assert (hull_votes(torch.zeros(1, 3), blind.masks, replace(blind, valid=torch.ones_like(views.valid))) == 0).all()


def test_untrusted_views_do_not_carve(make_views: Callable[..., Views]) -> None:
    views = make_views(4, 32)
    masks = views.masks.clone()
    masks[2] = 0
    trusted = views.trusted.clone()
    trusted[2] = False
    origin = torch.zeros(1, 3)
    assert hull_votes(origin, masks, replace(views, masks=masks)) < 1
    assert hull_votes(origin, masks, replace(views, masks=masks, trusted=trusted)) == 1


def test_masks_that_disagree_everywhere_still_seed_the_asked_number(make_views: Callable[..., Views]) -> None:
    views = make_views(4, 32)
    nothing = replace(views, masks=torch.zeros_like(views.masks))
    points = visual_hull(nothing, 300, slack_px=0, generator=torch.Generator().manual_seed(0), candidates=2_000)
    assert points.shape == (300, 3) and points.isfinite().all()


def test_colours_come_from_the_object_pixels(make_views: Callable[..., Views]) -> None:
    views = make_views(4, 32)
    red = torch.zeros_like(views.images)
    red[..., 0] = 1.0
    green_outside = torch.where(views.masks[..., None] > 0.5, red, torch.tensor([0.0, 1.0, 0.0]))
    masks = (views.masks > 0.5).float()
    colors = colors_from_views(torch.zeros(1, 3), replace(views, images=green_outside, masks=masks))
    torch.testing.assert_close(colors, torch.tensor([[1.0, 0.0, 0.0]]))


def test_points_that_no_view_sees_are_grey(make_views: Callable[..., Views]) -> None:
    far = torch.tensor([[50.0, 0.0, 0.0]])
    assert torch.equal(colors_from_views(far, make_views(3, 32)), torch.full((1, 3), 0.5))
