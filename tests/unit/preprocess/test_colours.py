"""Colours in other spaces than sRGB come out as sRGB; expected values come from the definitions of the spaces."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, features

from sparseags_ns.formats.frame import Frame
from sparseags_ns.preprocess.colours import matrix_profile
from sparseags_ns.preprocess.photo_files import read_mask, read_photo_file, read_pixels
from sparseags_ns.preprocess.posed_photo_files import announce_colours, posed_photo_file

P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
"""XYZ of the primaries under D50."""
GAMMA = 2.2
INSIDE = np.array([[[128, 128, 128], [200, 120, 90]], [[90, 140, 60], [60, 80, 160]], [[0, 0, 0], [255, 255, 255]]])
"""Colours that sRGB can show in all the spaces, [rows, columns, channels]."""


def srgb_of(pixels: np.ndarray, primaries: Any, gamma: float) -> torch.Tensor:
    """sRGB, 0 to 1, of 8-bit pixels of an RGB space."""
    linear = (pixels / 255) ** gamma @ np.array(primaries) @ np.linalg.inv(np.array(SRGB))
    linear = linear.clip(0, 1)
    return torch.from_numpy(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


def grey_profile(gamma: float) -> bytes:
    """An ICC profile of a grey scale, made of one of three colours."""
    icc = matrix_profile("Grey", P3, gamma).replace(b"mntrRGB ", b"mntrGRAY").replace(b"rTRC", b"kTRC")
    return icc


def cmyk_profile(corners: np.ndarray) -> bytes:
    """An ICC profile whose Lab values at the 16 corners of CMYK are given as bytes, K varying fastest."""
    ramp = bytes(range(256))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + struct.pack(">9i", *(65536 * np.eye(3, dtype=int)).ravel())
    lut += ramp * 4 + corners.astype(np.uint8).tobytes() + ramp * 3
    desc = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"Inks\0" + bytes(78)
    desc += bytes(-len(desc) % 4)
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    table, content = struct.pack(">I", 3), b""
    for tag, data in ((b"desc", desc), (b"wtpt", white), (b"A2B0", lut)):
        table += tag + struct.pack(">II", 168 + len(content), len(data))
        content += data + bytes(-len(data) % 4)
    header = struct.pack(">I4sI", 168 + len(content), b"\0\0\0\0", 0x02100000) + b"prtrCMYKLab "
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + content


@pytest.mark.parametrize("ending", ["png", "webp", "tif"])
@pytest.mark.parametrize(("name", "primaries"), [("Display P3", P3), ("Adobe RGB", ADOBE)])
def test_colours_of_a_wide_space_become_srgb(tmp_path: Path, ending: str, name: str, primaries: Any) -> None:
    icc = matrix_profile(name, primaries, GAMMA)
    path = tmp_path / f"a.{ending}"
    Image.fromarray(INSIDE.astype(np.uint8)).save(path, icc_profile=icc, lossless=True)
    pixels = read_pixels(path)
    assert (pixels.rgb - srgb_of(INSIDE, primaries, GAMMA)).abs().max() < 1.5 / 255
    colours = read_photo_file(path).colours
    assert colours is not None and colours.name == name and colours.problem is None


def test_a_jpeg_is_converted_at_full_and_at_reduced_size(tmp_path: Path) -> None:
    flat = np.full((400, 600, 3), (200, 120, 90), np.uint8)
    path = tmp_path / "a.jpg"
    Image.fromarray(flat).save(path, quality=95, icc_profile=matrix_profile("P3", P3, GAMMA))
    expected = srgb_of(flat[:1, :1], P3, GAMMA)[0, 0]
    for max_px in (None, 100):
        assert (read_pixels(path, max_px=max_px).rgb - expected).abs().max() < 4 / 255


@pytest.mark.parametrize("mode", ["RGBA", "P", "L"])
def test_transparency_palettes_and_grey_pixels_are_converted_by_an_rgb_profile(tmp_path: Path, mode: str) -> None:
    icc = matrix_profile("Linear", SRGB, 1.0)
    image = Image.new("RGBA", (4, 4), (60, 60, 60, 100)) if mode == "RGBA" else Image.new(mode, (4, 4), 60)
    if mode == "P":
        image.putpalette([60, 60, 60] * 256)
    image.save(tmp_path / "a.png", icc_profile=icc)
    pixels = read_pixels(tmp_path / "a.png")
    assert (pixels.rgb - srgb_of(np.full(3, 60), SRGB, 1.0)).abs().max() < 1.5 / 255
    assert (pixels.alpha is None) == (mode != "RGBA")
    if pixels.alpha is not None:
        assert torch.allclose(pixels.alpha, torch.tensor(100 / 255))


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_grey_of_another_gamma_is_converted(tmp_path: Path, mode: str) -> None:
    value = 60 * 257 if mode == "I;16" else (60, 100) if mode == "LA" else 60
    Image.new(mode, (4, 4), value).save(tmp_path / "a.png", icc_profile=grey_profile(1.0))
    pixels = read_pixels(tmp_path / "a.png")
    assert (pixels.rgb - srgb_of(np.full(3, 60), SRGB, 1.0)).abs().max() < 1.5 / 255
    assert (pixels.alpha is None) == (mode != "LA")


def test_cmyk_is_converted_by_its_profile(tmp_path: Path) -> None:
    lab = np.full((16, 3), (0, 128, 128))
    lab[0] = 255, 128, 128  # paper
    lab[0b0100] = 128, 128, 128  # magenta ink, which is grey here as in no other profile
    pixels = np.zeros((16, 32, 4), np.uint8)
    pixels[:, 16:, 1] = 255
    Image.fromarray(pixels, "CMYK").save(tmp_path / "a.tif", icc_profile=cmyk_profile(lab))
    rgb = read_pixels(tmp_path / "a.tif").rgb
    assert torch.allclose(rgb[:, :16], torch.ones(()), atol=0.01)
    assert torch.allclose(rgb[:, 16:], torch.tensor(119 / 255), atol=0.02), "L* of 50"


def test_adobe_rgb_is_told_by_its_exif_tag(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0xA001: 0xFFFF, 0xA005: {1: "R03"}})
    path = tmp_path / "a.webp"
    Image.fromarray(INSIDE.astype(np.uint8)).save(path, lossless=True, exif=exif)
    colours = read_photo_file(path).colours
    assert colours is not None and colours.name == "Adobe RGB (1998)"
    assert (read_pixels(path).rgb - srgb_of(INSIDE, ADOBE, 563 / 256)).abs().max() < 1.5 / 255


def test_srgb_is_not_touched(tmp_path: Path) -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=icc)
    assert torch.equal(read_pixels(tmp_path / "a.png").rgb, torch.from_numpy(pixels).float() / 255)
    assert read_photo_file(tmp_path / "a.png").colours is None


def test_masks_are_no_colours(tmp_path: Path) -> None:
    Image.new("L", (4, 4), 60).save(tmp_path / "a.png", icc_profile=grey_profile(1.0))
    assert torch.allclose(read_mask(tmp_path / "a.png"), torch.tensor(60 / 255))


@pytest.mark.parametrize(
    ("mode", "icc", "problem"),
    [
        ("RGB", b"no profile" * 20, "the profile cannot be read"),
        ("RGB", grey_profile(1.0), "is one for GRAY pixels, and these are RGB"),
        ("CMYK", matrix_profile("P3", P3, GAMMA), "is one for RGB pixels, and these are CMYK"),
        ("CMYK", None, "there is no colour profile"),
    ],
)
def test_colours_that_cannot_be_told_are_warned_of(
    tmp_path: Path, mode: str, icc: bytes | None, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.tif"
    Image.new("RGB", (4, 4), (255, 255, 255)).convert(mode).save(path, icc_profile=icc)
    assert torch.equal(read_pixels(path).rgb, torch.ones(4, 4, 3))
    frame = Frame("a", "a.tif", torch.eye(4, dtype=torch.float64), torch.eye(3, dtype=torch.float64), 4, 4)
    announce_colours([posed_photo_file(path, frame)])
    printed = capsys.readouterr().err
    assert printed.startswith("sparseags: warning: colours are taken for sRGB: a.tif (") and problem in printed


def test_converted_photographs_are_announced_by_profile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = Frame("a", "a.png", torch.eye(4, dtype=torch.float64), torch.eye(3, dtype=torch.float64), 2, 3)
    for name, icc in (("a", matrix_profile("Display P3", P3, GAMMA)), ("b", None)):
        Image.fromarray(INSIDE.astype(np.uint8)).save(tmp_path / f"{name}.png", icc_profile=icc)
    announce_colours([posed_photo_file(tmp_path / f"{name}.png", frame) for name in ("a", "b", "a")])
    assert capsys.readouterr().err == (
        "sparseags: colours converted to sRGB: a.png, a.png (their profile is Display P3)\n"
    )


def with_chunks(path: Path, *chunks: tuple[bytes, bytes]) -> Path:
    """A PNG of `INSIDE` with chunks after its header."""
    Image.fromarray(INSIDE.astype(np.uint8)).save(path)
    content = path.read_bytes()
    added = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    path.write_bytes(content[:33] + added + content[33:])
    return path


def chrm(*xy: float) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(">8I", *(round(100000 * value) for value in xy))


def gama(value: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(100000 * value))


D65 = (0.3127, 0.3290)
P3_XY, SRGB_XY = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06), (0.64, 0.33, 0.3, 0.6, 0.15, 0.06)


def srgb_of_p3() -> torch.Tensor:
    """sRGB of `INSIDE`, whose pixels are Display P3 with sRGB's curve."""
    encoded = INSIDE / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return srgb_of(255 * linear, P3, 1.0)


@pytest.mark.parametrize(
    "chunks",
    [
        [chrm(*D65, *P3_XY)],
        [gama(1 / 2.2), chrm(*D65, *P3_XY)],
        [(b"cICP", bytes([12, 13, 0, 1]))],
        [(b"cICP", bytes([12, 1, 0, 1])), (b"sRGB", b"\0")],
    ],
)
def test_png_chunks_that_mean_display_p3_are_converted(tmp_path: Path, chunks: Any) -> None:
    path = with_chunks(tmp_path / "a.png", *chunks)
    assert (read_pixels(path).rgb - srgb_of_p3()).abs().max() < 1.5 / 255
    colours = read_photo_file(path).colours
    assert colours is not None and colours.problem is None


def test_a_png_of_another_gamma_is_converted(tmp_path: Path) -> None:
    path = with_chunks(tmp_path / "a.png", gama(1.0))
    assert (read_pixels(path).rgb - srgb_of(INSIDE, SRGB, 1.0)).abs().max() < 1.5 / 255


@pytest.mark.parametrize(
    "chunks",
    [
        [gama(0.45455)],
        [gama(0.45455), chrm(*D65, *SRGB_XY)],
        [(b"sRGB", b"\0"), gama(1.0)],
        [(b"cICP", bytes([1, 13, 0, 1])), gama(1.0)],
        [(b"cICP", bytes([2, 2, 0, 1]))],
    ],
)
def test_png_chunks_that_mean_srgb_change_nothing(tmp_path: Path, chunks: Any) -> None:
    path = with_chunks(tmp_path / "a.png", *chunks)
    assert torch.equal(read_pixels(path).rgb, torch.from_numpy(INSIDE).float() / 255)
    assert read_photo_file(path).colours is None


@pytest.mark.parametrize(
    ("chunk", "name"),
    [
        ((b"cICP", bytes([9, 16, 0, 1])), "BT.2020, PQ"),
        ((b"cICP", bytes([9, 18, 0, 1])), "BT.2020, HLG"),
        ((b"cICP", bytes([77, 13, 0, 1])), "primaries 77 of H.273, transfer 13 of H.273"),
        (chrm(*[0.3] * 8), "cHRM of the PNG"),
        (chrm(0.3, 0.0, *[0.3] * 6), "cHRM of the PNG"),
    ],
)
def test_chunks_that_cannot_be_converted_are_named(tmp_path: Path, chunk: tuple[bytes, bytes], name: str) -> None:
    path = with_chunks(tmp_path / "a.png", chunk)
    colours = read_photo_file(path).colours
    assert colours is not None and colours.name == name and colours.problem is not None
    assert torch.equal(read_pixels(path).rgb, torch.from_numpy(INSIDE).float() / 255)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_an_avif_that_states_display_p3_by_numbers_is_converted(tmp_path: Path) -> None:
    path, flat = tmp_path / "a.avif", np.full((16, 16, 3), (200, 120, 90), np.uint8)
    Image.fromarray(flat).save(path, quality=95)
    content = path.read_bytes()
    before, colr, after = content.partition(b"colrnclx")
    assert colr, "Pillow writes them"
    assert read_photo_file(path).colours is None
    path.write_bytes(before + colr + struct.pack(">HH", 12, 13) + after[4:])
    colours = read_photo_file(path).colours
    assert colours is not None and colours.name == "Display P3"
    encoded = flat[:1, :1] / 255
    expected = srgb_of(255 * ((encoded + 0.055) / 1.055) ** 2.4, P3, 1.0)
    assert (read_pixels(path).rgb - expected).abs().max() < 4 / 255
