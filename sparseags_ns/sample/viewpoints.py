"""From where a sample is photographed: true cameras of input and test views.

Frame: `world`, the object in the sphere of radius 0.5 around the origin, +y up. Azimuths lie
evenly with jitter, elevations from -5 to 45 degrees, distances +-10%, aimed a little off the centre, rolled a little.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras, look_at, project
from sparseags_ns.sample.config import SampleConfig

MARGIN = 0.97
"""Share of the half photograph within which the object stays, unless it is to be cut."""


def draw_cameras(
    config: SampleConfig, points: Float[np.ndarray, "points 3"], rng: np.random.Generator
) -> tuple[Cameras, Cameras]:
    """Cameras of the input views and of the test views; one focal length, principal point in the middle.

    Args:
        points: the object's surface, which shall fill 70 to 80% of the photographs.
    """
    distance, middle = rng.uniform(2.05, 2.4), rng.uniform(0.0, 360.0)
    inputs = _poses(config, config.num_views, middle, distance, rng)
    tests = _test_poses(config, middle, distance, rng)
    surface = torch.from_numpy(points)
    focal = _focal(torch.cat([inputs, tests]), len(inputs), surface, rng.uniform(0.72, 0.8))
    K = torch.tensor([[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]], dtype=torch.float64)
    K[:2] *= config.size
    cameras, test_cameras = (
        Cameras(poses, K.expand(len(poses), 3, 3).clone(), config.size, config.size) for poses in (inputs, tests)
    )
    if config.cut > 0 and config.cut_style == "aim":
        cameras = cameras.with_poses(_aimed_past(cameras, surface, config.cut, rng))
    return cameras, test_cameras


def _eyes(
    azimuth_deg: Float[np.ndarray, " views"],
    elevation_deg: Float[np.ndarray, " views"],
    distance: Float[np.ndarray, " views"],
) -> Float[torch.Tensor, "views 3"]:
    a, e = np.radians(azimuth_deg), np.radians(elevation_deg)
    outward = np.stack([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)], 1)
    return torch.from_numpy(outward * distance[:, None])


def _azimuths(config: SampleConfig, count: int, middle: float, jitter_deg: float, rng: np.random.Generator):
    """Evenly spread over the arc, in random order."""
    step = config.arc_deg / max(count, 1)
    jitter = rng.uniform(-1.0, 1.0, count) * min(jitter_deg, 0.22 * step)
    return rng.permutation(middle + (np.arange(count) + 0.5) * step - 0.5 * config.arc_deg + jitter)


def _poses(
    config: SampleConfig, count: int, middle: float, distance: float, rng: np.random.Generator
) -> Float[torch.Tensor, "views 4 4"]:
    azimuth = _azimuths(config, count, middle, 10.0, rng)
    eyes = _eyes(azimuth, rng.uniform(-5.0, 45.0, count), distance * rng.uniform(0.9, 1.1, count))
    off = rng.normal(size=(count, 3))
    off *= 0.04 * rng.uniform(0.0, 1.0, (count, 1)) ** (1 / 3) / np.linalg.norm(off, axis=1, keepdims=True)
    roll = torch.from_numpy(rng.uniform(-5.0, 5.0, count))
    return look_at(eyes, torch.from_numpy(off), roll_deg=roll)


def _test_poses(
    config: SampleConfig, middle: float, distance: float, rng: np.random.Generator
) -> Float[torch.Tensor, "views 4 4"]:
    """Upright cameras that look at the centre, from elevations -10 to 60 degrees."""
    count = config.num_test_views
    azimuth = np.sort(_azimuths(config, count, middle, 3.0, rng))
    eyes = _eyes(azimuth, rng.uniform(-10.0, 60.0, count), distance * rng.uniform(0.9, 1.1, count))
    return look_at(eyes, torch.zeros_like(eyes))


def _focal(
    poses: Float[torch.Tensor, "views 4 4"], inputs: int, points: Float[torch.Tensor, "points 3"], fill: float
) -> float:
    """Focal length in photograph widths: the object fills a share of the input views, and stays inside all views."""
    in_camera = se3.transform_points(poses, points)
    places = in_camera[..., :2] / in_camera[..., 2:]
    extents = (places.amax(1) - places.amin(1)).amax(-1)[:inputs].mean()
    return float(min(fill / extents, 0.5 * MARGIN / places.abs().max()))


def _aimed_past(
    cameras: Cameras, points: Float[torch.Tensor, "points 3"], cut: float, rng: np.random.Generator
) -> Float[torch.Tensor, "views 4 4"]:
    """The poses turned on the spot until a share of the object's extent lies beyond a random edge of each view."""
    pixels, _ = project(cameras, points)
    low, high = pixels.amin(1), pixels.amax(1)
    turned = []
    for view in range(len(cameras)):
        axis, beyond = int(rng.integers(2)), bool(rng.integers(2))
        extent, size = high[view, axis] - low[view, axis], float(cameras.width)
        shift = size + cut * extent - high[view, axis] if beyond else -low[view, axis] - cut * extent
        angle = torch.atan(shift / cameras.K[view, 0, 0])
        tangent = torch.zeros(6, dtype=torch.float64)
        # Turning the camera left (about its y axis, which points down) moves the picture to the right.
        tangent[3 + (1 - axis)] = angle if axis == 0 else -angle
        turned.append(se3.exp(tangent) @ cameras.T_camera_world[view])
    return torch.stack(turned)
