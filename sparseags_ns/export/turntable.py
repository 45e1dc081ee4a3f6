"""Turntable videos: cameras around the object, their renders, and an .mp4 that browsers play.

If the photographs go all the way round the object, so does the camera. If they were taken from one side, it swings to
and fro over that side, because the splat knows nothing of the other one.

Frames: the run's `world`; its up is +y, its object near the origin. Angles in degrees: azimuth 0 is +z, 90 is +x;
elevation grows towards +y. Units: world units; pixels.
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
"""Photographs with a gap this wide between neighbouring azimuths count as taken from one side."""
BEYOND_DEG = 8.0
"""Angle by which a swing goes past the outermost photographs."""
MARGIN = 1.15
"""Side of the image over the diameter of the object."""
BT709, LIMITED_RANGE = 1, 1
"""H.264's numbers of the colour space and of the range of values (16 to 235)."""
VISIBLE = 0.98
"""Share of the splat, by opacity times area, inside the object's sphere; the rest may be stray Gaussians."""

Frame = UInt8[np.ndarray, "rows columns 3"]


@dataclass(frozen=True)
class Sphere:
    """A ball around the object."""

    center: Float[Tensor, " 3"]
    radius: float


def turntable_cameras(
    run: OpenedRun, frames: int = 120, size: int = 512, elevation_deg: float | None = None
) -> Cameras:
    """A closed loop of cameras around the run's object; a whole turn begins at the first trusted photograph.

    Args:
        elevation_deg: elevation above the object's centre; by default the median of the photographs, from -10 to 35.
    """
    sphere = object_sphere(run.gaussians)
    trusted = run.refined.detach()[run.trusted]
    # In a whole scene the cameras keep the photographs' distance from the origin; an object fills the frame.
    center = torch.zeros_like(sphere.center) if run.whole_photographs else sphere.center
    azimuths, elevations, radii = orbit_angles(trusted.centers - center)
    radius = float(radii.median())
    distance = max(radius, 1.5 * sphere.radius)
    if elevation_deg is None:
        elevation_deg = float(elevations.median().clamp(-10, 35))
    poses = orbit(
        turntable_azimuths(azimuths, frames).to(center),
        torch.full((frames,), float(elevation_deg)).to(center),
        radius if run.whole_photographs else distance,
        target=center,
    )
    if run.whole_photographs:  # the photographs' own field of view
        focal = float(run.refined.K.detach()[:, 0, 0].median()) * size / min(run.refined.width, run.refined.height)
    else:
        focal = size / 2 * math.sqrt(max(distance**2 - sphere.radius**2, 1e-6)) / (sphere.radius * MARGIN)
    K = torch.tensor([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]]).to(poses)
    return Cameras(poses, K.expand(frames, 3, 3).contiguous(), size, size)


def turntable_azimuths(azimuths_deg: Float[Tensor, " views"], frames: int) -> Float[Tensor, " frames"]:
    """Azimuths of a whole turn, or of a swing over the side that was photographed; degrees."""
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
    """A sphere around the object: the weighted median of the centres, and a radius that leaves stray Gaussians out."""
    area = gaussians.scales.topk(2, dim=-1).values.prod(-1)
    weights = gaussians.opacities * area
    weights = weights / weights.sum().clamp_min(1e-12)
    center = torch.stack([_weighted_quantile(axis, weights, 0.5) for axis in gaussians.means.T])
    reach = (gaussians.means - center).norm(dim=-1) + gaussians.scales.max(-1).values
    return Sphere(center, float(_weighted_quantile(reach, weights, VISIBLE)))


def render_frames(
    gaussians: Gaussians, cameras: Cameras, sh_degree: int, background: Float[Tensor, " 3"] | None = None
) -> Iterator[Frame]:
    """Render one camera after the other, in 8 bits, over white if no background is given."""
    background = gaussians.means.new_ones(3) if background is None else background.to(gaussians.means)
    with torch.no_grad():
        for frame in range(len(cameras)):
            rgb = rasterize(gaussians, cameras[frame : frame + 1], background, sh_degree=sh_degree).rgb[0]
            yield (rgb.clamp(0, 1) * 255).round().byte().cpu().numpy()


def write_video(path: Path, frames: Iterable[Frame], fps: int = 30, quality: int = 18) -> None:
    """Write an .mp4 that browsers play: H.264, 4:2:0, with its index in front.

    4:2:0 needs even sides, so frames of an odd size lose their last row or column.

    Args:
        quality: x264's constant rate factor; lower is better, 18 is visually lossless.

    Raises:
        ValueError: there are no frames.
    """
    import av

    stream, options = None, {"movflags": "+faststart"}
    with replacing(path) as temporary, av.open(str(temporary), "w", format="mp4", options=options) as container:
        for pixels in frames:
            pixels = np.ascontiguousarray(pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2])
            if stream is None:
                stream = container.add_stream("libx264", rate=fps, options={"crf": str(quality), "preset": "medium"})
                stream.height, stream.width, stream.pix_fmt = *pixels.shape[:2], "yuv420p"
                # The file names its colour space; players guess otherwise, by the size of the frames.
                context = stream.codec_context
                context.colorspace, context.color_range = BT709, LIMITED_RANGE
                context.color_primaries, context.color_trc = BT709, BT709
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709")))
        if stream is None:
            raise ValueError(f"cannot write {path}: a video needs at least one frame")
        container.mux(stream.encode())


def _weighted_quantile(values: Float[Tensor, " n"], weights: Float[Tensor, " n"], share: float) -> Tensor:
    order = values.argsort()
    index = torch.searchsorted(weights[order].cumsum(0), torch.tensor([share]).to(weights))
    return values[order[index.clamp(max=len(values) - 1)]][0]
