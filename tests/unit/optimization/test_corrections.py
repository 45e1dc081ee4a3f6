"""Corrections of cameras: the dolly zoom of focal factors, and renormalisation of the world."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import Similarity, centering_similarity
from sparseags_ns.geometry.cameras import Cameras, orbit, project
from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.optimization.corrections import CameraCorrections, corrected
from sparseags_ns.optimization.parameters import activate
from sparseags_ns.optimization.seeding import seed_params
from sparseags_ns.optimization.settings import JointSettings
from sparseags_ns.optimization.step import renormalize
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.views import Views

AZIMUTHS = torch.tensor([0.0, 80.0, 170.0, 260.0])


def ring() -> Cameras:
    """Four cameras around the origin, with principal points off the middle."""
    poses = orbit(AZIMUTHS.double(), torch.full((4,), 20.0).double(), 1.85)
    K = torch.tensor([[240.0, 0.0, 120.0], [0.0, 250.0, 130.0], [0.0, 0.0, 1.0]]).double().repeat(4, 1, 1)
    return Cameras(poses, K, 256, 256)


def test_a_focal_factor_keeps_the_object_in_place_and_size() -> None:
    """Points of the plane through the origin that faces the camera keep their pixels; nearer ones do not."""
    cameras = ring()
    zoomed = corrected(cameras, torch.zeros(4, 6).double(), torch.tensor([0.2]).double())
    torch.testing.assert_close(zoomed.K[:, 0, 0], cameras.K[:, 0, 0] * torch.tensor(0.2).double().exp())
    torch.testing.assert_close(zoomed.K[:, :, 2], cameras.K[:, :, 2])
    in_plane = torch.tensor([[0.0, 0.0, 1.85], [0.3, -0.2, 1.85], [0.3, -0.2, 1.4]]).double()
    points = torch.stack([se3.transform_points(pose, in_plane) for pose in cameras.T_world_camera])
    before, after = project(cameras, points)[0], project(zoomed, points)[0]
    torch.testing.assert_close(after[:, :2], before[:, :2])
    assert (after[:, 2] - before[:, 2]).norm(dim=-1).min() > 1


def test_each_view_may_have_its_own_focal_factor() -> None:
    factors = torch.tensor([0.0, 0.1, -0.1, 0.3]).double()
    refined = corrected(ring(), torch.zeros(4, 6).double(), factors)
    torch.testing.assert_close(refined.K[:, 1, 1], 250 * factors.exp())
    torch.testing.assert_close(refined.centers.norm(dim=-1), 1.85 * factors.exp())


def test_focal_factors_that_are_off_are_not_learned() -> None:
    assert not CameraCorrections(ring(), "off").log_focal.requires_grad
    assert CameraCorrections(ring(), "shared").log_focal.shape == (1,)
    assert CameraCorrections(ring(), "per_view").log_focal.shape == (4,)


def test_starting_again_from_the_corrected_cameras_changes_nothing() -> None:
    corrections = CameraCorrections(ring(), "shared")
    corrections.tangents.data.normal_(0, 0.1, generator=torch.Generator().manual_seed(0))
    corrections.log_focal.data.fill_(0.1)
    refined = corrections.cameras().detach()
    corrections.start_from(refined)
    assert not corrections.tangents.any() and not corrections.log_focal.any()
    torch.testing.assert_close(corrections.cameras().T_camera_world, refined.T_camera_world)
    torch.testing.assert_close(corrections.cameras().K, refined.K)


def drifted() -> tuple[nn.ParameterDict, CameraCorrections]:
    """A small splat with its cameras, in a world that has drifted and shrunk."""
    generator = torch.Generator().manual_seed(1)
    settings = JointSettings(num_gaussians=50)
    params = seed_params(settings, any_views(ring().to(torch.float32)))
    params["features_dc"].data.normal_(generator=generator)
    corrections = CameraCorrections(ring().to(torch.float32), "shared")
    corrections.tangents.data.normal_(0, 0.05, generator=generator)
    drift = Similarity(torch.tensor(0.9), torch.eye(3), torch.tensor([0.1, -0.05, 0.02]))
    params["means"].data.copy_(drift.apply_to_points(params["means"]))
    params["scales"].data.add_(drift.scale.log())
    refined = corrections.cameras().detach()
    corrections.start_from(refined.with_poses(drift.apply_to_poses(refined.T_camera_world)))
    return params, corrections


def any_views(cameras: Cameras) -> Views:
    grey = torch.full((4, 256, 256), 0.5)
    names = tuple("abcd")
    trusted = torch.ones(4, dtype=torch.bool)
    return Views(
        names, tuple(Path(name) for name in names), grey[..., None].repeat(1, 1, 1, 3), grey, grey, cameras, trusted
    )


def test_renormalisation_restores_origin_and_scale_and_changes_no_render() -> None:
    params, corrections = drifted()
    trusted = torch.tensor([True, True, True, False])
    white = torch.ones(3)
    before = rasterize(activate(params), corrections.cameras(), white, sh_degree=2).rgb
    renormalize(params, corrections, trusted)
    after = rasterize(activate(params), corrections.cameras(), white, sh_degree=2).rgb
    torch.testing.assert_close(after, before, atol=2e-3, rtol=0.0)
    found = centering_similarity(corrections.cameras().detach().T_camera_world[trusted])
    assert abs(float(found.scale) - 1) < 1e-5 and found.translation.norm() < 1e-5


def test_renormalisation_does_nothing_if_all_views_look_from_one_direction() -> None:
    poses = orbit(torch.zeros(4), torch.zeros(4), 1.85)
    corrections = CameraCorrections(ring().to(torch.float32).with_poses(poses), "shared")
    params = seed_params(JointSettings(num_gaussians=5), any_views(corrections.guess))
    renormalize(params, corrections, torch.ones(4, dtype=torch.bool))
    assert torch.equal(corrections.T_camera_guess, poses)


def test_corrections_are_scaled_by_each_views_pose_lr_scale() -> None:
    guess = ring()
    corrections = CameraCorrections(guess, "shared", pose_lr_scale=torch.tensor([0.0, 1.0, 0.5, 1.0]))
    corrections.tangents.data.fill_(0.1)
    corrections.log_focal.data.fill_(0.2)
    cameras = corrections.cameras()
    rotation_deg, _ = pose_change(guess.T_camera_world, cameras.T_camera_world.detach())
    assert rotation_deg[0] < 1e-5 and rotation_deg[1] > 5
    torch.testing.assert_close(rotation_deg[1], 2 * rotation_deg[2])
    assert torch.equal(cameras.K[0], guess.K[0]) and cameras.K[1, 0, 0] > guess.K[1, 0, 0]
    cameras.T_camera_world.square().sum().backward()
    assert corrections.tangents.grad is not None and (corrections.tangents.grad[0] == 0).all()
    assert "pose_lr_scale" not in corrections.state_dict(), "it belongs to the views, not to the checkpoint"
