"""The object on a turntable as one picture of many frames, transparent around the object.

Frames: the run's `world`. Angles in degrees: azimuth 0 is +z, 90 is +x.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.export.turntable import object_sphere, turntable_cameras
from sparseags_ns.geometry.cameras import orbit_angles
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.report.content import Turntable
from sparseags_ns.report.pictures import data_uri, eight_bits, straight_alpha
from sparseags_ns.runs.opening import OpenedRun

FRAMES = 48
SIZE_PX = 360
COLUMNS = 8
DISTINCT_DEG = 0.5
"""Frames closer than this to their neighbour are left out."""


def turntable(run: OpenedRun, frames: int = FRAMES, size: int = SIZE_PX) -> Turntable:
    """Render the frames, in the order of their azimuths."""
    cameras = turntable_cameras(run, frames, size)
    center = torch.zeros(3) if run.whole_photographs else object_sphere(run.gaussians).center.cpu()
    azimuths, loops = in_order(orbit_angles(cameras.centers.cpu() - center)[0])
    columns = min(COLUMNS, len(azimuths))
    rows = -(-len(azimuths) // columns)
    sheet = np.zeros((rows * size, columns * size, 4), np.uint8)
    poster = sheet[:size, :size]
    for number, frame in enumerate(azimuths):
        with torch.no_grad():
            raster = rasterize(run.gaussians, cameras[frame : frame + 1], sh_degree=run.sh_degree)
        top, left = number // columns * size, number % columns * size
        sheet[top : top + size, left : left + size] = eight_bits(straight_alpha(raster.rgb[0], raster.alpha[0]))
    return Turntable(
        sprite=data_uri(sheet),
        poster=data_uri(np.ascontiguousarray(poster)),
        size_px=size,
        columns=columns,
        azimuths_deg=tuple(round(angle, 2) for angle in azimuths.values()),
        loops=loops,
        camera_azimuths_deg=tuple(
            round(angle, 2) for angle in orbit_angles(run.refined.centers.detach().cpu() - center)[0].tolist()
        ),
    )


def in_order(azimuths_deg: Float[Tensor, " frames"]) -> tuple[dict[int, float], bool]:
    """Frame numbers with their azimuths, and whether they go all the way round.

    Frames that swing to and fro are sorted, and those that were seen on the way there are left out.
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
