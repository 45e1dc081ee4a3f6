"""Colour profiles: photographs in Display P3, Adobe RGB, CMYK or grey of any gamma, brought to sRGB.

The numbers of a pixel mean a colour only by the profile that its file names: an ICC profile, or the EXIF tag by which
cameras mark Adobe RGB (DCF 2.0: interoperability index R03), or code points (cICP of PNG, nclx of AVIF and HEIC), or
gamma and primaries of a PNG (gAMA, cHRM). Files with none of these are sRGB, as browsers have it.
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
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D65 = (0.3127, 0.3290)
_PRIMARIES = {
    1: ("BT.709", (*_D65, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060)),
    2: ("BT.709", (*_D65, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060)),
    5: ("BT.601 (625)", (*_D65, 0.640, 0.330, 0.290, 0.600, 0.150, 0.060)),
    6: ("BT.601 (525)", (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070)),
    7: ("BT.601 (525)", (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070)),
    9: ("BT.2020", (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046)),
    11: ("DCI P3", (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)),
    12: ("Display P3", (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)),
}
"""Names, and x and y of white, red, green and blue, by their numbers in ITU-T H.273, table 2; unspecified counts as
BT.709."""
_UNSPECIFIED = 2
_GAMMAS = {1: None, 2: None, 4: 2.2, 5: 2.8, 6: None, 8: 1.0, 13: None, 14: None, 15: None}
"""Gammas by their numbers in ITU-T H.273, table 3; None for the curve of sRGB, by which those of cameras for television
are shown as well."""
_HDR = {16: "PQ", 18: "HLG"}
_SRGB_GAMMA = 0.1
"""Relative difference of a gamma from 1 / 2.2 up to which it stands for sRGB's curve."""
_CURVE_STEPS = 1024
_BOXES_BYTES = 1 << 16
"""Bytes at the beginning of AVIF and HEIC files in which their colours are stated."""


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
    """The colour space of an opened image, before its pixels are loaded; None for sRGB.

    Raises:
        OSError: the file cannot be read.
    """
    icc = image.info.get("icc_profile")
    index = image.getexif().get_ifd(IFD.Interop).get(_INTEROPERABILITY_INDEX)
    if not icc and isinstance(index, str) and index.strip("\0 ") == "R03":
        icc = matrix_profile("Adobe RGB (1998)", _ADOBE_RGB, _ADOBE_GAMMA)
    if icc:
        return _examined(bytes(icc), image.mode)
    if image.mode == "CMYK":
        return Colours("CMYK", "there is no colour profile")
    points = code_points(image)
    if points is not None:
        return _of_code_points(*points, image.mode)
    if "srgb" in image.info or not {"gamma", "chromaticity"} & set(image.info):
        return None
    gamma, chromaticities = image.info.get("gamma"), image.info.get("chromaticity")
    return _of_chunks(gamma or None, tuple(chromaticities or ()), image.mode)


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


def code_points(image: Image.Image) -> tuple[int, int] | None:
    """Colour primaries and transfer that a PNG (chunk cICP), AVIF or HEIC file (box colr) states; None without them.

    They are numbers of ITU-T H.273. Pillow does not tell them.
    """
    path = getattr(image, "filename", "")
    if not path or image.format not in ("PNG", "AVIF", "HEIF"):
        return None
    with open(path, "rb") as file:
        if image.format != "PNG":
            found = file.read(_BOXES_BYTES).partition(b"colrnclx")[2][:4]
            return struct.unpack(">HH", found) if len(found) == 4 else None
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"cICP" and length == 4:
                return file.read(1)[0], file.read(1)[0]
            if kind in (b"PLTE", b"IDAT"):  # it must stand before these
                break
            file.seek(length + 4, 1)
    return None


@lru_cache(maxsize=64)
def _of_code_points(primaries: int, transfer: int, mode: str) -> Colours | None:
    if primaries == transfer == _UNSPECIFIED:
        return None
    name, chromaticities = _PRIMARIES.get(primaries, (f"primaries {primaries} of H.273", None))
    if transfer in _HDR or transfer not in _GAMMAS or chromaticities is None:
        what = _HDR.get(transfer, f"transfer {transfer} of H.273")
        return Colours(f"{name}, {what}", "it has no exact counterpart in sRGB")
    return _examined(matrix_profile(name, adapted(chromaticities), _GAMMAS[transfer]), mode)


@lru_cache(maxsize=64)
def _of_chunks(gamma: float | None, chromaticities: tuple[float, ...], mode: str) -> Colours | None:
    """What the chunks gAMA and cHRM of a PNG mean: a gamma near that of sRGB stands for sRGB's curve."""
    name = " and ".join(["cHRM"] * bool(chromaticities) + ["gAMA"] * (gamma is not None)) + " of the PNG"
    exponent = None if gamma is None or abs(gamma * 2.2 - 1) < _SRGB_GAMMA else 1 / gamma
    try:
        primaries = adapted(chromaticities or _PRIMARIES[1][1])
    except (np.linalg.LinAlgError, ZeroDivisionError, ValueError):
        return Colours(name, "its numbers are no colours")
    if not (np.isfinite(primaries).all() and np.abs(primaries).max() < 4 and (exponent is None or exponent < 16)):
        return Colours(name, "its numbers are no colours")
    return _examined(matrix_profile(name, primaries, exponent), mode)


def adapted(chromaticities: Sequence[float]) -> list[list[float]]:
    """XYZ of red, green and blue under D50, by Bradford's transform.

    Args:
        chromaticities: x and y of white, red, green and blue.

    Raises:
        ValueError, ZeroDivisionError, LinAlgError: they are no chromaticities of a colour space.
    """
    white, *rgb = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in zip(*[iter(chromaticities)] * 2, strict=True))
    scaled = np.array(rgb) * np.linalg.solve(np.array(rgb).T, white)[:, None]
    gains = (_BRADFORD @ np.array(_D50)) / (_BRADFORD @ white)
    return (scaled @ (np.linalg.inv(_BRADFORD) @ np.diag(gains) @ _BRADFORD).T).tolist()


def matrix_profile(name: str, primaries: Sequence[Sequence[float]], gamma: float | None) -> bytes:
    """An ICC profile (version 2, ICC.1:2001-04) of an RGB space.

    Args:
        name: of the colour space, in ASCII.
        primaries: XYZ of red, green and blue under D50, of which the sum is the white.
        gamma: exponent of all three curves; None for the curve of sRGB.
    """

    def xyz(values: Sequence[float]) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(65536 * value) for value in values))

    text = name.encode("ascii") + b"\0"
    if gamma is None:
        steps = np.linspace(0, 1, _CURVE_STEPS)
        linear = np.where(steps <= 0.04045, steps / 12.92, ((steps + 0.055) / 1.055) ** 2.4)
        values = (65535 * linear).round().astype(int).tolist()
    else:
        values = [round(256 * gamma), 0]  # one value and padding
    count = len(values) if gamma is None else 1
    curve = b"curv\0\0\0\0" + struct.pack(f">I{len(values)}H", count, *values)
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
