"""An arrangement: poses of all photographs of an object, and the short joint fit that tells what it is worth.

Frames: `world`, the object around the origin, +y up at the start of a fit; `camera` and `facing` as in crops.py. The
orientation of a view is that of its facing camera, R_facing_world; which view looks from where is said in orientations,
while `t`, where the world's origin lies in the camera, belongs to the photograph and stays with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.pose_init.ab_initio import kernels
from sparseags_ns.pose_init.ab_initio.crops import OBJECT_RADIUS, Crops
from sparseags_ns.rasterizer.threads import run_chunks

Rotations: TypeAlias = Float[np.ndarray, "views 3 3"]
Angles: TypeAlias = Float[np.ndarray, " views"]

_SEED_RADIUS, _SEED_SCALE, _SEED_LOGIT = 0.75 * OBJECT_RADIUS, 0.03, -1.0
_SMOOTHING_PX, _SHARP_SHARE = 0.55, 0.2
"""Spots are blurred by this much until the last fifth of a fit; with blur to the end the loss tells nothing."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Effort:
    """Size and length of a joint fit."""

    pixels: int
    steps: int
    gaussians: int
    pose_lr: float = 1.2e-2
    pose_lr_end: float = 0.1
    """Factor that the learning rate of the poses has fallen to at the end."""


@dataclass(frozen=True)
class Arrangement:
    """Poses of all views after a joint fit."""

    R: Rotations
    """R_camera_world."""
    t: Float[np.ndarray, "views 3"]
    """The world's origin in each camera."""
    orientations: Rotations
    """R_facing_world."""
    losses: Float[np.ndarray, " views"]
    """Squared error over gray, over the object's area; infinite for views that did not take part."""
    gaussians: Float[np.ndarray, "gaussians 8"]

    @property
    def loss(self) -> float:
        """Sum over the views that took part, lower is better; infinite before a fit."""
        known = np.isfinite(self.losses)
        return float(self.losses[known].sum()) if known.any() else float("inf")


def joint_fit(
    crops: Crops,
    orientations: Rotations,
    effort: Effort,
    *,
    t: Float[np.ndarray, "views 3"] | None = None,
    active: Bool[np.ndarray, " views"] | None = None,
    moves: Bool[np.ndarray, " views"] | None = None,
    seed: int = 0,
) -> Arrangement:
    """Fit Gaussians, from a ball, and poses together.

    Args:
        crops: the photographs.
        orientations: of all views at the start.
        effort: size and length.
        t: where the origin lies in each camera; None guesses it from the crops.
        active: views that take part; None is all.
        moves: views whose pose is fitted; None is all that take part.
        seed: of the first Gaussians and the backgrounds.
    """
    pixels, views = crops.at(effort.pixels), len(crops)
    random = np.random.default_rng(seed)
    active = np.ones(views, np.bool_) if active is None else active
    moves = active if moves is None else moves & active
    R = (crops.R_camera_facing @ orientations).astype(np.float32)
    t = (crops.object_in_camera if t is None else t).astype(np.float32)
    gaussians, losses = _ball(effort.gaussians, random), np.empty(views, np.float32)
    backgrounds = random.random((effort.steps, views, 3), np.float32)
    numbers = (np.float32(x) for x in (_SMOOTHING_PX, _SHARP_SHARE, effort.pose_lr, effort.pose_lr_end))
    planes = pixels.rgb, pixels.alpha, pixels.valid, pixels.K
    kernels.fit(*planes, R, t, active, moves, gaussians, backgrounds, *numbers, losses)
    return Arrangement(R, t, _facing(crops, R), losses, gaussians)


def score(
    crops: Crops, view: int, fit: Arrangement, orientations: Float[np.ndarray, "poses 3 3"], pixels: int
) -> Float[np.ndarray, " poses"]:
    """Loss of one photograph at each of these orientations on the Gaussians of a fit."""
    planes = crops.at(pixels)
    R = (crops.R_camera_facing[view] @ orientations).astype(np.float32)
    t, losses = np.tile(fit.t[view], (len(R), 1)), np.empty(len(R), np.float32)
    kernels.score(planes.rgb[view], planes.alpha[view], planes.valid[view], planes.K[view], R, t, fit.gaussians, losses)
    return losses


def looking_from(azimuth_deg: Angles, elevation_deg: Angles, roll_deg: Angles) -> Rotations:
    """Orientations of cameras that look at the origin from there."""
    azimuth, elevation, roll = (
        torch.from_numpy(angle.astype(float)) for angle in (azimuth_deg, elevation_deg, roll_deg)
    )
    return orbit(azimuth, elevation, 1.0, roll_deg=roll)[:, :3, :3].numpy()


def rotation_deg(one: Float[np.ndarray, "*#batch 3 3"], other: Float[np.ndarray, "*#batch 3 3"]) -> np.ndarray:
    """Angle between two orientations in degrees."""
    return se3.rotation_angle(torch.from_numpy(one @ other.swapaxes(-1, -2))).rad2deg().numpy()


def view_differences(one: Rotations, other: Rotations) -> Float[np.ndarray, " views"]:
    """How far each view is rotated against the others, compared between two arrangements: median over the others."""
    relative, also = (o[:, None] @ o[None].swapaxes(-1, -2) for o in (one, other))
    angles = rotation_deg(relative, also)
    return np.array([np.median(np.delete(row, view)) for view, row in enumerate(angles)])


def in_parallel(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """The function's results for all items, in their order; the kernels run side by side on all threads."""
    items = list(items)
    results: list[Result | None] = [None] * len(items)

    def work(begin: int, end: int) -> None:
        for k in range(begin, end):
            results[k] = function(items[k])

    run_chunks(len(items), 1, work)
    return results  # pyright: ignore[reportReturnType] (all are filled)


def _ball(count: int, random: np.random.Generator) -> Float[np.ndarray, "gaussians 8"]:
    """Grayish Gaussians, uniform in a ball."""
    direction = random.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    gaussians = np.empty((count, 8), np.float32)
    gaussians[:, :3] = direction * _SEED_RADIUS * random.random((count, 1)) ** (1 / 3)
    gaussians[:, 3], gaussians[:, 4] = np.log(_SEED_SCALE), _SEED_LOGIT
    gaussians[:, 5:] = 0.5 + 0.2 * (random.random((count, 3)) - 0.5)
    return gaussians


def _facing(crops: Crops, R: Rotations) -> Rotations:
    return crops.R_camera_facing.swapaxes(1, 2) @ R
