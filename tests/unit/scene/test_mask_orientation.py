"""Masks of photographs with an EXIF rotation: they may show the photograph before or after it, and have no tag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from sparseags_ns.formats.frame import Frame
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.preprocess.masks import mask_files
from sparseags_ns.preprocess.photo_files import PhotoError, read_mask, read_photo_file, turned
from sparseags_ns.scene.reading import ReadingOptions, read_scene

NAMES = ["000", "001", "002"]
OBJECT, WALL = (200, 40, 30), (190, 200, 210)


def blob(width: int, height: int) -> np.ndarray:
    """An object without symmetry, away from the middle."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    return (np.hypot(rows - 0.3 * height, columns - 0.35 * width) < 0.2 * height) | (
        (abs(rows - 0.5 * height) < 0.06 * height) & (abs(columns - 0.5 * width) < 0.3 * width)
    )


@pytest.fixture
def make_scene(tmp_path: Path, make_frames: Callable[..., list[Frame]]) -> Callable[..., Path]:
    """`make_scene(orientation, upright, width, height, seen)`: photographs of an object with this EXIF tag, which poses
    mean as stored, and masks that show them upright or as stored; the object cannot be seen if not `seen`.
    """

    def make(orientation: int, upright: bool, width: int = 80, height: int = 60, seen: bool = True) -> Path:
        exif = Image.Exif()
        exif[0x0112] = orientation
        inside = blob(width, height)
        pixels = np.where(inside[..., None] & seen, OBJECT, WALL).astype(np.uint8)
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir()
        for name in NAMES:
            Image.fromarray(pixels).save(tmp_path / f"images/{name}.png", exif=exif)
            mask = Image.fromarray(inside.astype(np.uint8) * 255)
            if upright:
                mask.getexif()[0x0112] = orientation
                mask = ImageOps.exif_transpose(mask)
            mask.save(tmp_path / f"masks/{name}.png")
        write_transforms_json(tmp_path / "transforms.json", make_frames(NAMES, width=width, height=height))
        return tmp_path

    return make


def agreement(scene: Path) -> float:
    """How often a pixel in the mask has the object's colour."""
    views = read_scene(scene, ReadingOptions(resolution=48)).views
    is_object = (views.images[..., 0] - views.images[..., 2]) > 0.4
    return float(is_object[views.masks > 0.9].float().mean())


@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("size", [(80, 60), (64, 64)])
def test_a_mask_covers_the_object_whichever_raster_it_shows(
    make_scene: Callable[..., Path],
    orientation: int,
    upright: bool,
    size: tuple[int, int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert agreement(make_scene(orientation, upright, *size)) > 0.97
    said = capsys.readouterr().err
    assert ("masks are rotated: 000.png, 001.png, 002.png (by size or colours" in said) == upright
    assert "masks are not rotated" not in said


@pytest.mark.parametrize("upright", [True, False])
def test_masks_of_photographs_that_are_read_upright_may_show_the_stored_rasters(
    make_scene: Callable[..., Path], make_frames: Callable[..., list[Frame]], upright: bool
) -> None:
    scene = make_scene(6, upright)
    write_transforms_json(scene / "transforms.json", make_frames(NAMES, width=60, height=80))
    assert agreement(scene) > 0.97


def test_masks_that_nothing_tells_the_orientation_of_are_named_and_taken_as_the_photographs_are_read(
    make_scene: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    read_scene(make_scene(3, True, seen=False), ReadingOptions(resolution=48))
    said = capsys.readouterr().err
    assert said.count("warning: masks are not rotated: 000.png, 001.png, 002.png (neither size nor colours tell") == 1


def test_a_mask_of_another_size_is_refused_in_both_orientations(make_scene: Callable[..., Path]) -> None:
    scene = make_scene(6, True)
    Image.new("L", (30, 40), 255).save(scene / "masks/001.png")
    with pytest.raises(PhotoError, match=r"masks/001\.png is 30x40 pixels, but its photograph 001\.png is 80x60"):
        agreement(scene)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_masks_are_turned_as_exif_asks_and_back(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.random.default_rng(0).integers(0, 255, (3, 5), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    stored, upright = (read_mask(tmp_path / "a.png", upright=way) for way in (False, True))
    assert torch.equal(turned(stored, orientation), upright)
    assert torch.equal(turned(upright, orientation, back=True), stored)


@pytest.mark.parametrize("pattern", ["masks/{}.JPG", "masks/{}_mask.png", "images/{}_mask.png", "nowhere/{}.png"])
def test_each_folder_is_listed_once_however_many_photographs_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    for folder in ("images", "masks", "nowhere"):
        (tmp_path / folder).mkdir()
    for k in range(30):
        Image.new("L", (4, 4)).save(tmp_path / f"images/{k}.jpg")
        Image.new("L", (4, 4)).save(tmp_path / pattern.format(k))
    files = [read_photo_file(tmp_path / f"images/{k}.jpg") for k in range(30)]
    listed: Counter[Path] = Counter()
    iterdir = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: (listed.update([folder]), iterdir(folder))[1])
    found = mask_files(files, tmp_path / "masks")
    assert len(found) == (0 if pattern.startswith("nowhere") else 30)
    assert listed and max(listed.values()) == 1
