"""Views go back to their given poses only where the sum of all losses falls; wrong given poses are declared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from sparseags_ns.geometry import se3
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.optimization.short_fits import Continuation
from sparseags_ns.outliers import fallback
from sparseags_ns.outliers.context import RepairContext
from sparseags_ns.outliers.fallback import declare_wrong, fall_back
from sparseags_ns.outliers.settings import RepairSettings
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views

NONE = torch.zeros(6, dtype=torch.bool)
"""No view is excluded."""


class IdentityFitter:
    """Continues nothing, but needs gradients as real fitters do."""

    def from_scratch(self, cameras: object, trusted: object) -> Reconstruction:
        raise AssertionError("fall_back reconstructs nothing from scratch")

    def continued(self, fit: Reconstruction, continuation: Continuation) -> Reconstruction:
        assert torch.is_grad_enabled()
        return fit


def rotated(poses: torch.Tensor, view: int, angle_deg: float) -> torch.Tensor:
    tangent = torch.zeros(6)
    tangent[4] = torch.tensor(angle_deg).deg2rad()
    moved = poses.clone()
    moved[view] = poses[view] @ se3.exp(tangent)
    return moved


def context_for(views: Views) -> RepairContext:
    return RepairContext(views, IdentityFitter(), RepairSettings(), start_poses=views.cameras.T_camera_world)


def test_a_view_carried_away_from_its_right_pose_goes_back(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(6, 64)
    strayed = views.cameras.with_poses(rotated(views.cameras.T_camera_world, 2, 60.0))
    fit, decisions = fall_back(context_for(views), Reconstruction(toy_gaussians, strayed, views.trusted))
    assert [(decision.action, decision.view) for decision in decisions] == [("fall back", 2)]
    assert decisions[0].numbers["sum_given"] < decisions[0].numbers["sum_refined"]
    torch.testing.assert_close(fit.cameras.T_camera_world, views.cameras.T_camera_world, atol=0.02, rtol=0.0)


def test_a_view_carried_to_its_right_pose_stays(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views = make_views(6, 64)
    given = replace(views, cameras=views.cameras.with_poses(rotated(views.cameras.T_camera_world, 2, 60.0)))
    found = Reconstruction(toy_gaussians, views.cameras, views.trusted)
    fit, decisions = fall_back(context_for(given), found)
    assert decisions == () and torch.equal(fit.cameras.T_camera_world, views.cameras.T_camera_world)


def test_views_that_hardly_moved_are_not_compared(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views = make_views(6, 64)
    nearly = views.cameras.with_poses(rotated(views.cameras.T_camera_world, 2, 5.0))
    fit, decisions = fall_back(context_for(views), Reconstruction(toy_gaussians, nearly, views.trusted))
    assert decisions == () and torch.equal(fit.cameras.T_camera_world, nearly.T_camera_world)


def test_a_view_that_refinement_put_right_is_declared_and_not_moved(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(6, 64)
    given = replace(views, cameras=views.cameras.with_poses(rotated(views.cameras.T_camera_world, 2, 60.0)))
    wrong, decisions = declare_wrong(
        context_for(given), Reconstruction(toy_gaussians, views.cameras, views.trusted), NONE
    )
    assert wrong.tolist() == [view == 2 for view in range(6)]
    assert [(decision.action, decision.view) for decision in decisions] == [("declare", 2)]
    numbers = decisions[0].numbers
    assert abs(numbers["rotation_deg"] - 60.0) < 1.0 and numbers["loss_given"] > 1.5 * numbers["loss_refined"]


@pytest.mark.parametrize(
    ("rotation_deg", "rise", "declared"), [(60.0, 3.5, True), (60.0, 2.5, False), (14.0, 8.0, False), (14.0, 9.0, True)]
)
def test_the_farther_a_view_was_rotated_the_less_its_loss_has_to_rise(
    rotation_deg: float,
    rise: float,
    declared: bool,
    make_views: Callable[..., Views],
    toy_gaussians: Gaussians,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    views = make_views(6, 64)
    given = replace(views, cameras=views.cameras.with_poses(rotated(views.cameras.T_camera_world, 2, rotation_deg)))
    monkeypatch.setattr(fallback, "_losses_nearby", lambda *_: (1.0, rise))
    wrong, _ = declare_wrong(context_for(given), Reconstruction(toy_gaussians, views.cameras, views.trusted), NONE)
    assert bool(wrong[2]) == declared and int(wrong.sum()) == int(declared)


def test_a_view_that_was_rotated_away_from_its_right_pose_is_not_declared(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(6, 64)
    strayed = views.cameras.with_poses(rotated(views.cameras.T_camera_world, 2, 60.0))
    wrong, decisions = declare_wrong(context_for(views), Reconstruction(toy_gaussians, strayed, views.trusted), NONE)
    assert not wrong.any() and decisions == ()


def test_where_all_views_were_rotated_far_none_is_declared(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(6, 64)
    poses = views.cameras.T_camera_world
    for view in range(6):
        poses = rotated(poses, view, 20.0 if view % 2 else -20.0)
    rough = replace(views, cameras=views.cameras.with_poses(poses))
    wrong, _ = declare_wrong(context_for(rough), Reconstruction(toy_gaussians, views.cameras, views.trusted), NONE)
    assert not wrong.any()


def test_excluded_views_are_not_declared(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views = make_views(6, 64)
    given = replace(views, cameras=views.cameras.with_poses(rotated(views.cameras.T_camera_world, 2, 60.0)))
    excluded = torch.tensor([view == 2 for view in range(6)])
    wrong, decisions = declare_wrong(
        context_for(given), Reconstruction(toy_gaussians, views.cameras, views.trusted), excluded
    )
    assert not wrong.any() and decisions == ()
