"""Scenes that cannot be used are refused, each with its message.

Messages are compared with messages.snap, in which SCENE stands for the folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sparseags_ns.formats.cameras_json import write_cameras_json
from sparseags_ns.formats.frame import Frame, PoseFileError
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.pose_init.base import PoseInitError
from sparseags_ns.preprocess.photo_files import PhotoError
from sparseags_ns.scene.finding import SceneError, find_unposed_scene
from sparseags_ns.scene.reading import ReadingOptions, read_scene
from sparseags_ns.views import Views

SIZE = 32


def read_views(folder: Path, **options: Any) -> Views:
    return read_scene(folder, ReadingOptions(**options)).views


def test_a_folder_that_does_not_exist_is_refused(scene: Path, snapshot: Callable[..., None]) -> None:
    with pytest.raises(SceneError) as error:
        read_views(scene / "nowhere")
    snapshot(str(error.value), SCENE=scene)


def test_a_file_in_place_of_a_folder_is_refused(scene: Path, snapshot: Callable[..., None]) -> None:
    with pytest.raises(SceneError) as error:
        read_views(scene / "transforms.json")
    snapshot(str(error.value), SCENE=scene)


def test_a_folder_that_may_not_be_read_is_refused(scene: Path) -> None:
    scene.chmod(0)
    try:
        if os.access(scene, os.R_OK):
            pytest.skip("this user may read everything")
        with pytest.raises(SceneError, match="permission denied; make it readable"):
            read_views(scene)
    finally:
        scene.chmod(0o755)


def test_a_folder_without_photographs_is_refused(
    tmp_path: Path, make_frames: Callable[..., list[Frame]], snapshot: Callable[..., None]
) -> None:
    write_transforms_json(tmp_path / "transforms.json", make_frames(["000", "001"]))
    with pytest.raises(SceneError) as error:
        read_views(tmp_path)
    snapshot(str(error.value), SCENE=tmp_path)


def test_a_folder_without_poses_is_refused_if_nothing_can_estimate_them(
    scene: Path, monkeypatch: pytest.MonkeyPatch, save_photograph: Callable[..., None], snapshot: Callable[..., None]
) -> None:
    """Opaque photographs before no plain wall: nothing tells an object, either."""
    for package in ("pose_init.features.features", "preprocess.rembg_masks"):
        monkeypatch.setattr(f"sparseags_ns.{package}.find_spec", lambda name: None)
    for path in (scene / "images").iterdir():
        save_photograph(path, mode="RGB")
    (scene / "transforms.json").unlink()
    with pytest.raises(PoseInitError) as error:
        read_views(scene)
    snapshot(str(error.value), "no_poses", SCENE=scene)
    with pytest.raises(PoseInitError) as error:
        read_scene(scene, ReadingOptions(pose_init="features"))
    snapshot(str(error.value), "no_features", SCENE=scene)
    with pytest.raises(PoseInitError) as error:
        read_scene(scene, ReadingOptions(pose_init="files"))
    snapshot(str(error.value), "no_files", SCENE=scene)


def test_poses_from_both_a_file_and_an_initialiser_are_refused(scene: Path, snapshot: Callable[..., None]) -> None:
    with pytest.raises(SceneError) as error:
        read_scene(scene, ReadingOptions(pose_init="features", poses=Path("transforms.json")))
    snapshot(str(error.value), SCENE=scene)


@pytest.mark.parametrize("with_poses", [True, False])
def test_one_photograph_is_refused(
    tmp_path: Path,
    with_poses: bool,
    save_photograph: Callable[..., None],
    make_frames: Callable[..., list[Frame]],
    snapshot: Callable[..., None],
) -> None:
    save_photograph(tmp_path / "images/000.png")
    if with_poses:
        write_transforms_json(tmp_path / "transforms.json", make_frames(["000"]))
    with pytest.raises(SceneError) as error:
        read_views(tmp_path)
    snapshot(str(error.value), SCENE=tmp_path)


def test_too_many_photographs_are_refused(
    tmp_path: Path, make_frames: Callable[..., list[Frame]], snapshot: Callable[..., None]
) -> None:
    names = [f"{i:03d}" for i in range(65)]
    (tmp_path / "images").mkdir()
    for name in names:
        (tmp_path / f"images/{name}.png").touch()
    write_transforms_json(tmp_path / "transforms.json", make_frames(names))
    with pytest.raises(SceneError) as error:
        read_views(tmp_path)
    snapshot(str(error.value), SCENE=tmp_path)


def test_a_truncated_photograph_is_refused(scene: Path, snapshot: Callable[..., None]) -> None:
    path = scene / "images/001.png"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(PhotoError) as error:
        read_views(scene, resolution=SIZE)
    snapshot(str(error.value), SCENE=scene)


def test_an_empty_mask_is_refused(scene: Path, snapshot: Callable[..., None]) -> None:
    Image.fromarray(np.zeros((SIZE, SIZE, 4), np.uint8)).save(scene / "images/002.png")
    with pytest.raises(PhotoError) as error:
        read_views(scene, resolution=SIZE)
    snapshot(str(error.value), SCENE=scene)


def test_photographs_without_masks_are_named(
    scene: Path, save_photograph: Callable[..., None], snapshot: Callable[..., None]
) -> None:
    for name in ("001", "003"):
        save_photograph(scene / f"images/{name}.png", mode="RGB")
    with pytest.raises(PhotoError) as error:
        read_views(scene, resolution=SIZE)
    snapshot(str(error.value), SCENE=scene)


def test_a_photograph_that_is_opaque_everywhere_is_refused(scene: Path, snapshot: Callable[..., None]) -> None:
    Image.fromarray(np.full((SIZE, SIZE, 4), 255, np.uint8)).save(scene / "images/002.png")
    with pytest.raises(PhotoError) as error:
        read_views(scene, resolution=SIZE)
    snapshot(str(error.value), SCENE=scene)


def test_mixed_sizes_with_intrinsics_of_one_unstated_size_are_refused(
    scene: Path,
    save_photograph: Callable[..., None],
    make_frames: Callable[..., list[Frame]],
    snapshot: Callable[..., None],
) -> None:
    save_photograph(scene / "images/002.png", 48, 48)
    (scene / "transforms.json").unlink()
    write_cameras_json(scene / "cameras.json", make_frames(["000", "001", "002", "003"], "images/", None, None))
    with pytest.raises(PhotoError) as error:
        read_views(scene, resolution=SIZE)
    snapshot(str(error.value), SCENE=scene)


def test_a_photograph_cropped_since_its_pose_was_found_is_refused(
    scene: Path, save_photograph: Callable[..., None], snapshot: Callable[..., None]
) -> None:
    save_photograph(scene / "images/002.png", 48, 30)
    with pytest.raises(PhotoError) as error:
        read_views(scene, resolution=SIZE)
    snapshot(str(error.value), SCENE=scene)


def test_fewer_poses_than_photographs_are_refused(
    scene: Path, make_frames: Callable[..., list[Frame]], snapshot: Callable[..., None]
) -> None:
    write_transforms_json(scene / "transforms.json", make_frames(["000", "002"]))
    with pytest.raises(PoseInitError) as error:
        read_views(scene, resolution=SIZE)
    snapshot(str(error.value), SCENE=scene)


def test_a_photograph_that_is_a_link_to_nothing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for index in range(3):
        Image.new("RGB", (32, 32), (50, 60, 70 + index)).save(tmp_path / f"{index}.png")
    (tmp_path / "3.png").symlink_to(tmp_path / "moved" / "3.png")
    assert [path.name for path in find_unposed_scene(tmp_path).paths] == ["0.png", "1.png", "2.png"]
    assert "warning: skipped: 3.png (links in" in capsys.readouterr().err


def test_two_photographs_of_one_name_are_refused(
    scene: Path, save_photograph: Callable[..., None], snapshot: Callable[..., None]
) -> None:
    (scene / "transforms.json").unlink()
    for name in ("001.webp", "001.jpg", "003.webp"):
        save_photograph(scene / f"images/{name}", mode="RGB")
    with pytest.raises(SceneError) as error:
        read_views(scene, resolution=SIZE)
    snapshot(str(error.value), SCENE=scene)


def test_too_few_trusted_views_are_refused(scene: Path, snapshot: Callable[..., None]) -> None:
    content = json.loads((scene / "transforms.json").read_text())
    for frame in content["frames"][:3]:
        frame["flag"] = 0
    (scene / "transforms.json").write_text(json.dumps(content))
    with pytest.raises(PoseInitError) as error:
        read_views(scene, resolution=SIZE)
    snapshot(str(error.value), SCENE=scene)


@pytest.mark.parametrize(
    ("value", "complaint"), [(float("nan"), "NaN or infinity"), (0.9, "holds no rotation"), ("1", "must be 4 x 4")]
)
def test_invalid_poses_name_their_view(scene: Path, value: object, complaint: str) -> None:
    content = json.loads((scene / "transforms.json").read_text())
    content["frames"][1]["transform_matrix"][0][0] = value
    (scene / "transforms.json").write_text(json.dumps(content))
    with pytest.raises(PoseFileError, match=rf"transforms\.json: view 'images/001\.png': .*{complaint}"):
        read_views(scene, resolution=SIZE)


def test_a_resolution_too_low_to_show_anything_is_refused(scene: Path) -> None:
    with pytest.raises(ValueError, match="resolution must be at least 16 pixels, is 8"):
        read_views(scene, resolution=8)


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("valid_other_size", np.full((SIZE, SIZE + 1), 255, np.uint8)),
        ("valid_in_colour", np.full((SIZE, SIZE, 3), (255, 0, 0), np.uint8)),
        ("valid_nowhere", np.zeros((SIZE, SIZE), np.uint8)),
    ],
)
def test_invalid_valid_regions_are_refused(
    scene: Path, name: str, pixels: np.ndarray, snapshot: Callable[..., None]
) -> None:
    (scene / "valid").mkdir()
    Image.fromarray(pixels).save(scene / "valid/001.png")
    with pytest.raises(PhotoError) as error:
        read_views(scene, resolution=SIZE)
    snapshot(str(error.value), name, SCENE=scene)
