"""`Frame`, the entry of one photo in a pose file of any format, and the search for that photo on the disk.

Frames: `world`, as in the file; `camera`, OpenCV axes. Units: pixels for intrinsics. Tensors are float64, because files
hold decimal numbers that must survive reading and writing.

Pose files are moved about: the authors' `cameras.json` names photos relative to their repository, nerfstudio's
`transforms.json` relative to its own folder, other files relative to the scene. Only the file name is reliable.
"""

from __future__ import annotations

from collections.abc import Sequence
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


class PoseFileError(ValueError):
    """A pose file that cannot be used; the message names the file, the view, and what was expected."""

    def __init__(self, file: Path, problem: str, view: str | None = None) -> None:
        where = f"{file}: " if view is None else f"{file}: view '{view}': "
        super().__init__(where + problem)


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


def intrinsics_matrix(fx: float, fy: float, cx: float, cy: float) -> Float[Tensor, "3 3"]:
    """K of a pinhole camera, float64."""
    return torch.tensor([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=torch.float64)


def default_names(paths: Sequence[str]) -> list[str]:
    """A name for each photo: its file name without ending, or the whole path of each photo if file names repeat."""
    stems = [path.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0] for path in paths]
    return stems if len(set(stems)) == len(stems) else list(paths)


def find_image(file_path: str, pose_file: Path, scene: Path) -> Path | None:
    """The photo file that `file_path` of a pose file refers to, None if it is in none of the likely places.

    These are beside the pose file, in the scene's folder and in its `PHOTO_FOLDERS`.
    """
    written = Path(file_path.replace("\\", "/"))
    places = [pose_file.parent / written, scene / written, *(scene / folder / written.name for folder in PHOTO_FOLDERS)]
    endings = ("", *PHOTO_ENDINGS, *(ending.upper() for ending in PHOTO_ENDINGS))
    endings = ("",) if written.suffix.lower() in PHOTO_ENDINGS else endings
    paths = (place.with_name(place.name + ending) for place in places for ending in endings)
    return next((path for path in paths if path.is_file()), None)
