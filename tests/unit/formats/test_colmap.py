"""COLMAP's models, text and binary, written here by hand and, where it is installed, by COLMAP itself."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from sparseags_ns.formats.colmap import (
    LENSES,
    SeenPoints,
    is_colmap_model,
    read_colmap,
    read_colmap_points,
    write_colmap,
)
from sparseags_ns.formats.colmap_records import MODELS
from sparseags_ns.formats.frame import Distortion, Frame, PoseFileError, intrinsics_matrix
from sparseags_ns.formats.poses import read_poses
from sparseags_ns.formats.projection import distort

CAMERAS = """# Camera list with one line of data per camera:
1 SIMPLE_RADIAL 640 480 500 320 240 0.1
7 OPENCV 800 600 700 710 400.5 300.25 0.1 -0.05 0.001 0.002
"""
# The second photograph sees no point: its second line is empty. The third has a space in its name.
IMAGES = """# Image list with two lines of data per image:
2 0.5 0.5 0.5 0.5 1 2 3 1 b.jpg
10 20 -1 30.5 40 1

1 1 0 0 0 0 0 4 7 a.jpg

3 0.6 0 0.8 0 0 0 1 1 my photo.jpg
1 2 1
"""
POINTS = """# 3D point list
1 0.5 -1 2 255 0 51 0.5 2 0 3 0
2 1 1 1 0 0 0 2
"""

NO_POINTS = SeenPoints(torch.zeros(0, 3), torch.zeros(0, 3), torch.zeros(1, 0, 2), torch.zeros(1, 0, dtype=torch.bool))


@pytest.fixture
def text_model(tmp_path: Path) -> Path:
    for name, content in (("cameras", CAMERAS), ("images", IMAGES), ("points3D", POINTS)):
        (tmp_path / f"{name}.txt").write_text(content)
    return tmp_path


@pytest.fixture
def binary_model(tmp_path: Path) -> Path:
    """The text model written in binary, one value after the other."""
    folder = tmp_path / "binary"
    folder.mkdir()
    cameras = struct.pack("<Q", 2)
    cameras += struct.pack("<iiQQ4d", 1, 2, 640, 480, 500, 320, 240, 0.1)
    cameras += struct.pack("<iiQQ8d", 7, 4, 800, 600, 700, 710, 400.5, 300.25, 0.1, -0.05, 0.001, 0.002)
    images = struct.pack("<Q", 3)
    images += struct.pack("<i7di", 2, 0.5, 0.5, 0.5, 0.5, 1, 2, 3, 1) + b"b.jpg\0"
    images += struct.pack("<Q", 2) + struct.pack("<ddqddq", 10, 20, -1, 30.5, 40, 1)
    images += struct.pack("<i7di", 1, 1, 0, 0, 0, 0, 0, 4, 7) + b"a.jpg\0" + struct.pack("<Q", 0)
    images += struct.pack("<i7di", 3, 0.6, 0, 0.8, 0, 0, 0, 1, 1) + b"my photo.jpg\0"
    images += struct.pack("<Q", 1) + struct.pack("<ddq", 1, 2, 1)
    points = struct.pack("<Q", 2)
    points += struct.pack("<Q3d3BdQ4i", 1, 0.5, -1, 2, 255, 0, 51, 0.5, 2, 2, 0, 3, 0)
    points += struct.pack("<Q3d3BdQ", 2, 1, 1, 1, 0, 0, 0, 2, 0)
    for name, content in (("cameras", cameras), ("images", images), ("points3D", points)):
        (folder / f"{name}.bin").write_bytes(content)
    return folder


def same(a: Frame, b: Frame) -> bool:
    plain = (a.name, a.file_path, a.width, a.height, a.distortion) == (
        b.name, b.file_path, b.width, b.height, b.distortion
    )  # fmt: skip
    return plain and torch.equal(a.K, b.K) and torch.equal(a.T_camera_world, b.T_camera_world)


def test_photographs_get_their_cameras_by_name(text_model: Path) -> None:
    a, b, c = read_colmap(text_model)
    assert (a.file_path, b.file_path, c.file_path) == ("a.jpg", "b.jpg", "my photo.jpg")
    assert (a.name, a.width, a.height, a.trusted) == ("a", 800, 600, True)
    assert a.intrinsics == (700, 710, 400.5, 300.25)
    assert a.distortion == Distortion(k1=0.1, k2=-0.05, p1=0.001, p2=0.002)
    assert b.intrinsics == (500, 500, 320, 240)
    assert b.distortion == Distortion(k1=0.1)
    assert torch.equal(a.T_camera_world[:3, 3], torch.tensor([0.0, 0, 4]).double())
    # A third of a turn about the diagonal takes x to y, y to z and z to x.
    expected = torch.tensor([[0.0, 0, 1, 1], [1, 0, 0, 2], [0, 1, 0, 3], [0, 0, 0, 1]]).double()
    assert torch.allclose(b.T_camera_world, expected)


def test_binary_and_text_models_say_the_same(text_model: Path, binary_model: Path) -> None:
    assert all(map(same, read_colmap(text_model), read_colmap(binary_model)))
    text, binary = read_colmap_points(text_model), read_colmap_points(binary_model)
    assert text is not None and binary is not None
    for name in ("positions", "colors", "errors_px", "track_lengths"):
        assert torch.equal(getattr(text, name), getattr(binary, name))
    assert text.colors[0].tolist() == [1.0, 0.0, 0.2]
    assert text.track_lengths.tolist() == [2, 0]
    for name in ("photos", "points", "errors_px", "measured"):
        assert torch.equal(getattr(text.observations, name), getattr(binary.observations, name))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_text_models_of_windows_programs_say_the_same(text_model: Path, binary_model: Path, encoding: str) -> None:
    for path in text_model.glob("*.txt"):
        path.write_bytes(path.read_text().replace("\n", "\r\n").encode(encoding))
    assert all(map(same, read_colmap(text_model), read_colmap(binary_model))), "a mark before a comment"
    for path in text_model.glob("*.txt"):
        path.write_text(path.read_text(encoding).split("\n", 1)[1], encoding=encoding)
    assert all(map(same, read_colmap(text_model), read_colmap(binary_model)))


def test_whole_numbers_may_be_written_as_decimals(text_model: Path, binary_model: Path) -> None:
    (text_model / "cameras.txt").write_text(CAMERAS.replace("640 480", "640.0 480.0").replace("7 OPENCV", "7.0 OPENCV"))
    (text_model / "images.txt").write_text(IMAGES.replace("7 a.jpg", "7.0 a.jpg").replace("40 1", "40 1.0"))
    (text_model / "points3D.txt").write_text(
        POINTS.replace("255 0 51", "255.0 0.0 51.0").replace("2 0 3 0", "2.0 0 3 0")
    )
    assert all(map(same, read_colmap(text_model), read_colmap(binary_model)))
    text, binary = read_colmap_points(text_model), read_colmap_points(binary_model)
    assert text is not None and binary is not None and torch.equal(text.colors, binary.colors)
    assert torch.equal(text.track_lengths, binary.track_lengths)
    (text_model / "cameras.txt").write_text(CAMERAS.replace("640 480", "640.5 480"))
    with pytest.raises(PoseFileError, match=r"cameras\.txt: is cut off, damaged"):
        read_colmap(text_model)


def test_binary_goes_before_text(text_model: Path, binary_model: Path) -> None:
    for path in binary_model.iterdir():
        path.rename(text_model / path.name)
    (text_model / "cameras.txt").write_text("nonsense")
    assert len(read_colmap(text_model)) == 3


def test_text_is_read_where_the_binary_files_are_damaged(text_model: Path, binary_model: Path) -> None:
    expected = read_colmap(binary_model)
    for path in binary_model.iterdir():
        path.rename(text_model / path.name)
    (text_model / "images.bin").write_bytes(b"")
    frames = read_colmap(text_model)
    assert all(map(same, frames, expected))
    ((what, why),) = frames[0].notes
    assert what == f"the .txt files of the model {text_model} are read"
    assert "images.bin: is cut off, damaged" in why and "0 bytes" in why
    (text_model / "images.txt").write_text("one two three\n")
    with pytest.raises(PoseFileError, match=r"images\.bin: is cut off, damaged"):
        read_colmap(text_model)


def test_points_are_read_from_text_where_the_binary_ones_are_damaged(text_model: Path, binary_model: Path) -> None:
    for path in binary_model.iterdir():
        path.rename(text_model / path.name)
    (text_model / "points3D.bin").write_bytes((text_model / "points3D.bin").read_bytes()[:40])
    assert read_colmap(text_model)[0].notes == ()
    points = read_colmap_points(text_model)
    assert points is not None and points.track_lengths.tolist() == [2, 0]
    assert "points3D.bin: is cut off, damaged" in points.notes[0][1]


@pytest.mark.parametrize("kind", ["txt", "bin"])
def test_names_that_are_not_utf_8_are_those_on_the_disk(
    text_model: Path, binary_model: Path, tmp_path: Path, kind: Literal["txt", "bin"]
) -> None:
    folder, name = (text_model if kind == "txt" else binary_model), b"Gr\xfcn \x85.jpg"
    images = folder / f"images.{kind}"
    images.write_bytes(images.read_bytes().replace(b"my photo.jpg", name))
    frames = read_colmap(folder)
    assert os.fsencode(frames[0].file_path) == name
    write_colmap(tmp_path / "copy", frames[:1], NO_POINTS, kind)
    assert [frame.file_path for frame in read_colmap(tmp_path / "copy")] == [os.fsdecode(name)]


@pytest.mark.parametrize(("factor", "scale"), [(1.0004, 1.0), (1.02, 1.02), (3.0, 3.0), (0.5, 0.5)])
def test_quaternions_of_any_length_are_the_rotations_that_colmap_makes_of_them(
    text_model: Path, factor: float, scale: float
) -> None:
    expected = read_colmap(text_model)[2].T_camera_world
    quaternion = " ".join(f"{factor * value:.9g}" for value in (0.6, 0, 0.8, 0))
    (text_model / "images.txt").write_text(IMAGES.replace("0.6 0 0.8 0", quaternion))
    frame = read_colmap(text_model)[2]
    assert torch.allclose(frame.T_camera_world, expected, atol=1e-8)
    assert frame.matrix_scale == pytest.approx(scale)


def test_a_folder_is_read_as_a_model(text_model: Path) -> None:
    assert is_colmap_model(text_model)
    assert all(map(same, read_poses(text_model), read_colmap(text_model)))


def observed_model(
    folder: Path, pixels: str, track: str, error: str = "1.0", lens: str = "PINHOLE 100 100 50 50"
) -> Path:
    """A camera at the origin, one a unit to its right; one point, 2 units in front of the first."""
    model, *params = lens.split()
    (folder / "cameras.txt").write_text(f"1 {model} 100 100 {' '.join(params)}\n")
    (folder / "images.txt").write_text(f"1 1 0 0 0 0 0 0 1 a.jpg\n{pixels}\n2 1 0 0 0 -1 0 0 1 b.jpg\n0 50 7\n")
    (folder / "points3D.txt").write_text(f"7 0 0 2 9 9 9 {error} {track}\n")
    return folder


def test_reprojection_errors_are_computed_not_believed(tmp_path: Path) -> None:
    points = read_colmap_points(observed_model(tmp_path, "53 46 7", "1 0 2 0"))
    assert points is not None and points.observations.errors_px.tolist() == [5.0, 0.0], "off by 3 and -4 pixels"
    assert points.errors_px.tolist() == [2.5] and points.stated_errors_px.tolist() == [1.0]


def test_a_lens_takes_part_in_reprojection_errors(tmp_path: Path) -> None:
    # The second camera sees the point at (-0.5, 0): r^2 is 0.25, so the lens moves it by 0.4 * 0.25 of that, 5 pixels.
    model = observed_model(tmp_path, "50 50 7", "1 0 2 0", lens="SIMPLE_RADIAL 100 50 50 0.4")
    points = read_colmap_points(model)
    assert points is not None and points.observations.errors_px.tolist() == pytest.approx([0.0, 5.0])


def test_a_photograph_that_shows_a_point_thrice_counts_once_by_its_worst(tmp_path: Path) -> None:
    points = read_colmap_points(observed_model(tmp_path, "50 50 7 50 51 7 58 50 7", "1 0 1 1 1 2"))
    assert points is not None and points.track_lengths.tolist() == [1]
    assert points.observations.errors_px.tolist() == [8.0]


def test_a_point_behind_a_camera_is_infinitely_wrong(tmp_path: Path) -> None:
    observed_model(tmp_path, "50 50 7", "1 0")
    (tmp_path / "points3D.txt").write_text("7 0 0 -2 9 9 9 0.5 1 0\n")
    points = read_colmap_points(tmp_path)
    assert points is not None and points.errors_px.tolist() == [torch.inf]


def test_without_2d_points_nothing_is_observed(tmp_path: Path) -> None:
    points = read_colmap_points(observed_model(tmp_path, "", "1 0 1 1 9 0", error="0.5"))
    assert points is not None and len(points.observations.photos) == 0 and points.errors_px.tolist() == [0.5]


def test_projections_that_were_stated_as_exact_are_no_measurements(tmp_path: Path) -> None:
    for pixels, error, measured in (("50 50 7", "0", False), ("50 50 7", "0.4", True), ("50.3 50 7", "0", True)):
        points = read_colmap_points(observed_model(tmp_path, pixels, "1 0", error))
        assert points is not None and points.observations.measured.tolist() == [measured]


@pytest.mark.parametrize("kind", ["bin", "txt"])
def test_the_errors_that_are_written_are_those_of_the_2d_points(tmp_path: Path, kind: Literal["bin", "txt"]) -> None:
    here = torch.eye(4, dtype=torch.float64)
    frame = Frame("a", "a.jpg", here, intrinsics_matrix(100.0, 100.0, 50.0, 50.0), 100, 100)
    other = replace(frame, name="b", file_path="b.jpg")
    seen = torch.tensor([[True, True, False], [True, False, False]])
    pixels = torch.tensor([[53.0, 54.0], [50.0, 51.0], [0.0, 0.0]]).double().expand(2, 3, 2).clone()
    pixels[1, 0] = torch.tensor([50.0, 50.0])
    positions = torch.tensor([[0.0, 0.0, 2.0]]).double().repeat(3, 1)
    write_colmap(tmp_path, [frame, other], SeenPoints(positions, positions * 0, pixels, seen), kind)
    points = read_colmap_points(tmp_path)
    assert points is not None
    assert points.stated_errors_px.tolist() == [2.5, 1.0, -1.0], "no photograph shows the last"
    assert points.errors_px.tolist()[:2] == [2.5, 1.0]


def test_a_model_without_points_has_none(text_model: Path) -> None:
    (text_model / "points3D.txt").write_text("# none\n")
    assert read_colmap_points(text_model) is None
    (text_model / "points3D.txt").unlink()
    assert read_colmap_points(text_model) is None


def test_photographs_of_one_name_in_two_folders_keep_their_paths(text_model: Path) -> None:
    (text_model / "images.txt").write_text(IMAGES.replace("b.jpg", "left/a.jpg"))
    assert [frame.name for frame in read_colmap(text_model)] == ["a.jpg", "left/a.jpg", "my photo.jpg"]


def test_a_folder_without_a_model(tmp_path: Path, snapshot: Callable[..., None]) -> None:
    with pytest.raises(PoseFileError) as error:
        read_colmap(tmp_path)
    snapshot(str(error.value), MODEL=tmp_path)


def test_a_model_without_photographs(text_model: Path, snapshot: Callable[..., None]) -> None:
    (text_model / "images.txt").write_text("# none\n")
    with pytest.raises(PoseFileError) as error:
        read_colmap(text_model)
    snapshot(str(error.value), MODEL=text_model)


def test_a_lens_that_cannot_be_straightened(text_model: Path, snapshot: Callable[..., None]) -> None:
    (text_model / "cameras.txt").write_text(CAMERAS.replace("SIMPLE_RADIAL", "FOV"))
    with pytest.raises(PoseFileError) as error:
        read_colmap(text_model)
    snapshot(str(error.value), MODEL=text_model)


def test_a_rational_lens(text_model: Path, snapshot: Callable[..., None]) -> None:
    (text_model / "cameras.txt").write_text(
        "1 FULL_OPENCV 64 48 50 50 32 24 .1 0 0 0 0 .2 0 0\n7 PINHOLE 8 6 5 5 4 3\n"
    )
    with pytest.raises(PoseFileError) as error:
        read_colmap(text_model)
    snapshot(str(error.value), MODEL=text_model)


def test_a_lens_with_too_few_parameters(text_model: Path, snapshot: Callable[..., None]) -> None:
    (text_model / "cameras.txt").write_text(CAMERAS.replace("320 240 0.1", "320 240"))
    with pytest.raises(PoseFileError) as error:
        read_colmap(text_model)
    snapshot(str(error.value), MODEL=text_model)


@pytest.mark.parametrize("focal", ["-500", "nan", "0"])
def test_a_focal_length_that_is_none(text_model: Path, focal: str, snapshot: Callable[..., None]) -> None:
    (text_model / "cameras.txt").write_text(CAMERAS.replace(" 500 ", f" {focal} "))
    with pytest.raises(PoseFileError) as error:
        read_colmap(text_model)
    assert "finite parameters and focal lengths above zero" in str(error.value)
    if focal == "0":
        snapshot(str(error.value), MODEL=text_model)


def test_a_photograph_whose_camera_is_missing(text_model: Path, snapshot: Callable[..., None]) -> None:
    (text_model / "cameras.txt").write_text(CAMERAS.replace("7 OPENCV", "8 OPENCV"))
    with pytest.raises(PoseFileError) as error:
        read_colmap(text_model)
    snapshot(str(error.value), MODEL=text_model)


def test_a_pose_that_is_none(text_model: Path, snapshot: Callable[..., None]) -> None:
    (text_model / "images.txt").write_text(IMAGES.replace("1 1 0 0 0 0 0 4", "1 0 0 0 0 0 0 4"))
    with pytest.raises(PoseFileError) as error:
        read_colmap(text_model)
    snapshot(str(error.value), "quaternion", MODEL=text_model)
    (text_model / "images.txt").write_text(IMAGES.replace("1 1 0 0 0 0 0 4", "1 1 0 0 0 nan 0 4"))
    with pytest.raises(PoseFileError) as error:
        read_colmap(text_model)
    snapshot(str(error.value), "nan", MODEL=text_model)


def test_a_photograph_that_occurs_twice(text_model: Path, snapshot: Callable[..., None]) -> None:
    (text_model / "images.txt").write_text(IMAGES.replace("b.jpg", "a.jpg"))
    with pytest.raises(PoseFileError) as error:
        read_colmap(text_model)
    snapshot(str(error.value), MODEL=text_model)


def test_a_model_of_an_unknown_kind_of_camera(binary_model: Path, snapshot: Callable[..., None]) -> None:
    (binary_model / "cameras.bin").write_bytes(struct.pack("<QiiQQd", 1, 1, 99, 64, 48, 50))
    with pytest.raises(PoseFileError) as error:
        read_colmap(binary_model)
    snapshot(str(error.value), MODEL=binary_model)


@pytest.mark.parametrize("name", ["cameras", "images", "points3D"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.97])
def test_files_that_are_cut_off(binary_model: Path, name: str, kept: float) -> None:
    path = binary_model / f"{name}.bin"
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(PoseFileError, match=rf"{name}\.bin: is cut off, damaged or no file of a COLMAP model"):
        read_colmap(binary_model)
        read_colmap_points(binary_model)


def test_text_that_is_none(text_model: Path, snapshot: Callable[..., None]) -> None:
    (text_model / "images.txt").write_text("one two three\n")
    with pytest.raises(PoseFileError) as error:
        read_colmap(text_model)
    snapshot(str(error.value), MODEL=text_model)


def pycolmap() -> Any:
    if find_spec("pycolmap") is None:
        pytest.skip("needs pycolmap (the extra `features`)")
    return import_module("pycolmap")


@pytest.mark.parametrize("binary", [True, False])
def test_models_that_colmap_itself_wrote(tmp_path: Path, binary: bool) -> None:
    colmap = pycolmap()
    options = colmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig, options.num_points3D = 2, 1, 3, 20
    model = colmap.synthesize_dataset(options)
    noise = colmap.SyntheticNoiseOptions()
    noise.point2D_stddev = 1.5
    colmap.synthesize_noise(noise, model)
    model.update_point_3d_errors()
    (model.write_binary if binary else model.write_text)(str(tmp_path))
    frames, points = {frame.file_path: frame for frame in read_colmap(tmp_path)}, read_colmap_points(tmp_path)
    assert len(frames) == 6 and points is not None
    for image in model.images.values():
        frame = frames[image.name]
        pose = torch.from_numpy(image.cam_from_world().matrix())
        assert torch.allclose(frame.T_camera_world[:3], pose, atol=1e-9)
        assert frame.intrinsics[0] == pytest.approx(image.camera.params[0])
    expected = sorted(point.xyz.tolist() for point in model.points3D.values())
    assert torch.allclose(torch.tensor(sorted(points.positions.tolist())), torch.tensor(expected))
    assert float(points.stated_errors_px.min()) > 0.1
    assert torch.allclose(points.errors_px, points.stated_errors_px), "our computation is COLMAP's"


@pytest.mark.parametrize("model", sorted(LENSES))
def test_lenses_bend_points_as_colmap_does(model: str) -> None:
    colmap = pycolmap()
    number = next(key for key, (name, _) in MODELS.items() if name == model)
    focals, names, fisheye = LENSES[model]
    small = {"k1": 0.1, "k2": -0.03, "p1": 0.002, "p2": -0.001, "k3": 0.01}
    coefficients = {name: value for name, value in small.items() if name in names}
    params = [500.0] * focals + [320.0, 240.0] + [coefficients.get(name, 0.0) for name in names]
    camera = colmap.Camera(model=model, width=640, height=480, params=params)
    assert int(camera.model.value) == number
    ideal = torch.tensor([[0.3, -0.2], [-0.5, 0.4], [0.01, 0.0]], dtype=torch.float64)
    seen = torch.from_numpy(camera.img_from_cam(torch.cat([ideal, torch.ones(3, 1)], dim=1).numpy()))
    ours = distort(ideal, Distortion(**coefficients, fisheye=fisheye)) * 500 + torch.tensor([320.0, 240.0])
    assert torch.allclose(ours, seen.double(), atol=1e-6)


def test_the_numbers_of_the_models_are_colmaps() -> None:
    colmap = pycolmap()
    for number, (name, count) in MODELS.items():
        camera = colmap.Camera.create_from_model_name(1, name, 500, 640, 480)
        assert (int(camera.model.value), len(camera.params)) == (number, count)
