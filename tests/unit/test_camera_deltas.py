"""Learnable pose corrections, and that nerfstudio's reading of them is ours."""

from __future__ import annotations

from collections.abc import Callable

import torch

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import opengl_from_opencv
from sparseags_ns.plugin.camera_optimizer import CameraDeltas, CameraDeltasConfig
from sparseags_ns.plugin.dataparser import nerfstudio_cameras
from sparseags_ns.views import Views


def make(views: Views, tangents: torch.Tensor | None = None) -> CameraDeltas:
    deltas = CameraDeltas(CameraDeltasConfig(), len(views), "cpu", views.cameras, "shared")
    if tangents is not None:
        deltas.corrections.tangents.data.copy_(tangents)
    return deltas


def some_tangents(count: int) -> torch.Tensor:
    return 0.2 * torch.randn(count, 6, generator=torch.Generator().manual_seed(3))


def test_no_correction_at_the_start(make_views: Callable[..., Views]) -> None:
    views = make_views(3)
    torch.testing.assert_close(make(views).corrections.cameras().T_camera_world, views.cameras.T_camera_world)


def test_a_rotation_orbits_the_object_at_the_origin(make_views: Callable[..., Views]) -> None:
    views = make_views(3)
    tangents = torch.zeros(3, 6)
    tangents[:, 4] = 0.5
    moved = views.cameras.with_poses(make(views, tangents).corrections.cameras().T_camera_world.detach())
    torch.testing.assert_close(moved.centers.norm(dim=-1), views.cameras.centers.norm(dim=-1))
    assert (moved.centers - views.cameras.centers).norm(dim=-1).min() > 0.5
    origin_depth = moved.T_camera_world[:, :3, 3]
    torch.testing.assert_close(origin_depth, views.cameras.T_camera_world[:, :3, 3])


def test_viewer_exports_and_training_agree(make_views: Callable[..., Views]) -> None:
    """The viewer draws known @ D, ns-export asks apply_to_camera, training renders cameras()."""
    views = make_views(4)
    deltas = make(views, some_tangents(4))
    refined = opengl_from_opencv(deltas.corrections.cameras().T_camera_world)[:, :3]
    guess = opengl_from_opencv(views.cameras.T_camera_world)
    drawn = guess @ se3.pose(deltas(torch.arange(4))[:, :, :3], deltas(torch.arange(4))[:, :, 3])
    torch.testing.assert_close(drawn[:, :3], refined, atol=1e-5, rtol=1e-5)
    cameras = nerfstudio_cameras(views.cameras)
    for i in range(4):
        camera = cameras[i : i + 1]
        camera.metadata = {"cam_idx": i}
        torch.testing.assert_close(deltas.apply_to_camera(camera)[0], refined[i], atol=1e-5, rtol=1e-5)


def test_cameras_that_are_not_photographs_stay(make_views: Callable[..., Views]) -> None:
    views = make_views(2)
    camera = nerfstudio_cameras(views.cameras)[0:1]
    assert torch.equal(make(views, some_tangents(2)).apply_to_camera(camera), camera.camera_to_worlds)


def test_gradients_reach_the_tangents_at_zero(make_views: Callable[..., Views]) -> None:
    deltas = make(make_views(2))
    deltas.corrections.cameras().T_camera_world[:, :3, 3].sum().backward()
    gradient = deltas.corrections.tangents.grad
    assert gradient is not None and gradient.isfinite().all() and gradient.abs().max() > 0


def test_starting_from_refined_cameras_forgets_the_corrections(make_views: Callable[..., Views]) -> None:
    views = make_views(3)
    deltas = make(views, some_tangents(3))
    deltas.corrections.log_focal.data.fill_(0.1)
    refined = deltas.corrections.cameras().detach()
    deltas.start_from(refined)
    assert torch.equal(deltas.corrections.tangents, torch.zeros(3, 6))
    assert torch.equal(deltas.corrections.log_focal, torch.zeros(1))
    torch.testing.assert_close(deltas.corrections.cameras().T_camera_world, refined.T_camera_world)
    torch.testing.assert_close(deltas.corrections.cameras().K, refined.K)
