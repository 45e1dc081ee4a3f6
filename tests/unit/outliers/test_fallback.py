"""Views go back to where they were given only when all views together are better explained so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from sparseags_ns.geometry import se3
from sparseags_ns.outliers.fallback import fall_back
from sparseags_ns.outliers.fits import Continuation, Fit
from sparseags_ns.outliers.workplace import RepairSettings, Workplace
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views


class Still:
    """Makes nothing: every fit is as good as it gets."""

    def from_scratch(self, cameras: object, trusted: object) -> Fit:
        raise AssertionError("fall_back reconstructs nothing from scratch")

    def continued(self, fit: Fit, continuation: Continuation) -> Fit:
        return fit


def turned(poses: torch.Tensor, view: int, angle_deg: float) -> torch.Tensor:
    tangent = torch.zeros(6)
    tangent[4] = torch.tensor(angle_deg).deg2rad()
    moved = poses.clone()
    moved[view] = poses[view] @ se3.exp(tangent)
    return moved


def place_for(views: Views) -> Workplace:
    return Workplace(views, Still(), RepairSettings(), None, claims=views.cameras.T_camera_world)


def test_a_view_carried_away_from_its_right_pose_goes_back(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(6, 64)
    strayed = views.cameras.with_poses(turned(views.cameras.T_camera_world, 2, 60.0))
    fit, decisions = fall_back(place_for(views), Fit(toy_gaussians, strayed, views.trusted))
    assert [(decision.action, decision.view) for decision in decisions] == [("fall back", 2)]
    assert decisions[0].numbers["sum_given"] < decisions[0].numbers["sum_refined"]
    torch.testing.assert_close(fit.cameras.T_camera_world, views.cameras.T_camera_world, atol=0.02, rtol=0.0)


def test_a_view_carried_to_its_right_pose_stays(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views = make_views(6, 64)
    given = replace(views, cameras=views.cameras.with_poses(turned(views.cameras.T_camera_world, 2, 60.0)))
    found = Fit(toy_gaussians, views.cameras, views.trusted)
    fit, decisions = fall_back(place_for(given), found)
    assert decisions == () and torch.equal(fit.cameras.T_camera_world, views.cameras.T_camera_world)


def test_views_that_hardly_moved_are_not_questioned(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views = make_views(6, 64)
    nearly = views.cameras.with_poses(turned(views.cameras.T_camera_world, 2, 5.0))
    fit, decisions = fall_back(place_for(views), Fit(toy_gaussians, nearly, views.trusted))
    assert decisions == () and torch.equal(fit.cameras.T_camera_world, nearly.T_camera_world)
