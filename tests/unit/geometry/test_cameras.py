"""Claims about sparseags_ns.geometry.cameras: axes, orbits, projection, and the other conventions."""

from __future__ import annotations

import pytest
import torch

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import (
    Cameras,
    look_at,
    opencv_from_opengl,
    opencv_from_pytorch3d,
    opengl_from_opencv,
    orbit,
    orbit_angles,
    project,
    pytorch3d_from_opencv,
)

F64 = torch.float64


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=F64)


def camera(T_camera_world: torch.Tensor) -> Cameras:
    K = torch.tensor([[100.0, 0, 32], [0, 110, 24], [0, 0, 1]], dtype=F64)
    return Cameras(T_camera_world[None], K[None], width=64, height=48)


def pixel_of(T_camera_world: torch.Tensor, *point: float) -> tuple[float, float]:
    pixels, _ = project(camera(T_camera_world), tensor(*point)[None])
    return pixels[0, 0, 0].item(), pixels[0, 0, 1].item()


def test_orbit_at_zero_sits_on_plus_z_with_plus_x_to_the_right_and_plus_y_up() -> None:
    T = orbit(tensor(0.0), tensor(0.0), 2.0)[0]
    torch.testing.assert_close(se3.inverse(T)[:3, 3], tensor(0, 0, 2))
    assert pixel_of(T, 0, 0, 0) == pytest.approx((32, 24))
    assert pixel_of(T, 0.1, 0, 0) == pytest.approx((37, 24))
    assert pixel_of(T, 0, 0.1, 0) == pytest.approx((32, 18.5))


def test_orbit_azimuth_90_is_plus_x_and_elevation_90_is_plus_y() -> None:
    centers = se3.inverse(orbit(tensor(90, 0), tensor(0, 90), 3.0))[:, :3, 3]
    torch.testing.assert_close(centers, torch.stack([tensor(3, 0, 0), tensor(0, 3, 0)]))


def test_orbit_equals_look_at_away_from_the_poles() -> None:
    azimuth, elevation = tensor(0, 37, 170, -100), tensor(-60, 0, 20, 80)
    target = tensor(0.2, -0.1, 0.4)
    by_angles = orbit(azimuth, elevation, 1.7, target=target, roll_deg=12.0)
    centers = se3.inverse(by_angles)[:, :3, 3]
    torch.testing.assert_close(look_at(centers, target, roll_deg=12.0), by_angles)


def test_orbit_angles_invert_orbit() -> None:
    azimuth, elevation, radius = tensor(0, 37, 170, -100), tensor(-60, 0, 20, 89), tensor(1, 2, 3, 4)
    back = orbit_angles(se3.inverse(orbit(azimuth, elevation, radius))[:, :3, 3])
    for got, expected in zip(back, (azimuth, elevation, radius), strict=True):
        torch.testing.assert_close(got, expected)


def test_positive_roll_rotates_the_camera_clockwise_so_that_up_leans_left_in_the_image() -> None:
    column, row = pixel_of(orbit(tensor(0), tensor(0), 2.0, roll_deg=30.0)[0], 0, 0.1, 0)
    assert column < 32 and row < 24


def test_orbit_is_differentiable_at_the_pole() -> None:
    elevation = tensor(90.0).requires_grad_()
    orbit(tensor(0.0), elevation, 2.0).sum().backward()
    assert elevation.grad is not None and torch.isfinite(elevation.grad).all()


@pytest.mark.parametrize("target", [(0.0, 0.0, 0.0), (0.0, 5.0, 0.0)])
def test_look_at_refuses_no_line_of_sight_and_an_up_along_it(target: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="not along the line of sight"):
        look_at(tensor(0, 0, 0), tensor(*target))


def test_look_at_follows_the_given_up() -> None:
    T = look_at(tensor(0, 5, 0), tensor(0, 0, 0), up=tensor(0, 0, -1))
    column, row = pixel_of(T, 0, 0, -0.1)
    assert column == pytest.approx(32) and row < 24


def test_opengl_camera_looks_along_minus_z() -> None:
    T = opencv_from_opengl(torch.eye(4, dtype=F64))
    column, row = pixel_of(T, 0.1, 0.1, -1.0)
    assert (column, row) == pytest.approx((42, 13))


def test_opengl_accepts_nerfstudio_3x4_matrices() -> None:
    T_gl = opengl_from_opencv(se3.exp(torch.randn(5, 6, generator=torch.Generator().manual_seed(0), dtype=F64)))
    torch.testing.assert_close(opencv_from_opengl(T_gl[:, :3]), opencv_from_opengl(T_gl))


def test_pytorch3d_camera_has_x_left_and_y_up() -> None:
    T = opencv_from_pytorch3d(torch.eye(3, dtype=F64), tensor(0, 0, 1))
    column, row = pixel_of(T, 0.1, 0.1, 0.0)
    assert (column, row) == pytest.approx((22, 13))


def test_pytorch3d_and_opengl_agree_as_the_data_sets_define_them() -> None:
    # V = diag(-1, 1, -1, 1) @ inv(C); R = V[:3, :3]^T, T = V[:3, 3], from the synthetic set's README.
    C = se3.exp(torch.randn(6, generator=torch.Generator().manual_seed(3), dtype=F64))
    V = torch.diag(tensor(-1, 1, -1, 1)) @ torch.linalg.inv(C)
    torch.testing.assert_close(opencv_from_pytorch3d(V[:3, :3].T, V[:3, 3]), opencv_from_opengl(C))


def test_conventions_round_trip() -> None:
    T = se3.exp(torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(1), dtype=F64))
    torch.testing.assert_close(opencv_from_opengl(opengl_from_opencv(T)), T, rtol=0, atol=1e-14)
    assert torch.equal(opencv_from_pytorch3d(*pytorch3d_from_opencv(T)), T)


def test_project_takes_points_of_each_view_and_gives_their_depth() -> None:
    T = orbit(tensor(0, 90), tensor(0, 0), 2.0)
    cameras = Cameras(T, torch.eye(3, dtype=F64).expand(2, 3, 3), width=2, height=2)
    points = torch.stack([tensor(0, 0, 0.5)[None], tensor(0.5, 0, 0)[None]])
    pixels, depth = project(cameras, points)
    torch.testing.assert_close(depth, tensor(1.5, 1.5)[:, None])
    torch.testing.assert_close(pixels, torch.zeros(2, 1, 2, dtype=F64))


def test_projection_through_the_optical_centre_is_finite_and_so_is_its_gradient() -> None:
    points = tensor(0, 0, 2.0)[None].requires_grad_()
    pixels, depth = project(camera(orbit(tensor(0), tensor(0), 2.0)[0]), points)
    pixels.sum().backward()
    assert depth.item() == 0 and torch.isfinite(pixels).all()
    assert points.grad is not None and torch.isfinite(points.grad).all()


def test_resizing_scales_pixels_by_each_axis_factor() -> None:
    cameras = camera(orbit(tensor(20), tensor(10), 2.0)[0])
    points = torch.randn(9, 3, generator=torch.Generator().manual_seed(2), dtype=F64) * 0.3
    before, _ = project(cameras, points)
    after, _ = project(cameras.resized(128, 24), points)
    torch.testing.assert_close(after, before * tensor(2, 0.5))
