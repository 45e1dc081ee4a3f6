"""Held-out photographs of a scene, and how close renders of the splat come to them.

On disk: `gt/transforms_test.json` holds their true cameras, `test_images/` the photographs. File paths in the JSON are
relative to the scene; only the names count and the folder is always `test_images/`, because photographs of the same
names in `images/` are input views.

Frames: the true `world`, in which the held-out cameras are known; the splat's `world`, aligned to it by the similarity
that fits the input views' camera centres. Images are compared over white.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import announce
from sparseags_ns.formats.frame import PHOTO_ENDINGS, Frame, PoseFileError
from sparseags_ns.formats.json_entries import read_json
from sparseags_ns.formats.transforms_json import read_transforms_json
from sparseags_ns.geometry.alignment import Similarity
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.metrics.images import PerceptualError, over_white, ssim
from sparseags_ns.preprocess.framing import compose
from sparseags_ns.preprocess.photo_files import read_pixels
from sparseags_ns.preprocess.posed_photo_files import require_one_size
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians

CAMERAS = Path("gt") / "transforms_test.json"
PHOTOGRAPHS = "test_images"

MIN_MSE = 1e-10
"""PSNR is limited to 100 dB by it, so that means over views stay finite."""


@dataclass(frozen=True)
class HeldOut:
    """Held-out photographs and their true cameras."""

    names: tuple[str, ...]
    images: Float[Tensor, "views height width 3"]
    """The object over white, sRGB, 0 to 1."""
    valid: Float[Tensor, "views height width"]
    """1 where the photograph covers the pixel, 0 elsewhere."""
    cameras: Cameras
    """True cameras, in the true world."""
    masks: Float[Tensor, "views height width"] | None = None
    """Coverage of the object, 0 to 1; None if a photograph is opaque, so that its silhouette is unknown."""

    def __len__(self) -> int:
        return len(self.names)


def read_held_out(scene: Path) -> HeldOut | None:
    """The held-out photographs of a scene; None, with an announcement of the reason, if it has none.

    Raises:
        ValueError: a photograph that the file names is absent or cannot be used.
    """
    file, folder = scene / CAMERAS, scene / PHOTOGRAPHS
    missing = next((path for path in (file, folder) if not path.exists()), None)
    if missing is not None:
        announce("novel views are not compared", f"there is no {missing}")
        return None
    if read_json(file).get("frames") == []:
        announce("novel views are not compared", f"{file} lists no photographs")
        return None
    frames = read_transforms_json(file, scene)
    paths = [_photograph(frame, file, folder) for frame in frames]
    pixels = [read_pixels(path) for path in paths]
    photos = [compose(p, p.alpha, frame) for p, frame in zip(pixels, frames, strict=True)]
    require_one_size([photo.size for photo in photos], paths, "Give held-out photographs of one size")
    width, height = photos[0].size
    T_camera_world, K = (torch.stack(one) for one in ([f.T_camera_world for f in frames], [p.K for p in photos]))
    return HeldOut(
        names=tuple(frame.stem for frame in frames),
        images=torch.stack([over_white(photo.rgb, photo.mask) for photo in photos]),
        valid=torch.stack([photo.valid for photo in photos]),
        cameras=Cameras(T_camera_world, K, width, height),
        masks=None if any(p.alpha is None for p in pixels) else torch.stack([photo.mask for photo in photos]),
    )


def _photograph(frame: Frame, file: Path, folder: Path) -> Path:
    name = PurePosixPath(frame.file_path.replace("\\", "/")).name
    candidates = [folder / name, *(folder / f"{name}{ending}" for ending in PHOTO_ENDINGS)]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise PoseFileError(
            file, f"there is no photograph {name} in {folder}, the folder of held-out photographs", frame.name
        )
    return path


@dataclass(frozen=True)
class NovelViewErrors:
    """Errors of the renders against the held-out photographs, view by view."""

    names: tuple[str, ...]
    psnr: Float[Tensor, " views"]
    """PSNR over the valid pixels, dB."""
    ssim: Float[Tensor, " views"]
    perceptual: Float[Tensor, " views"]
    """LPIPS or its stand-in, lower is better."""
    perceptual_name: str
    renders: Float[Tensor, "views height width 3"]

    def summary(self) -> dict[str, float]:
        """Means over the views by name of the metric."""
        return {name: float(values.mean()) for name, values in self._columns().items()}

    def views(self) -> list[dict[str, Any]]:
        """Figures of each view by name."""
        columns = {name: values.tolist() for name, values in self._columns().items()}
        rows = zip(self.names, *columns.values(), strict=True)
        return [dict(zip(("name", *columns), row, strict=True)) for row in rows]

    def _columns(self) -> dict[str, Tensor]:
        return {"psnr": self.psnr, "ssim": self.ssim, self.perceptual_name: self.perceptual}


@torch.no_grad()
def novel_view_errors(
    gaussians: Gaussians,
    held_out: HeldOut,
    splat_to_truth: Similarity,
    perceptual: PerceptualError,
    *,
    sh_degree: int | None,
) -> NovelViewErrors:
    """Render the splat from the held-out cameras, with their true intrinsics, and compare with the photographs.

    Args:
        gaussians: splat, in its own world.
        splat_to_truth: maps the splat's world to the true one: `PoseErrors.alignment` of the splat's cameras.
        sh_degree: bands to render with; None if the Gaussians' colours are plain RGB.
    """
    cameras = held_out.cameras
    in_splat = cameras.with_poses(splat_to_truth.inverse().apply_to_poses(cameras.T_camera_world))
    raster = rasterize(gaussians, in_splat.to(gaussians.means), gaussians.means.new_ones(3), sh_degree=sh_degree)
    photographs, valid = held_out.images.to(raster.rgb), held_out.valid.to(raster.rgb)[..., None]
    renders = raster.rgb.clamp(0, 1)
    # Pixels outside the photograph are copied from it, so that they add nothing to any error.
    compared = renders * valid + photographs * (1 - valid)
    squared = (compared - photographs).square().sum((1, 2, 3)) / (3 * valid.sum((1, 2, 3)).clamp_min(1))
    return NovelViewErrors(
        names=held_out.names,
        psnr=-10 * squared.clamp_min(MIN_MSE).log10(),
        ssim=ssim(compared, photographs),
        perceptual=perceptual(compared, photographs),
        perceptual_name=perceptual.name,
        renders=renders,
    )
