"""Photo files: listing them, their sizes and orientation from the header, and their decoded pixels.

Colours are straight (not multiplied by alpha), sRGB, 0 to 1. Sizes are (width, height) in pixels. A photograph is
`upright` once the rotation or mirroring that its EXIF tag asks for is applied; `stored` is the raster as in the file.
Nothing here writes.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from numbers import Real
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, features
from PIL.ExifTags import IFD, Base
from PIL.JpegImagePlugin import JpegImageFile
from torch import Tensor

from sparseags_ns.console import warn
from sparseags_ns.formats.frame import HEIC_ENDINGS, list_photos
from sparseags_ns.formats.mask_keys import NamedMask
from sparseags_ns.preprocess.colours import Colours, colours_of, to_srgb

_OTHER_IMAGES = (
    *(".gif", ".jp2", ".j2k", ".jpx", ".jxl", ".tga", ".ppm", ".pgm", ".psd", ".psb", ".xcf", ".exr", ".hdr", ".svg"),
    *(".dng", ".raw", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw", ".3fr"),
)
"""Endings of images that are not read as photographs."""
_SIDEWAYS = range(5, 9)
_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
QUARTER_TURNS = {3: 2, 6: 3, 8: 1}
"""Counter-clockwise quarter turns that the rotations among the EXIF orientations ask for."""
_ROTATED_BY_PILLOW = ("TIFF", "HEIF")
MAX_MEGAPIXELS = "SPARSEAGS_MAX_MEGAPIXELS"
"""Environment variable: the most megapixels of a photograph or a mask that is read."""
_USUAL_MEGAPIXELS = 128.0
"""Value without that variable. Reading takes up to 12 bytes for each pixel of the file."""
_SHOWS_ALPHA_PX = 2048
"""Longer side at which it is looked whether a photograph is transparent anywhere, at least that of reading it."""
_MAX_LISTED = 8
_HEAD_BYTES = 64
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
_OTHER_HEADS = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF")
_LABEL = 1.0 / 255.0
_Read = TypeVar("_Read")

_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0}
_FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)
"""A "35 mm equivalent" has the angle of view of 36 x 24 mm film over the diagonal (CIPA DCG-001)."""
_SHAPE_TOLERANCE = 0.01
_PLAUSIBLE = (0.3, 20.0)
"""Bounds of the focal length, in longer sides."""


class PhotoError(ValueError):
    """A photograph, a mask or a folder of them cannot be used."""


@dataclass(frozen=True)
class PhotoFile:
    """A photo file, known from its header alone."""

    path: Path
    stored_size: tuple[int, int]
    """Size of the raster in the file."""
    upright_size: tuple[int, int]
    """Size after the rotation that the EXIF tag asks for."""
    orientation: int
    """The rotation or mirroring that the EXIF tag asks for, by its number there, 2 to 8; 1 for none."""
    has_alpha: bool
    """Whether the file has transparency; it may be opaque everywhere nevertheless."""
    focal_px: float | None = None
    """Focal length in pixels of the raster, a first guess from the EXIF tags; None where they do not tell it."""
    upright: bool = True
    """Whether the EXIF rotation is applied on reading; False where a pose file means the stored raster."""
    mask: NamedMask | None = None
    """Mask that a pose file names for it, whose file need not exist; None where none does."""
    colours: Colours | None = None
    """The colour space that the file names; None for sRGB."""

    @property
    def has_rotation(self) -> bool:
        """Whether the EXIF tag asks for a rotation or a mirroring."""
        return self.orientation != 1

    @property
    def size(self) -> tuple[int, int]:
        """Size of the photograph in the orientation in which it is read."""
        return self.upright_size if self.upright else self.stored_size


@dataclass(frozen=True)
class Pixels:
    """The decoded pixels of one file, a photograph or a mask."""

    path: Path
    rgb: Float[Tensor, "height width 3"]
    alpha: Float[Tensor, "height width"] | None
    """None where the file has no transparency or is opaque everywhere."""
    full_size: tuple[int, int]
    """Size in the file, before the pixels were reduced on reading."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]


def list_photo_files(folder: Path) -> tuple[Path, ...]:
    """Paths of the photo files directly in a folder, sorted by name; hidden files are skipped.

    Raises:
        PhotoError: the folder may not be read.
    """
    try:
        return tuple(path for path in list_photos(folder) if path.is_file())
    except PermissionError as error:
        raise PhotoError(f"cannot list {folder}: permission denied; make the folder readable") from error


def warn_of_skipped(folder: Path) -> None:
    """Name what looks like photographs in a folder and is not listed: links that lead nowhere, and other kinds."""
    lost = [path.name for path in list_photos(folder) if not path.exists()]
    if lost:
        warn(f"skipped: {listed(lost)}", f"links in {folder} to files that do not exist; copy the photographs there")
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    others = [path.name for path in entries if path.suffix.lower() in _OTHER_IMAGES and path.is_file()]
    if others:
        kinds = ", ".join(sorted({Path(name).suffix.lower() for name in others}))
        warn(f"skipped: {listed(others)}", f"{kinds} is not read; save such photographs as JPEG or PNG to use them")


def read_photo_file(path: Path) -> PhotoFile:
    """Read the header of a photo file, without decoding its pixels.

    Raises:
        PhotoError: the file is missing or cannot be read.
    """

    def header(image: Image.Image) -> PhotoFile:
        width, height = image.size
        orientation = _orientation(image)
        upright = (height, width) if orientation in _SIDEWAYS else (width, height)
        focal = focal_px(image.getexif(), image.size)
        alpha, colours = image.has_transparency_data, colours_of(image)
        return PhotoFile(path, (width, height), upright, orientation, alpha, focal, colours=colours)

    return _open(path, header)


def natural_order(names: Sequence[str]) -> list[int]:
    """Indices of names sorted as people count: IMG_9 before IMG_10."""
    parts = [[(int(p), "") if p.isdigit() else (-1, p.lower()) for p in re.split(r"(\d+)", name)] for name in names]
    return sorted(range(len(names)), key=lambda k: (parts[k], names[k]))


def capture_time(path: Path) -> str | None:
    """When a photograph was taken, as EXIF writes it (sorts by time); None where the tags do not tell.

    Raises:
        PhotoError: the file is missing or cannot be read.
    """

    def time(image: Image.Image) -> str | None:
        tags = image.getexif().get_ifd(IFD.Exif)
        moment, fraction = tags.get(Base.DateTimeOriginal), tags.get(Base.SubsecTimeOriginal, "")
        return f"{moment}.{fraction}".strip() if isinstance(moment, str) and moment.strip(" :\0") else None

    return _open(path, time)


def focal_px(exif: Image.Exif, size: tuple[int, int]) -> float | None:
    """Focal length in EXIF tags, in pixels of a raster of this size, the same along both axes.

    It is a first guess: phones round the focal length, and cropping invalidates it, which shows where the tags still
    give the original size. None if the tags lack it, contradict the size or are absurd.
    """
    tags = exif.get_ifd(IFD.Exif)
    width, height = size
    taken = _number(tags.get(Base.ExifImageWidth)), _number(tags.get(Base.ExifImageHeight))
    if taken[0] and taken[1]:
        # One of the two ratios of width to height may be inverted, by a rotation since.
        a, b = taken[0] / taken[1], width / height
        if min(abs(a / b - 1), abs(a * b - 1)) >= _SHAPE_TOLERANCE:
            return None
    film = _number(tags.get(Base.FocalLengthIn35mmFilm))
    if film:
        focal = film / _FILM_DIAGONAL_MM * math.hypot(*size)
    else:
        density = _number(tags.get(Base.FocalPlaneXResolution))
        unit = _UNIT_MM.get(int(_number(tags.get(Base.FocalPlaneResolutionUnit)) or 2))
        millimetres = _number(tags.get(Base.FocalLength))
        if not (density and unit and millimetres and taken[0]):
            return None
        # The density belongs to the original photograph, which may have been scaled and rotated since.
        focal = millimetres * density / unit * max(size) / max(taken[0], taken[1] or 0.0)
    low, high = _PLAUSIBLE
    return focal if low <= focal / max(size) <= high else None


def has_transparency(photo_file: PhotoFile) -> bool:
    """Whether a photograph is transparent anywhere, which needs its pixels to be decoded."""
    return photo_file.has_alpha and read_pixels(photo_file.path, max_px=_SHOWS_ALPHA_PX).alpha is not None


def read_pixels(path: Path, *, upright: bool = True, max_px: int | None = None, managed: bool = True) -> Pixels:
    """Decode a PNG, JPEG, WebP, TIFF, BMP, AVIF or HEIC file, grey or in colour, of 8 or 16 bits.

    Args:
        path: the file.
        upright: apply the EXIF rotation; False keeps the raster as stored.
        max_px: average pixels on reading so that the longer side has at most this many. JPEG files are then not even
            decoded at their full size.
        managed: convert colours to sRGB by the file's profile; False for files whose numbers are no colours.

    Raises:
        PhotoError: the file is missing or cannot be read.
    """

    def read(image: Image.Image) -> tuple[Float[Tensor, "height width 4"], tuple[int, int]]:
        orientation, (width, height) = _orientation(image) if upright else 1, image.size
        if image.mode == "F":  # of a file; its white may be 1, 255 or anything
            raise _unsupported(path, image.mode)
        reduced = _reduced(image, max_px, colours_of(image) if managed else None)
        rotated = reduced.transpose(_TRANSPOSES[orientation]) if orientation in _TRANSPOSES else reduced
        return _straight_rgba(rotated, path), (height, width) if orientation in _SIDEWAYS else (width, height)

    rgba, full_size = _open(path, read)
    alpha = rgba[..., 3]
    opaque = bool((alpha == 1.0).all())
    return Pixels(path, rgba[..., :3].contiguous(), None if opaque else alpha.contiguous(), full_size)


def read_mask(path: Path, *, upright: bool = True, max_px: int | None = None) -> Float[Tensor, "height width"]:
    """Read a mask, white where the object is: its transparency where it has any, else its brightness.

    A mask of labels, whose only values are 0 and 1 of 255, is read as 0 and 1.
    """
    pixels = read_pixels(path, upright=upright, max_px=max_px, managed=False)
    if pixels.alpha is not None:
        return pixels.alpha
    mask = pixels.rgb.mean(dim=-1)
    is_labels = bool((mask <= _LABEL * 1.001).all())
    return (mask * 255.0).clamp(max=1.0) if is_labels else mask


def turned(plane: Float[Tensor, "h w"], orientation: int, back: bool = False) -> Float[Tensor, "h2 w2"]:
    """A raster as an EXIF orientation asks for it, or from there back to the raster as stored."""
    if orientation in QUARTER_TURNS:  # counter-clockwise
        quarters = QUARTER_TURNS[orientation]
        return plane.rot90(-quarters if back else quarters)
    flips = {1: plane, 2: plane.flip(1), 4: plane.flip(0), 5: plane.T, 7: plane.T.flip(0, 1)}
    return flips[orientation]


def listed(names: Sequence[str]) -> str:
    """Names for a message: all of them if there are few, else the first ones and the number of the others."""
    more = len(names) - _MAX_LISTED
    return ", ".join(names[:_MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


def _open(path: Path, read: Callable[[Image.Image], _Read]) -> _Read:
    """Open an image and read something from it; every failure becomes a PhotoError that says what to do."""
    try:
        if _is_heic(path) and not _reads_heic():
            raise PhotoError(
                f"cannot read {path}: HEIC photographs need the package pillow-heif, which is not installed; install "
                "it (pip install pillow-heif), or save the photograph as JPEG"
            )
        if path.suffix.lower() == ".avif" and not features.check("avif"):
            raise PhotoError(
                f"cannot read {path}: AVIF photographs need Pillow 11.3 or newer (pip install -U pillow); or save the "
                "photograph as JPEG"
            )
        with _opened(path) as image:
            return read(image)
    except PhotoError:
        raise
    except FileNotFoundError as error:
        raise PhotoError(f"no such photograph: {path}") from error
    except PermissionError as error:
        raise PhotoError(f"cannot read {path}: permission denied; make the file readable") from error
    except MemoryError as error:
        raise PhotoError(f"cannot read {path}: there is not enough memory for it; save it at a smaller size") from error
    except Exception as error:  # damage makes Pillow and its decoders raise almost anything
        empty = "" if path.stat().st_size else " (it has 0 bytes)"
        raise PhotoError(
            f"cannot read {path}: the file is cut off, damaged or not an image{empty}; copy it again from its source, "
            "or take it out of the folder and out of the pose file"
        ) from error


def _opened(path: Path) -> Image.Image:
    """An image, open, of no more pixels than are allowed; Pillow's own limit, which cannot be told, does not count.

    Raises:
        PhotoError: it has more, or the environment variable is no number.
    """
    asked = os.environ.get(MAX_MEGAPIXELS, "")
    try:
        limit = float(asked) if asked else _USUAL_MEGAPIXELS
    except ValueError as error:
        raise PhotoError(f"{MAX_MEGAPIXELS} must be a number of megapixels, is {asked!r}") from error
    usual, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        image = Image.open(path)
    finally:
        Image.MAX_IMAGE_PIXELS = usual
    megapixels = math.prod(image.size) / 1e6
    if not megapixels <= limit:
        image.close()
        raise PhotoError(
            f"cannot read {path}: it has {image.size[0]}x{image.size[1]} pixels, {megapixels:.4g} million, "
            f"and {limit:g} million are allowed. Save it at a smaller size, or allow more by the environment variable "
            f"{MAX_MEGAPIXELS}={math.ceil(megapixels)}"
        )
    return image


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation that is still to be applied, 1 for none.

    Must be read before the pixels are loaded: Pillow rotates TIFF and HEIF files itself, and then drops the tag.
    """
    orientation = 1 if image.format in _ROTATED_BY_PILLOW else image.getexif().get(Base.Orientation, 1)
    return orientation if orientation in _TRANSPOSES else 1


def _is_heic(path: Path) -> bool:
    """Whether a file is HEIC, by its content (ISO/IEC 23008-12, brands), since phones also name such files .jpg."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head[4:8] == b"ftyp":
        return head[8:12] in _HEIC_BRANDS and b"avif" not in head
    return path.suffix.lower() in HEIC_ENDINGS and not head.startswith(_OTHER_HEADS)


@cache
def _reads_heic() -> bool:
    """Make Pillow read HEIC files, if the package for it is installed."""
    try:
        import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True


def _reduced(image: Image.Image, max_px: int | None, colours: Colours | None) -> Image.Image:
    """The raster as stored, in sRGB, averaged down where its longer side has more than `max_px` pixels."""
    if max_px is None or max(image.size) <= max_px:
        return to_srgb(image, colours)
    scale = max_px / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    # A JPEG decoder can skip the detail that would be averaged away. Its reduced raster is padded to whole blocks; the
    # box is the part of it that the photograph covers.
    draft = image.draft(None, (2 * width, 2 * height)) if isinstance(image, JpegImageFile) else None
    box = (0.0, 0.0, *image.size) if draft is None else draft[1]
    image = to_srgb(image, colours)
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow resizes only as float
        image = image.convert("I").convert("F")
    elif image.mode in ("1", "P", "PA"):
        image = image.convert("RGBA")
    return image.resize((width, height), Image.Resampling.BOX, box=box)


def _straight_rgba(image: Image.Image, path: Path) -> Float[Tensor, "height width 4"]:
    """Straight RGBA, 0 to 1, of an image of any Pillow mode that photographs have."""
    if image.mode.startswith("I") or image.mode == "F":  # 16-bit grey, which convert() would clip at 255
        grey = np.asarray(image).astype(np.float32) / 65535.0
        if not 0 <= grey.min() <= grey.max() <= 1:
            raise PhotoError(f"cannot read {path}: values of more than 16 bits are not supported; save it as a PNG")
        return torch.from_numpy(np.stack([grey, grey, grey, np.ones_like(grey)], axis=-1))
    if image.mode not in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr"):
        raise _unsupported(path, image.mode)
    rgba = image.convert("RGBA")
    return torch.from_numpy(np.array(rgba, dtype=np.float32)) / 255.0


def _unsupported(path: Path, mode: str) -> PhotoError:
    return PhotoError(
        f"cannot read {path}: pixels of kind {mode!r} are not supported; save it as an 8-bit RGB or RGBA PNG"
    )


def _number(value: object) -> float | None:
    """The value as a positive finite number; None for anything else, which tags may hold."""
    try:
        number = float(value) if isinstance(value, Real) else 0.0
    except (ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 else None
