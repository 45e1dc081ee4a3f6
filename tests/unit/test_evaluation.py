"""Cameras in files against true cameras in files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sparseags_ns.evaluation import compare_pose_files
from sparseags_ns.export.run_outputs import aligned
from sparseags_ns.formats.cameras_json import write_cameras_json
from sparseags_ns.formats.frame import Frame
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.geometry.alignment import Similarity
from sparseags_ns.geometry.se3 import exp
from sparseags_ns.views import Views


def frames(views: Views) -> list[Frame]:
    cameras = views.cameras
    return [
        Frame(name, f"images/{name}.png", cameras.T_camera_world[i].double(), cameras.K[i].double(), 32, 32)
        for i, name in enumerate(views.names)
    ]


def test_views_are_matched_by_name_across_formats(make_views: Callable[..., Views], tmp_path: Path) -> None:
    listed = frames(make_views(5))
    write_transforms_json(tmp_path / "true.json", listed)
    write_cameras_json(tmp_path / "predicted.json", listed[::-1])
    errors = compare_pose_files(tmp_path / "predicted.json", tmp_path / "true.json")
    assert errors.rotation_deg.max() < 1e-4 and errors.center.max() < 1e-6


def test_a_view_without_truth_is_named(make_views: Callable[..., Views], tmp_path: Path) -> None:
    listed = frames(make_views(5))
    write_cameras_json(tmp_path / "predicted.json", listed)
    write_cameras_json(tmp_path / "true.json", listed[:4])
    with pytest.raises(ValueError, match=r"true\.json holds no camera for 004"):
        compare_pose_files(tmp_path / "predicted.json", tmp_path / "true.json")


def test_a_drift_of_the_whole_world_is_no_error_of_the_given_poses(make_views: Callable[..., Views]) -> None:
    given = make_views(5).cameras.to(torch.float64)
    turn = exp(torch.tensor([0.0, 0.0, 0.0, 0.1, 0.2, 0.3], dtype=torch.float64))[:3, :3]
    drift = Similarity(torch.tensor(0.9).double(), turn, torch.tensor([0.1, 0.0, -0.2]).double())
    drifted = given.with_poses(drift.apply_to_poses(given.T_camera_world))
    torch.testing.assert_close(aligned(given, drifted).T_camera_world, drifted.T_camera_world)
