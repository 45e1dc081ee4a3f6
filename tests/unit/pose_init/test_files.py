"""Finding the pose file of a scene, and its photographs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from sparseags_ns.formats.cameras_json import write_cameras_json
from sparseags_ns.formats.frame import Frame, PoseFileError, intrinsics_matrix
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.pose_init.base import InitialPoses
from sparseags_ns.pose_init.files import FromFiles, find_pose_file


def frame(name: str, file_path: str) -> Frame:
    T = orbit(torch.tensor(30.0).double(), torch.tensor(10.0).double(), 2.0)
    return Frame(name, file_path, T, intrinsics_matrix(400.0, 400.0, 128.0, 128.0), 256, 256)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A folder with two (empty) photographs."""
    (tmp_path / "scene/images").mkdir(parents=True)
    for name in ("a", "b"):
        (tmp_path / f"scene/images/{name}.png").touch()
    return tmp_path / "scene"


def test_a_folder_without_a_pose_file_has_none(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert find_pose_file(scene, None) is None
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["cameras.json", "transforms.json"])
def test_the_only_pose_file_is_taken_and_announced(scene: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (scene / name).touch()
    assert find_pose_file(scene, None) == scene / name
    assert capsys.readouterr().err == f"sparseags: poses: {name} (the only pose file in {scene})\n"


def test_the_authors_pose_file_goes_before_others_and_that_is_announced(
    scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("cameras.json", "transforms.json"):
        (scene / name).touch()
    assert find_pose_file(scene, None) == scene / "cameras.json"
    assert capsys.readouterr().err == (
        "sparseags: poses: cameras.json (it goes before transforms.json; name a file to choose it instead)\n"
    )


def test_a_file_that_was_asked_for_is_taken_silently_from_the_working_folder_or_the_scene(
    scene: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (scene / "cameras.json").touch()
    (scene / "other.json").touch()
    assert find_pose_file(scene, Path("other.json")) == scene / "other.json"
    monkeypatch.chdir(scene.parent)
    (scene.parent / "other.json").touch()
    assert find_pose_file(scene, Path("other.json")) == Path("other.json")
    assert capsys.readouterr().err == ""


def test_a_file_that_was_asked_for_must_exist(scene: Path) -> None:
    (scene / "cameras.json").touch()
    with pytest.raises(PoseFileError, match=r"^missing\.json: no such file, neither in the working folder nor in "):
        find_pose_file(scene, Path("missing.json"))


@pytest.mark.parametrize("write", [write_cameras_json, write_transforms_json])
def test_photographs_get_the_cameras_that_name_them(scene: Path, write: object) -> None:
    assert callable(write)
    write(scene / "poses.json", [frame("b", "images/b.png"), frame("a", "data/demo/images/a.png")])
    pose_file = FromFiles(scene, scene / "poses.json")
    stranger = scene / "images/c.png"
    initial = pose_file.initial_poses([scene / "images/a.png", stranger, scene / "images/b.png"])
    assert [None if found is None else found.name for found in initial.frames] == ["a", None, "b"]
    assert initial.confidence.tolist() == [1.0, 0.0, 1.0]
    assert initial.points is None


def test_the_scenes_photographs_are_meant_not_those_beside_the_file(scene: Path) -> None:
    other = scene.parent / "other"
    (other / "images").mkdir(parents=True)
    (other / "images/a.png").touch()
    write_transforms_json(other / "transforms.json", [frame("a", "images/a.png")])
    assert list(FromFiles(scene, other / "transforms.json").named_photographs) == [scene / "images/a.png"]


def test_two_entries_for_one_photograph_are_refused(scene: Path) -> None:
    write_cameras_json(scene / "cameras.json", [frame("a", "images/a.png"), frame("again", "elsewhere/a.png")])
    with pytest.raises(PoseFileError, match="view 'again': means the same photograph as view 'a'"):
        _ = FromFiles(scene, scene / "cameras.json").named_photographs


def test_long_lists_of_missing_photographs_are_cut(scene: Path) -> None:
    frames = [frame(f"{i:03d}", f"images/{i:03d}.png") for i in range(20)]
    write_cameras_json(scene / "cameras.json", frames)
    with pytest.raises(PoseFileError, match=r"names 20 of 20 photographs .* images/007\.png and 12 more\."):
        FromFiles(scene, scene / "cameras.json").require_photographs(())


def test_a_photograph_without_a_pose_has_no_confidence() -> None:
    with pytest.raises(ValueError, match="0 for those without a pose"):
        InitialPoses(frames=(None,), confidence=torch.ones(1))


def colmap_model(folder: Path, names: list[str]) -> Path:
    """A text model of one camera and a row of photographs, and one point."""
    folder.mkdir(parents=True)
    (folder / "cameras.txt").write_text("1 SIMPLE_RADIAL 256 256 400 128 128 0.1\n")
    lines = [f"{i} 1 0 0 0 {i} 0 2 1 {name}\n\n" for i, name in enumerate(names, start=1)]
    (folder / "images.txt").write_text("".join(lines))
    (folder / "points3D.txt").write_text("1 0 0 1 255 0 0 1 1 0 2 0\n")
    return folder


@pytest.mark.parametrize("place", ["sparse/0", "sparse", "colmap/sparse/0"])
def test_the_model_of_a_scene_is_found_and_its_points_come_with_it(
    scene: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    colmap_model(scene / place, ["a.png", "b.png"])
    found = find_pose_file(scene, None)
    assert found == scene / place
    assert capsys.readouterr().err == f"sparseags: poses: {place} (the only pose file in {scene})\n"
    assert found is not None
    initial = FromFiles(scene, found).initial_poses([scene / "images/a.png", scene / "images/b.png"])
    assert [None if frame is None else frame.name for frame in initial.frames] == ["a", "b"]
    assert initial.points is not None
    assert initial.points.positions.tolist() == [[0, 0, 1]] and initial.points.colors.tolist() == [[1, 0, 0]]
    # Two photographs show it, and it is off by a pixel.
    assert initial.points.confidence.tolist() == [0.25]


def test_a_model_that_was_asked_for_is_taken_and_json_files_go_before_others(scene: Path) -> None:
    colmap_model(scene / "sparse/0", ["a.png"])
    colmap_model(scene / "mine", ["a.png"])
    assert find_pose_file(scene, Path("mine")) == scene / "mine"
    (scene / "transforms.json").touch()
    assert find_pose_file(scene, None) == scene / "transforms.json"


def test_a_model_may_know_more_photographs_than_the_scene_has(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    colmap_model(scene / "sparse/0", ["a.png", "b.png", "c.png"])
    FromFiles(scene, scene / "sparse/0").require_photographs(())
    assert "1 of the 3 cameras in" in capsys.readouterr().err
    for path in (scene / "images").iterdir():
        path.unlink()
    with pytest.raises(PoseFileError, match="names 3 of 3 photographs"):
        FromFiles(scene, scene / "sparse/0").require_photographs(())


def test_scales_that_are_taken_out_of_rotations_are_named(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_transforms_json(scene / "transforms.json", [frame("a", "images/a.png"), frame("b", "images/b.png")])
    assert len(FromFiles(scene, scene / "transforms.json").frames) == 2 and capsys.readouterr().err == ""
    content = json.loads((scene / "transforms.json").read_text())
    matrix = content["frames"][0]["transform_matrix"]
    content["frames"][0]["transform_matrix"] = [[0.4 * value for value in row[:3]] + row[3:] for row in matrix]
    content["frames"][0]["transform_matrix"][3] = [0, 0, 0, 1]
    (scene / "transforms.json").write_text(json.dumps(content))
    assert len(FromFiles(scene, scene / "transforms.json").frames) == 2
    said = capsys.readouterr().err
    assert f"warning: a scale of 0.4 is taken out of 1 of 2 rotations in {scene / 'transforms.json'} (" in said


def test_damaged_binary_files_are_named_where_text_is_read(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = colmap_model(scene / "sparse/0", ["a.png", "b.png"])
    (folder / "cameras.bin").touch()
    (folder / "images.bin").touch()
    initial = FromFiles(scene, folder).initial_poses([scene / "images/a.png"])
    said = capsys.readouterr().err
    assert None not in initial.frames and said.count("warning") == 1
    assert f"warning: the .txt files of the model {folder} are read ({folder}/cameras.bin: is cut off, damaged" in said


def test_errors_that_a_model_understates_are_named(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = colmap_model(scene / "sparse/0", ["a.png", "b.png"])
    FromFiles(scene, folder).initial_poses([scene / "images/a.png"])
    assert "warning" not in capsys.readouterr().err, "what nothing contradicts"
    (folder / "images.txt").write_text("1 1 0 0 0 0 0 0 1 a.png\n132 125 1\n2 1 0 0 0 0 0 0 1 b.png\n128 144 1\n")
    initial = FromFiles(scene, folder).initial_poses([scene / "images/a.png"])
    said = capsys.readouterr().err
    assert f"warning: the points of {folder} are off by 10.5 pixels, not by 1.0 as it states" in said
    assert initial.points is not None and initial.points.confidence.tolist() == pytest.approx([0.5 / 11.5])
