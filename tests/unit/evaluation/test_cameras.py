"""Cameras in files against true cameras in files."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sparseags_ns.evaluation.cameras import compare_pose_files
from sparseags_ns.formats.cameras_json import write_cameras_json
from sparseags_ns.formats.frame import Frame, intrinsics_matrix
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.geometry.cameras import orbit
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
    assert errors.poses.rotation_deg.max() < 1e-4 and errors.poses.center.max() < 1e-6


def test_a_view_without_truth_is_named(make_views: Callable[..., Views], tmp_path: Path) -> None:
    listed = frames(make_views(5))
    write_cameras_json(tmp_path / "predicted.json", listed)
    write_cameras_json(tmp_path / "true.json", listed[:4])
    with pytest.raises(ValueError, match=r"true\.json holds no camera for 004"):
        compare_pose_files(tmp_path / "predicted.json", tmp_path / "true.json")


def test_views_of_one_name_are_told_apart_by_their_folders(make_views: Callable[..., Views], tmp_path: Path) -> None:
    listed = frames(make_views(4))
    paths = ["left/000.png", "right/000.png", "left/001.png", "right/002.png"]
    rig = [replace(frame, name=path, file_path=path) for frame, path in zip(listed, paths, strict=True)]
    write_cameras_json(tmp_path / "predicted.json", rig[1:])
    elsewhere = [replace(frame, file_path=f"data\\{frame.file_path[:-4]}.jpg") for frame in rig[::-1]]
    write_cameras_json(tmp_path / "true.json", elsewhere)
    errors = compare_pose_files(tmp_path / "predicted.json", tmp_path / "true.json")
    assert errors.names == ("000", "001", "002") and float(errors.poses.rotation_deg.max()) < 1e-3
    write_cameras_json(tmp_path / "predicted.json", [replace(rig[0], file_path="000.png"), rig[3]])
    with pytest.raises(ValueError, match="names two photographs '000', and which is meant cannot be told"):
        compare_pose_files(tmp_path / "predicted.json", tmp_path / "true.json")


def test_figures_of_a_hand_made_case(tmp_path: Path) -> None:
    """Four cameras on a square of half diagonal 2; one of them rotated by 10 degrees, focals of 2 and 1.1 times."""
    listed = [
        Frame(str(view), f"{view}.png", pose, intrinsics_matrix(100, 100, 16, 16), 32, 32)
        for view, pose in enumerate(orbit(torch.tensor([0.0, 90, 180, 270]).double(), torch.zeros(4).double(), 2.0))
    ]
    turn = exp(torch.tensor([0.0, 0, 0, math.radians(10), 0, 0], dtype=torch.float64))
    wrong = [replace(frame, K=intrinsics_matrix(110, 110, 16, 16)) for frame in listed]
    wrong[2] = replace(wrong[2], T_camera_world=turn @ listed[2].T_camera_world)
    wrong[3] = replace(wrong[3], K=intrinsics_matrix(200, 200, 16, 16))
    write_transforms_json(tmp_path / "true.json", listed)
    write_transforms_json(tmp_path / "predicted.json", wrong)
    summary = compare_pose_files(tmp_path / "predicted.json", tmp_path / "true.json").summary()
    # 6 of the 12 ordered pairs contain the rotated camera; rotating on the spot moves no centre.
    assert summary["R@5"] == 0.5 and summary["R@15"] == 1.0 and summary["CC@0.1"] == 1.0
    assert summary["worst_rotation_view"] == "2" and summary["worst_rotation_error_deg"] == pytest.approx(10)
    assert summary["worst_center_error"] < 1e-9
    assert summary["median_focal_error"] == pytest.approx(math.log(1.1))


def test_a_camera_out_of_place_is_measured_in_the_scale_of_the_scene(tmp_path: Path) -> None:
    """Two opposite pairs on the axes; 0.4 outwards for one pair and inwards for the other keep the best fit the same:
    scale (2.4 * 2 + 1.6 * 2) * 2 / (2 * (2.4^2 + 1.6^2)) = 16 / 16.64."""
    azimuth, elevation = torch.tensor([0.0, 90, 180, 270]).double(), torch.zeros(4).double()
    K = intrinsics_matrix(100, 100, 16, 16)
    for name, radius in (("true", [2.0, 2.0, 2.0, 2.0]), ("predicted", [2.4, 1.6, 2.4, 1.6])):
        poses = orbit(azimuth, elevation, torch.tensor(radius).double())
        write_transforms_json(tmp_path / f"{name}.json", [Frame(str(i), f"{i}.png", T, K) for i, T in enumerate(poses)])
    errors = compare_pose_files(tmp_path / "predicted.json", tmp_path / "true.json")
    scale = 16 / 16.64
    expected = torch.tensor([abs(2.4 * scale - 2), abs(1.6 * scale - 2)] * 2, dtype=torch.float64) / 2
    torch.testing.assert_close(errors.poses.center, expected)
    assert errors.summary()["CC@0.1"] == 0.0


def test_focals_of_photographs_of_other_sizes_are_not_compared(
    make_views: Callable[..., Views], tmp_path: Path
) -> None:
    listed = frames(make_views(4))
    write_transforms_json(tmp_path / "true.json", [replace(frame, width=64, height=64) for frame in listed])
    write_transforms_json(tmp_path / "predicted.json", listed)
    errors = compare_pose_files(tmp_path / "predicted.json", tmp_path / "true.json")
    assert errors.focal_error is None and "median_focal_error" not in errors.summary()
