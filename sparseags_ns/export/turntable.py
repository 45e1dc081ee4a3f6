"""The object on a turntable: cameras around it, their renders, and a video that browsers play.

Frames: the run's `world`; its up is +y, its object near the origin. Angles in degrees: azimuth 0 is +z, 90 is +x;
elevation grows towards +y. Units: world units; pixels.

Where the photographs go all the way round, so does the camera. Where they were taken from one side only, it swings to
and fro over that side: of the other one nothing is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras, orbit, orbit_angles
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.opening import OpenedRun
from sparseags_ns.storage import replacing

UNSEEN_DEG = 150.0
"""A gap between neighbouring azimuths from which the photographs count as taken from one side."""
BEYOND_DEG = 8.0
"""How far a swing goes past the outermost photographs."""
MARGIN = 1.15
"""Side of the picture over the diameter of the object."""
BT709, LIMITED_RANGE = 1, 1
"""Numbers of the colour space and of the range of values (16 to 235), as H.264 writes them."""
VISIBLE = 0.98
"""Share of the splat inside the object's sphere; the rest may be stray Gaussians."""

Frame = UInt8[np.ndarray, "rows columns 3"]


@dataclass(frozen=True)
class Sphere:
    """Where the object is."""

    center: Float[Tensor, " 3"]
    radius: float


def turntable_cameras(
    run: OpenedRun, frames: int = 120, size: int = 512, elevation_deg: float | None = None
) -> Cameras:
    """Cameras around the run's object, from the side of the first trusted photograph; a closed loop.

    Args:
        elevation_deg: above the object's middle; by default what is usual among the photographs, at most 35.
    """
    sphere = object_sphere(run.gaussians)
    trusted = run.refined.detach()[run.trusted]
    # Around whole scenes the cameras keep their distance; an object is framed whatever the distance was.
    center = torch.zeros_like(sphere.center) if run.whole_photographs else sphere.center
    azimuths, elevations, radii = orbit_angles(trusted.centers - center)
    radius = float(radii.median())
    if elevation_deg is None:
        elevation_deg = float(elevations.median().clamp(-10, 35))
    poses = orbit(
        turntable_azimuths(azimuths, frames).to(center),
        torch.full((frames,), float(elevation_deg)).to(center),
        max(radius, 1.5 * sphere.radius) if not run.whole_photographs else radius,
        target=center,
    )
    focal = _focal(run, sphere, max(radius, 1.5 * sphere.radius), size)
    K = torch.tensor([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]]).to(poses)
    return Cameras(poses, K.expand(frames, 3, 3).contiguous(), size, size)


def turntable_azimuths(azimuths_deg: Float[Tensor, " views"], frames: int) -> Float[Tensor, " frames"]:
    """Azimuths of a whole turn, or of a swing over the side that was photographed."""
    ordered = azimuths_deg.double().remainder(360).sort().values
    gaps = torch.cat([ordered[1:], ordered[:1] + 360]) - ordered
    widest = int(gaps.argmax())
    phase = torch.arange(frames, dtype=torch.float64) / frames
    if float(gaps[widest]) < UNSEEN_DEG:
        return (azimuths_deg[0].double().cpu() + 360 * phase).float()
    span = 360 - float(gaps[widest])
    first = float(ordered[(widest + 1) % len(ordered)])
    swing = span / 2 + BEYOND_DEG
    return (first + span / 2 + swing * (2 * math.pi * phase).sin()).float()


def object_sphere(gaussians: Gaussians) -> Sphere:
    """A sphere around the object that leaves stray Gaussians out."""
    area = gaussians.scales.topk(2, dim=-1).values.prod(-1)
    weights = gaussians.opacities * area
    weights = weights / weights.sum().clamp_min(1e-12)
    center = torch.stack([_weighted_quantile(axis, weights, 0.5) for axis in gaussians.means.T])
    reach = (gaussians.means - center).norm(dim=-1) + gaussians.scales.max(-1).values
    return Sphere(center, float(_weighted_quantile(reach, weights, VISIBLE)))


def render_frames(
    gaussians: Gaussians, cameras: Cameras, sh_degree: int, background: Float[Tensor, " 3"] | None = None
) -> Iterator[Frame]:
    """Renders one after the other, 8 bits; over white if no background is given."""
    background = gaussians.means.new_ones(3) if background is None else background.to(gaussians.means)
    with torch.no_grad():
        for frame in range(len(cameras)):
            rgb = rasterize(gaussians, cameras[frame : frame + 1], background, sh_degree=sh_degree).rgb[0]
            yield (rgb.clamp(0, 1) * 255).round().byte().cpu().numpy()


def write_video(path: Path, frames: Iterable[Frame], fps: int = 30, quality: int = 18) -> None:
    """Write an .mp4 that browsers play: H.264, 4:2:0, its index in front.

    Frames of an odd size lose their last row or column, which that format does not have.

    Args:
        quality: x264's constant rate factor, lower is better; 18 is hard to tell from the original.
    """
    import av

    stream, options = None, {"movflags": "+faststart"}
    with replacing(path) as temporary, av.open(str(temporary), "w", format="mp4", options=options) as container:
        for pixels in frames:
            pixels = np.ascontiguousarray(pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2])
            if stream is None:
                stream = container.add_stream("libx264", rate=fps, options={"crf": str(quality), "preset": "medium"})
                stream.height, stream.width, stream.pix_fmt = *pixels.shape[:2], "yuv420p"
                # Said in the file, so that no player has to guess which colours are meant.
                context = stream.codec_context
                context.colorspace, context.color_range = BT709, LIMITED_RANGE
                context.color_primaries, context.color_trc = BT709, BT709
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709")))
        if stream is None:
            raise ValueError(f"cannot write {path}: a video needs at least one frame")
        container.mux(stream.encode())


def _focal(run: OpenedRun, sphere: Sphere, distance: float, size: int) -> float:
    """Pixels; so that the object fills the picture, or for whole scenes the photographs' own field of view."""
    if run.whole_photographs:
        smaller = min(run.refined.width, run.refined.height)
        return float(run.refined.K.detach()[:, 0, 0].median()) * size / smaller
    return size / 2 * math.sqrt(max(distance**2 - sphere.radius**2, 1e-6)) / (sphere.radius * MARGIN)


def _weighted_quantile(values: Float[Tensor, " n"], weights: Float[Tensor, " n"], share: float) -> Tensor:
    order = values.argsort()
    index = torch.searchsorted(weights[order].cumsum(0), torch.tensor([share]).to(weights))
    return values[order[index.clamp(max=len(values) - 1)]][0]
