"""Positions and colours of the first Gaussians."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from sparseags_ns.optimization.seeding import (
    Seeds,
    ball,
    colors_from_views,
    dilate,
    drawn,
    hull_votes,
    object_points,
    place_seeds,
    visual_hull,
)
from sparseags_ns.optimization.settings import MIN_SEED_POINTS, JointSettings, Seeding
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import PointCloud, Views


def cloud(positions: torch.Tensor, confidence: torch.Tensor | None = None) -> PointCloud:
    """Points in the colours of their numbers."""
    colors = torch.linspace(0, 1, len(positions))[:, None].expand(-1, 3)
    return PointCloud(positions, colors, torch.ones(len(positions)) if confidence is None else confidence)


def place(seeding: Seeding, views: Views) -> Seeds:
    settings = JointSettings(seeding=seeding, num_gaussians=400, ball_radius=0.3, hull_slack_px=1, seed_scale=0.01)
    return place_seeds(settings, views, torch.Generator().manual_seed(3))


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


def test_points_of_the_background_and_of_nothing_are_left_out(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(6, 64)
    background = torch.tensor([[0.0, 0.48, 0.0], [0.0, -6.0, 0.0], [40.0, 0.0, 0.0]])
    points = torch.cat([toy_gaussians.means, background])
    kept = object_points(replace(views, points=cloud(points)), 1)
    assert kept is not None and torch.equal(kept.positions, toy_gaussians.means)
    assert object_points(views, 1) is None


def test_one_wrong_view_of_six_does_not_cost_the_points(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(6, 64)
    views.masks[3] = 0
    kept = object_points(replace(views, points=cloud(toy_gaussians.means)), 1)
    assert kept is not None and len(kept) == 60


def test_few_points_are_all_kept_and_copied_nearby() -> None:
    points = cloud(torch.randn(50, 3))
    found = drawn(points, 200, 1e-3, torch.Generator().manual_seed(0))
    assert len(found) == 200 and set(found.colors[:50, 0].tolist()) == set(points.colors[:, 0].tolist())
    away = (found.positions[50:, None] - points.positions).norm(dim=-1).amin(1)
    assert 0 < away.max() < 1e-2


def test_of_many_points_the_confident_ones_are_drawn_once_each() -> None:
    points = cloud(torch.randn(1000, 3), torch.cat([torch.ones(500), torch.zeros(500)]))
    found = drawn(points, 300, 1.0, torch.Generator().manual_seed(0))
    assert found.colors[:, 0].unique().numel() == 300 and found.colors.max() < 0.5


def test_without_any_confidence_all_points_count_alike() -> None:
    found = drawn(cloud(torch.randn(20, 3), torch.zeros(20)), 20, 1.0, torch.Generator().manual_seed(0))
    assert found.colors[:, 0].unique().numel() == 20


def test_auto_takes_points_if_there_are_enough_and_gives_the_reason_otherwise(make_views: Callable[..., Views]) -> None:
    views = make_views(6, 64)
    directions = torch.randn(MIN_SEED_POINTS, 3, generator=torch.Generator().manual_seed(0))
    inside = 0.12 * torch.nn.functional.normalize(directions, dim=-1)
    votes = hull_votes(inside, dilate(views.masks, 1), views)
    assert (votes == 1).all(), "the test needs points on the object"
    many, few = (replace(views, points=cloud(points)) for points in (inside, inside[1:]))
    seeds = place("auto", many)
    assert (
        seeds.origin == "points"
        and len(seeds.means) == 400
        and seeds.why == "100 of the scene's 100 points lie on the object"
    )
    assert place("auto", few).origin == "ball" and place("auto", few).why.startswith("99 of the scene's 99 points")
    assert place("auto", views).why == "the scene has no points"
    assert place("ball", many).origin == "ball" and place("hull", many).origin == "hull"
    assert place("ball", many).why == "asked for"


def test_points_that_are_asked_for_must_be_there(make_views: Callable[..., Views]) -> None:
    with pytest.raises(ValueError, match=r"0 of the scene's 0 points .* 100 are needed to start from them: name a po"):
        place("points", make_views(4, 32))


def test_hull_and_ball_are_those_of_their_functions(make_views: Callable[..., Views]) -> None:
    views = make_views(6, 64)
    assert torch.equal(place("ball", views).means, ball(400, 0.3, torch.Generator().manual_seed(3)))
    carved = visual_hull(views, 400, slack_px=1, generator=torch.Generator().manual_seed(3))
    assert torch.equal(place("hull", views).means, carved)
    assert torch.equal(place("hull", views).colors, colors_from_views(carved, views))
