"""Every key of a transforms.json that states the camera is read, and must agree with the others."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sparseags_ns.formats.frame import Distortion, Frame, PoseFileError
from sparseags_ns.formats.poses import read_poses
from sparseags_ns.formats.transforms_json import write_transforms_json

POSE = [[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 4.0], [0, 0, 0, 1.0]]
SIZE = {"w": 256, "h": 250}
PIXELS = {"fl_x": 400.0, "fl_y": 380.0, "cx": 130.0, "cy": 127.0}
MATRIX = [[400.0, 0, 130], [0, 380, 127], [0, 0, 1]]
OF_COLUMNS = [400.0, 0, 0, 0, 380, 0, 130, 127, 1]
OTHER = [[410.0, 0, 130], [0, 380, 127], [0, 0, 1]]


def degrees(side: float, focal: float) -> float:
    return math.degrees(2 * math.atan(side / 2 / focal))


def read(tmp_path: Path, shared: dict[str, Any], own: dict[str, Any] | None = None) -> Frame:
    frame = {"file_path": "images/000.png", "transform_matrix": POSE, **(own or {})}
    (tmp_path / "transforms.json").write_text(json.dumps({**shared, "frames": [frame]}))
    return read_poses(tmp_path / "transforms.json")[0]


@pytest.mark.parametrize(
    "keys",
    [
        {"K": MATRIX},
        {"K": [value for row in MATRIX for value in row]},
        {"intrinsic_matrix": OF_COLUMNS},
        {"camera_matrix": MATRIX},
        {"intrinsics": [*([*row, 0] for row in MATRIX), [0, 0, 0, 1]]},
        {"intrinsics": [400, 380, 130, 127]},
        {"intrinsics": {"fx": 400, "fy": 380, "cx": 130, "cy": 127}},
        {"intrinsics": {"width": 256, "height": 250, "intrinsic_matrix": OF_COLUMNS}},
        {"camera_intrinsics": MATRIX},
        {"fx": 400, "fy": 380, "principal_point": [130, 127]},
        {"fl_x": 400, "fl_y": 380, "principal_point": [130, 127]},
        {"fl_x": 400, "fl_y": 380, "principal_point": {"x": 130, "y": 127}},
        {"FovX": math.radians(degrees(256, 400)), "FovY": math.radians(degrees(250, 380)), "cx": 130, "cy": 127},
        {"fov_x": degrees(256, 400), "fov_y": degrees(250, 380), "cx": 130, "cy": 127},
        {"hfov": degrees(256, 400), "vfov": degrees(250, 380), "cx": 130, "cy": 127},
        {"fov": [degrees(256, 400), degrees(250, 380)], "cx": 130, "cy": 127},
        {"fov_x_rad": math.radians(degrees(256, 400)), "fl_y": 380, "cx": 130, "cy": 127},
        {"fl_x": 400, "pixel_aspect_x": 0.95, "pixel_aspect_y": 1.0, "cx": 130, "cy": 127},
    ],
)
@pytest.mark.parametrize("is_own", [False, True])
def test_all_ways_of_stating_a_camera_are_read(tmp_path: Path, keys: dict[str, Any], is_own: bool) -> None:
    frame = read(tmp_path, SIZE, keys) if is_own else read(tmp_path, {**SIZE, **keys})
    assert frame.intrinsics == pytest.approx((400, 380, 130, 127))
    assert read(tmp_path, {**SIZE, **PIXELS, **keys}).intrinsics == pytest.approx((400, 380, 130, 127))
    write_transforms_json(tmp_path / "copy.json", [frame])
    (written,) = json.loads((tmp_path / "copy.json").read_text())["frames"]
    assert not set(written) & set(keys) - set(PIXELS), "a key that is read is not written again beside other values"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"K": OTHER}, r"'K' contradicts the other focal length: 400\.0 and 410\.0 pixels by 'fl_x' and 'K'"),
        ({"intrinsics": OTHER}, r"400\.0 and 410\.0 pixels by 'fl_x' and 'intrinsics'"),
        ({"intrinsic_matrix": OTHER}, "by 'fl_x' and 'intrinsic_matrix'"),
        ({"camera_matrix": OTHER}, "by 'fl_x' and 'camera_matrix'"),
        ({"intrinsics": {"fx": 410}}, r"by 'fl_x' and 'intrinsics\.fx'"),
        ({"principal_point": [125, 127]}, r"other principal point: 130\.0 and 125\.0 pixels by 'cx' and 'principal_po"),
        ({"principal_point": [0.5, 0.5]}, "'principal_point' contradicts"),
        ({"fov": 90.0}, r"'fov' contradicts the other focal length: 400\.0 and 128\.0 pixels by 'fl_x' and 'fov'"),
        ({"fov_x": 90.0}, r"400\.0 and 128\.0 pixels by 'fl_x' and 'fov_x'"),
        ({"fov_y": 90.0}, r"380\.0 and 125\.0 pixels by 'fl_y' and 'fov_y'"),
        ({"x_fov": 90.0}, r"400\.0 and 128\.0 pixels by 'fl_x' and 'x_fov'"),
        ({"dfov": 90.0}, "by 'fl_x' and 'dfov'"),
        ({"pixel_aspect_x": 2.0}, r"380\.0 and 800\.0 pixels by 'fl_y' and 'pixel_aspect_x'"),
        ({"width": 512}, r"'width' contradicts the other width: 256\.0 and 512\.0 pixels by 'w' and 'width'"),
        ({"k1": 0.1, "distortion_params": [0.0] * 6}, "other coefficient: 0.1 and 0 by 'k1' and 'distortion_params'"),
        ({"k2": 0.1, "distortion_params": [0, 0.2, 0, 0, 0, 0]}, "0.1 and 0.2 by 'k2' and 'distortion_params'"),
    ],
)
@pytest.mark.parametrize("is_own", [False, True])
def test_keys_that_contradict_each_other_are_named_with_their_values(
    tmp_path: Path, keys: dict[str, Any], message: str, is_own: bool
) -> None:
    content = {**SIZE, **PIXELS, **keys}
    with pytest.raises(PoseFileError, match=message):
        read(tmp_path, {} if is_own else content, content if is_own else None)


def test_what_a_frame_says_goes_before_what_the_file_says(tmp_path: Path) -> None:
    assert read(tmp_path, {**SIZE, **PIXELS}, {"K": OTHER}).intrinsics == (410, 380, 130, 127)
    assert read(tmp_path, {**SIZE, "K": MATRIX}, {"fl_x": 300.0}).intrinsics == (300, 380, 130, 127)
    assert read(tmp_path, {**SIZE, **PIXELS}, {"fl_x": None, "k1": None}).intrinsics == (400, 380, 130, 127)


@pytest.mark.parametrize(
    "keys",
    [
        {"K": [[400.3, 0, 130.4], [0, 379.6, 126.5], [0, 0, 1]]},
        {"principal_point": [129.5, 126.5]},
        {"fov": round(degrees(256, 400), 1)},
        {"fov": round(degrees(250, 380), 1)},
        {"fov": round(degrees(math.hypot(256, 250), 390), 1)},
        {"pixel_aspect_x": 0.95},
        {"distortion_params": [0.0] * 6},
        {"distortion_params": [0.0] * 4},
        {"k1": None, "k2": 0, "distortion_params": None, "camera_model": None, "is_fisheye": None},
        {"is_fisheye": False, "normalized": False, "crop": None, "cropped": False},
        {"crop": [0, 0, 256, 250]},
        {"crop": {"x": 0, "y": 0, "w": 256, "h": 250}},
        {"crop": [0.0, 0.0, 1.0, 1.0]},
        {"ortho_scale": 6.0, "type": "PERSP", "orthographic_size": 5},
        {"K": None, "intrinsics": {}, "fov": None},
        {"crop_factor": 1.5, "sensor_width": 36},
        {"camera_matrix": [[0, 0, 1, 2], [1, 0, 0, 3], [0, 1, 0, 4], [0, 0, 0, 1]]},
    ],
)
@pytest.mark.parametrize("is_own", [False, True])
def test_keys_that_agree_or_say_nothing_pass(tmp_path: Path, keys: dict[str, Any], is_own: bool) -> None:
    content = {**SIZE, **PIXELS, **keys}
    frame = read(tmp_path, {} if is_own else content, content if is_own else None)
    assert frame.intrinsics == (400, 380, 130, 127) and frame.distortion == Distortion() and not frame.notes


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"crop": [10, 0, 200, 250]}, "'crop' .* changes how the camera maps points to pixels"),
        ({"crop": {"x": 10}}, "'crop' .* changes how"),
        ({"crop_box": [10, 0, 200, 250]}, "'crop_box' .* changes how"),
        ({"crop_x": 4}, "'crop_x' .* changes how"),
        ({"normalized": True}, "'normalized' .* changes how"),
        ({"type": "ORTHO", "ortho_scale": 6.0}, "'type' .* changes how"),
        ({"intrinsics": {"fx": 400, "skew": 2.0}}, "'skew' .* changes how"),
        ({"intrinsics": {"fx": 400, "camera_model": "OPENCV_FISHEYE"}}, "'camera_model' .* changes how"),
        ({"K": [[400, 9, 130], [0, 380, 127], [0, 0, 1]]}, "'K' is no camera matrix"),
        ({"K": [400, 130, 127]}, "'K' is no camera matrix"),
        ({"intrinsics": [MATRIX] * 50}, r"'intrinsics' is no camera matrix .* is .{80}; write"),
        ({"intrinsics": "intrinsics.txt"}, "'intrinsics' is no camera matrix .* is 'intrinsics.txt'"),
        ({"intrinsics": {"f": 400}}, "'intrinsics' is no camera matrix"),
        ({"K": [[400, 0, 130], [0, -380, 127], [0, 0, 1]]}, "'K' is no camera matrix"),
        ({"principal_point": 128}, "'principal_point' must be 2 numbers"),
        ({"fov_deg": 200}, "'fov_deg' must be in degrees, below 180, is 200"),
    ],
)
@pytest.mark.parametrize("is_own", [False, True])
def test_keys_that_change_the_camera_and_cannot_be_read_are_refused(
    tmp_path: Path, keys: dict[str, Any], message: str, is_own: bool
) -> None:
    content = {**SIZE, **PIXELS, **keys}
    with pytest.raises(PoseFileError, match=message):
        read(tmp_path, {} if is_own else content, content if is_own else None)


@pytest.mark.parametrize("keys", [{"fl_y": 380}, {"fov_y": degrees(250, 380)}, {"fl_y": 380, "fov": degrees(256, 380)}])
def test_the_vertical_focal_length_serves_both_axes(tmp_path: Path, keys: dict[str, Any]) -> None:
    assert read(tmp_path, {**SIZE, **keys}).intrinsics == pytest.approx((380, 380, 128, 125))


def test_fields_of_view_are_compared_by_the_photographs_size_where_the_file_has_none(tmp_path: Path) -> None:
    assert read(tmp_path, {**PIXELS, "fov_x": 90.0}).intrinsics == (400, 380, 130, 127), "there is no photograph"
    (tmp_path / "images").mkdir()
    Image.new("L", (256, 250)).save(tmp_path / "images/000.png")
    with pytest.raises(PoseFileError, match=r"400\.0 and 128\.0 pixels by 'fl_x' and 'fov_x'"):
        read(tmp_path, {**PIXELS, "fov_x": 90.0})
    frame = read(tmp_path, {**PIXELS, "fov_x": degrees(256, 400)})
    assert frame.intrinsics[0] == 400 and (frame.width, frame.height) == (None, None)


def test_a_field_of_view_along_an_unknown_axis_is_read_of_squares_only(tmp_path: Path) -> None:
    assert read(tmp_path, {"w": 200, "h": 200, "fov": 60.0}).intrinsics == pytest.approx(
        (100 * math.sqrt(3), 100 * math.sqrt(3), 100, 100)
    )
    with pytest.raises(PoseFileError, match="'fov' does not say whether it is along the width or the height of 256x2"):
        read(tmp_path, {**SIZE, "fov": 60.0})


@pytest.mark.parametrize("keys", [{"K": [[1.5, 0, 0.5], [0, 1.6, 0.5], [0, 0, 1]]}, {"fl_x": 1.5}])
def test_shares_of_the_photographs_size_are_no_pixels(tmp_path: Path, keys: dict[str, Any]) -> None:
    with pytest.raises(PoseFileError, match=r"a focal length of 1\.5 .* 256 pixels wide: write 'fl_x', .* in pixels"):
        read(tmp_path, {**SIZE, **keys})
    with pytest.raises(PoseFileError, match=r"a principal point at 0\.5, 0\.5 \('principal_point'\) cannot be meant"):
        read(tmp_path, {**SIZE, "fl_x": 400, "principal_point": [0.5, 0.5]})


def test_an_angle_that_is_not_used_is_named(tmp_path: Path) -> None:
    frame = read(tmp_path, {**SIZE, **PIXELS, "camera_angle_x": 1.0})
    what, why = f"'camera_angle_x' in {tmp_path / 'transforms.json'} is not used", "it contradicts 'fl_x', which goes "
    assert [(note[0], note[1][: len(why)]) for note in frame.notes] == [(what, why)]
    assert frame.intrinsics[0] == 400
    agreed = math.radians(degrees(256, 400))
    assert read(tmp_path, {**SIZE, **PIXELS, "camera_angle_x": agreed}).notes == ()


def test_the_circle_of_a_fisheye_lens_is_named(tmp_path: Path) -> None:
    lens = {**SIZE, **PIXELS, "fisheye_crop_radius": 100}
    assert read(tmp_path, lens).notes == ()
    assert "'fisheye_crop_radius'" in read(tmp_path, {**lens, "camera_model": "OPENCV_FISHEYE"}).notes[0][0]
