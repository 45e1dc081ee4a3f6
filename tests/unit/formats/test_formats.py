"""Claims about what sparseags_ns.formats writes: round trips of our frames, of the authors' files and the data sets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sparseags_ns.formats.cameras_json import read_cameras_json, write_cameras_json
from sparseags_ns.formats.frame import Distortion, Frame, find_image, intrinsics_matrix
from sparseags_ns.formats.poses import read_poses
from sparseags_ns.formats.transforms_json import read_transforms_json, write_transforms_json
from sparseags_ns.geometry.cameras import opencv_from_opengl, orbit

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
LEVELS = sorted(SHARED.glob("synthetic/*/init/*")) + sorted(SHARED.glob("real/*/init/*"))
DEMOS = sorted(SHARED.glob("sparseags_demo/*/cameras.json"))


def frames(views: int = 3) -> list[Frame]:
    angles = torch.arange(views, dtype=torch.float64)
    poses = orbit(40 * angles, 10 * angles, 1.5 + 0.1 * angles)
    return [
        Frame(
            name=f"{view:03d}",
            file_path=f"processed/{view:03d}_rgba.png",
            T_camera_world=poses[view],
            K=intrinsics_matrix(400 + view / 7, 401 + view / 3, 128 + view / 9, 127 - view / 11),
            width=256,
            height=250,
            trusted=view != 1,
            extra={"needs_checking": view == 2, "crop_parameters": [0.1, 0.2, view]},
        )
        for view in range(views)
    ]


def assert_same(got: list[Frame], expected: list[Frame], atol: float = 1e-12) -> None:
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a.T_camera_world, b.T_camera_world, rtol=0, atol=atol)
        torch.testing.assert_close(a.K, b.K, rtol=0, atol=atol)
        for key in ("name", "file_path", "width", "height", "trusted", "distortion", "extra"):
            assert getattr(a, key) == getattr(b, key), key


def test_cameras_json_round_trips(tmp_path: Path) -> None:
    write_cameras_json(tmp_path / "cameras.json", frames())
    assert_same(read_poses(tmp_path / "cameras.json"), frames())


def test_transforms_json_round_trips(tmp_path: Path) -> None:
    write_transforms_json(tmp_path / "transforms.json", frames())
    assert_same(read_poses(tmp_path / "transforms.json"), frames())


def test_cameras_to_transforms_and_back_is_exact(tmp_path: Path) -> None:
    write_cameras_json(tmp_path / "a.json", frames())
    write_transforms_json(tmp_path / "b.json", read_poses(tmp_path / "a.json"))
    write_cameras_json(tmp_path / "c.json", read_poses(tmp_path / "b.json"))
    assert_same(read_poses(tmp_path / "c.json"), frames())


@pytest.mark.parametrize("name", ["cameras.json", "transforms.json"])
@pytest.mark.parametrize("fisheye", [False, True])
def test_distortion_survives_both_formats(tmp_path: Path, name: str, fisheye: bool) -> None:
    lens = Distortion(k1=0.05, k2=-0.08, p1=-0.001, k4=0.002, fisheye=fisheye)
    distorted = [replace(frame, distortion=lens) for frame in frames()]
    write = write_cameras_json if name == "cameras.json" else write_transforms_json
    write(tmp_path / name, distorted)
    assert_same(read_poses(tmp_path / name), distorted)


def test_transforms_written_here_are_what_nerfstudio_reads(tmp_path: Path) -> None:
    write_transforms_json(tmp_path / "transforms.json", frames())
    content = json.loads((tmp_path / "transforms.json").read_text())
    assert content["camera_model"] == "OPENCV"
    first = content["frames"][0]
    assert {"fl_x", "fl_y", "cx", "cy", "w", "h", "file_path", "transform_matrix"} <= set(first)
    matrix = torch.tensor(first["transform_matrix"], dtype=torch.float64)
    torch.testing.assert_close(opencv_from_opengl(matrix), frames()[0].T_camera_world)


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "cameras.json"
    write_cameras_json(path, frames())
    with pytest.raises(ValueError):
        write_cameras_json(path, [replace(frames()[0], extra={"bad": float("nan")})])
    assert_same(read_poses(path), frames())


def test_writers_refuse_what_their_format_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="different names"):
        write_cameras_json(tmp_path / "c.json", [frames()[0], frames()[0]])
    mixed = [frames()[0], replace(frames()[1], distortion=Distortion(fisheye=True))]
    with pytest.raises(ValueError, match="fisheye and other lenses"):
        write_transforms_json(tmp_path / "t.json", mixed)


def test_frames_refuse_skewed_intrinsics() -> None:
    with pytest.raises(ValueError, match="view '000': K must be"):
        replace(frames()[0], K=torch.tensor([[1.0, 0.1, 0], [0, 1, 0], [0, 0, 1]]))


@pytest.mark.skipif(not LEVELS, reason=f"no data sets with both formats under {SHARED}")
@pytest.mark.parametrize("level", LEVELS, ids=lambda path: f"{path.parts[-3]}-{path.name}")
def test_both_files_of_a_level_say_the_same(level: Path) -> None:
    scene = level.parents[1]
    ours = read_cameras_json(level / "cameras.json")
    theirs = read_transforms_json(level / "transforms.json", scene)
    for a, b in zip(ours, theirs, strict=True):
        assert a.stem == b.stem
        torch.testing.assert_close(a.T_camera_world, b.T_camera_world, rtol=0, atol=1e-6)
        torch.testing.assert_close(a.K, b.K, rtol=0, atol=1e-6)
        for frame, name in ((a, "cameras.json"), (b, "transforms.json")):
            image = find_image(frame.file_path, level / name, scene)
            assert image == scene / "images" / f"{frame.stem}.png"


@pytest.mark.skipif(not DEMOS, reason=f"the authors' demo sets are not under {SHARED}")
@pytest.mark.parametrize("path", DEMOS, ids=lambda path: path.parent.name)
def test_the_authors_files_round_trip_and_their_photographs_are_found(tmp_path: Path, path: Path) -> None:
    demo = read_poses(path)
    for frame in demo:
        image = find_image(frame.file_path, path, path.parent)
        assert image is not None and image.parent == path.parent / "processed"
    write_transforms_json(tmp_path / "t.json", demo)
    write_cameras_json(tmp_path / "c.json", read_poses(tmp_path / "t.json"))
    assert_same(read_poses(tmp_path / "c.json"), demo, atol=1e-12)
    original, written = json.loads(path.read_text()), json.loads((tmp_path / "c.json").read_text())
    for name, entry in original.items():
        for key in ("R", "T", "focal_length", "principal_point"):
            expected = torch.tensor(entry[key], dtype=torch.float64)
            torch.testing.assert_close(
                torch.tensor(written[name][key], dtype=torch.float64), expected, rtol=0, atol=1e-6
            )
        assert {key: value for key, value in written[name].items() if not isinstance(value, list)} == {
            key: value for key, value in entry.items() if not isinstance(value, list)
        }
