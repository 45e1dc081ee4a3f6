"""Claims about sparseags_ns.geometry.pose_errors; with the data sets at hand, against their own figures."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from sparseags_ns.formats.poses import read_poses
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import AlignmentError, Similarity
from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.geometry.pose_errors import pairwise_rotation_errors_deg, pose_errors, scene_scale

F64 = torch.float64
SHARED = Path(__file__).parents[3].parent / "shared" / "data"
TRUTHS = sorted(SHARED.glob("synthetic/*/init/*/truth.json")) + sorted(SHARED.glob("real/*/init/*/truth.json"))


def ring(views: int = 8) -> torch.Tensor:
    azimuth = torch.arange(views, dtype=F64) * 360 / views
    return orbit(azimuth, torch.linspace(0, 40, views, dtype=F64), 2.0)


def rotated(T_camera_world: torch.Tensor, view: int, angle_deg: float) -> torch.Tensor:
    """The cameras with one of them rotated about its own x axis."""
    tangents = torch.zeros(len(T_camera_world), 6, dtype=F64)
    tangents[view, 3] = math.radians(angle_deg)
    return se3.exp(tangents) @ T_camera_world


def test_errors_are_zero_for_the_truth_in_any_world() -> None:
    T = se3.exp(torch.randn(6, generator=torch.Generator().manual_seed(0), dtype=F64))
    similarity = Similarity(torch.tensor(0.3, dtype=F64), T[:3, :3], T[:3, 3])
    errors = pose_errors(similarity.apply_to_poses(ring()), ring())
    assert float(errors.pairs_rotation_deg.max()) < 1e-6
    assert float(errors.center.max()) < 1e-12
    assert (errors.rotation_accuracy(5.0), errors.center_accuracy()) == (1.0, 1.0)


def test_one_rotated_camera_is_wrong_in_its_own_pairs_only() -> None:
    errors = pairwise_rotation_errors_deg(rotated(ring(), view=2, angle_deg=10.0), ring())
    expected = torch.zeros(8, 8, dtype=F64)
    expected[2, :] = expected[:, 2] = 10.0
    expected[2, 2] = 0.0
    torch.testing.assert_close(errors, expected, rtol=0, atol=1e-6)


def test_rotation_accuracy_counts_ordered_pairs_strictly_below_the_threshold() -> None:
    errors = pose_errors(rotated(ring(), view=2, angle_deg=10.0), ring())
    assert errors.rotation_accuracy(9.9) == pytest.approx(42 / 56)
    assert errors.rotation_accuracy(10.1) == 1.0


def test_gross_rotation_errors_stay_with_the_views_that_have_them() -> None:
    predicted = rotated(rotated(ring(), view=2, angle_deg=120.0), view=5, angle_deg=90.0)
    rotation = pose_errors(predicted, ring()).rotation_deg
    torch.testing.assert_close(rotation[[2, 5]], torch.tensor([120.0, 90.0], dtype=F64))
    assert float(rotation[[0, 1, 3, 4, 6, 7]].max()) < 1e-6


def test_center_errors_are_in_units_of_the_farthest_true_camera() -> None:
    centers = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 3], [0, 0, -3]], dtype=F64)
    assert float(scene_scale(centers)) == 3.0


def test_two_views_share_their_rotation_error() -> None:
    errors = pose_errors(rotated(ring(2), view=1, angle_deg=7.0), ring(2))
    torch.testing.assert_close(errors.rotation_deg, torch.tensor([7.0, 7.0], dtype=F64))


def test_one_view_has_nothing_to_be_compared_with() -> None:
    with pytest.raises(AlignmentError, match="need 2 or more views, got 1"):
        pose_errors(ring()[:1], ring()[:1])


def test_metrics_take_float32_poses_that_require_gradients() -> None:
    predicted = ring().float().requires_grad_()
    assert pose_errors(predicted, ring().float()).summary()["R@5"] == 1.0


@pytest.mark.skipif(not TRUTHS, reason=f"no data sets with truth under {SHARED}")
@pytest.mark.parametrize("truth_file", TRUTHS, ids=lambda path: f"{path.parts[-4]}-{path.parts[-2]}")
def test_metrics_equal_those_published_with_the_data(truth_file: Path) -> None:
    truth = json.loads(truth_file.read_text())
    predicted = _read(truth_file.with_name("transforms.json"))
    true = _read(truth_file.parents[2] / "gt" / "transforms.json")
    errors = pose_errors(predicted, true)
    assert errors.summary() == pytest.approx(truth["metrics"], abs=1e-4)
    aligned = [truth["views"][f"{view:03d}"]["center_error_aligned"] for view in range(len(true))]
    torch.testing.assert_close(errors.center, torch.tensor(aligned, dtype=F64), rtol=0, atol=1e-5)
    assert float(scene_scale(se3.inverse(true)[:, :3, 3])) == pytest.approx(truth["scale_s"])


def _read(path: Path) -> torch.Tensor:
    return torch.stack([frame.T_camera_world for frame in sorted(read_poses(path), key=lambda frame: frame.name)])
