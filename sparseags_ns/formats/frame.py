"""What a pose file says about one photograph, whatever the format of the file.

Frames: `world`, as the file has it; `camera`, OpenCV axes. Units: pixels for intrinsics. Everything is float64, because
files hold decimal numbers and must come back as they were.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


class PoseFileError(ValueError):
    """A pose file that cannot be used; says which file, which view, and what was expected."""

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
        """The numbers by name, without the model."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "fisheye"}

    @property
    def is_none(self) -> bool:
        """Whether the photograph is that of a plain pinhole camera. A fisheye lens never is."""
        return not self.fisheye and not any(self.coefficients.values())


@dataclass(frozen=True)
class Frame:
    """One photograph's entry in a pose file.

    `K` describes the photograph only together with `distortion`. Where `distortion.is_none` is false, whoever reads the
    photograph has to undistort it first: nothing in this package renders a distorted camera.
    """

    name: str
    """Unique in its file."""
    file_path: str
    """The photograph's path as the file writes it; `image_paths.find_image` resolves it."""
    T_camera_world: Float[Tensor, "4 4"]
    K: Float[Tensor, "3 3"]
    width: int | None = None
    """Size of the photograph that K belongs to; None where the file does not say."""
    height: int | None = None
    trusted: bool = True
    """The authors' `flag`: whether the pose may be used."""
    distortion: Distortion = Distortion()
    extra: dict[str, Any] = field(default_factory=dict)
    """What else the file says about the view, kept as it was."""

    def __post_init__(self) -> None:
        fx, fy, cx, cy = self.intrinsics
        pinhole = torch.tensor([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=self.K.dtype)
        if not (torch.equal(self.K.cpu(), pinhole) and fx > 0 and fy > 0):
            raise ValueError(
                f"view '{self.name}': K must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], is {self.K.tolist()}"
            )

    @property
    def intrinsics(self) -> tuple[float, float, float, float]:
        """fx, fy, cx, cy in pixels."""
        return float(self.K[0, 0]), float(self.K[1, 1]), float(self.K[0, 2]), float(self.K[1, 2])

    @property
    def stem(self) -> str:
        """The photograph's file name without its ending."""
        return PurePosixPath(self.file_path.replace("\\", "/")).stem


def intrinsics_matrix(fx: float, fy: float, cx: float, cy: float) -> Float[Tensor, "3 3"]:
    """K of a pinhole camera, float64."""
    return torch.tensor([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=torch.float64)
