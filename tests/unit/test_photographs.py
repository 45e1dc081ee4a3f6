"""Reading photographs and masks of every kind that people have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.preprocess.masks import find_mask, read_masked
from sparseags_ns.preprocess.photographs import (
    Header,
    PhotographError,
    list_photographs,
    read_header,
    read_mask,
    read_photograph,
)

COLOURS = np.array([[[255, 0, 51], [0, 102, 0]], [[10, 20, 30], [40, 50, 60]], [[0, 0, 0], [255, 255, 255]]], np.uint8)


def save(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.parametrize("ending", [".png", ".PNG", ".webp"])
def test_lossless_colours_are_read_exactly(tmp_path: Path, ending: str) -> None:
    photograph = read_photograph(save(tmp_path / f"a{ending}", COLOURS, lossless=True))
    assert photograph.rgb.dtype == torch.float32
    assert photograph.size == (2, 3)
    assert torch.equal(photograph.rgb, torch.from_numpy(COLOURS).float() / 255)
    assert photograph.alpha is None


def test_jpeg_is_read_within_its_loss(tmp_path: Path) -> None:
    flat = np.full((16, 24, 3), (200, 100, 50), np.uint8)
    photograph = read_photograph(save(tmp_path / "a.jpeg", flat, quality=95))
    assert torch.allclose(photograph.rgb, torch.from_numpy(flat).float() / 255, atol=0.02)


def test_transparent_pixels_keep_their_straight_colours(tmp_path: Path) -> None:
    alpha = np.array([[0, 255], [128, 64], [255, 1]], np.uint8)
    photograph = read_photograph(save(tmp_path / "a.png", np.dstack([COLOURS, alpha])))
    assert torch.equal(photograph.rgb, torch.from_numpy(COLOURS).float() / 255)
    assert photograph.alpha is not None
    assert torch.equal(photograph.alpha, torch.from_numpy(alpha).float() / 255)
    assert read_header(photograph.path).has_alpha


def test_an_opaque_alpha_channel_says_nothing(tmp_path: Path) -> None:
    opaque = np.full((3, 2), 255, np.uint8)
    assert read_photograph(save(tmp_path / "a.png", np.dstack([COLOURS, opaque]))).alpha is None


def test_sixteen_bit_grey_keeps_its_range(tmp_path: Path) -> None:
    grey = np.array([[0, 65535], [32768, 257]], np.uint16)
    photograph = read_photograph(save(tmp_path / "a.png", grey))
    assert torch.allclose(photograph.rgb[..., 1], torch.from_numpy(grey.astype(np.float32)) / 65535)
    assert photograph.alpha is None


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK"])
def test_other_kinds_of_pixels_become_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new("RGB", (8, 8), (255, 255, 255)).convert(mode).save(path)
    photograph = read_photograph(path)
    assert torch.allclose(photograph.rgb, torch.ones(8, 8, 3), atol=0.02)
    assert photograph.alpha is None


def test_a_palette_with_a_transparent_colour_has_alpha(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.putpixel((0, 0), 0)
    image.save(tmp_path / "a.png", transparency=0)
    alpha = read_photograph(tmp_path / "a.png").alpha
    assert alpha is not None
    assert alpha[0, 0] == 0 and alpha.sum() == 15


def test_exif_rotation_is_applied_unless_the_stored_raster_is_asked_for(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter, clockwise
    path = save(tmp_path / "a.png", COLOURS, exif=exif)
    assert read_header(path) == Header(stored=(2, 3), upright=(3, 2), turned=True, has_alpha=False)
    stored = torch.from_numpy(COLOURS).float() / 255
    assert torch.equal(read_photograph(path, upright=False).rgb, stored)
    assert torch.equal(read_photograph(path).rgb, torch.rot90(stored, -1, (0, 1)))


def test_the_size_without_a_tag_is_the_stored_one(tmp_path: Path) -> None:
    assert read_header(save(tmp_path / "a.png", COLOURS)) == Header(
        stored=(2, 3), upright=(2, 3), turned=False, has_alpha=False
    )


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.97])
@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_a_truncated_photograph_is_named(tmp_path: Path, ending: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path / f"a.{ending}", noise)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(PhotographError, match=rf"a\.{ending}: the file is cut off, damaged or not an image"):
        read_photograph(path)


def test_a_missing_photograph_is_named(tmp_path: Path) -> None:
    with pytest.raises(PhotographError, match=r"no such photograph: .*a\.png"):
        read_header(tmp_path / "a.png")


def test_an_unreadable_photograph_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", COLOURS)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(PhotographError, match=r"cannot read .*a\.png: permission denied"):
        read_photograph(path)


def test_permission_errors_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(PhotographError, match="make the file readable"):
        read_photograph(tmp_path / "a.png")
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(PhotographError, match="make the folder readable"):
        list_photographs(tmp_path)


def test_listing_takes_photographs_only_in_order(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "c.webp", "._a.png", "notes.txt", "d.heic"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in list_photographs(tmp_path)] == ["a.png", "b.JPG", "c.webp"]


def test_masks_are_read_from_brightness_transparency_or_labels(tmp_path: Path) -> None:
    grey = np.array([[0, 255], [51, 0]], np.uint8)
    expected = torch.tensor([[0.0, 1.0], [0.2, 0.0]])
    assert torch.allclose(read_mask(save(tmp_path / "grey.png", grey)), expected)
    cut_out = np.dstack([np.full((2, 2, 3), 255, np.uint8), grey])
    assert torch.allclose(read_mask(save(tmp_path / "cut_out.png", cut_out)), expected)
    labels = np.array([[0, 1], [1, 0]], np.uint8)
    assert torch.allclose(read_mask(save(tmp_path / "labels.png", labels)), torch.from_numpy(labels).float())


def test_a_mask_belongs_to_its_photograph_by_stem_or_by_whole_name(tmp_path: Path) -> None:
    for name in ("a.png", "b.jpg.png"):
        (tmp_path / name).write_bytes(b"")
    assert find_mask(Path("photos/a.jpg"), tmp_path) == tmp_path / "a.png"
    assert find_mask(Path("photos/b.jpg"), tmp_path) == tmp_path / "b.jpg.png"
    assert find_mask(Path("photos/c.jpg"), tmp_path) is None


def test_transparency_goes_before_the_masks_folder(tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    save(masks / "a.png", np.full((3, 2), 255, np.uint8))
    clear = save(tmp_path / "a.png", np.dstack([COLOURS, np.zeros((3, 2), np.uint8)]))
    assert read_masked(clear, masks)[1].sum() == 0
    opaque = save(tmp_path / "a.webp", COLOURS)
    assert read_masked(opaque, masks)[1].sum() == 6


def test_a_mask_of_another_size_is_refused_with_both_sizes(tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    save(masks / "a.png", np.full((30, 20), 255, np.uint8))
    with pytest.raises(PhotographError, match=r"a\.png is 20x30 pixels, but its photograph a\.jpg is 2x3"):
        read_masked(save(tmp_path / "a.jpg", COLOURS), masks)
