"""Given beside refined cameras: a drift of the world is no error, and one wrong camera is one wrong camera."""

from __future__ import annotations

from collections.abc import Callable

import torch

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.outputs import anchored
from sparseags_ns.views import Views


def test_a_drift_of_the_world_is_no_error_of_the_cameras(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    refined = make_views(6).cameras
    drift = se3.exp(torch.tensor([0.05, -0.02, 0.03, 0.1, 0.05, -0.1]))
    given = refined.with_poses(refined.T_camera_world @ drift)
    rotation_deg, moved = pose_change(anchored(given, refined, toy_gaussians).T_camera_world, refined.T_camera_world)
    assert rotation_deg.max() < 0.1 and moved.max() < 0.01


def test_one_grossly_wrong_camera_leaves_the_others_where_they_are(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    refined = make_views(6).cameras
    poses = refined.T_camera_world.clone()
    poses[2] = orbit(torch.tensor(300.0), torch.tensor(20.0), 1.85)
    rotation_deg, moved = pose_change(
        anchored(refined.with_poses(poses), refined, toy_gaussians).T_camera_world, refined.T_camera_world
    )
    others = torch.tensor([0, 1, 3, 4, 5])
    assert rotation_deg[2] > 90
    assert rotation_deg[others].max() < 0.1 and moved[others].max() < 0.01


def test_views_without_a_pose_say_nothing_of_the_drift(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    refined = make_views(5).cameras
    poses = refined.T_camera_world.clone()
    poses[1:3] = orbit(torch.tensor(100.0), torch.tensor(60.0), 1.85)
    posed = torch.tensor([True, False, False, True, True])
    moved_as_one = anchored(refined.with_poses(poses), refined, toy_gaussians, posed)
    rotation_deg, _ = pose_change(moved_as_one.T_camera_world, refined.T_camera_world)
    assert rotation_deg[posed].max() < 0.1
