"""Verdict and recheck after views were corrected, with fakes that reconstruct at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras, orbit
from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.optimization.short_fits import Continuation, Fitter
from sparseags_ns.outliers.alignment import median_rotation_deg
from sparseags_ns.outliers.context import RepairContext, without
from sparseags_ns.outliers.detection import DetectionState
from sparseags_ns.outliers.recheck import reconstruct_again, search_again
from sparseags_ns.outliers.settings import RepairSettings, VerdictSettings
from sparseags_ns.outliers.start_selection import start_cost
from sparseags_ns.outliers.verdict import may_belong, moved_views_improve, verdict
from sparseags_ns.pose_search.settings import SearchSettings
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views

QUICK = SearchSettings(
    spacing_deg=30.0, coarse_px=16, fine_px=32, shortlist=12, finalists=3, coarse_steps=20, fine_steps=12
)
SETTINGS = RepairSettings(
    quick_search=QUICK,
    thorough_search=QUICK,
    pixels=32,
    candidates=2,
    sharpening=Continuation(pixels=32, steps=1, pose_lr=0.0),
)


@dataclass
class ShiftedFitter:
    """The splat is the true one, but for a shift; poses are not refined."""

    gaussians: Gaussians
    shift: float = 0.0

    def from_scratch(self, cameras: Cameras, trusted: Tensor) -> Reconstruction:
        means = self.gaussians.means + torch.tensor([self.shift, 0.0, 0.0])
        return Reconstruction(replace(self.gaussians, means=means), cameras, trusted)

    def continued(self, fit: Reconstruction, continuation: Continuation) -> Reconstruction:
        return fit


@dataclass
class NeedsSeven(ShiftedFitter):
    """The splat is the true one where seven views or more take part, else it lies far beside."""

    def from_scratch(self, cameras: Cameras, trusted: Tensor) -> Reconstruction:
        return ShiftedFitter(self.gaussians, 0.0 if int(trusted.sum()) > 6 else 5.0).from_scratch(cameras, trusted)


@dataclass
class SlidingFitter:
    """The splat is the true one; views slide around the object, each farther than the one before."""

    gaussians: Gaussians
    by_deg: float

    def from_scratch(self, cameras: Cameras, trusted: Tensor) -> Reconstruction:
        angles = torch.deg2rad(self.by_deg * torch.arange(len(trusted)))
        turns = torch.stack([se3.exp(torch.tensor([0.0, 0.0, 0.0, 0.0, float(angle), 0.0])) for angle in angles])
        return Reconstruction(self.gaussians, cameras.with_poses(cameras.T_camera_world @ turns), trusted)

    def continued(self, fit: Reconstruction, continuation: Continuation) -> Reconstruction:
        return fit


def context_of(
    views: Views, fitter: Fitter, start_poses: Tensor, *others: Fitter, settings: RepairSettings = SETTINGS
) -> RepairContext:
    return RepairContext(views, fitter, settings, start_poses, others)


def moved(views: Views, view: int, azimuth_deg: float) -> Tensor:
    """The poses, except that one view is at another azimuth."""
    poses = views.cameras.T_camera_world.clone()
    poses[view] = orbit(torch.tensor(azimuth_deg), torch.tensor(20.0), 1.85)
    return poses


def errors_deg(fit: Reconstruction, views: Views) -> Tensor:
    return pose_change(fit.cameras.T_camera_world, views.cameras.T_camera_world)[0]


def test_the_fitter_of_least_loss_is_kept(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views, shifted, right = make_views(6, 32), ShiftedFitter(toy_gaussians, 0.3), ShiftedFitter(toy_gaussians)
    context = context_of(views, shifted, views.cameras.T_camera_world, right)
    before = shifted.from_scratch(views.cameras, views.trusted)
    again = reconstruct_again(context, before)
    assert context.fitter is right and context.other_fitters == (shifted,)
    assert torch.equal(again.fit.gaussians.means, toy_gaussians.means)
    assert again.decision.action == "restart"
    assert again.decision.numbers["sum_after"] < 0.5 * again.decision.numbers["sum_before"]


def test_a_reconstruction_that_is_clearly_worse_replaces_nothing(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(6, 32)
    context = context_of(views, ShiftedFitter(toy_gaussians, 0.3), views.cameras.T_camera_world)
    before = ShiftedFitter(toy_gaussians).from_scratch(views.cameras, views.trusted)
    again = reconstruct_again(context, before)
    assert again.fit is before and "clearly larger" in again.decision.why


def test_a_reconstruction_with_fewer_steps_may_be_a_little_worse(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(6, 32)
    context = context_of(views, ShiftedFitter(toy_gaussians, 0.0303), views.cameras.T_camera_world)
    before = ShiftedFitter(toy_gaussians, 0.03).from_scratch(views.cameras, views.trusted)
    again = reconstruct_again(context, before)
    assert again.decision.numbers["sum_after"] > again.decision.numbers["sum_before"]
    assert again.fit is not before and torch.equal(again.fit.gaussians.means, again.base.gaussians.means)


def test_a_view_at_a_wrong_pose_is_found_again(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views, fitter = make_views(6, 32), ShiftedFitter(toy_gaussians)
    context = context_of(views, fitter, moved(views, 2, 300.0))
    fit, decision = search_again(context, context.from_scratch(context.start_poses, views.trusted), 2)
    assert errors_deg(fit, views).max() < 12.0
    assert decision.action == "re-search" and decision.numbers["rotated_by_deg"] > 15.0
    assert pose_change(context.start_poses[2:3], views.cameras.T_camera_world[2:3])[0] < 12.0


def test_a_view_at_its_right_pose_keeps_it(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views, fitter = make_views(6, 32), ShiftedFitter(toy_gaussians)
    context = context_of(views, fitter, views.cameras.T_camera_world)
    fit, decision = search_again(context, context.from_scratch(context.start_poses, views.trusted), 2)
    assert errors_deg(fit, views).max() < 2.0
    assert decision.numbers["rotated_by_deg"] < 5.0 and decision.view == 2


def test_views_corrected_too_soon_are_searched_along_with_those_dropped_now(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    """View 3 was corrected wrongly while view 2 was still wrong; now view 2 is dropped."""
    views, fitter = make_views(8, 32), ShiftedFitter(toy_gaussians)
    given = moved(views, 2, 300.0)
    given[3] = moved(views, 3, 20.0)[3]
    wrong = replace(views, cameras=views.cameras.with_poses(given))
    poses = given.clone()
    poses[3] = orbit(torch.tensor(250.0), torch.tensor(-10.0), 1.85)
    context = context_of(wrong, fitter, poses)
    base = context.from_scratch(poses, views.trusted)
    trusted = without(views.trusted, 2)
    state = DetectionState(tuple(trusted.tolist()), dropped=(2,), again=True)
    inliers = context.from_scratch(poses, trusted)
    context.search_thoroughly(inliers, 2)
    found = verdict(context, base, inliers, state)
    assert errors_deg(found.fit, views).max() < 12.0


def test_rotations_are_told_apart_from_a_drift_of_the_world(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(6, 32)
    slid = SlidingFitter(toy_gaussians, 20.0).from_scratch(views.cameras, views.trusted)
    assert 15.0 < median_rotation_deg(views.cameras.T_camera_world, slid) < 45.0
    rotated_as_one = views.cameras.T_camera_world @ se3.exp(torch.tensor([0.0, 0.0, 0.0, 0.0, 0.7, 0.0]))
    drifted = Reconstruction(toy_gaussians, views.cameras.with_poses(rotated_as_one), views.trusted)
    assert median_rotation_deg(views.cameras.T_camera_world, drifted) < 0.1


def test_a_start_that_rotated_most_views_far_needs_a_much_smaller_loss() -> None:
    """The cup with two wrong views, measured: the first start has slid around the axis."""
    assert start_cost(0.0266, 13.3) > start_cost(0.0365, 3.5)
    assert start_cost(0.0154, 4.4) < start_cost(0.0747, 5.1)
    assert start_cost(0.0266, 0.0) == 0.0266


def test_the_fitter_whose_views_slide_is_not_kept(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views = make_views(6, 32)
    sliding, right = SlidingFitter(toy_gaussians, 30.0), ShiftedFitter(toy_gaussians)
    context = context_of(views, sliding, views.cameras.T_camera_world, right)
    context.best_from_scratch(context.start_poses, views.trusted)
    assert context.fitter is right


def test_the_same_reconstruction_is_made_once(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views = make_views(6, 32)
    context = context_of(views, ShiftedFitter(toy_gaussians), views.cameras.T_camera_world)
    first = context.from_scratch(context.start_poses, views.trusted)
    assert context.from_scratch(context.start_poses.clone(), views.trusted.clone()) is first
    assert context.from_scratch(context.start_poses, without(views.trusted, 1)) is not first
    assert context.from_scratch(moved(views, 2, 300.0), views.trusted) is not first


def test_a_pose_far_away_has_to_be_clearly_better(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views, strict = make_views(6, 32), replace(SETTINGS, verdict=VerdictSettings(correct_below_again=0.0))
    context = context_of(views, ShiftedFitter(toy_gaussians), moved(views, 2, 300.0), settings=strict)
    before = context.from_scratch(context.start_poses, views.trusted)
    fit, decision = search_again(context, before, 2)
    assert fit is before and decision.numbers["rotated_by_deg"] > 15.0
    assert decision.numbers["sum_after"] < decision.numbers["sum_before"]


def test_the_loss_of_a_moved_view_itself_has_to_fall(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(6, 32)
    base = Reconstruction(toy_gaussians, views.cameras, views.trusted)
    elsewhere = Reconstruction(toy_gaussians, views.cameras.with_poses(moved(views, 2, 300.0)), views.trusted)
    factors = torch.full((6,), 0.5)
    assert moved_views_improve(base, elsewhere, factors)
    factors[2] = 1.05
    assert not moved_views_improve(base, elsewhere, factors)
    assert moved_views_improve(base, base, factors)  # No view was moved.
    out = Reconstruction(elsewhere.gaussians, elsewhere.cameras, without(views.trusted, 2))
    assert moved_views_improve(base, out, factors)  # It fits nowhere: then the others count.


def test_a_given_pose_is_tried_again_unless_it_is_hopeless(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(6, 32)
    context = context_of(views, ShiftedFitter(toy_gaussians), views.cameras.T_camera_world)
    right = context.from_scratch(context.start_poses, views.trusted)
    wrong = context.from_scratch(moved(views, 2, 300.0), views.trusted)
    assert may_belong(context, wrong, 2, views.cameras.T_camera_world)
    assert not may_belong(context, right, 2, moved(views, 2, 300.0))


def test_where_too_many_were_dropped_the_first_alone_is_corrected(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    """View 2 is wrong, view 5 is right; without both nothing is left that could tell."""
    views = make_views(8, 32)
    given = moved(views, 2, 300.0)
    wrong = replace(views, cameras=views.cameras.with_poses(given))
    context = context_of(wrong, NeedsSeven(toy_gaussians), given)
    base, trusted = context.from_scratch(given, views.trusted), without(without(views.trusted, 2), 5)
    state = DetectionState(tuple(trusted.tolist()), dropped=(2, 5))
    found = verdict(context, base, context.from_scratch(given, trusted), state)
    assert errors_deg(found.fit, views).max() < 12.0
    assert [(d.action, d.view) for d in found.decisions] == [("correct", 2), ("restore", 5)]
    assert found.corrected.nonzero().flatten().tolist() == [2]
