"""Cameras as LLFF and 3D Gaussian Splatting write them, and models and lists of files as other programs do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sparseags_ns.formats.colmap import read_colmap
from sparseags_ns.formats.frame import Frame, PoseFileError, intrinsics_matrix
from sparseags_ns.formats.poses import held_out_files, read_poses
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import orbit

AZIMUTHS = torch.tensor([10.0, 130, 250], dtype=torch.float64)
POSES = orbit(AZIMUTHS, torch.full_like(AZIMUTHS, 20.0), 2.0)


def llff(poses: torch.Tensor, height: float = 60, width: float = 80, focal: float = 90) -> np.ndarray:
    """Rows of a poses_bounds.npy: the axes down, right and backward in the world, the centre, the size."""
    rows = []
    for T in poses:
        right, down, forward = T[:3, :3]
        matrix = np.stack([down, right, -forward, se3.inverse(T)[:3, 3], [height, width, focal]], axis=1)
        rows.append([*matrix.ravel(), 0.5, 9.0])
    return np.array(rows)


def photographs(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_llffs_poses_belong_to_the_photographs_in_the_order_of_their_names(tmp_path: Path) -> None:
    photographs(tmp_path / "images", "b.JPG", "a.JPG", "c.JPG")
    np.save(tmp_path / "poses_bounds.npy", llff(POSES))
    frames = read_poses(tmp_path / "poses_bounds.npy")
    assert [frame.file_path for frame in frames] == ["a.JPG", "b.JPG", "c.JPG"]
    assert torch.allclose(torch.stack([frame.T_camera_world for frame in frames]), POSES)
    assert [(frame.intrinsics, frame.width, frame.height) for frame in frames] == [((90, 90, 40, 30), 80, 60)] * 3


def test_masks_and_depth_maps_are_not_counted_as_llffs_photographs(tmp_path: Path) -> None:
    photographs(tmp_path / "images", "a.JPG", "b.JPG", "c.JPG", "a_mask.png", "depth_b.png", "c_depth_0001.png")
    np.save(tmp_path / "poses_bounds.npy", llff(POSES))
    frames = read_poses(tmp_path / "poses_bounds.npy")
    assert [frame.file_path for frame in frames] == ["a.JPG", "b.JPG", "c.JPG"]


def test_llffs_poses_of_another_number_of_photographs_are_refused(tmp_path: Path) -> None:
    photographs(tmp_path / "images", "a.JPG", "b.JPG")
    np.save(tmp_path / "poses_bounds.npy", llff(POSES))
    with pytest.raises(PoseFileError, match=r"holds 3 poses, .* and there are 2 photographs in .*images"):
        read_poses(tmp_path / "poses_bounds.npy")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (llff(POSES)[:, :15], r"must hold 17 finite numbers for each photograph, holds \[3, 15\]"),
        (llff(POSES, focal=0), "view 'a.png': its row is no camera"),
        (llff(2 * POSES), "view 'a.png': its row is no camera"),
    ],
)
def test_arrays_that_are_not_llffs_are_refused(tmp_path: Path, rows: np.ndarray, message: str) -> None:
    photographs(tmp_path, "a.png", "b.png", "c.png")
    np.save(tmp_path / "poses_bounds.npy", rows)
    with pytest.raises(PoseFileError, match=message):
        read_poses(tmp_path / "poses_bounds.npy")


def test_a_file_that_is_no_array_is_refused(tmp_path: Path) -> None:
    (tmp_path / "poses_bounds.npy").write_text("no array")
    with pytest.raises(PoseFileError, match="is no array of numbers"):
        read_poses(tmp_path / "poses_bounds.npy")


def test_the_cameras_of_3d_gaussian_splatting_are_read(tmp_path: Path) -> None:
    Ts = se3.inverse(POSES)
    entries = [
        {"id": k, "img_name": f"{k:03d}", "width": 80, "height": 60, "position": T[:3, 3].tolist()}
        | {"rotation": T[:3, :3].tolist(), "fx": 90.0, "fy": 91.0}
        for k, T in enumerate(Ts)
    ]
    (tmp_path / "cameras.json").write_text(json.dumps(entries))
    frames = read_poses(tmp_path / "cameras.json")
    assert torch.allclose(torch.stack([frame.T_camera_world for frame in frames]), POSES)
    assert frames[1].file_path == "001" and frames[1].intrinsics == (90, 91, 40, 30)
    del entries[2]["fx"]
    (tmp_path / "cameras.json").write_text(json.dumps(entries))
    with pytest.raises(PoseFileError, match="view '002': 'fx' is missing"):
        read_poses(tmp_path / "cameras.json")


@pytest.mark.parametrize("blank", ["", "\n"])
def test_images_without_lines_of_points_are_all_read(tmp_path: Path, blank: str) -> None:
    """Other programs leave out the empty lines that COLMAP writes for images without points."""
    (tmp_path / "cameras.txt").write_text("1 PINHOLE 80 60 90 90 40 30\n")
    lines = [f"{k} 1 0 0 0 0 0 {k} 1 {name}\n{blank}" for k, name in enumerate(["a.jpg", "b 2.jpg", "3", "d.jpg"], 1)]
    lines[2] = "3 1 0 0 0 0 0 3 1 3\n10.5 20 -1 30.5 40 1\n"
    (tmp_path / "images.txt").write_text("# images\n" + "".join(lines))
    assert [frame.file_path for frame in read_colmap(tmp_path)] == ["3", "a.jpg", "b 2.jpg", "d.jpg"]


@pytest.mark.parametrize("name", ["cameras.json", "transforms.json"])
def test_a_file_of_no_bytes_is_named_as_such(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(PoseFileError, match=rf"{name}: is empty \(0 bytes\): its copy or download broke off"):
        read_poses(tmp_path / name)


@pytest.mark.parametrize("empty", ["cameras.txt", "images.txt", "cameras.bin", "images.bin"])
def test_a_models_file_of_no_bytes_is_named_as_such(tmp_path: Path, empty: str) -> None:
    for name in ("cameras", "images"):
        (tmp_path / f"{name}{Path(empty).suffix}").touch()
    with pytest.raises(PoseFileError, match="0 bytes"):
        read_colmap(tmp_path)


def listed(tmp_path: Path, **lists: object) -> set[str]:
    """The file paths that the lists of a transforms.json leave out."""
    K = intrinsics_matrix(40.0, 40.0, 16.0, 16.0)
    frames = [Frame(f"{k}", f"./images/{k}.png", T, K, 32, 32) for k, T in enumerate(POSES)]
    path = tmp_path / "transforms.json"
    write_transforms_json(path, frames)
    path.write_text(json.dumps({**json.loads(path.read_text()), **lists}))
    return held_out_files(path, read_poses(path))


def test_test_files_are_not_trained_on(tmp_path: Path) -> None:
    assert listed(tmp_path) == set()
    assert listed(tmp_path, test_filenames=["images/2.png"]) == {"./images/2.png"}
    assert listed(tmp_path, val_filenames=["1.png"], test_filenames=["2.png"]) == {"./images/1.png", "./images/2.png"}
    assert listed(tmp_path, train_filenames=["./images/0.png", "images\\1.png"]) == {"./images/2.png"}
    both = {"train_filenames": ["images/0.png"], "test_filenames": ["images/2.png"]}
    assert listed(tmp_path, **both) == {"./images/1.png", "./images/2.png"}


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"test_filenames": "images/0.png"}, "'test_filenames' must be a list of file paths"),
        ({"test_filenames": ["images/9.png"]}, "'test_filenames' names none of the file's frames, but 'images/9.png'"),
        ({"test_filenames": ["0.png", "1.png", "2.png"]}, "test_filenames leave no photograph to train on"),
    ],
)
def test_lists_of_files_that_cannot_be_meant_are_refused(
    tmp_path: Path, lists: dict[str, object], message: str
) -> None:
    with pytest.raises(PoseFileError, match=message):
        listed(tmp_path, **lists)
