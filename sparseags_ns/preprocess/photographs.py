"""Photographs on disk: finding them, and reading colours and transparency.

Colours are straight (not multiplied by alpha), sRGB, 0 to 1. A photograph is `upright` when the rotation that its
EXIF tag asks for has been applied; `stored` is the raster as it lies in the file. Sizes are (width, height) in pixels.
Nothing here writes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageOps
from torch import Tensor

from sparseags_ns.formats.image_paths import PHOTO_ENDINGS

_EXIF_ORIENTATION = 0x0112
_TURNED = range(2, 9)
_SIDEWAYS = range(5, 9)
_MOST_NAMED = 8
_LABEL = 1.0 / 255.0
# What Pillow and its decoders raise on files that are damaged.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)
_Read = TypeVar("_Read")


class PhotographError(ValueError):
    """A photograph, a mask or a folder of them cannot be used."""


@dataclass(frozen=True)
class Photograph:
    """The pixels of one photograph."""

    path: Path
    rgb: Float[Tensor, "height width 3"]
    alpha: Float[Tensor, "height width"] | None
    """None when the file has no transparency, or is opaque everywhere."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]


@dataclass(frozen=True)
class Header:
    """What a photograph says of itself before its pixels are read."""

    stored: tuple[int, int]
    """Size of the raster in the file."""
    upright: tuple[int, int]
    """Size after the turn that the EXIF tag asks for."""
    turned: bool
    """Whether the EXIF tag asks for any turn, half turns and mirroring included."""
    has_alpha: bool
    """Whether there is any transparency to read; it may be opaque everywhere all the same."""


def list_photographs(folder: Path) -> tuple[Path, ...]:
    """The photographs that lie directly in a folder, by file name; hidden files are skipped."""
    try:
        entries = sorted(folder.iterdir())
    except PermissionError as error:
        raise PhotographError(f"cannot list {folder}: permission denied; make the folder readable") from error
    return tuple(p for p in entries if p.suffix.lower() in PHOTO_ENDINGS and not p.name.startswith(".") and p.is_file())


def read_header(path: Path) -> Header:
    """Sizes and kind of a photograph, without reading its pixels."""

    def header(image: Image.Image) -> Header:
        width, height = image.size
        orientation = image.getexif().get(_EXIF_ORIENTATION)
        upright = (height, width) if orientation in _SIDEWAYS else (width, height)
        return Header((width, height), upright, orientation in _TURNED, image.has_transparency_data)

    return _open(path, header)


def read_photograph(path: Path, *, upright: bool = True) -> Photograph:
    """Read a PNG, JPEG, WebP, TIFF or BMP file, grey or in colour, of 8 or 16 bits.

    Args:
        path: the file.
        upright: turn the photograph as its EXIF tag asks; False keeps the raster as stored.
    """
    pixels = _open(path, lambda image: _colours_and_alpha(_turned(image, upright), path))
    rgb, alpha = pixels[..., :3].contiguous(), pixels[..., 3]
    return Photograph(path=path, rgb=rgb, alpha=None if bool((alpha == 1.0).all()) else alpha.contiguous())


def read_mask(path: Path, *, upright: bool = True) -> Float[Tensor, "height width"]:
    """Read a mask: white where the object is. Transparency counts when there is any, else brightness.

    A mask of labels, which holds 0 and 1 of 255 and nothing else, is read as 0 and 1.
    """
    photograph = read_photograph(path, upright=upright)
    if photograph.alpha is not None:
        return photograph.alpha
    mask = photograph.rgb.mean(dim=-1)
    is_labels = bool((mask <= _LABEL * 1.001).all())
    return (mask * 255.0).clamp(max=1.0) if is_labels else mask


def listed(names: Sequence[str]) -> str:
    """Names for a message: all of a few, the first of many."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _open(path: Path, read: Callable[[Image.Image], _Read]) -> _Read:
    """Open an image, read something from it, and turn what goes wrong into a PhotographError."""
    try:
        with Image.open(path) as image:
            return read(image)
    except PhotographError:
        raise
    except FileNotFoundError as error:
        raise PhotographError(f"no such photograph: {path}") from error
    except PermissionError as error:
        raise PhotographError(f"cannot read {path}: permission denied; make the file readable") from error
    except Image.DecompressionBombError as error:
        raise PhotographError(
            f"cannot read {path}: it has more pixels than can be read safely; save it at a smaller size"
        ) from error
    except _DAMAGE as error:
        raise PhotographError(
            f"cannot read {path}: the file is cut off, damaged or not an image; copy it again from its source, "
            "or take it out of the folder and out of the pose file"
        ) from error


def _turned(image: Image.Image, upright: bool) -> Image.Image:
    """The image, turned as its EXIF tag asks."""
    return ImageOps.exif_transpose(image) if upright else image


def _colours_and_alpha(image: Image.Image, path: Path) -> Float[Tensor, "height width 4"]:
    """Straight RGBA from 0 to 1 out of any mode of Pillow that photographs come in."""
    if image.mode.startswith("I"):  # 16-bit grey: convert() would clip it at 255
        grey = np.asarray(image).astype(np.float32) / 65535.0
        return torch.from_numpy(np.stack([grey, grey, grey, np.ones_like(grey)], axis=-1))
    if image.mode not in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr"):
        raise PhotographError(
            f"cannot read {path}: pixels of kind {image.mode!r} are not supported; save it as an 8-bit RGB or RGBA PNG"
        )
    rgba = image.convert("RGBA")
    return torch.from_numpy(np.array(rgba, dtype=np.float32)) / 255.0
