"""Colour profiles: photographs in Display P3, Adobe RGB, CMYK or grey of any gamma, brought to sRGB.

The numbers of a pixel mean a colour only by the profile that its file names: an ICC profile, or the EXIF tag by which
cameras mark Adobe RGB (DCF 2.0: interoperability index R03). Files with neither are sRGB, as browsers have it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms
from PIL.ExifTags import IFD

SAME = 2
"""Largest difference to sRGB, of 255, by which a profile counts as sRGB: the usual ones of cameras and programs differ
by rounding."""
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Pillow's mode of the pixels that a profile of each colour space describes."""
_ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
_ADOBE_GAMMA = 563 / 256
"""Primaries as XYZ under D50, and gamma (Adobe RGB (1998) Color Image Encoding, 4.3 and annex)."""
_D50 = (0.9642, 1.0, 0.8249)
_INTEROPERABILITY_INDEX = 1


@dataclass(frozen=True)
class Colours:
    """What the numbers in a photo file mean, where that is not sRGB or cannot be told."""

    name: str
    """Name of the colour space, as its profile has it."""
    problem: str | None = None
    """Why the numbers are taken for sRGB nevertheless; None where they are converted."""
    icc: bytes = b""
    """The ICC profile."""


def colours_of(image: Image.Image) -> Colours | None:
    """The colour space of an opened image, before its pixels are loaded; None for sRGB."""
    icc = image.info.get("icc_profile")
    index = image.getexif().get_ifd(IFD.Interop).get(_INTEROPERABILITY_INDEX)
    if not icc and isinstance(index, str) and index.strip("\0 ") == "R03":
        icc = matrix_profile("Adobe RGB (1998)", _ADOBE_RGB, _ADOBE_GAMMA)
    if icc:
        return _examined(bytes(icc), image.mode)
    return Colours("CMYK", "there is no colour profile") if image.mode == "CMYK" else None


def to_srgb(image: Image.Image, colours: Colours | None) -> Image.Image:
    """An image with its colours in sRGB, 8 bits for each channel; the same image where nothing is to be converted."""
    if colours is None or colours.problem is not None:
        return image
    mode, alpha = _MODES[_space(colours.icc)], None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
    if image.mode.startswith("I"):  # 16-bit grey, which convert() would clip at 255
        image = Image.fromarray((np.asarray(image).astype(np.float32) / 257).round().clip(0, 255).astype(np.uint8))
    converted = ImageCms.applyTransform(image.convert(mode), _transform(colours.icc, mode))
    assert converted is not None
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def matrix_profile(name: str, primaries: Sequence[Sequence[float]], gamma: float) -> bytes:
    """An ICC profile (version 2, ICC.1:2001-04) of an RGB space.

    Args:
        name: of the colour space, in ASCII.
        primaries: XYZ of red, green and blue under D50, of which the sum is the white.
        gamma: exponent of all three curves.
    """

    def xyz(values: Sequence[float]) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(65536 * value) for value in values))

    text = name.encode("ascii") + b"\0"
    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(256 * gamma))
    tags = {b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78), b"wtpt": xyz(_D50)}
    for letter, primary in zip("rgb", primaries, strict=True):
        tags[f"{letter}XYZ".encode()], tags[f"{letter}TRC".encode()] = xyz(primary), curve
    table, content = struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(content), len(data))
        content += data + bytes(-len(data) % 4)
    header = struct.pack(">I4sI", 132 + 12 * len(tags) + len(content), b"\0\0\0\0", 0x02100000) + b"mntrRGB XYZ "
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", *(round(65536 * value) for value in _D50))
    return header.ljust(128, b"\0") + table + content


@lru_cache(maxsize=64)
def _examined(icc: bytes, mode: str) -> Colours | None:
    """What a profile means for pixels of a mode; None where that is sRGB."""
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(icc))
        name = ImageCms.getProfileDescription(profile).strip() or "without a name"
        space = _space(icc)
        needed = _MODES.get(space)
        fits = (needed == "RGB" and mode != "CMYK") or (needed == "L" and _is_grey(mode)) or needed == mode
        if needed is None or not fits:
            return Colours(name, f"the profile is one for {space} pixels, and these are {mode}")
        transform = _transform(icc, needed)
    except ImportError:
        return Colours("with a colour profile", "this Pillow is built without LittleCMS")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return Colours("with a damaged colour profile", "the profile cannot be read")
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    levels = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    if needed == "CMYK":
        return Colours(name, icc=icc)
    before = Image.fromarray(levels if needed == "RGB" else np.arange(256, dtype=np.uint8)[None])
    after = ImageCms.applyTransform(before, transform)
    assert after is not None
    change = np.abs(np.asarray(after).astype(int) - np.asarray(before.convert("RGB")).astype(int)).max()
    return Colours(name, icc=icc) if change > SAME else None


@lru_cache(maxsize=16)
def _transform(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    """The transform from a profile to sRGB; perceptual, as for photographs in browsers."""
    source, target = ImageCms.ImageCmsProfile(BytesIO(icc)), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(source, target, mode, "RGB", ImageCms.Intent.PERCEPTUAL)


def _space(icc: bytes) -> str:
    """Colour space of a profile's pixels: its signature in the header, bytes 16 to 19."""
    return icc[16:20].decode("ascii", "ignore").strip()


def _is_grey(mode: str) -> bool:
    return mode in ("1", "L", "LA", "La") or mode.startswith("I")
