"""Hypotheses of a pose search: cameras all around an object, each placed so that the splat's silhouette fits the mask.

Orientations are enumerated: from every side, upright, leaning and upside down. Distance and image position are solved
for instead: each camera is moved until the silhouette of the splat has the area and the centroid of the mask.

Frames: `world`, normalised (object near the origin, +y up); `camera`, OpenCV axes. Units: world units; degrees where a
name ends in `_deg`; pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras, orbit
from sparseags_ns.optimization.observer import observer
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians, Target

MAX_DISTANCE_FACTOR = 1.6
"""Largest factor by which placing changes a distance; a silhouette that needs more is not that of the photograph."""

_IN_FRAME = 1e-3
"""Least share of the image that mask and silhouette have to cover for a camera to be placed by them."""

_BATCH = 512
"""Silhouettes rendered in one call."""


@dataclass(frozen=True)
class Orientations:
    """Orientations of cameras that look at an object: viewing direction and roll."""

    azimuth_deg: Float[Tensor, " hypotheses"]
    elevation_deg: Float[Tensor, " hypotheses"]
    roll_deg: Float[Tensor, " hypotheses"]

    def poses(self, distance: float, center: Float[Tensor, " 3"]) -> Float[Tensor, "hypotheses 4 4"]:
        """`T_camera_world` of these cameras at one distance from `center`, which they look at."""
        azimuth, elevation, roll = (angle.to(center) for angle in (self.azimuth_deg, self.elevation_deg, self.roll_deg))
        return orbit(azimuth, elevation, distance, target=center, roll_deg=roll)


def all_orientations(spacing_deg: float, max_roll_deg: float = 180.0) -> Orientations:
    """Viewing directions on rings of equal elevation, poles included, about `spacing_deg` apart; each with every roll.

    Args:
        spacing_deg: angle between neighbours in azimuth, elevation and roll, above 0 and up to 90.
        max_roll_deg: largest roll to either side, 0 to 180; 180 gives all rolls.

    Raises:
        ValueError: an argument is out of range.
    """
    if not (0 < spacing_deg <= 90 and 0 <= max_roll_deg <= 180):
        raise ValueError(
            f"all_orientations: spacing {spacing_deg} degrees and roll up to {max_roll_deg} are out of range"
        )
    azimuths, elevations = [], []
    rings = round(180 / spacing_deg)
    for ring in range(rings + 1):
        elevation = torch.tensor(-90 + 180 * ring / rings)
        count = max(round(float(360 * elevation.deg2rad().cos()) / spacing_deg), 1)
        # Every second ring is rotated by half a step, so that directions lie as in a honeycomb.
        azimuths.append((torch.arange(count) + 0.5 * (ring % 2)) * 360 / count)
        elevations.append(elevation.expand(count))
    if max_roll_deg > 180 - spacing_deg / 2:
        count = round(360 / spacing_deg)
        rolls = torch.arange(count) * 360 / count
    else:
        each_side = round(max_roll_deg / spacing_deg)
        rolls = torch.arange(-each_side, each_side + 1) * (max_roll_deg / max(each_side, 1))
    azimuth, elevation = torch.cat(azimuths), torch.cat(elevations)
    each = len(rolls)
    return Orientations(azimuth.repeat_interleave(each), elevation.repeat_interleave(each), rolls.repeat(len(azimuth)))


def place_by_silhouette(
    poses: Float[Tensor, "hypotheses 4 4"], gaussians: Gaussians, target: Target, *, rounds: int = 2
) -> Float[Tensor, "hypotheses 4 4"]:
    """Translate cameras, without rotating them, until the splat's silhouette has the area and the centroid of the mask.

    Both are taken over the valid region only, so that a photograph that is cut by its edge is compared with a
    silhouette that is cut alike. Cameras that do not see the splat stay where they are; all stay if the mask is empty.

    Args:
        poses: `T_camera_world`.
        gaussians: the splat.
        target: the photograph; its colours do not matter.
        rounds: number of renders with a correction after each; the first correction is inexact where a silhouette
            reaches beyond the image.
    """
    center, mask, valid, K = gaussians.visible_center, target.mask, target.valid, target.K
    area, centroid = _moments((mask * valid)[None])
    if area[0] < _IN_FRAME * mask.numel():
        return poses
    first = _depths(poses, center)
    for _ in range(rounds):
        found = []
        for batch in poses.split(_BATCH):
            cameras = Cameras(batch, K.expand(len(batch), 3, 3), mask.shape[1], mask.shape[0])
            found.append(_moments(rasterize(gaussians, cameras).alpha * valid))
            observer().pause()
        areas, centroids = (torch.cat(parts) for parts in zip(*found, strict=True))
        seen = areas > _IN_FRAME * mask.numel()
        limits = first / MAX_DISTANCE_FACTOR, first * MAX_DISTANCE_FACTOR
        # The area of a silhouette falls with the square of the distance.
        depths = (_depths(poses, center) * (areas / area).sqrt()).clamp(*limits)
        moved = _moved(poses, center, depths, centroid - centroids, K)
        poses = torch.where(seen[:, None, None], moved, poses)
    return poses


def _moved(
    poses: Float[Tensor, "hypotheses 4 4"],
    center: Float[Tensor, " 3"],
    depths: Float[Tensor, " hypotheses"],
    shift_px: Float[Tensor, "hypotheses 2"],
    K: Float[Tensor, "3 3"],
) -> Float[Tensor, "hypotheses 4 4"]:
    """Poses translated until they see `center` at these depths and `shift_px` from where they saw it."""
    seen = se3.transform_points(poses, center[None])[:, 0]
    focals = torch.stack([K[0, 0], K[1, 1]])
    across = (seen[:, :2] / seen[:, 2:] + shift_px / focals) * depths[:, None]
    target = torch.cat([across, depths[:, None]], dim=-1)
    return se3.pose(poses[:, :3, :3], poses[:, :3, 3] + target - seen)


def _depths(poses: Float[Tensor, "hypotheses 4 4"], center: Float[Tensor, " 3"]) -> Float[Tensor, " hypotheses"]:
    return se3.transform_points(poses, center[None])[:, 0, 2]


def _moments(maps: Float[Tensor, "maps height width"]) -> tuple[Float[Tensor, " maps"], Float[Tensor, "maps 2"]]:
    """Area in pixels and centroid (column, row) of coverage maps."""
    area = maps.sum((1, 2))
    columns = torch.arange(maps.shape[2]).to(maps) + 0.5
    rows = torch.arange(maps.shape[1]).to(maps) + 0.5
    across, down = (maps.sum(1) * columns).sum(1), (maps.sum(2) * rows).sum(1)
    return area, torch.stack([across, down], dim=-1) / area.clamp_min(1e-12)[:, None]


def select_diverse(
    poses: Float[Tensor, "hypotheses 4 4"], losses: Float[Tensor, " hypotheses"], count: int, min_apart_deg: float
) -> Int[Tensor, " kept"]:
    """Indices of the poses of least loss of which no two are rotated by less than `min_apart_deg` against each other.

    They are taken greedily, best first; ties go to the lower index.

    Args:
        poses: `T_camera_world`.
        losses: by which they are ranked.
        count: largest number of indices.
        min_apart_deg: least angle between two selected orientations.
    """
    order, kept = losses.argsort(stable=True), []
    eligible = torch.ones(len(poses), dtype=torch.bool, device=poses.device)
    cosine = torch.tensor(min_apart_deg).deg2rad().cos()
    R = poses[:, :3, :3]
    for index in order.tolist():
        if len(kept) == count:
            break
        if eligible[index]:
            kept.append(index)
            # The trace of a rotation is 1 + 2 cos(angle).
            trace = (R * R[index]).sum((1, 2))
            eligible &= trace < 1 + 2 * cosine
    return torch.tensor(kept, dtype=torch.long, device=poses.device)
