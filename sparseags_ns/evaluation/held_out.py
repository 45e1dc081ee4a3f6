"""Photographs of a scene that were kept back, to judge novel views by.

On disk: `gt/transforms_test.json` with their true cameras, `test_images/` with the photographs. File paths in the JSON
are relative to the scene; only the names count, the folder is always `test_images/`: photographs of the same names in
`images/` are other photographs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import announce
from sparseags_ns.formats.frame import Frame, PoseFileError
from sparseags_ns.formats.image_paths import PHOTO_ENDINGS
from sparseags_ns.formats.json_entries import read_json
from sparseags_ns.formats.transforms_json import read_transforms_json
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.metrics.images import over_white
from sparseags_ns.preprocess.framing import compose, require_one_size
from sparseags_ns.preprocess.photographs import read_photograph
from sparseags_ns.preprocess.picture import Picture

CAMERAS = Path("gt") / "transforms_test.json"
PHOTOGRAPHS = "test_images"


@dataclass(frozen=True)
class HeldOut:
    """Held-out photographs and where they were taken."""

    names: tuple[str, ...]
    images: Float[Tensor, "views height width 3"]
    """The object over white, sRGB, 0 to 1."""
    valid: Float[Tensor, "views height width"]
    """1 where the photograph covers the pixel; elsewhere nothing is known."""
    cameras: Cameras
    """True ones, in the true world."""
    masks: Float[Tensor, "views height width"] | None = None
    """Coverage of the object; None where a photograph is opaque, so that its silhouette is not known."""

    def __len__(self) -> int:
        return len(self.names)


def read_held_out(scene: Path) -> HeldOut | None:
    """The held-out photographs of a scene, None where it has none; says why there are none.

    Raises:
        ValueError: a photograph that the file names is not there or cannot be used.
    """
    file, folder = scene / CAMERAS, scene / PHOTOGRAPHS
    missing = next((path for path in (file, folder) if not path.exists()), None)
    if missing is not None:
        announce("novel views are not judged", f"there is no {missing}")
        return None
    if read_json(file).get("frames") == []:
        announce("novel views are not judged", f"{file} lists no photographs")
        return None
    frames = read_transforms_json(file, scene)
    paths = [_photograph(frame, file, folder) for frame in frames]
    photographs = [read_photograph(path) for path in paths]
    pictures = [compose(p, p.alpha, frame) for p, frame in zip(photographs, frames, strict=True)]
    require_one_size([picture.size for picture in pictures], paths, "Give held-out photographs of one size")
    return _batch(frames, pictures, all(photograph.alpha is not None for photograph in photographs))


def _photograph(frame: Frame, file: Path, folder: Path) -> Path:
    name = PurePosixPath(frame.file_path.replace("\\", "/")).name
    candidates = [folder / name, *(folder / f"{name}{ending}" for ending in PHOTO_ENDINGS)]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise PoseFileError(
            file, f"there is no photograph {name} in {folder}, where held-out photographs lie", frame.name
        )
    return path


def _batch(frames: list[Frame], pictures: list[Picture], masked: bool) -> HeldOut:
    width, height = pictures[0].size
    return HeldOut(
        names=tuple(frame.stem for frame in frames),
        images=torch.stack([over_white(picture.rgb, picture.mask) for picture in pictures]),
        valid=torch.stack([picture.valid for picture in pictures]),
        cameras=Cameras(
            T_camera_world=torch.stack([frame.T_camera_world for frame in frames]),
            K=torch.stack([picture.K for picture in pictures]),
            width=width,
            height=height,
        ),
        masks=torch.stack([picture.mask for picture in pictures]) if masked else None,
    )
