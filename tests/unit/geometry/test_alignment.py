"""Claims about sparseags_ns.geometry.alignment."""

from __future__ import annotations

import pytest
import torch

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import (
    AlignmentError,
    Similarity,
    axes_meeting_point,
    fit_similarity,
    normalizing_similarity,
    up_direction,
)
from sparseags_ns.geometry.cameras import Cameras, look_at, orbit, project

F64 = torch.float64


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def some_similarity(seed: int = 0) -> Similarity:
    T = se3.exp(random(6, seed=seed))
    return Similarity(torch.tensor(2.7, dtype=F64), T[:3, :3], T[:3, 3])


def ring(views: int = 8, radius: float = 1.85) -> torch.Tensor:
    azimuth = torch.arange(views, dtype=F64) * 360 / views
    elevation = torch.linspace(0, 40, views, dtype=F64)
    return orbit(azimuth, elevation, radius)


def centers(T_camera_world: torch.Tensor) -> torch.Tensor:
    return se3.inverse(T_camera_world)[:, :3, 3]


def test_compose_applies_the_argument_first() -> None:
    first, second, points = some_similarity(1), some_similarity(2), random(5, 3)
    expected = second.apply_to_points(first.apply_to_points(points))
    torch.testing.assert_close(second.compose(first).apply_to_points(points), expected)


def test_inverse_undoes_a_similarity() -> None:
    similarity, points = some_similarity(), random(5, 3)
    torch.testing.assert_close(similarity.inverse().apply_to_points(similarity.apply_to_points(points)), points)
    torch.testing.assert_close(similarity.compose(similarity.inverse()).matrix, Similarity.identity().matrix)


def test_moved_cameras_see_moved_points_at_the_same_pixels_and_scaled_depth() -> None:
    similarity, points = some_similarity(), random(6, 3) * 0.3
    K = torch.tensor([[100.0, 0, 32], [0, 110, 24], [0, 0, 1]], dtype=F64).expand(8, 3, 3)
    cameras = Cameras(ring(), K, width=64, height=48)
    moved = cameras.with_poses(similarity.apply_to_poses(cameras.T_camera_world))
    pixels, depth = project(cameras, points)
    moved_pixels, moved_depth = project(moved, similarity.apply_to_points(points))
    torch.testing.assert_close(moved_pixels, pixels)
    torch.testing.assert_close(moved_depth, similarity.scale * depth)
    torch.testing.assert_close(torch.det(moved.T_camera_world[:, :3, :3]), torch.ones(8, dtype=F64))


def test_similarities_keep_the_dtype_of_what_they_move() -> None:
    assert some_similarity().apply_to_points(torch.zeros(2, 3)).dtype == torch.float32
    assert some_similarity().apply_to_poses(ring().float()).dtype == torch.float32


def test_fit_recovers_a_known_similarity() -> None:
    similarity, points = some_similarity(), random(8, 3)
    fitted = fit_similarity(points, similarity.apply_to_points(points))
    torch.testing.assert_close(fitted.matrix, similarity.matrix)


@pytest.mark.parametrize("flatten", [(1.0, 1.0, 0.0), (1.0, 0.0, 0.0)])
def test_fit_of_flat_or_straight_points_is_exact_and_a_proper_rotation(flatten: tuple[float, float, float]) -> None:
    similarity, points = some_similarity(), random(6, 3) * torch.tensor(flatten, dtype=F64)
    fitted = fit_similarity(points, similarity.apply_to_points(points))
    torch.testing.assert_close(fitted.apply_to_points(points), similarity.apply_to_points(points))
    torch.testing.assert_close(torch.det(fitted.rotation), torch.ones((), dtype=F64))


def test_fit_never_mirrors() -> None:
    points = random(8, 3)
    fitted = fit_similarity(points, points * torch.tensor([-1.0, 1, 1], dtype=F64))
    torch.testing.assert_close(torch.det(fitted.rotation), torch.ones((), dtype=F64))


@pytest.mark.parametrize("which", ["source", "target"])
def test_fit_refuses_points_that_coincide_and_names_the_set(which: str) -> None:
    same, spread = torch.ones(4, 3), random(4, 3).float()
    with pytest.raises(AlignmentError, match=f"all 4 {which} points coincide"):
        fit_similarity(same if which == "source" else spread, same if which == "target" else spread)


def test_normal_frame_has_the_object_at_the_origin_at_mean_distance_1_85_and_y_up() -> None:
    moved = some_similarity(5).apply_to_poses(ring(radius=3.0))
    normal = normalizing_similarity(moved).apply_to_poses(moved)
    torch.testing.assert_close(axes_meeting_point(se3.inverse(normal)), torch.zeros(3, dtype=F64), rtol=0, atol=1e-9)
    torch.testing.assert_close(centers(normal).norm(dim=-1), torch.full((8,), 1.85, dtype=F64))
    torch.testing.assert_close(centers(normal)[:, 1], centers(ring())[:, 1])


def test_a_scene_in_the_normal_frame_stays_as_it_is() -> None:
    torch.testing.assert_close(normalizing_similarity(ring()).matrix, torch.eye(4, dtype=F64), rtol=0, atol=1e-12)


def test_an_upside_down_scene_is_rotated_upright() -> None:
    half_turn = Similarity(torch.ones((), dtype=F64), torch.diag(torch.tensor([-1.0, -1, 1], dtype=F64)), random(3))
    upside_down = half_turn.apply_to_poses(ring())
    normal = normalizing_similarity(upside_down).apply_to_poses(upside_down)
    torch.testing.assert_close(centers(normal)[:, 1], centers(ring())[:, 1])


def test_up_of_cameras_stacked_on_one_arc_follows_the_image_up_directions() -> None:
    elevation = torch.tensor([0.0, 10, 20, 30], dtype=F64)
    up = up_direction(se3.inverse(orbit(torch.zeros(4, dtype=F64), elevation, 2.0)))
    assert abs(float(up[0])) < 1e-9 and float(up[1]) > 0.95


def test_up_of_cameras_that_look_straight_down_is_towards_them() -> None:
    eyes = torch.tensor([[0.3, 2, 0], [-0.3, 2, 0], [0, 2, 0.3], [0, 2, -0.3]], dtype=F64)
    below = eyes * torch.tensor([1.0, 0, 1], dtype=F64)
    T = look_at(eyes, below, up=torch.nn.functional.normalize(below, dim=-1))
    torch.testing.assert_close(up_direction(se3.inverse(T)), torch.tensor([0.0, 1, 0], dtype=F64))


def test_one_roll_does_not_tip_the_scene_over() -> None:
    azimuth = torch.arange(8, dtype=F64) * 45
    roll = torch.tensor([0.0, 0, 0, 180, 0, 0, 0, 0], dtype=F64)
    T = orbit(azimuth, torch.full((8,), 20.0, dtype=F64), 2.0, roll_deg=roll)
    torch.testing.assert_close(up_direction(se3.inverse(T)), torch.tensor([0.0, 1, 0], dtype=F64))


def test_normalising_refuses_one_camera() -> None:
    with pytest.raises(AlignmentError, match="needs 2 or more cameras, got 1"):
        normalizing_similarity(ring()[:1])


def test_normalising_refuses_nearly_parallel_axes_and_says_how_parallel() -> None:
    eyes = torch.tensor([[0.0, 0, 2], [0.02, 0, 2], [0, 0.02, 2]], dtype=F64)
    with pytest.raises(AlignmentError, match=r"3 cameras are parallel to within 0\.\d+ degrees"):
        normalizing_similarity(look_at(eyes, torch.zeros(3, dtype=F64)))


def test_normalising_refuses_cameras_that_look_outwards() -> None:
    eyes = centers(ring())
    with pytest.raises(AlignmentError, match="behind 8 of 8 cameras"):
        normalizing_similarity(look_at(eyes, 2 * eyes))
