"""Every key of a transforms.json that means lens or projection is read, or refused by its name."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from sparseags_ns.formats.frame import Distortion, Frame, PoseFileError
from sparseags_ns.formats.poses import read_poses

POSE = [[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 4.0], [0, 0, 0, 1.0]]
PINHOLE = {"fl_x": 400.0, "cx": 128.0, "cy": 127.0, "w": 256, "h": 250}
BENT = {"k1": -0.02, "k2": 0.004, "k3": -0.001, "k4": 0.0003}


def read(tmp_path: Path, shared: dict[str, Any], own: dict[str, Any] | None = None) -> Frame:
    frame = {"file_path": "images/000.png", "transform_matrix": POSE, **(own or {})}
    (tmp_path / "transforms.json").write_text(json.dumps({**shared, "frames": [frame]}))
    return read_poses(tmp_path / "transforms.json")[0]


@pytest.mark.parametrize("is_own", [False, True])
def test_is_fisheye_is_the_fisheye_model(tmp_path: Path, is_own: bool) -> None:
    keys = {**PINHOLE, **BENT, "is_fisheye": True, "p1": 0, "p2": 0}
    frame = read(tmp_path, {}, keys) if is_own else read(tmp_path, keys)
    assert frame.distortion == Distortion(**BENT, fisheye=True)
    assert frame.distortion == read(tmp_path, {**PINHOLE, **BENT, "camera_model": "OPENCV_FISHEYE"}).distortion


def test_is_fisheye_false_says_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, {**PINHOLE, "k1": 0.1, "is_fisheye": False}).distortion == Distortion(k1=0.1)


def test_two_lenses_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PoseFileError, match="'is_fisheye' contradicts the camera model 'OPENCV'"):
        read(tmp_path, {**PINHOLE, "camera_model": "OPENCV", "is_fisheye": True})


@pytest.mark.parametrize("is_own", [False, True])
def test_distortion_params_are_in_nerfstudios_order(tmp_path: Path, is_own: bool) -> None:
    keys = {"distortion_params": [0.06, -0.08, 0.01, 0.0, -0.001, 0.002]}
    frame = read(tmp_path, PINHOLE, keys) if is_own else read(tmp_path, {**PINHOLE, **keys})
    assert frame.distortion == Distortion(k1=0.06, k2=-0.08, k3=0.01, p1=-0.001, p2=0.002)


def test_distortion_params_of_another_number_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PoseFileError, match="'distortion_params' must be 6 numbers"):
        read(tmp_path, {**PINHOLE, "distortion_params": [0.1, 0.2]})


def test_fields_of_view_are_in_degrees(tmp_path: Path) -> None:
    frame = read(tmp_path, {"x_fov": 60.0, "y_fov": 40.0, "w": 200, "h": 100})
    fx, fy = 100 / math.tan(math.radians(30)), 50 / math.tan(math.radians(20))
    assert frame.intrinsics == pytest.approx((fx, fy, 100, 50))
    assert read(tmp_path, {"x_fov": 60.0, "w": 200, "h": 100}).intrinsics == pytest.approx((fx, fx, 100, 50))


def test_a_field_of_view_that_contradicts_the_focal_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PoseFileError, match=r"'x_fov' contradicts the other focal length: 400\.0 and 221\.7 pixels"):
        read(tmp_path, {**PINHOLE, "x_fov": 60.0})
    agreed = math.degrees(2 * math.atan(128 / 400))
    assert read(tmp_path, {**PINHOLE, "x_fov": agreed}).intrinsics[0] == 400.0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("latlong", True),
        ("equirectangular", 1),
        ("orthographic", True),
        ("ftheta_p0", -8.5),
        ("rolling_shutter", [0.0, 0.0, 0.01, 0.0]),
        ("k6", 0.2),
        ("s1", 0.01),
        ("b1", -3.2),
        ("skew", 0.5),
        ("projection_type", "FISHEYE"),
        ("camera_type", "spherical"),
        ("lens_model", "omnidirectional"),
        ("distortion", {"k1": 0.1}),
        ("is_panorama", True),
        ("dist_coeffs", [0.1, 0.0, 0.0, 0.0]),
        ("xi", 0.8),
        ("shift_x", 0.1),
        ("lens", "fisheye"),
        ("lens", {"mode": "FTheta"}),
        ("model", "FISHEYE624"),
        ("cam_model", "equirectangular"),
    ],
)
@pytest.mark.parametrize("is_own", [False, True])
def test_keys_of_lenses_that_are_not_read_are_refused_by_name(
    tmp_path: Path, key: str, value: Any, is_own: bool
) -> None:
    with pytest.raises(PoseFileError, match=f"'{key}' .* changes how the camera maps points to pixels"):
        read(tmp_path, {} if is_own else {**PINHOLE, key: value}, {**PINHOLE, key: value} if is_own else None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("latlong", False),
        ("camera_type", "PERSP"),
        ("lens", 35.0),
        ("model", "iPhone 12"),
        ("shift_x", 0),
        ("rolling_shutter", [0, 0, 0, 0]),
        ("k6", 0.0),
        ("projection_type", "Perspective"),
        ("distortion", None),
        ("fisheye_crop_radius", 120),
        ("aabb_scale", 4),
        ("scale", 0.33),
        ("offset", [0.5, 0.5, 0.5]),
        ("applied_transform", POSE[:3]),
        ("orientation_override", "none"),
        ("sharpness", 12.5),
        ("colmap_im_id", 3),
        ("depth_file_path", "depth/000.png"),
        ("time", 0.5),
        ("rotation", 0.0126),
        ("lens", "EF 50mm f/1.8"),
    ],
)
def test_keys_that_leave_the_camera_as_it_is_pass(tmp_path: Path, key: str, value: Any) -> None:
    shared = read(tmp_path, {**PINHOLE, key: value})
    own = read(tmp_path, PINHOLE, {key: value})
    assert shared.distortion.is_none and own.distortion.is_none and own.extra == {key: value}
