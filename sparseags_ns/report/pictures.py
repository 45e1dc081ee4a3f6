"""The page's pictures as data URIs of moderate size: views, differences, the object on a turntable.

Images are [height, width, 3] or 4 channels, sRGB, 0 to 1. Angles in degrees in the run's `world`: azimuth 0
is +z, 90 is +x.
"""

from __future__ import annotations

import base64
import io
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from sparseags_ns.export.turntable import object_sphere, turntable_cameras
from sparseags_ns.geometry.cameras import orbit_angles
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.report.content import Turntable
from sparseags_ns.runs.opening import OpenedRun

LARGEST_PX = 384
"""Longer side of a view's pictures on the page."""
QUALITY = 84
"""Quality of WebP, 0 to 100."""
DIFFERENCE_FULL = 0.4
"""Mean absolute difference of the three colours that gets the darkest colour."""
TURNTABLE_FRAMES = 48
FRAME_PX = 360
COLUMNS = 8
DISTINCT_DEG = 0.5
"""Frames closer than this to their neighbour are left out."""

_STOPS = (0.0, 0.12, 0.4, 0.75, 1.0)
_COLORS = ((255, 255, 255), (255, 236, 179), (251, 140, 60), (200, 30, 45), (70, 0, 25))


def data_uri(pixels: UInt8[np.ndarray, "height width channels"]) -> str:
    """A WebP picture inside an address; nothing has to be fetched."""
    image = Image.fromarray(pixels)
    longest = max(image.size)
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", quality=QUALITY, method=2 if longest > 1024 else 4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def view_picture(image: Float[Tensor, "height width 3"]) -> str:
    """One picture of a view, reduced to LARGEST_PX where it is larger."""
    pixels = eight_bits(image)
    longest = max(pixels.shape[:2])
    if longest > LARGEST_PX:
        size = (round(pixels.shape[1] * LARGEST_PX / longest), round(pixels.shape[0] * LARGEST_PX / longest))
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    return data_uri(pixels)


def eight_bits(image: Float[Tensor, "height width channels"]) -> UInt8[np.ndarray, "height width channels"]:
    """Values from 0 to 255."""
    return (image.detach().cpu().clamp(0, 1).numpy() * 255).round().astype(np.uint8)


def difference_colors(
    a: Float[Tensor, "*batch height width 3"], b: Float[Tensor, "*batch height width 3"]
) -> Float[Tensor, "*batch height width 3"]:
    """White where two images are alike; yellow, red and nearly black where they are not."""
    share = ((a - b).abs().mean(-1) / DIFFERENCE_FULL).clamp(0, 1)
    return _ramp()[(share.cpu() * 255).round().long()]


def straight_alpha(
    premultiplied: Float[Tensor, "*batch height width 3"], alpha: Float[Tensor, "*batch height width"]
) -> Float[Tensor, "*batch height width 4"]:
    """Colours over black and their coverage, as straight RGBA."""
    color = (premultiplied / alpha.clamp_min(1 / 255)[..., None]).clamp(0, 1)
    return torch.cat([color, alpha[..., None].clamp(0, 1)], dim=-1)


def turntable(run: OpenedRun, frames: int = TURNTABLE_FRAMES, size: int = FRAME_PX) -> Turntable:
    """Render the object on a turntable, frames in the order of their azimuths, transparent around the object.

    `size` is the width and height of a frame in pixels.
    """
    cameras = turntable_cameras(run, frames, size)
    center = torch.zeros(3) if run.whole_photographs else object_sphere(run.gaussians).center.cpu()
    photographed = orbit_angles(run.refined.centers.detach().cpu() - center)[0].tolist()
    azimuths, loops = in_order(orbit_angles(cameras.centers.cpu() - center)[0])
    columns = min(COLUMNS, len(azimuths))
    rows = -(-len(azimuths) // columns)
    sheet = np.zeros((rows * size, columns * size, 4), np.uint8)
    for number, frame in enumerate(azimuths):
        with torch.no_grad():
            raster = rasterize(run.gaussians, cameras[frame : frame + 1], sh_degree=run.sh_degree)
        top, left = number // columns * size, number % columns * size
        sheet[top : top + size, left : left + size] = eight_bits(straight_alpha(raster.rgb[0], raster.alpha[0]))
    return Turntable(
        sprite=data_uri(sheet),
        poster=data_uri(np.ascontiguousarray(sheet[:size, :size])),
        size_px=size,
        columns=columns,
        azimuths_deg=tuple(round(angle, 2) for angle in azimuths.values()),
        loops=loops,
        camera_azimuths_deg=tuple(round(angle, 2) for angle in photographed),
    )


def in_order(azimuths_deg: Float[Tensor, " frames"]) -> tuple[dict[int, float], bool]:
    """Frame numbers with their unwrapped azimuths, and whether they go all the way round.

    Frames that swing to and fro are sorted, and those that repeat an azimuth are left out.
    """
    steps = (azimuths_deg.diff() + 180).remainder(360) - 180
    unwrapped = torch.cat([azimuths_deg[:1], azimuths_deg[:1] + steps.cumsum(0)])
    if len(steps) == 0 or bool((steps > 0).all()):
        return dict(enumerate(unwrapped.tolist())), True
    kept: dict[int, float] = {}
    for frame in unwrapped.argsort(stable=True).tolist():
        angle = float(unwrapped[frame])
        if not kept or angle - next(reversed(kept.values())) > DISTINCT_DEG:
            kept[frame] = angle
    return kept, False


@cache
def _ramp() -> Tensor:
    """The 256 colours that stand for differences from none to full."""
    at = np.linspace(0, 1, 256)
    channels = [np.interp(at, _STOPS, [value / 255 for value in channel]) for channel in zip(*_COLORS, strict=True)]
    return torch.from_numpy(np.stack(channels, axis=-1)).float()
