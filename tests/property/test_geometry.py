"""Properties of geometry and formats that must hold for any input, searched by hypothesis."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseags_ns.formats.cameras_json import write_cameras_json
from sparseags_ns.formats.frame import Frame, intrinsics_matrix
from sparseags_ns.formats.poses import read_poses
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import Similarity, fit_similarity, normalizing_similarity
from sparseags_ns.geometry.cameras import (
    look_at,
    opencv_from_opengl,
    opencv_from_pytorch3d,
    opengl_from_opencv,
    orbit,
    orbit_angles,
    pytorch3d_from_opencv,
)
from sparseags_ns.geometry.pose_errors import pose_errors

F64 = torch.float64
CALM = settings(max_examples=50, deadline=None)

coordinates = st.floats(-5, 5, allow_nan=False)
seeds = st.integers(0, 2**31)


def vectors(size: int) -> st.SearchStrategy[torch.Tensor]:
    return st.lists(coordinates, min_size=size, max_size=size).map(lambda xs: torch.tensor(xs, dtype=F64))


@st.composite
def tangents(draw: st.DrawFn, largest_angle: float = math.pi - 1e-3) -> torch.Tensor:
    axis = draw(vectors(3).filter(lambda v: float(v.norm()) > 1e-3))
    # Angles over many orders of magnitude: the interesting ones are tiny.
    angle = draw(st.one_of(st.floats(0, largest_angle), st.floats(-18, 0).map(lambda e: 10**e)))
    return torch.cat([draw(vectors(3)), axis / axis.norm() * angle])


poses = tangents().map(se3.exp)


@st.composite
def similarities(draw: st.DrawFn) -> Similarity:
    T = draw(poses)
    return Similarity(torch.tensor(10 ** draw(st.floats(-2, 2)), dtype=F64), T[:3, :3], T[:3, 3])


def scattered_cameras(seed: int, views: int) -> torch.Tensor:
    """Cameras around the origin that look near it, not all in one place."""
    generator = torch.Generator().manual_seed(seed)
    azimuth = torch.arange(views, dtype=F64) * 360 / views + 20 * torch.rand(views, generator=generator, dtype=F64)
    elevation = 60 * torch.rand(views, generator=generator, dtype=F64) - 10
    target = 0.05 * torch.randn(views, 3, generator=generator, dtype=F64)
    return orbit(azimuth, elevation, 2.0, target=target)


@CALM
@given(tangents())
def test_log_inverts_exp(xi: torch.Tensor) -> None:
    torch.testing.assert_close(se3.log(se3.exp(xi)), xi, rtol=1e-9, atol=1e-9)


@CALM
@given(tangents())
def test_exp_of_the_opposite_tangent_is_the_inverse(xi: torch.Tensor) -> None:
    torch.testing.assert_close(se3.exp(-xi), se3.inverse(se3.exp(xi)), rtol=0, atol=1e-12)


@CALM
@given(tangents())
def test_exp_gives_a_rotation_of_the_tangents_angle(xi: torch.Tensor) -> None:
    R = se3.exp(xi)[:3, :3]
    torch.testing.assert_close(R @ R.T, torch.eye(3, dtype=F64), rtol=0, atol=1e-13)
    torch.testing.assert_close(se3.rotation_angle(R), xi[3:].norm(), rtol=1e-12, atol=1e-15)


@CALM
@given(poses)
def test_foreign_conventions_round_trip(T: torch.Tensor) -> None:
    torch.testing.assert_close(opencv_from_opengl(opengl_from_opencv(T)), T, rtol=0, atol=1e-12)
    assert torch.equal(opencv_from_pytorch3d(*pytorch3d_from_opencv(T)), T)


@CALM
@given(vectors(3), vectors(3), st.floats(-180, 180))
def test_look_at_puts_the_target_on_the_optical_axis(eye: torch.Tensor, target: torch.Tensor, roll_deg: float) -> None:
    sight = target - eye
    if float(sight[[0, 2]].norm()) < 1e-3 * float(sight.norm()) + 1e-6:
        return  # Straight up or down, or nowhere: refused, and tested as such.
    T = look_at(eye, target, roll_deg=roll_deg)
    seen = se3.transform_points(T, target[None])[0]
    torch.testing.assert_close(seen, torch.stack([*torch.zeros(2, dtype=F64), sight.norm()]), rtol=0, atol=1e-9)
    torch.testing.assert_close(se3.inverse(T)[:3, 3], eye, rtol=0, atol=1e-9)


@CALM
@given(st.floats(-179, 179), st.floats(-89, 89), st.floats(0.1, 10), st.floats(-180, 180))
def test_orbit_angles_invert_orbit(azimuth_deg: float, elevation_deg: float, radius: float, roll_deg: float) -> None:
    T = orbit(torch.tensor(azimuth_deg, dtype=F64), torch.tensor(elevation_deg, dtype=F64), radius, roll_deg=roll_deg)
    found = torch.stack(orbit_angles(se3.inverse(T)[:3, 3]))
    expected = torch.tensor([azimuth_deg, elevation_deg, radius], dtype=F64)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@CALM
@given(similarities(), similarities(), vectors(3))
def test_similarities_are_a_group(a: Similarity, b: Similarity, point: torch.Tensor) -> None:
    both = a.compose(b)
    torch.testing.assert_close(both.apply_to_points(point), a.apply_to_points(b.apply_to_points(point)))
    back = both.inverse().apply_to_points(both.apply_to_points(point))
    torch.testing.assert_close(back, point, rtol=1e-6, atol=1e-6)


@CALM
@given(similarities(), seeds, st.integers(3, 12))
def test_fit_recovers_any_similarity(similarity: Similarity, seed: int, count: int) -> None:
    points = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=F64)
    moved = similarity.apply_to_points(points)
    fitted = fit_similarity(points, moved)
    torch.testing.assert_close(fitted.apply_to_points(points), moved, rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(fitted.scale, similarity.scale, rtol=1e-7, atol=0)


@CALM
@given(similarities(), seeds, st.integers(3, 12))
def test_normal_frame_does_not_depend_on_the_world_up_to_a_turn_about_y(
    similarity: Similarity, seed: int, views: int
) -> None:
    cameras = scattered_cameras(seed, views)
    moved = similarity.apply_to_poses(cameras)
    normal, normal_moved = (normalizing_similarity(T).apply_to_poses(T) for T in (cameras, moved))
    centers, centers_moved = se3.inverse(normal)[:, :3, 3], se3.inverse(normal_moved)[:, :3, 3]
    torch.testing.assert_close(centers_moved[:, 1], centers[:, 1], rtol=0, atol=1e-6)
    torch.testing.assert_close(centers_moved.norm(dim=-1), centers.norm(dim=-1), rtol=0, atol=1e-6)


@CALM
@given(seeds, st.integers(3, 12))
def test_normalising_twice_changes_nothing(seed: int, views: int) -> None:
    cameras = scattered_cameras(seed, views)
    normal = normalizing_similarity(cameras).apply_to_poses(cameras)
    torch.testing.assert_close(normalizing_similarity(normal).matrix, torch.eye(4, dtype=F64), rtol=0, atol=1e-6)


@CALM
@given(similarities(), seeds, st.integers(3, 10))
def test_pose_errors_do_not_depend_on_the_predicted_world(similarity: Similarity, seed: int, views: int) -> None:
    true, predicted = scattered_cameras(seed, views), scattered_cameras(seed + 1, views)
    errors, moved = pose_errors(predicted, true), pose_errors(similarity.apply_to_poses(predicted), true)
    torch.testing.assert_close(moved.center, errors.center, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(moved.pairs_rotation_deg, errors.pairs_rotation_deg, rtol=0, atol=1e-6)


@CALM
@given(st.lists(poses, min_size=1, max_size=4), st.floats(16, 1e4), st.floats(-1e3, 1e3))
def test_pose_files_round_trip(Ts: list[torch.Tensor], focal: float, principal: float) -> None:
    K = intrinsics_matrix(focal, focal / 3, principal, -principal / 7)
    frames = [Frame(f"v{i}", f"images/{i}.png", T, K, width=256, height=128) for i, T in enumerate(Ts)]
    with tempfile.TemporaryDirectory() as folder:
        first, second, third = (Path(folder) / name for name in ("a.json", "b.json", "c.json"))
        write_cameras_json(first, frames)
        write_transforms_json(second, read_poses(first))
        write_cameras_json(third, read_poses(second))
        back = read_poses(third)
    for frame, T in zip(back, Ts, strict=True):
        torch.testing.assert_close(frame.T_camera_world, T, rtol=0, atol=1e-12)
        assert torch.equal(frame.K, K)
