"""Reading photographs and masks of every kind that people have."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, features

from sparseags_ns.preprocess import photo_files
from sparseags_ns.preprocess.masks import find_mask, read_masked
from sparseags_ns.preprocess.photo_files import (
    PhotoError,
    PhotoFile,
    has_transparency,
    list_photo_files,
    read_mask,
    read_photo_file,
    read_pixels,
    warn_of_skipped,
)

COLOURS = np.array([[[255, 0, 51], [0, 102, 0]], [[10, 20, 30], [40, 50, 60]], [[0, 0, 0], [255, 255, 255]]], np.uint8)


def save(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.parametrize("ending", [".png", ".PNG", ".webp"])
def test_lossless_colours_are_read_exactly(tmp_path: Path, ending: str) -> None:
    pixels = read_pixels(save(tmp_path / f"a{ending}", COLOURS, lossless=True))
    assert pixels.rgb.dtype == torch.float32
    assert pixels.size == (2, 3)
    assert torch.equal(pixels.rgb, torch.from_numpy(COLOURS).float() / 255)
    assert pixels.alpha is None


def test_jpeg_is_read_within_its_loss(tmp_path: Path) -> None:
    flat = np.full((16, 24, 3), (200, 100, 50), np.uint8)
    pixels = read_pixels(save(tmp_path / "a.jpeg", flat, quality=95))
    assert torch.allclose(pixels.rgb, torch.from_numpy(flat).float() / 255, atol=0.02)


def test_transparent_pixels_keep_their_straight_colours(tmp_path: Path) -> None:
    alpha = np.array([[0, 255], [128, 64], [255, 1]], np.uint8)
    pixels = read_pixels(save(tmp_path / "a.png", np.dstack([COLOURS, alpha])))
    assert torch.equal(pixels.rgb, torch.from_numpy(COLOURS).float() / 255)
    assert pixels.alpha is not None
    assert torch.equal(pixels.alpha, torch.from_numpy(alpha).float() / 255)
    assert read_photo_file(pixels.path).has_alpha


def test_an_opaque_alpha_channel_counts_as_none(tmp_path: Path) -> None:
    opaque = np.full((3, 2), 255, np.uint8)
    assert read_pixels(save(tmp_path / "a.png", np.dstack([COLOURS, opaque]))).alpha is None


def test_sixteen_bit_grey_keeps_its_range(tmp_path: Path) -> None:
    grey = np.array([[0, 65535], [32768, 257]], np.uint16)
    pixels = read_pixels(save(tmp_path / "a.png", grey))
    assert torch.allclose(pixels.rgb[..., 1], torch.from_numpy(grey.astype(np.float32)) / 65535)
    assert pixels.alpha is None


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK"])
def test_other_kinds_of_pixels_become_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new("RGB", (8, 8), (255, 255, 255)).convert(mode).save(path)
    pixels = read_pixels(path)
    assert torch.allclose(pixels.rgb, torch.ones(8, 8, 3), atol=0.02)
    assert pixels.alpha is None


def test_a_palette_with_a_transparent_colour_has_alpha(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.putpixel((0, 0), 0)
    image.save(tmp_path / "a.png", transparency=0)
    alpha = read_pixels(tmp_path / "a.png").alpha
    assert alpha is not None
    assert alpha[0, 0] == 0 and alpha.sum() == 15


def test_exif_rotation_is_applied_unless_the_stored_raster_is_asked_for(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter, clockwise
    path = save(tmp_path / "a.png", COLOURS, exif=exif)
    assert read_photo_file(path) == PhotoFile(path, (2, 3), (3, 2), orientation=6, has_alpha=False)
    stored = torch.from_numpy(COLOURS).float() / 255
    assert torch.equal(read_pixels(path, upright=False).rgb, stored)
    assert torch.equal(read_pixels(path).rgb, torch.rot90(stored, -1, (0, 1)))


@pytest.mark.parametrize("ending", ["tif", "webp", "jpg"])
def test_every_exif_orientation_is_applied(tmp_path: Path, ending: str) -> None:
    corner = np.zeros((16, 32, 3), np.uint8)
    corner[:8, :8] = 255  # the upper left of the raster
    # Where the raster's upper left corner is on the upright photograph, by the tag (row, column, sideways).
    places = {1: (0, 0, 0), 2: (0, -1, 0), 3: (-1, -1, 0), 4: (-1, 0, 0)}
    places |= {5: (0, 0, 1), 6: (0, -1, 1), 7: (-1, -1, 1), 8: (-1, 0, 1)}
    for tag, (row, column, sideways) in places.items():
        exif = Image.Exif()
        exif[0x0112] = tag
        path = save(tmp_path / f"{tag}.{ending}", corner, exif=exif)
        header, pixels = read_photo_file(path), read_pixels(path)
        assert header.upright_size == pixels.size == ((16, 32) if sideways else (32, 16))
        assert float(pixels.rgb[row, column].min()) > 0.8, tag
        assert float(pixels.rgb.mean()) == pytest.approx(1 / 8, abs=0.02)


@pytest.mark.parametrize(("name", "mode"), [("a.jpg", "RGB"), ("a.png", "RGBA"), ("b.png", "P"), ("c.png", "L")])
def test_huge_photographs_are_reduced_while_they_are_read(tmp_path: Path, name: str, mode: str) -> None:
    width, height = 413, 200
    ramp = np.linspace(0, 255, width).astype(np.uint8)[None].repeat(height, 0)
    Image.fromarray(ramp).convert(mode).save(tmp_path / name)
    small = read_pixels(tmp_path / name, max_px=100)
    assert small.size == (100, 48)
    assert small.full_size == (413, 200)
    middles = (torch.arange(100) + 0.5) / 100 * width
    expected = (middles - 0.5) / (width - 1)
    assert (small.rgb[24, :, 0] - expected).abs().max() < 0.02
    assert read_pixels(tmp_path / name, max_px=413).full_size == (413, 200)


def test_reduced_photographs_are_rotated_too(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "a.jpg", np.zeros((200, 400, 3), np.uint8), exif=exif)
    upright, stored = read_pixels(path, max_px=100), read_pixels(path, max_px=100, upright=False)
    assert (upright.size, upright.full_size) == ((50, 100), (200, 400))
    assert (stored.size, stored.full_size) == ((100, 50), (400, 200))


def test_reduced_sixteen_bit_grey_keeps_its_range(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.full((40, 80), 32768, np.uint16))
    assert torch.allclose(read_pixels(path, max_px=20).rgb, torch.tensor(32768 / 65535), atol=1e-4)


def test_reduced_transparent_photographs_keep_the_colours_of_what_is_seen(tmp_path: Path) -> None:
    pixels = np.zeros((40, 40, 4), np.uint8)
    pixels[:, ::2] = (255, 0, 0, 255)  # every other column red, the others clear black
    small = read_pixels(save(tmp_path / "a.png", pixels), max_px=20)
    assert small.alpha is not None
    assert torch.allclose(small.alpha, torch.tensor(0.5), atol=0.01)
    assert torch.allclose(small.rgb[..., 0], torch.tensor(1.0), atol=0.01)


def test_sixteen_bit_colours_become_eight_bit_ones(tmp_path: Path) -> None:
    deep = (np.arange(48, dtype=np.uint16).reshape(4, 4, 3) * 1300).astype(np.uint16)
    for ending in ("png", "tiff"):
        assert cv2.imwrite(str(tmp_path / f"a.{ending}"), deep[..., ::-1])
        rgb = read_pixels(tmp_path / f"a.{ending}").rgb
        assert torch.allclose(rgb, torch.from_numpy(deep.astype(np.float32)) / 65535, atol=0.005)


def test_heic_is_read_where_its_package_is(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif", reason="needs pillow-heif (the extra `heic`)")
    heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 6
    flat = np.full((64, 96, 3), (200, 100, 50), np.uint8)
    path = save(tmp_path / "a.heic", flat, quality=95, exif=exif)
    pixels = read_pixels(path)
    assert read_photo_file(path).upright_size == pixels.size
    assert torch.allclose(pixels.rgb[32, 32], torch.tensor([200, 100, 50]) / 255, atol=0.03)


def test_heic_is_told_by_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_files, "_reads_heic", lambda: False)
    heic = tmp_path / "a.jpg"
    heic.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(PhotoError, match=r"a\.jpg: HEIC photographs need the package pillow-heif"):
        read_pixels(heic)
    save(tmp_path / "b.jpg", COLOURS).rename(tmp_path / "b.heic")
    assert read_pixels(tmp_path / "b.heic").size == (2, 3), "phones name JPEG files .heic, too"


@pytest.mark.parametrize("ending", ["jfif", "jpe", "avif"])
def test_less_common_endings_are_photographs(tmp_path: Path, ending: str) -> None:
    if ending == "avif" and not features.check("avif"):
        pytest.skip("this Pillow is built without AVIF")
    exif = Image.Exif()
    exif[0x0112] = 6
    flat = np.full((16, 24, 3), (200, 100, 50), np.uint8)
    path = tmp_path / f"a.{ending}"
    Image.fromarray(flat).save(path, "AVIF" if ending == "avif" else "JPEG", quality=95, exif=exif)
    assert list_photo_files(tmp_path) == (path,)
    pixels = read_pixels(path)
    assert pixels.size == (16, 24) == read_photo_file(path).upright_size
    assert torch.allclose(pixels.rgb[8, 8], torch.tensor([200, 100, 50]) / 255, atol=0.02)


def test_avif_that_pillow_cannot_read_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda _: False)
    (tmp_path / "a.avif").write_bytes(b"\0\0\0\x18ftypavif")
    with pytest.raises(PhotoError, match=r"a\.avif: AVIF photographs need Pillow 11\.3 or newer"):
        read_pixels(tmp_path / "a.avif")


def test_what_is_not_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "a.png", COLOURS)
    warn_of_skipped(tmp_path)
    assert capsys.readouterr().err == ""
    (tmp_path / "b.png").symlink_to(tmp_path / "moved away.png")
    for name in ("c.CR2", "d.gif", "notes.txt", "._e.gif"):
        (tmp_path / name).touch()
    (tmp_path / "f.gif").mkdir()
    warn_of_skipped(tmp_path)
    link, kinds = capsys.readouterr().err.splitlines()
    assert link == (
        f"sparseags: warning: skipped: b.png (links in {tmp_path} to files that do not exist; copy the photographs "
        "there)"
    )
    assert kinds.startswith("sparseags: warning: skipped: c.CR2, d.gif (.cr2, .gif is not read")


@pytest.mark.parametrize(("values", "why"), [(np.float32(0.5), "pixels of kind 'F'"), (np.int32(70000), "16 bits")])
def test_values_whose_white_is_unknown_are_refused(tmp_path: Path, values: np.generic, why: str) -> None:
    with pytest.raises(PhotoError, match=why):
        read_pixels(save(tmp_path / "a.tiff", np.full((4, 4), values)))


def test_heic_without_its_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: Callable[..., None]
) -> None:
    monkeypatch.setattr(photo_files, "_reads_heic", lambda: False)
    (tmp_path / "a.heic").touch()
    with pytest.raises(PhotoError) as error:
        read_photo_file(tmp_path / "a.heic")
    snapshot(str(error.value), SCENE=tmp_path)


def test_transparency_must_be_seen_not_promised(tmp_path: Path) -> None:
    opaque, clear = np.full((3, 2), 255, np.uint8), np.zeros((3, 2), np.uint8)
    assert not has_transparency(read_photo_file(save(tmp_path / "a.png", COLOURS)))
    assert not has_transparency(read_photo_file(save(tmp_path / "b.png", np.dstack([COLOURS, opaque]))))
    assert has_transparency(read_photo_file(save(tmp_path / "c.png", np.dstack([COLOURS, clear]))))


def test_the_size_without_a_tag_is_the_stored_one(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", COLOURS)
    assert read_photo_file(path) == PhotoFile(path, (2, 3), (2, 3), orientation=1, has_alpha=False)


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.97])
@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_a_truncated_photograph_is_named(tmp_path: Path, ending: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path / f"a.{ending}", noise)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(PhotoError, match=rf"a\.{ending}: the file is cut off, damaged or not an image"):
        read_pixels(path)


def test_a_missing_photograph_is_named(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match=r"no such photograph: .*a\.png"):
        read_photo_file(tmp_path / "a.png")


def test_an_unreadable_photograph_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", COLOURS)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(PhotoError, match=r"cannot read .*a\.png: permission denied"):
        read_pixels(path)


def test_permission_errors_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: Callable[..., None]
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    (tmp_path / "a.png").touch()
    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(PhotoError) as no_file:
        read_pixels(tmp_path / "a.png")
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(PhotoError) as no_folder:
        list_photo_files(tmp_path)
    monkeypatch.undo()
    for name, error in (("file_permission", no_file), ("folder_permission", no_folder)):
        snapshot(str(error.value), name, SCENE=tmp_path)


def test_listing_takes_photographs_only_in_order(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "c.webp", "._a.png", "notes.txt", "d.heic"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in list_photo_files(tmp_path)] == ["a.png", "b.JPG", "c.webp", "d.heic"]


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
    assert read_masked(read_photo_file(clear), masks)[1].sum() == 0
    opaque = save(tmp_path / "a.webp", COLOURS)
    assert read_masked(read_photo_file(opaque), masks)[1].sum() == 6


def test_masks_of_what_is_to_be_dropped_are_inverted(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    drop = np.array([[0, 255], [255, 255], [255, 0]], np.uint8)
    save(tmp_path / "masks/a.png", drop)
    mask = read_masked(read_photo_file(save(tmp_path / "a.jpg", COLOURS)), tmp_path / "masks", drop=True)[1]
    assert torch.equal(mask, 1 - torch.from_numpy(drop).float() / 255)


def test_a_mask_of_another_size_is_refused_with_both_sizes(tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    save(masks / "a.png", np.full((30, 20), 255, np.uint8))
    with pytest.raises(PhotoError, match=r"a\.png is 20x30 pixels, but its photograph a\.jpg is 2x3"):
        read_masked(read_photo_file(save(tmp_path / "a.jpg", COLOURS)), masks)


def test_a_photograph_of_more_pixels_than_are_allowed_is_refused_unless_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (13_000, 10_000)).save(path)
    with pytest.raises(PhotoError, match=r"large\.png: it has 13000x10000 pixels, 130 million, and 128 million are"):
        read_photo_file(path)
    monkeypatch.setenv(photo_files.MAX_MEGAPIXELS, "130")
    assert read_photo_file(path).stored_size == (13_000, 10_000)
    monkeypatch.setenv(photo_files.MAX_MEGAPIXELS, "many")
    with pytest.raises(PhotoError, match="SPARSEAGS_MAX_MEGAPIXELS must be a number of megapixels, is 'many'"):
        read_photo_file(path)


def test_whatever_a_decoder_makes_of_damage_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.png", COLOURS)
    for error in (AssertionError(), RuntimeError(), ZeroDivisionError(), KeyError(), MemoryError()):

        def damaged(image: Image.Image, error: Exception = error) -> bool:
            raise error

        monkeypatch.setattr(Image.Image, "has_transparency_data", property(damaged))
        with pytest.raises(PhotoError, match=r"cannot read .*a\.png: "):
            read_photo_file(path)
