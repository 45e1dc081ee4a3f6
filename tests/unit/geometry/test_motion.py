"""Claims about sparseags_ns.geometry.motion."""

from __future__ import annotations

from collections.abc import Callable

import torch

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import Similarity
from sparseags_ns.geometry.motion import object_anchored
from sparseags_ns.views import Views


def some_drift() -> Similarity:
    turn = se3.exp(torch.tensor([0.0, 0.0, 0.0, 0.1, 0.2, 0.3], dtype=torch.float64))[:3, :3]
    return Similarity(torch.tensor(0.9).double(), turn, torch.tensor([0.1, 0.0, -0.2]).double())


def test_a_drift_of_the_whole_world_is_found(make_views: Callable[..., Views]) -> None:
    given = make_views(5).cameras.T_camera_world.double()
    drift = some_drift()
    center = drift.apply_to_points(torch.tensor([0.05, -0.02, 0.1]).double())
    found = object_anchored(given, drift.apply_to_poses(given), center)
    torch.testing.assert_close(found.matrix, drift.matrix, atol=1e-6, rtol=0.0)


def test_one_camera_that_moved_nearer_moves_the_object_for_the_others_but_little(
    make_views: Callable[..., Views],
) -> None:
    """Least squares of the centres would shift every photograph."""
    given = make_views(6).cameras.T_camera_world.double()
    refined = given.clone()
    refined[0, 2, 3] *= 0.6
    found = object_anchored(given, refined, torch.zeros(3).double())
    moved = found.apply_to_points(torch.zeros(3).double())
    torch.testing.assert_close(found.rotation, torch.eye(3).double(), atol=1e-6, rtol=0.0)
    assert moved.norm() < 1e-6 and 0.9 < found.scale < 1.0
