"""EXIF rotations of photographs with poses: what a pose file means where the shape of a photograph does not tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.cli.poses import Poses
from sparseags_ns.formats.cameras_json import write_cameras_json
from sparseags_ns.formats.colmap import SeenPoints, read_colmap, write_colmap
from sparseags_ns.formats.frame import Distortion, Frame, intrinsics_matrix
from sparseags_ns.formats.projection import project_points
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.pose_init.base import InitialPoses
from sparseags_ns.preprocess.photo_files import read_pixels
from sparseags_ns.scene.finding import FindingOptions
from sparseags_ns.scene.reading import ReadingOptions, find_cameras, read_scene

NAMES = ["000", "001", "002", "003"]


def save_blobs(path: Path, width: int, height: int, orientation: int) -> None:
    """A smooth photograph without symmetry."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    coarse = np.random.default_rng(len(path.stem)).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path, exif=exif)


def no_points(frames: Sequence[Frame]) -> SeenPoints:
    return SeenPoints(
        torch.zeros(0, 3), torch.zeros(0, 3), torch.zeros(len(frames), 0, 2), torch.zeros(len(frames), 0) > 0
    )


def points_coloured_by(frames: Sequence[Frame], paths: Sequence[Path], upright: bool) -> SeenPoints:
    """Hundred points for each photo, in its colours, which it alone shows."""
    positions = 0.5 * torch.rand(400, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.25
    pixels = torch.stack([project_points(frame, positions) for frame in frames])
    colors, seen = torch.zeros(400, 3), torch.zeros(4, 400, dtype=torch.bool)
    for view, path in enumerate(paths):
        own = slice(100 * view, 100 * view + 100)
        column, row = pixels[view, own].long().unbind(-1)
        colors[own], seen[view, own] = read_pixels(path, upright=upright).rgb[row, column], True
    return SeenPoints(positions, colors, pixels, seen)


@pytest.fixture
def make_scene(tmp_path: Path, make_frames: Callable[..., list[Frame]]) -> Callable[..., tuple[Path, list[Frame]]]:
    """`make_scene(orientation, width, height)`: photographs with this EXIF tag, and cameras of the stored rasters."""

    def make(orientation: int, width: int = 40, height: int = 40) -> tuple[Path, list[Frame]]:
        for name in NAMES:
            save_blobs(tmp_path / f"images/{name}.png", width, height, orientation)
        return tmp_path, make_frames(NAMES, "", width, height)

    return make


def is_upright(scene: Path) -> bool:
    """Whether photographs were read upright."""
    views = read_scene(scene, ReadingOptions(resolution=40, masks="none")).views
    upright, stored = (read_pixels(views.paths[0], upright=way).rgb for way in (True, False))
    assert not torch.equal(upright, stored)
    assert torch.equal(views.images[0], upright) or torch.equal(views.images[0], stored)
    return torch.equal(views.images[0], upright)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_poses_of_square_photographs_mean_the_stored_raster(
    make_scene: Callable[..., tuple[Path, list[Frame]]], orientation: int, capsys: pytest.CaptureFixture[str]
) -> None:
    scene, frames = make_scene(orientation)
    write_colmap(scene / "sparse/0", frames, no_points(frames), "txt")
    assert not is_upright(scene)
    assert "warning: EXIF rotation left alone: 000.png, 001.png, 002.png, 003.png (" in capsys.readouterr().err


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_poses_of_photographs_whose_sides_are_not_swapped_mean_the_stored_raster(
    make_scene: Callable[..., tuple[Path, list[Frame]]], orientation: int
) -> None:
    scene, frames = make_scene(orientation, 40, 30)
    write_colmap(scene / "sparse/0", frames, no_points(frames), "txt")
    assert not is_upright(scene)


@pytest.mark.parametrize("write", [write_cameras_json, write_transforms_json])
def test_json_files_mean_the_stored_raster_too(
    make_scene: Callable[..., tuple[Path, list[Frame]]], write: Callable[..., None]
) -> None:
    scene, frames = make_scene(3, 40, 30)
    write(scene / f"{write.__name__.split('_')[1]}.json", frames)
    assert not is_upright(scene)


@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize("orientation", [3, 6])
def test_colours_of_points_tell_which_raster_is_meant(
    make_scene: Callable[..., tuple[Path, list[Frame]]],
    orientation: int,
    upright: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene, frames = make_scene(orientation)
    points = points_coloured_by(frames, [scene / f"images/{name}.png" for name in NAMES], upright)
    write_colmap(scene / "sparse/0", frames, points, "bin")
    assert is_upright(scene) == upright
    assert "left alone" not in capsys.readouterr().err


def test_principal_points_tell_the_raster_where_the_file_has_no_sizes(
    make_scene: Callable[..., tuple[Path, list[Frame]]],
) -> None:
    scene, frames = make_scene(6, 40, 30)
    for (cx, cy), upright in (((20.0, 15.0), False), ((15.2, 19.9), True)):
        K = intrinsics_matrix(50.0, 50.0, cx, cy)
        write_cameras_json(scene / "cameras.json", [Frame(f.name, f.file_path, f.T_camera_world, K) for f in frames])
        assert is_upright(scene) == upright


def test_cameras_that_were_estimated_belong_to_upright_photographs_and_stay_so_when_written(
    make_scene: Callable[..., tuple[Path, list[Frame]]],
    use_initialiser: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene, frames = make_scene(6)
    use_initialiser(lambda photo_files: InitialPoses(tuple(frames), torch.ones(4)))
    assert is_upright(scene)
    Poses(scene, tmp_path / "found").run()
    assert "warning: cameras of the upright photographs: 000.png" in capsys.readouterr().err
    for name in ("transforms.json", "cameras.json"):
        views = read_scene(scene, ReadingOptions(resolution=40, masks="none", poses=tmp_path / "found" / name)).views
        assert torch.equal(views.images[0], read_pixels(views.paths[0]).rgb)


@pytest.mark.parametrize(("width", "height"), [(40, 30), (40, 40)])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_colmap_models_that_are_written_mean_the_photographs_as_stored(
    make_scene: Callable[..., tuple[Path, list[Frame]]],
    make_frames: Callable[..., list[Frame]],
    use_initialiser: Callable[..., None],
    tmp_path: Path,
    orientation: int,
    width: int,
    height: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene, _ = make_scene(orientation, width, height)
    sides = (height, width) if orientation > 4 else (width, height)
    lens = Distortion(k1=0.05, k2=-0.01, p1=0.02, p2=-0.03)
    K = intrinsics_matrix(45.0, 50.0, 0.4 * sides[0], 0.55 * sides[1])
    upright = [replace(frame, K=K, distortion=lens) for frame in make_frames(NAMES, "", *sides)]
    use_initialiser(lambda photo_files: InitialPoses(tuple(upright), torch.ones(4)))
    Poses(scene, tmp_path / "found").run()
    said = capsys.readouterr().err
    is_mirroring = orientation in (2, 4, 5, 7)
    assert ("warning: COLMAP models mean the upright photographs: 000.png" in said) == is_mirroring
    if is_mirroring:
        return
    points = 0.5 * torch.rand(30, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 0.25
    for found, frame in zip(read_colmap(tmp_path / "found/sparse/0"), upright, strict=True):
        assert (found.width, found.height) == (width, height)
        x, y = project_points(frame, points).unbind(-1)
        stored = {1: (x, y), 3: (width - x, height - y), 6: (y, height - x), 8: (width - y, x)}[orientation]
        torch.testing.assert_close(project_points(found, points), torch.stack(stored, -1), atol=1e-6, rtol=0)
    options = ReadingOptions(resolution=40, masks="none", poses=tmp_path / "found/sparse/0")
    views = read_scene(scene, options).views
    assert torch.allclose(views.cameras.T_camera_world[0], read_colmap(tmp_path / "found/sparse/0")[0].T_camera_world)


@pytest.mark.parametrize("orientation", [3, 6])
def test_models_of_stored_rasters_are_written_as_they_were_read(
    make_scene: Callable[..., tuple[Path, list[Frame]]], tmp_path: Path, orientation: int
) -> None:
    scene, frames = make_scene(orientation)
    write_colmap(scene / "sparse/0", frames, no_points(frames), "txt")
    Poses(scene, tmp_path / "found").run()
    for found, frame in zip(read_colmap(tmp_path / "found/sparse/0"), frames, strict=True):
        assert torch.allclose(found.T_camera_world, frame.T_camera_world) and torch.allclose(found.K, frame.K)


def test_the_header_of_a_photograph_with_a_pose_is_read_once(
    make_scene: Callable[..., tuple[Path, list[Frame]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, frames = make_scene(3, 40, 30)
    write_colmap(scene / "sparse/0", frames, no_points(frames), "txt")
    opened: list[Path] = []
    image_open = Image.open
    monkeypatch.setattr(Image, "open", lambda path: opened.append(path) or image_open(path))
    find_cameras(scene, FindingOptions())
    assert sorted(opened) == [scene / f"images/{name}.png" for name in NAMES]
