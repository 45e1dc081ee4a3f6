"""Photographs on disk: finding them, and reading colours and transparency.

Colours are straight (not multiplied by alpha), sRGB, 0 to 1. A photograph is `upright` when the rotation that its
EXIF tag asks for has been applied; `stored` is the raster as it lies in the file. Sizes are (width, height) in pixels.
Huge photographs are reduced while they are read; `full_size` is what they were. Nothing here writes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from torch import Tensor

from sparseags_ns.formats.image_paths import HEIC_ENDINGS, PHOTO_ENDINGS
from sparseags_ns.preprocess.exif import focal_px

_EXIF_ORIENTATION = 0x0112
_SIDEWAYS = range(5, 9)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TURNED_BY_PILLOW = ("TIFF", "HEIF")
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
    full_size: tuple[int, int] | None = None
    """(width, height) before the photograph was reduced; None where it was not."""

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
    focal_px: float | None = None
    """Focal length in pixels of the raster, as far as the EXIF tags tell; a first guess."""


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
        orientation = _orientation(image)
        upright = (height, width) if orientation in _SIDEWAYS else (width, height)
        focal = focal_px(image.getexif(), image.size)
        return Header((width, height), upright, orientation in _TURNS, image.has_transparency_data, focal)

    return _open(path, header)


def has_transparency(path: Path) -> bool:
    """Whether a photograph is transparent anywhere, which only its pixels can tell."""
    return read_header(path).has_alpha and read_photograph(path).alpha is not None


def read_photograph(path: Path, *, upright: bool = True, most_px: int | None = None) -> Photograph:
    """Read a PNG, JPEG, WebP, TIFF, BMP or HEIC file, grey or in colour, of 8 or 16 bits.

    Args:
        path: the file.
        upright: turn the photograph as its EXIF tag asks; False keeps the raster as stored.
        most_px: reduce the photograph while it is read so that its longer side has at most this many pixels. Reduced
            JPEG files are not even decoded at their full size.
    """

    def read(image: Image.Image) -> tuple[Float[Tensor, "height width 4"], tuple[int, int]]:
        orientation, (width, height) = _orientation(image) if upright else 1, image.size
        reduced = _reduced(image, most_px)
        turned = reduced.transpose(_TURNS[orientation]) if orientation in _TURNS else reduced
        return _colours_and_alpha(turned, path), (height, width) if orientation in _SIDEWAYS else (width, height)

    pixels, full_size = _open(path, read)
    rgb, alpha = pixels[..., :3].contiguous(), pixels[..., 3]
    return Photograph(
        path=path,
        rgb=rgb,
        alpha=None if bool((alpha == 1.0).all()) else alpha.contiguous(),
        full_size=None if full_size == (rgb.shape[1], rgb.shape[0]) else full_size,
    )


def read_mask(path: Path, *, upright: bool = True, most_px: int | None = None) -> Float[Tensor, "height width"]:
    """Read a mask: white where the object is. Transparency counts when there is any, else brightness.

    A mask of labels, which holds 0 and 1 of 255 and nothing else, is read as 0 and 1.
    """
    photograph = read_photograph(path, upright=upright, most_px=most_px)
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
    if path.suffix.lower() in HEIC_ENDINGS and not _reads_heic():
        raise PhotographError(
            f"cannot read {path}: HEIC photographs need the package pillow-heif, which is not installed; install it "
            "(pip install pillow-heif), or save the photograph as JPEG"
        )
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


def _orientation(image: Image.Image) -> int:
    """The turn that is left to us: 1 is none. To be asked before the pixels are loaded."""
    return 1 if image.format in _TURNED_BY_PILLOW else image.getexif().get(_EXIF_ORIENTATION, 1)


@cache
def _reads_heic() -> bool:
    """Let Pillow read HEIC files if the package for it is installed; it turns them upright by itself."""
    try:
        import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True


def _reduced(image: Image.Image, most_px: int | None) -> Image.Image:
    """The raster as stored, averaged down where its longer side has too many pixels."""
    if most_px is None or max(image.size) <= most_px:
        return image
    scale = most_px / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    # A JPEG decoder can leave out what would be averaged away; the box says where the photograph then ends.
    draft = image.draft(None, (2 * width, 2 * height)) if isinstance(image, JpegImageFile) else None
    box = (0.0, 0.0, *image.size) if draft is None else draft[1]
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow resizes only as float
        image = image.convert("I").convert("F")
    elif image.mode in ("1", "P", "PA"):
        image = image.convert("RGBA")
    return image.resize((width, height), Image.Resampling.BOX, box=box)


def _colours_and_alpha(image: Image.Image, path: Path) -> Float[Tensor, "height width 4"]:
    """Straight RGBA from 0 to 1 out of any mode of Pillow that photographs come in."""
    if image.mode.startswith("I") or image.mode == "F":  # 16-bit grey: convert() would clip it at 255
        grey = np.asarray(image).astype(np.float32) / 65535.0
        return torch.from_numpy(np.stack([grey, grey, grey, np.ones_like(grey)], axis=-1))
    if image.mode not in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr"):
        raise PhotographError(
            f"cannot read {path}: pixels of kind {image.mode!r} are not supported; save it as an 8-bit RGB or RGBA PNG"
        )
    rgba = image.convert("RGBA")
    return torch.from_numpy(np.array(rgba, dtype=np.float32)) / 255.0
