"""`Frame`, the entry of one photo in a pose file of any format, and the search for that photo on the disk.

Frames: `world`, as in the file; `camera`, OpenCV axes. Units: pixels for intrinsics. Tensors are float64, because files
hold decimal numbers that must survive reading and writing.

Pose files are moved about: the authors' `cameras.json` names photos relative to their repository, nerfstudio's
`transforms.json` relative to its own folder, COLMAP relative to its folder of images; and endings change when photos
are converted. So the whole written path is tried first, then ever shorter ends of it, down to the file name.
"""

from __future__ import annotations

import codecs
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

HEIC_ENDINGS = (".heic", ".heif", ".hif")
PHOTO_ENDINGS = (*(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".avif"), *HEIC_ENDINGS)
"""Endings of photo files, in lower case; a path without one of them is tried with each."""

PHOTO_FOLDERS = ("processed", "images")
"""Folders of a scene that may hold the photos, in the order in which they are searched."""

FOCAL_SIDES = (0.02, 100.0)
"""Plausible focal lengths, in longer sides of the photo: fields of view from 178 down to 0.6 degrees."""
MAX_OFFSET_SIDES = 20.0
"""Plausible distance of the principal point from the middle of the photo, in longer sides; crops have large ones."""
MAX_COEFFICIENT = 1e6
"""Plausible size of a coefficient of lens distortion; those of long lenses are in the thousands."""
MAX_COORDINATE = 1e10
"""Plausible coordinate of a camera or point: the Earth's radius in millimetres, which float64 holds to a micrometre."""
MAX_SIDE = 1_000_000
"""Plausible width or height of a photo in pixels."""
MAX_PATH, MAX_FOLDERS = 1024, 32
"""Most characters of a path in a pose file, and most folders in it."""


class PoseFileError(ValueError):
    """A pose file that cannot be used; the message names the file, the view, and what was expected."""

    def __init__(self, file: Path, problem: str, view: str | None = None) -> None:
        self.file = file
        where = f"{file}: " if view is None else f"{file}: view '{view if len(view) <= 80 else view[:77] + '...'}': "
        super().__init__(where + problem)


def require_content(file: Path) -> None:
    """Raise a PoseFileError for a file of no bytes, which a broken copy or download leaves behind."""
    if file.is_file() and file.stat().st_size == 0:
        raise PoseFileError(file, "is empty (0 bytes): its copy or download broke off; copy it again from its source")


def require_path(file: Path, written: str, view: str | None = None) -> str:
    """The path that a pose file writes, if a file can have it; a PoseFileError otherwise."""
    if len(written) > MAX_PATH or written.count("/") + written.count("\\") > MAX_FOLDERS or "\0" in written:
        raise PoseFileError(
            file,
            f"{written[:40]!r}..., of {len(written)} characters, is no path of a file: expected at most {MAX_PATH} "
            f"characters and {MAX_FOLDERS} folders",
            view,
        )
    return written


@dataclass(frozen=True)
class Distortion:
    """Lens distortion coefficients, as OpenCV defines them."""

    k1: float = 0.0
    k2: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    k3: float = 0.0
    k4: float = 0.0
    fisheye: bool = False
    """True for OpenCV's fisheye model (k1 to k4), false for its standard model (k1, k2, p1, p2, k3, k4)."""

    @property
    def coefficients(self) -> dict[str, float]:
        """Coefficients by name, without `fisheye`."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "fisheye"}

    @property
    def is_none(self) -> bool:
        """Whether the camera is a plain pinhole camera; false for every fisheye lens."""
        return not self.fisheye and not any(self.coefficients.values())


@dataclass(frozen=True)
class Frame:
    """One photo's entry in a pose file.

    `K` describes the photo only together with `distortion`. Where `distortion.is_none` is false, the photo must be
    undistorted before use: nothing in this package renders a distorted camera.
    """

    name: str
    """Unique in its file."""
    file_path: str
    """Path of the photo as written in the file; `find_image` resolves it."""
    T_camera_world: Float[Tensor, "4 4"]
    K: Float[Tensor, "3 3"]
    width: int | None = None
    """Size in pixels of the photo that K belongs to; None if the file does not state it."""
    height: int | None = None
    trusted: bool = True
    """Whether the pose may be used (`flag` in the authors' files)."""
    distortion: Distortion = Distortion()
    extra: dict[str, Any] = field(default_factory=dict)
    """All other fields of the entry, unchanged."""
    matrix_scale: float = 1.0
    """Uniform scale of the rotation in the file, or length of its quaternion; `T_camera_world` is without it."""
    notes: tuple[tuple[str, str], ...] = ()
    """What was left aside in reading, and why, for `console.warn`; notes on the whole file are those of each frame."""

    def __post_init__(self) -> None:
        fx, fy, cx, cy = self.intrinsics
        pinhole = torch.tensor([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=self.K.dtype)
        if not (torch.equal(self.K.cpu(), pinhole) and fx > 0 and fy > 0):
            wanted = "[[fx, 0, cx], [0, fy, cy], [0, 0, 1]]"
            raise ValueError(f"view '{self.name}': K must be {wanted}, is {self.K.tolist()}")

    @property
    def intrinsics(self) -> tuple[float, float, float, float]:
        """fx, fy, cx, cy in pixels."""
        return float(self.K[0, 0]), float(self.K[1, 1]), float(self.K[0, 2]), float(self.K[1, 2])

    @property
    def stem(self) -> str:
        """File name of the photo without its ending."""
        return PurePosixPath(self.file_path.replace("\\", "/")).stem


def require_plausible_pose(file: Path, frame: Frame) -> None:
    """Raise a PoseFileError for a pose in `file` that no camera has."""
    largest = float(frame.T_camera_world.abs().max())
    if not largest <= MAX_COORDINATE:
        raise _implausible(file, frame, f"a position of {largest:g} in its pose", f"at most {MAX_COORDINATE:g}")


def require_plausible_lens(file: Path, frame: Frame, size: tuple[int, int] | None = None) -> None:
    """Raise a PoseFileError for intrinsics in `file` that no photo has been taken with.

    Args:
        size: of the photo, where the frame does not state it; None leaves out what depends on the size.
    """
    for name, value in frame.distortion.coefficients.items():
        if not abs(value) <= MAX_COEFFICIENT:
            raise _implausible(file, frame, f"a lens distortion {name} of {value:g}", f"at most {MAX_COEFFICIENT:g}")
    size = size if frame.width is None or frame.height is None else (frame.width, frame.height)
    if size is None:
        return
    if not 1 <= min(size) <= max(size) <= MAX_SIDE:
        what = f"a photograph of {size[0]:g}x{size[1]:g} pixels"
        raise _implausible(file, frame, what, f"sides of 1 to {MAX_SIDE} pixels")
    side, (low, high), photo = max(size), FOCAL_SIDES, f"for a photograph of {size[0]}x{size[1]} pixels"
    fx, fy, cx, cy = frame.intrinsics
    for focal in (fx, fy):
        if not low * side <= focal <= high * side:
            expected = f"{low * side:g} to {high * side:g} {photo}"
            raise _implausible(file, frame, f"a focal length of {focal:g} pixels", expected)
    for axis, offset in (("x", cx - size[0] / 2), ("y", cy - size[1] / 2)):
        if not abs(offset) <= MAX_OFFSET_SIDES * side:
            what = f"a principal point {abs(offset):g} pixels from the photograph's middle along {axis}"
            raise _implausible(file, frame, what, f"at most {MAX_OFFSET_SIDES * side:g} {photo}")


def _implausible(file: Path, frame: Frame, what: str, expected: str) -> PoseFileError:
    return PoseFileError(file, f"{what} cannot be meant: expected {expected}; correct the file", frame.name)


def read_text(file: Path) -> str:
    """Content of a text file, UTF-8 or, where it begins with such a mark, UTF-16; without the mark.

    Bytes that are not UTF-8 become what `os.fsdecode` makes of them, so that names of files are found on the disk.

    Raises:
        OSError, UnicodeDecodeError: the file cannot be read.
    """
    content = file.read_bytes()
    is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16") if is_utf_16 else content.decode("utf-8-sig", "surrogateescape")


def intrinsics_matrix(fx: float, fy: float, cx: float, cy: float) -> Float[Tensor, "3 3"]:
    """K of a pinhole camera, float64."""
    return torch.tensor([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=torch.float64)


def default_names(paths: Sequence[str]) -> list[str]:
    """A name for each photo: its file name without ending, or the whole path of each photo if file names repeat."""
    stems = [path.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0] for path in paths]
    return stems if len(set(stems)) == len(stems) else list(paths)


def photo_names(paths: Sequence[Path]) -> list[str]:
    """Names that tell photo files apart: without ending, and with the folders below their common one if stems repeat.

    `left/000.png` and `right/000.png` are `left/000` and `right/000`. `000.jpg` and `000.png` of one folder keep their
    endings.
    """
    stems = [path.stem for path in paths]
    if len(set(stems)) == len(stems):
        return stems
    common = os.path.commonpath([path.absolute().parent for path in paths])
    whole = [path.absolute().relative_to(common) for path in paths]
    count = Counter(path.with_suffix("") for path in whole)
    return [(path.with_suffix("") if count[path.with_suffix("")] == 1 else path).as_posix() for path in whole]


def file_labels(paths: Sequence[Path]) -> list[str]:
    """File names for messages, with the folders of `photo_names` where stems repeat."""
    named = zip(photo_names(paths), paths, strict=True)
    return [name if name.endswith(path.name) else f"{name}{path.suffix}" for name, path in named]


def path_ends(path: str | Path) -> list[PurePosixPath]:
    """A path, with or without backslashes, and ever shorter ends of it, the file name last."""
    parts = [part for part in PurePosixPath(str(path).replace("\\", "/")).parts if part not in ("/", ".", "..")]
    return [PurePosixPath(*parts[start:]) for start in range(len(parts))]


def photo_stem(name: str) -> str:
    """A file name without the ending of a photo file; other endings belong to the name."""
    return name[: -len(ending)] if (ending := _photo_ending(name)) else name


def list_photos(folder: Path) -> list[Path]:
    """Entries of a folder that are named as photos, sorted by name; hidden ones are skipped.

    Raises:
        OSError: the folder cannot be read.
    """
    return sorted(path for path in folder.iterdir() if _photo_ending(path.name) and not path.name.startswith("."))


def find_image(file_path: str, pose_file: Path, scene: Path, folders: Sequence[Path] = ()) -> Path | None:
    """The photo file that `file_path` of a pose file refers to, None if it is in none of the likely places.

    These are beside the pose file, in `folders`, in the scene's folder and in its `PHOTO_FOLDERS`. The whole path is
    looked for in all of them before a shorter end of it is. A photo whose ending or case differs from what is written
    is found where no other one beside it has that name.
    """
    roots = list(dict.fromkeys([pose_file.parent, *folders, scene, *(scene / folder for folder in PHOTO_FOLDERS)]))
    for end in dict.fromkeys([Path(file_path.replace("\\", "/")), *path_ends(file_path)]):
        places = [root / end for root in roots]
        found = next((place for place in places if os.path.isfile(place)), None)
        found = found or next((alike for place in places if (alike := photo_like(place)) is not None), None)
        if found is not None:
            normal = Path(os.path.normpath(found))  # one photo must not be found under two paths
            return normal if normal.is_file() else found
    return None


def photos_by_stem(folder: Path) -> dict[str, list[Path]]:
    """The photos of a folder by their names without endings, in lower case; none where there is no such folder.

    The case of the folder may differ.
    """
    found: dict[str, list[Path]] = {}
    try:
        for path in list_photos(_folder_like(folder)):
            found.setdefault(photo_stem(path.name).lower(), []).append(path)
    except (OSError, ValueError):  # no such folder, a name that is too long, or one that no file can have
        return {}
    return found


def photo_like(place: Path, by_stem: Callable[[Path], Mapping[str, Sequence[Path]]] = photos_by_stem) -> Path | None:
    """The only photo file in a folder whose name differs from that of the path in nothing but its ending or its case.

    The case of the folder may differ, too. A photo of the same case goes before others; None where there is no such
    photo, or more than one.

    Args:
        by_stem: `photos_by_stem`, or what keeps its answers.
    """
    wanted = photo_stem(place.name)
    alike = by_stem(place.parent).get(wanted.lower(), ())
    alike = [path for path in alike if photo_stem(path.name) == wanted] or alike
    return alike[0] if len(alike) == 1 and alike[0].is_file() else None


def _folder_like(folder: Path) -> Path:
    """The folder, or the only one whose path differs from it in nothing but case; the path itself without either."""
    if os.path.isdir(folder) or folder == folder.parent:
        return folder
    parent, wanted = _folder_like(folder.parent), folder.name.lower()
    alike = [name for name in os.listdir(parent) if name.lower() == wanted] if os.path.isdir(parent) else []
    return parent / alike[0] if len(alike) == 1 else folder


def _photo_ending(name: str) -> str:
    """The ending of a photo file, as written; empty for other files."""
    ending = os.path.splitext(name)[1]
    return ending if ending.lower() in PHOTO_ENDINGS else ""
