"""Pose search and leave-one-out test of one photograph: found from any side, repeatable, observed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.optimization.observer import Observer, observed_by
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.pose_search.leave_one_out import candidate_poses, leave_one_out
from sparseags_ns.pose_search.search import SearchResult, search_pose, search_view
from sparseags_ns.pose_search.settings import SearchSettings
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views

QUICK = SearchSettings(
    spacing_deg=24.0, coarse_px=24, fine_px=32, shortlist=16, finalists=5, coarse_steps=30, fine_steps=20
)


def photographed_from(views: Views, gaussians: Gaussians, T_camera_world: torch.Tensor) -> Views:
    """The views, all of them photographs from one pose."""
    raster = rasterize(gaussians, views.cameras.with_poses(T_camera_world.expand(len(views), 4, 4)))
    images = (raster.rgb / raster.alpha.clamp_min(1e-6)[..., None]).clamp(0, 1)
    return replace(views, images=images, masks=raster.alpha)


@pytest.mark.parametrize("roll_deg, elevation_deg", [(8.0, 15.0), (180.0, -50.0)])
def test_pose_is_found_even_upside_down_and_from_below(
    make_views: Callable[..., Views], toy_gaussians: Gaussians, roll_deg: float, elevation_deg: float
) -> None:
    true = orbit(torch.tensor([77.0]), torch.tensor([elevation_deg]), 2.1, roll_deg=roll_deg)[0]
    true[:3, 3] += torch.tensor([0.05, -0.04, 0.0])
    views = photographed_from(make_views(2, 32), toy_gaussians, true)
    found = search_view(toy_gaussians, views, 0, 1.85, QUICK)
    rotation_deg, moved = pose_change(found.poses[:1], true[None])
    assert rotation_deg.item() < 3.0 and moved.item() < 0.1
    assert found.losses.argmin() == 0 and len(found.hypotheses) == len(found.hypothesis_losses)


def test_unknown_part_of_a_photograph_does_not_mislead(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(4, 32)
    images, masks, valid = views.images.clone(), views.masks.clone(), views.valid.clone()
    images[:, :, :13], masks[:, :, :13], valid[:, :, :13] = 0.0, 0.0, 0.0
    cut = replace(views, images=images, masks=masks, valid=valid)
    found = search_view(toy_gaussians, cut, 1, 1.85, QUICK)
    rotation_deg, _ = pose_change(found.poses[:1], views.cameras.T_camera_world[1:2])
    assert rotation_deg.item() < 6.0


def test_empty_mask_ends_at_once_and_finds_nothing(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views = make_views(2, 32)
    blank = replace(views, masks=torch.zeros_like(views.masks))
    found = search_view(toy_gaussians, blank, 0, 1.85, QUICK)
    assert len(found.poses) == 0 and found.hypothesis_losses.isinf().all()
    fit = Reconstruction(toy_gaussians, views.cameras, views.trusted)
    assert leave_one_out(fit, blank, 0, QUICK).ratio == 1.0


def test_search_repeats_itself_and_pauses_between_batches(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views, calls = make_views(2, 32), []

    class Counter(Observer):
        def pause(self) -> None:
            calls.append(1)

    with observed_by(Counter()):
        first = search_view(toy_gaussians, views, 0, 1.85, QUICK)
    second = search_view(toy_gaussians, views, 0, 1.85, QUICK)
    assert torch.equal(first.poses, second.poses) and torch.equal(first.losses, second.losses)
    assert len(calls) > QUICK.coarse_steps


def test_one_photograph_is_searched_as_one_of_several_views_is(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(2, 32)
    image, mask, K = views.images[1], views.masks[1], views.cameras.K[1]
    alone = search_pose(toy_gaussians, image, mask, K, distance=1.85, settings=QUICK)
    assert len(alone.poses) > 0
    assert torch.equal(alone.poses, search_view(toy_gaussians, views, 1, 1.85, QUICK).poses)


def test_leave_one_out_ratio_tells_right_from_wrong_poses(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(4, 32)
    fit = Reconstruction(toy_gaussians, views.cameras, views.trusted)
    assert leave_one_out(fit, views, 1, QUICK).ratio > 1.5
    wrong = fit.with_pose(1, orbit(torch.tensor([270.0]), torch.tensor([0.0]), 1.85)[0])
    assert leave_one_out(wrong, views, 1, QUICK).ratio < 0.5


def test_candidates_hold_the_best_and_the_given_pose_once() -> None:
    poses = orbit(torch.tensor([0.0, 50.0, 100.0]), torch.zeros(3), 1.0)
    found = SearchResult(poses, torch.tensor([0.1, 0.2, 0.3]), poses[:0], torch.zeros(0))
    given = orbit(torch.tensor([0.5, 200.0]), torch.zeros(2), 1.0)
    chosen = candidate_poses(found, given, 2)
    assert torch.equal(chosen, torch.stack([poses[0], poses[1], given[1]]))
