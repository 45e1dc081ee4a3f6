"""From every shape of folder to Views."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.formats.cameras_json import write_cameras_json
from sparseags_ns.formats.frame import Distortion, Frame, intrinsics_matrix
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.geometry.cameras import project
from sparseags_ns.scene.reading import ReadingOptions, read_scene
from sparseags_ns.views import Views

SIZE = 32


def read_views(folder: Path, **options: Any) -> Views:
    return read_scene(folder, ReadingOptions(**options)).views


def disc(width: int, height: int, x: float, y: float, radius: float) -> np.ndarray:
    """Mask of a disc, 0 or 255."""
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    return np.where(np.hypot(columns - x, rows - y) < radius, 255, 0).astype(np.uint8)


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize(("folder", "write"), [("processed", write_cameras_json), ("images", write_cameras_json)])
def test_cameras_json_finds_its_photographs_by_their_basenames(
    tmp_path: Path,
    folder: str,
    write: Callable[..., None],
    save_photograph: Callable[..., None],
    make_frames: Callable[..., list[Frame]],
) -> None:
    names = ["b", "a", "c"]
    for name in names:
        save_photograph(tmp_path / folder / f"{name}.png")
    write(tmp_path / "cameras.json", make_frames(names, "data/demo/elsewhere/"))
    views = read_views(tmp_path, resolution=SIZE)
    assert views.names == ("a", "b", "c")
    assert views.paths == tuple(tmp_path / folder / f"{name}.png" for name in "abc")
    expected = torch.stack([frame.T_camera_world for frame in make_frames(names, "")])[[1, 0, 2]]
    assert torch.allclose(views.cameras.T_camera_world, expected, atol=1e-12)


def test_photographs_of_the_working_size_arrive_pixel_for_pixel(scene: Path) -> None:
    views = read_views(scene, resolution=SIZE)
    pixels = np.asarray(Image.open(scene / "images/002.png"), dtype=np.float32) / 255
    assert torch.equal(views.images[2], torch.from_numpy(pixels[..., :3].copy()))
    assert torch.equal(views.masks[2], torch.from_numpy(pixels[..., 3].copy()))
    assert views.valid.min() == 1
    assert views.trusted.all()
    assert views.images.dtype == torch.float32 and views.cameras.K.dtype == torch.float64
    assert (views.cameras.width, views.cameras.height) == (SIZE, SIZE)


def test_masks_come_from_a_folder_when_photographs_are_opaque(
    scene: Path, capsys: pytest.CaptureFixture[str], save_photograph: Callable[..., None]
) -> None:
    (scene / "masks").mkdir()
    for name in ("000", "001", "002", "003"):
        save_photograph(scene / f"images/{name}.png", mode="RGB")
        Image.fromarray(disc(SIZE, SIZE, 10, 12, 5)).save(scene / f"masks/{name}.png")
    views = read_views(scene, resolution=SIZE)
    assert torch.equal(views.masks[1], torch.from_numpy(disc(SIZE, SIZE, 10, 12, 5)).float() / 255)
    assert "masks: masks/ for 4 photographs (they are opaque)" in capsys.readouterr().err


def test_large_photographs_are_recentred_and_a_point_keeps_its_content(
    scene: Path, make_frames: Callable[..., list[Frame]]
) -> None:
    point = torch.tensor([[0.1, 0.2, -0.1]], dtype=torch.float64)
    given = make_frames(["000", "001", "002", "003"], "images/", 90, 160)
    for frame in given:
        x, y = (frame.K @ (frame.T_camera_world[:3, :3] @ point[0] + frame.T_camera_world[:3, 3])).tolist()[:2]
        depth = float((frame.T_camera_world[:3, :3] @ point[0] + frame.T_camera_world[:3, 3])[2])
        mask = disc(90, 160, x / depth, y / depth, 8)
        Image.fromarray(np.dstack([mask] * 4)).save(scene / frame.file_path)
    write_transforms_json(scene / "transforms.json", given)
    views = read_views(scene, resolution=64)
    assert views.images.shape == (4, 64, 64, 3)
    pixels, _ = project(views.cameras, point)
    grid = torch.stack(torch.meshgrid(torch.arange(64) + 0.5, torch.arange(64) + 0.5, indexing="xy"), dim=-1)
    found = (views.masks[..., None] * grid).sum((1, 2)) / views.masks.sum((1, 2))[:, None]
    assert torch.allclose(found.double(), pixels[:, 0], atol=0.7)  # half a pixel of the photograph is 1.6 of these
    assert (views.masks > 0.5).any(dim=1).sum(-1).float().sub(0.8 * 64).abs().max() <= 1


def test_mixed_sizes_are_resolved_by_recentring(
    scene: Path, save_photograph: Callable[..., None], make_frames: Callable[..., list[Frame]]
) -> None:
    given = make_frames(["000", "001", "002", "003"])
    given[1] = make_frames(["001"], "images/", 50, 70)[0]
    save_photograph(scene / "images/001.png", 50, 70)
    write_transforms_json(scene / "transforms.json", given)
    views = read_views(scene, resolution=SIZE)
    assert views.images.shape == (4, SIZE, SIZE, 3)


def test_whole_photographs_are_straightened_and_keep_their_shape(
    scene: Path,
    capsys: pytest.CaptureFixture[str],
    save_photograph: Callable[..., None],
    make_frames: Callable[..., list[Frame]],
) -> None:
    names = ["000", "001", "002", "003"]
    bent = [
        Frame(f.name, f.file_path, f.T_camera_world, f.K, 60, 80, distortion=Distortion(k1=0.1))
        for f in make_frames(names, "images/", 60, 80)
    ]
    for name in names:
        save_photograph(scene / f"images/{name}.png", 60, 80, mode="RGB")
    write_transforms_json(scene / "transforms.json", bent)
    views = read_views(scene, resolution=40, masks="none")
    assert views.images.shape == (4, 40, 30, 3)
    assert torch.allclose(views.cameras.K[0], intrinsics_matrix(20.0, 20.0, 15.0, 20.0))
    assert views.valid[:, 0, 0].max() < 0.5 and views.valid[:, 20, 15].min() == 1
    assert capsys.readouterr().err.splitlines()[1:] == [
        "sparseags: masks: none (asked for; the whole photograph counts as the object)",
        "sparseags: photographs are straightened (the pose file gives a distortion of the lens)",
        "sparseags: whole photographs are scaled to 30x40 (they are 60x80, and no masks are used)",
        "sparseags: 4 of 4 cameras are fixed (whole photographs, of which refinement would make exact poses "
        "worse; fix-cameras = none refines them)",
    ]


def test_exif_rotation_follows_the_size_that_the_pose_file_gives(
    scene: Path,
    capsys: pytest.CaptureFixture[str],
    save_photograph: Callable[..., None],
    make_frames: Callable[..., list[Frame]],
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    names = ["000", "001", "002", "003"]
    for name in names:
        save_photograph(scene / f"images/{name}.png", 40, 20)
        with Image.open(scene / f"images/{name}.png") as image:
            image.save(scene / f"images/{name}.png", exif=exif)
    write_transforms_json(scene / "transforms.json", make_frames(names, "images/", 20, 40))
    assert read_views(scene, resolution=20, masks="none").images.shape == (4, 20, 10, 3)
    assert "EXIF rotation applied: 000.png, 001.png" in capsys.readouterr().err
    write_transforms_json(scene / "transforms.json", make_frames(names, "images/", 40, 20))
    assert read_views(scene, resolution=20, masks="none").images.shape == (4, 10, 20, 3)
    assert "EXIF rotation not applied: 000.png, 001.png" in capsys.readouterr().err


def test_views_that_the_pose_file_flags_are_not_trusted(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads((scene / "transforms.json").read_text())
    content["frames"][2]["flag"] = 0
    (scene / "transforms.json").write_text(json.dumps(content))
    assert read_views(scene, resolution=SIZE).trusted.tolist() == [True, True, False, True]
    assert "not trusted: 002 ('flag' is 0 in" in capsys.readouterr().err


def test_photographs_without_a_pose_may_be_left_out(
    scene: Path, capsys: pytest.CaptureFixture[str], save_photograph: Callable[..., None]
) -> None:
    save_photograph(scene / "images/extra.png")
    assert read_views(scene, resolution=SIZE, missing_poses="leave-out").names == ("000", "001", "002", "003")
    assert "sparseags: warning: left out: extra.png (no pose in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (2, "warning: 2 views (fewer than 3 seldom fix both shape and poses)"),
        (3, None),
        (24, None),
        (25, "25 views (every view is rendered in every step, so the time grows in proportion to them)"),
    ],
)
def test_borderline_numbers_of_views_are_commented_on(
    tmp_path: Path,
    number: int,
    said: str | None,
    capsys: pytest.CaptureFixture[str],
    save_photograph: Callable[..., None],
    make_frames: Callable[..., list[Frame]],
) -> None:
    names = [f"{i:03d}" for i in range(number)]
    for name in names:
        save_photograph(tmp_path / f"images/{name}.png", 16, 16)
    write_transforms_json(tmp_path / "transforms.json", make_frames(names, "images/", 16, 16))
    assert len(read_views(tmp_path, resolution=16)) == number
    output = capsys.readouterr().err
    assert f"sparseags: {said}\n" in output if said else " views (" not in output


def test_reading_writes_nothing_and_works_on_a_read_only_folder(scene: Path) -> None:
    before = snapshot(scene)
    folders = [scene, scene / "images"]
    try:
        for folder in folders:
            folder.chmod(0o555)
        read_views(scene, resolution=48)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert snapshot(scene) == before
