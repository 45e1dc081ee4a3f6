"""Rough initial cameras: true ones moved around the object, and some of them grossly wrong.

Frame: `world`, with the object around the origin; the rough cameras stay in it. Each camera is moved as a whole: it is
rotated about the origin, its distance and its place are disturbed, then it is rotated a little on the spot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.sample.config import Noise, OutlierKind

KINDS: tuple[OutlierKind, ...] = ("azimuth", "front_back", "up_down")
SHARES = (0.6, 0.2, 0.2)
"""How often each kind comes when any kind may."""


@dataclass(frozen=True)
class Outlier:
    """Kind and angle of the error of a grossly wrong view."""

    kind: OutlierKind
    angle_deg: float


@dataclass(frozen=True)
class RoughCameras:
    """The cameras that a tool is given, and what was done to them."""

    cameras: Cameras
    outliers: dict[int, Outlier]
    """Outliers by the index of their view."""
    focal_factors: Float[np.ndarray, " views"]


def roughen(true: Cameras, noise: Noise, kind: OutlierKind, rng: np.random.Generator) -> RoughCameras:
    """Disturb the cameras; every number is drawn whatever the level, so that levels of one seed are comparable."""
    poses = _disturbed(true.T_world_camera.double(), noise, rng)
    factors = np.exp(rng.normal() * noise.focal_scene + rng.normal(size=len(true)) * noise.focal_view)
    outliers: dict[int, Outlier] = {}
    for view in sorted(rng.permutation(len(true))[: noise.outliers].tolist()):
        outliers[view] = _draw_outlier(kind, rng)
        poses[view] = _misplaced(poses[view], outliers[view])
    K = true.K.double().clone()
    K[:, :2, :2] *= torch.from_numpy(factors)[:, None, None]
    cameras = Cameras(se3.inverse(poses), K, true.width, true.height)
    return RoughCameras(cameras, outliers, factors)


def _disturbed(
    T_world_camera: Float[torch.Tensor, "views 4 4"], noise: Noise, rng: np.random.Generator
) -> Float[torch.Tensor, "views 4 4"]:
    """Cameras rotated about the origin, shifted, rotated on the spot."""
    views = len(T_world_camera)
    tail = rng.uniform(size=views) < noise.tail_share
    around_deg = rng.normal(size=(views, 3)) * np.where(tail, noise.tail_deg, noise.rotation_deg)[:, None]
    radial, sideways = rng.normal(size=(views, 1)), rng.normal(size=(views, 3))
    on_spot_deg = rng.normal(size=(views, 3)) * noise.orientation_deg
    moved = _rotations(around_deg) @ T_world_camera
    centers = moved[:, :3, 3].numpy()
    distance = np.linalg.norm(centers, axis=1, keepdims=True)
    outward = centers / distance
    sideways -= (sideways * outward).sum(1, keepdims=True) * outward
    centers = centers * np.exp(radial * noise.radial) + sideways * noise.sideways * distance
    moved = se3.pose(moved[:, :3, :3], torch.from_numpy(centers))
    return moved @ _rotations(on_spot_deg)


def _rotations(rotation_vectors_deg: Float[np.ndarray, "views 3"]) -> Float[torch.Tensor, "views 4 4"]:
    """Rigid transforms that rotate about the origin."""
    tangents = np.concatenate([np.zeros_like(rotation_vectors_deg), np.radians(rotation_vectors_deg)], 1)
    return se3.exp(torch.from_numpy(tangents))


def _draw_outlier(kind: OutlierKind, rng: np.random.Generator) -> Outlier:
    """Draw the kind, if any is allowed, and the angle; the number of draws is the same for each kind."""
    drawn, side = KINDS[rng.choice(len(KINDS), p=SHARES)], rng.choice([-1.0, 1.0])
    kind = drawn if kind == "any" else kind
    angles = {
        "azimuth": side * rng.uniform(60.0, 180.0),
        "front_back": 180.0 + rng.uniform(-10.0, 10.0),
        "up_down": 180.0,
    }
    return Outlier(kind, float(angles[kind]))


def _misplaced(T_world_camera: Float[torch.Tensor, "4 4"], outlier: Outlier) -> Float[torch.Tensor, "4 4"]:
    """The camera rotated about the origin: about the upright axis, or about its own right axis."""
    up = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    axis = T_world_camera[:3, 0] if outlier.kind == "up_down" else up
    tangent = torch.cat([torch.zeros(3, dtype=torch.float64), axis * np.radians(outlier.angle_deg)])
    return se3.exp(tangent) @ T_world_camera
