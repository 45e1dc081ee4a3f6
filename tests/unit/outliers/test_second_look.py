"""What is asked again after views were put elsewhere, with fakes that reconstruct at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras, orbit
from sparseags_ns.geometry.pose_metrics import pose_change
from sparseags_ns.outliers.detection import DetectionState
from sparseags_ns.outliers.fits import Continuation, Fit
from sparseags_ns.outliers.search import SearchSettings
from sparseags_ns.outliers.second_look import placed_anew, reconstructed_anew
from sparseags_ns.outliers.verdict import verdict
from sparseags_ns.outliers.workplace import RepairSettings, Workplace, without
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views

QUICK = SearchSettings(
    spacing_deg=30.0, coarse_px=16, fine_px=32, shortlist=12, finalists=3, coarse_steps=20, fine_steps=12
)
SETTINGS = RepairSettings(
    glance=QUICK,
    thorough=QUICK,
    pixels=32,
    candidates=2,
    sharpening=Continuation(pixels=32, steps=1, pose_lr=0.0),
)


@dataclass
class ShiftedFitter:
    """The splat is the true one, but for a shift; poses are not refined."""

    gaussians: Gaussians
    shift: float = 0.0

    def from_scratch(self, cameras: Cameras, trusted: Tensor) -> Fit:
        means = self.gaussians.means + torch.tensor([self.shift, 0.0, 0.0])
        return Fit(replace(self.gaussians, means=means), cameras, trusted)

    def continued(self, fit: Fit, continuation: Continuation) -> Fit:
        return fit


def place_of(views: Views, fitter: ShiftedFitter, claims: Tensor, *others: ShiftedFitter) -> Workplace:
    return Workplace(views, fitter, SETTINGS, None, claims, others)


def moved(views: Views, view: int, azimuth_deg: float) -> Tensor:
    """The poses, but for one view claimed to be taken from elsewhere."""
    poses = views.cameras.T_camera_world.clone()
    poses[view] = orbit(torch.tensor(azimuth_deg), torch.tensor(20.0), 1.85)
    return poses


def errors_deg(fit: Fit, views: Views) -> Tensor:
    return pose_change(fit.cameras.T_camera_world, views.cameras.T_camera_world)[0]


def test_the_fitter_that_explains_the_photographs_best_is_kept(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views, shifted, right = make_views(6, 32), ShiftedFitter(toy_gaussians, 0.3), ShiftedFitter(toy_gaussians)
    place = place_of(views, shifted, views.cameras.T_camera_world, right)
    before = shifted.from_scratch(views.cameras, views.trusted)
    anew = reconstructed_anew(place, before)
    assert place.fitter is right and place.others == (shifted,)
    assert torch.equal(anew.fit.gaussians.means, toy_gaussians.means)
    assert anew.decision.action == "restart"
    assert anew.decision.numbers["sum_after"] < 0.5 * anew.decision.numbers["sum_before"]


def test_a_reconstruction_that_is_no_better_replaces_nothing(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(6, 32)
    place = place_of(views, ShiftedFitter(toy_gaussians, 0.3), views.cameras.T_camera_world)
    before = ShiftedFitter(toy_gaussians).from_scratch(views.cameras, views.trusted)
    anew = reconstructed_anew(place, before)
    assert anew.fit is before and "do not" in anew.decision.why


def test_a_view_put_at_a_wrong_place_is_placed_anew(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views, fitter = make_views(6, 32), ShiftedFitter(toy_gaussians)
    place = place_of(views, fitter, moved(views, 2, 300.0))
    fit, decision = placed_anew(place, place.from_scratch(place.claims, views.trusted), 2)
    assert errors_deg(fit, views).max() < 12.0
    assert decision.action == "replace" and decision.numbers["turned_by_deg"] > 15.0
    assert pose_change(place.claims[2:3], views.cameras.T_camera_world[2:3])[0] < 12.0


def test_a_view_at_its_place_stays_there(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views, fitter = make_views(6, 32), ShiftedFitter(toy_gaussians)
    place = place_of(views, fitter, views.cameras.T_camera_world)
    fit, decision = placed_anew(place, place.from_scratch(place.claims, views.trusted), 2)
    assert errors_deg(fit, views).max() < 2.0
    assert decision.numbers["turned_by_deg"] < 5.0 and decision.view == 2


def test_what_was_put_elsewhere_too_soon_is_searched_with_what_is_dropped_now(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    """View 3 was put elsewhere, wrongly, while view 2 was still wrong; now view 2 is dropped."""
    views, fitter = make_views(8, 32), ShiftedFitter(toy_gaussians)
    given = moved(views, 2, 300.0)
    given[3] = moved(views, 3, 20.0)[3]
    wrong = replace(views, cameras=views.cameras.with_poses(given))
    claims = given.clone()
    claims[3] = orbit(torch.tensor(250.0), torch.tensor(-10.0), 1.85)
    place = place_of(wrong, fitter, claims)
    base = place.from_scratch(claims, views.trusted)
    trusted = without(views.trusted, 2)
    state = DetectionState(tuple(trusted.tolist()), dropped=(2,), again=True)
    inliers = place.from_scratch(claims, trusted)
    place.thoroughly(inliers, 2)
    found = verdict(place, base, inliers, state)
    assert errors_deg(found.fit, views).max() < 12.0
