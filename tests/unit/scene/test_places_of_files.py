"""What a pose file names outside of its scene is read only with a word about it; sizeless cameras are checked, too."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sparseags_ns.formats.cameras_json import write_cameras_json
from sparseags_ns.formats.frame import Frame, PoseFileError
from sparseags_ns.pose_init.base import PoseInitError
from sparseags_ns.preprocess.photo_files import PhotoError
from sparseags_ns.scene.finding import find_unposed_scene
from sparseags_ns.scene.reading import ReadingOptions, read_scene
from tests.faults.valid_scenes import points

OUTSIDE = "are outside of the scene and of the folder that it lies in"


def edited(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.fixture
def far(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene, moved into a folder of its own."""
    return Path(shutil.copytree(scene, tmp_path_factory.mktemp("far") / "home" / "scene"))


def test_photographs_elsewhere_are_read_and_named(
    far: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (far / "images").rename(elsewhere / "images")

    def absolute(content: dict[str, Any]) -> None:
        for frame in content["frames"]:
            frame["file_path"] = str(elsewhere / frame["file_path"])

    edited(far / "transforms.json", absolute)
    views = read_scene(far, ReadingOptions(resolution=32)).views
    assert [path.parent for path in views.paths] == [elsewhere / "images"] * 4
    said = capsys.readouterr().err
    assert f"warning: 4 photographs {OUTSIDE}: {elsewhere / 'images/000.png'}, " in said
    assert f"({far / 'transforms.json'} names them; they are read)" in said


@pytest.mark.parametrize("folder", ["images", "../photographs"])
def test_photographs_in_the_scene_or_beside_it_need_no_word(
    far: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if folder != "images":
        (far / "images").rename(far / folder)

    def relative(content: dict[str, Any]) -> None:
        for frame in content["frames"]:
            frame["file_path"] = frame["file_path"].replace("images", str(far / folder))

    edited(far / "transforms.json", relative)
    read_scene(far, ReadingOptions(resolution=32))
    assert OUTSIDE not in capsys.readouterr().err


@pytest.mark.parametrize("written", ["SECRET", "../../../../../../../../../../../../../../../SECRET"])
def test_a_file_of_the_system_is_not_opened_without_a_word(
    far: Path, written: str, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path_factory.mktemp("etc") / "passwd"
    secret.write_text("root")
    written = written.replace("/SECRET", str(secret)).replace("SECRET", str(secret))
    edited(far / "transforms.json", lambda content: content["frames"][0].update(file_path=written))
    with pytest.raises((PoseInitError, PhotoError, PoseFileError)):
        read_scene(far, ReadingOptions(resolution=32))
    assert f"warning: 1 photographs {OUTSIDE}: {secret}" in capsys.readouterr().err


def test_masks_and_points_elsewhere_are_named(
    far: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(far / "images", elsewhere / "masks")
    (elsewhere / "a.ply").write_bytes(points("ascii"))

    edited(far / "transforms.json", lambda content: content.update(ply_file_path=str(elsewhere / "a.ply")))
    edited(far / "transforms.json", lambda content: content.update(mask_path=str(elsewhere / "masks")))
    read_scene(far, ReadingOptions(resolution=32))
    said = capsys.readouterr().err
    assert f"warning: 4 masks {OUTSIDE}: {elsewhere / 'masks/000.png'}" in said
    assert f"warning: 1 files of points {OUTSIDE}: {elsewhere / 'a.ply'}" in said


@pytest.mark.parametrize("focal", [1e-6, 1e6])
def test_a_focal_length_is_compared_with_the_photograph_where_the_file_states_no_size(
    scene: Path, make_frames: Callable[..., list[Frame]], focal: float
) -> None:
    (scene / "transforms.json").unlink()
    write_cameras_json(scene / "cameras.json", make_frames(["000", "001", "002", "003"], "images/", None, None))
    edited(scene / "cameras.json", lambda content: content["002"].update(focal_length=[focal, focal]))
    with pytest.raises(PoseFileError, match=r"cameras\.json: view '002': a focal length of .* photograph of 32x32"):
        read_scene(scene, ReadingOptions(resolution=32))


def test_cameras_that_look_at_nothing_are_refused_with_their_file(scene: Path) -> None:
    def turn(content: dict[str, Any]) -> None:
        for frame in content["frames"]:
            for row in frame["transform_matrix"][:3]:
                row[0], row[2] = -row[0], -row[2]

    edited(scene / "transforms.json", turn)
    with pytest.raises(PoseInitError, match=r"transforms\.json: the optical axes meet behind 4 of 4 cameras"):
        read_scene(scene, ReadingOptions(resolution=32))


@pytest.mark.parametrize("path", ["x" * 5000 + ".png", "a/" * 500 + "b.png"])
@pytest.mark.parametrize("key", ["mask_path", "ply_file_path"])
def test_masks_and_points_of_paths_that_no_file_has_are_refused(scene: Path, key: str, path: str) -> None:
    edited(scene / "transforms.json", lambda content: content.update({key: path}))
    with pytest.raises(PoseFileError, match=r"transforms\.json: .*is no path of a file"):
        read_scene(scene, ReadingOptions(resolution=32))


def test_a_mask_that_cannot_be_read_is_refused_with_the_file_that_names_it(scene: Path) -> None:
    (scene / "mask.png").write_text("none")
    edited(scene / "transforms.json", lambda content: content["frames"][0].update(mask_path="mask.png"))
    with pytest.raises(PhotoError, match=r"mask\.png: .*transforms\.json names it as the mask of 000\.png"):
        read_scene(scene, ReadingOptions(resolution=32))


def test_photographs_are_shown_although_paths_in_the_pose_file_are_none(scene: Path) -> None:
    """As `sparseags prepare` does after the pose file was refused."""
    edited(scene / "transforms.json", lambda content: content["frames"][0].update(file_path="a/" * 2500 + "b.png"))
    edited(scene / "transforms.json", lambda content: content["frames"][1].update(mask_path="x" * 5000))
    assert len(find_unposed_scene(scene).files) == 4
