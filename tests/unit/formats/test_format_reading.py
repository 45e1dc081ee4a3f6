"""Claims about what sparseags_ns.formats reads: intrinsics, names, photographs, and complaints about bad files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from sparseags_ns.formats.frame import PoseFileError, find_image
from sparseags_ns.formats.poses import read_poses
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import opencv_from_opengl, opencv_from_pytorch3d

IDENTITY = [[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 4.0], [0, 0, 0, 1.0]]
NAN_POSE = [[1.0, 0, 0, float("nan")], *IDENTITY[1:]]
STRETCHED = [[1.1, 0, 0], [0, 1.0, 0], [0, 0, 1.0]]
MIRROR = [[-1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]]


def save(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def cameras_entry(**changes: Any) -> dict[str, Any]:
    entry = {
        "R": [[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]],
        "T": [0.0, 0, 2],
        "focal_length": [400.0, 400.0],
        "principal_point": [128.0, 128.0],
        "filepath": "data/demo/it/processed/000.png",
        "flag": 1,
    }
    return {key: value for key, value in {**entry, **changes}.items() if value is not None}


def transforms_frame(**changes: Any) -> dict[str, Any]:
    frame = {"file_path": "images/000.png", "transform_matrix": IDENTITY, "fl_x": 400.0, "cx": 128.0, "cy": 127.0}
    return {key: value for key, value in {**frame, **changes}.items() if value is not None}


def test_global_intrinsics_are_used_where_a_frame_has_none(tmp_path: Path) -> None:
    content = {"fl_x": 300.0, "fl_y": 310, "cx": 10.5, "cy": 11.5, "w": 540.0, "h": 960, "k1": 0.1}
    own = transforms_frame(file_path="images/001.png", fl_x=500.0, k1=0.0)
    bare = transforms_frame(fl_x=None, cx=None, cy=None)
    shared, particular = read_poses(save(tmp_path / "t.json", {**content, "frames": [bare, own]}))
    assert shared.intrinsics == (300.0, 310.0, 10.5, 11.5)
    assert (shared.width, shared.height, shared.distortion.k1) == (540, 960, 0.1)
    assert not shared.distortion.is_none and particular.distortion.is_none
    assert particular.intrinsics == (500.0, 310.0, 128.0, 127.0)


def test_one_focal_length_serves_both_axes(tmp_path: Path) -> None:
    (frame,) = read_poses(save(tmp_path / "t.json", {"frames": [transforms_frame()]}))
    assert frame.intrinsics == (400.0, 400.0, 128.0, 127.0)


def test_camera_angle_gives_the_focal_length_of_the_photograph_found_beside_it(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    Image.new("RGB", (200, 100)).save(tmp_path / "train" / "r_0.png")
    blender = {
        "camera_angle_x": 1.5707963267948966,
        "frames": [{"file_path": "./train/r_0", "transform_matrix": IDENTITY}],
    }
    (frame,) = read_poses(save(tmp_path / "transforms_train.json", blender))
    assert frame.intrinsics == pytest.approx((100.0, 100.0, 100.0, 50.0))
    assert (frame.name, frame.width, frame.height) == ("r_0", 200, 100)


def test_whole_paths_name_the_views_where_photographs_share_a_name(tmp_path: Path) -> None:
    rig = [transforms_frame(file_path="left/0.png"), transforms_frame(file_path="right/0.png")]
    assert [f.name for f in read_poses(save(tmp_path / "t.json", {"frames": rig}))] == ["left/0.png", "right/0.png"]


def test_three_rows_make_a_pose(tmp_path: Path) -> None:
    short = save(tmp_path / "short.json", {"frames": [transforms_frame(transform_matrix=IDENTITY[:3])]})
    full = save(tmp_path / "full.json", {"frames": [transforms_frame()]})
    (a,), (b,) = read_poses(short), read_poses(full)
    assert torch.equal(a.T_camera_world, b.T_camera_world)


def test_flag_zero_and_missing_flag(tmp_path: Path) -> None:
    entries = {"a": cameras_entry(flag=0), "b": cameras_entry(flag=None)}
    assert [f.trusted for f in read_poses(save(tmp_path / "c.json", entries))] == [False, True]


def test_a_slightly_off_rotation_is_made_orthonormal(tmp_path: Path) -> None:
    R = [[1.0, 0.002, 0], [0, 1.0, 0], [0, 0, 0.999]]
    (frame,) = read_poses(save(tmp_path / "c.json", {"a": cameras_entry(R=R)}))
    rotation = frame.T_camera_world[:3, :3]
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(3, dtype=torch.float64), rtol=0, atol=1e-14)


ROTATION = se3.exp(torch.tensor([0, 0, 0, 0.5, -1.1, 0.7], dtype=torch.float64))[:3, :3]


@pytest.mark.parametrize("scale", [0.4, 1.0, 1.02, 250.0])
def test_a_uniform_scale_is_divided_out_of_a_rotation(tmp_path: Path, scale: float) -> None:
    center = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    rows = torch.cat([scale * ROTATION, center[:, None]], dim=1).tolist()
    (frame,) = read_poses(save(tmp_path / "t.json", {"frames": [transforms_frame(transform_matrix=rows)]}))
    expected = opencv_from_opengl(torch.cat([ROTATION, center[:, None]], dim=1))
    torch.testing.assert_close(frame.T_camera_world, expected, rtol=0, atol=1e-12)
    assert frame.matrix_scale == pytest.approx(scale)
    entry = cameras_entry(R=(scale * ROTATION).tolist(), T=(-scale * center @ ROTATION).tolist())
    (frame,) = read_poses(save(tmp_path / "c.json", {"a": entry}))
    torch.testing.assert_close(torch.linalg.inv(frame.T_camera_world)[:3, 3], center, rtol=0, atol=1e-12)
    torch.testing.assert_close(frame.T_camera_world, opencv_from_pytorch3d(ROTATION, -center @ ROTATION))


@pytest.mark.parametrize("scales", [(0.4, 0.4, 0.5), (-0.4, 0.4, 0.4), (0.0, 0.0, 0.0)])
def test_what_is_no_scaled_rotation_is_refused(tmp_path: Path, scales: tuple[float, float, float]) -> None:
    rows = torch.cat([ROTATION * torch.tensor(scales), torch.ones(3, 1)], dim=1).tolist()
    with pytest.raises(PoseFileError, match="'transform_matrix' holds no rotation"):
        read_poses(save(tmp_path / "t.json", {"frames": [transforms_frame(transform_matrix=rows)]}))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_of_windows_programs_may_begin_with_a_mark(tmp_path: Path, encoding: str) -> None:
    content = json.dumps({"frames": [transforms_frame(file_path="images/ä.png")]}, ensure_ascii=False)
    (tmp_path / "t.json").write_text(content, encoding=encoding)
    assert [frame.file_path for frame in read_poses(tmp_path / "t.json")] == ["images/ä.png"]


@pytest.mark.parametrize(
    "written, there",
    [
        ("data/demo/it/processed/000.png", "processed/000.png"),
        ("data/demo/it/processed/000.png", "images/000.png"),
        ("images/000.png", "images/000.png"),
        ("/somewhere/else/images/000.png", "images/000.png"),
        ("images\\000.png", "images/000.png"),
        ("images/000", "images/000.jpg"),
        ("../../photos/000.png", "photos/000.png"),
    ],
)
def test_photographs_are_found_by_scene_and_basename(tmp_path: Path, written: str, there: str) -> None:
    save(tmp_path / there, "")
    pose_file = save(tmp_path / "init" / "level" / "transforms.json", "")
    found = find_image(written, pose_file, tmp_path)
    assert found is not None and found.samefile(tmp_path / there)


def test_processed_photographs_come_before_images(tmp_path: Path) -> None:
    save(tmp_path / "images" / "0.png", "")
    save(tmp_path / "processed" / "0.png", "")
    found = find_image("elsewhere/0.png", tmp_path / "cameras.json", tmp_path)
    assert found == tmp_path / "processed" / "0.png"


def test_a_missing_photograph_is_none(tmp_path: Path) -> None:
    assert find_image("images/000.png", tmp_path / "transforms.json", tmp_path) is None


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"R": None}, "view 'a': 'R' is missing; found 'T', 'focal_length'"),
        ({"T": [0.0, 1.0]}, "view 'a': 'T' must be 3 numbers, is"),
        ({"T": [0.0, 1.0, "2"]}, "view 'a': 'T' must be 3 numbers, is"),
        ({"T": [0.0, 1.0, float("inf")]}, "view 'a': 'T' holds NaN or infinity"),
        ({"R": [[float("nan")] * 3] * 3}, "view 'a': 'R' holds NaN or infinity"),
        ({"R": [1.0, 0, 0]}, "view 'a': 'R' must be 3 x 3 numbers"),
        ({"R": STRETCHED}, r"view 'a': 'R' holds no rotation: .* by 0.21 \(tolerance 0.01\)"),
        ({"R": MIRROR}, r"view 'a': 'R' holds no rotation: .*determinant is -1 \(expected 1\)"),
        ({"focal_length": [400.0, 0.0]}, "view 'a': 'focal_length' must be above zero"),
        ({"focal_length": [10**400, 1]}, "view 'a': 'focal_length' holds NaN or infinity"),
        ({"principal_point": True}, "view 'a': 'principal_point' must be 2 numbers, is True"),
        ({"filepath": 7}, "view 'a': 'filepath' must be a string, is 7"),
        ({"flag": "yes"}, "view 'a': 'flag' must be 1 or 0, is 'yes'"),
        ({"image_size_crop": [256, 0.5]}, "view 'a': 'height' must be a whole number of pixels"),
        ({"distortion": {"k9": 1.0}}, "view 'a': 'distortion' must be an object with some of"),
    ],
)
def test_bad_cameras_json_names_file_view_and_expectation(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = save(tmp_path / "cameras.json", {"a": cameras_entry(**changes)})
    with pytest.raises(PoseFileError, match=f"cameras.json: {message}"):
        read_poses(path)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"file_path": None}, r"view 'frames\[0\]': 'file_path' is missing"),
        ({"transform_matrix": None}, "view 'images/000.png': 'transform_matrix' is missing"),
        ({"transform_matrix": NAN_POSE}, "view 'images/000.png': 'transform_matrix' holds NaN or infinity"),
        ({"transform_matrix": IDENTITY[:2]}, "view 'images/000.png': 'transform_matrix' must be 4 x 4 numbers"),
        ({"transform_matrix": [*IDENTITY[:3], [0, 0, 0, 2]]}, "view 'images/000.png': the last row"),
        ({"fl_x": None}, "view 'images/000.png': no focal length: expected 'fl_x' or 'camera_angle_x'"),
        ({"fl_x": -3}, "view 'images/000.png': 'fl_x' must be above zero, is -3"),
        ({"fl_x": None, "camera_angle_x": 4, "w": 9, "h": 9}, "view 'images/000.png': 'camera_angle_x' must be in rad"),
        ({"cx": None}, "view 'images/000.png': without all of 'fl_x', 'cx' and 'cy' the photograph's size is needed"),
        ({"w": 12.5}, "view 'images/000.png': 'w' must be a whole number of pixels, is 12.5"),
        ({"camera_model": "EQUIRECTANGULAR"}, "view 'images/000.png': camera model 'EQUIRECTANGULAR' is not supported"),
        ({"k1": "big"}, "view 'images/000.png': 'k1' must be a number, is 'big'"),
    ],
)
def test_bad_transforms_json_names_file_view_and_expectation(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = save(tmp_path / "transforms.json", {"frames": [transforms_frame(**changes)]})
    with pytest.raises(PoseFileError, match=f"transforms.json: {message}"):
        read_poses(path)


@pytest.mark.parametrize(
    "content, message",
    [
        ("{not json", "is not JSON: Expecting"),
        ("[1, 2]", "must hold a JSON object"),
        ("{}", "neither a transforms.json .* nor a cameras.json .* its keys are none"),
        ('{"a": 1}', "neither a transforms.json .* its keys are 'a'"),
        ('{"frames": []}', "'frames' must be a list of at least one frame"),
        ('{"frames": [3]}', r"view 'frames\[0\]': must be a JSON object, is a int"),
        ('{"a": {"R": []}, "a": {"R": []}}', "the name 'a' occurs more than once"),
        ({"a": cameras_entry(), "b": 5}, "view 'b': must be a JSON object with R, T, ..., is a int"),
        ({"frames": [transforms_frame(), transforms_frame()]}, "view 'images/000.png': occurs 2 times in 'frames'"),
        (
            {"frames": [transforms_frame(name="x"), transforms_frame(file_path="b.png", name="x")]},
            "view 'x': the name occurs 2 times",
        ),
    ],
)
def test_what_is_no_pose_file_is_named(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(PoseFileError, match=f"poses.json: {message}"):
        read_poses(save(tmp_path / "poses.json", content))


def test_a_missing_file_and_a_binary_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(PoseFileError, match=r"nothing\.json: cannot be read: No such file"):
        read_poses(tmp_path / "nothing.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(PoseFileError, match=r"binary\.json: is not JSON"):
        read_poses(tmp_path / "binary.json")
