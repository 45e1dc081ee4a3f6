"""The studio in which a sample is photographed: its light, and the true cameras of photographs and held-out views.

Frame: `world`, the object in the sphere of radius 0.5 around the origin, +y up; azimuth 0 is +z, pi / 2 is +x.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras, look_at, project
from sparseags_ns.sample import layout as at
from sparseags_ns.sample.config import SampleConfig

MARGIN = 0.97
"""Share of the half photograph within which the object stays, unless it is to be cut."""
Poses = Float[torch.Tensor, "views 4 4"]
"""T_camera_world."""
Points = Float[torch.Tensor, "points 3"]


def draw_lights(rng: np.random.Generator) -> Float[np.ndarray, "lights light_columns"]:
    """A key light from above the front, a large soft box on each side of it, slightly warm or cool."""
    azimuth, warmth = rng.uniform(-60.0, 60.0), rng.uniform(-0.06, 0.1)
    tint = np.array([1.0 + warmth, 1.0, 1.0 - warmth])
    angles_deg = [(azimuth, rng.uniform(40, 60))]
    angles_deg += [(azimuth - rng.uniform(80, 120), 35.0), (azimuth + rng.uniform(110, 160), 25.0)]
    strengths = [rng.uniform(0.72, 0.85), rng.uniform(1.8, 2.4), rng.uniform(1.2, 1.7)]
    lights = np.zeros((3, at.LIGHT_COLUMNS))
    for row, ((a, e), strength) in enumerate(zip(angles_deg, strengths, strict=True)):
        lights[row, at.LIGHT_DIRECTION : at.LIGHT_DIRECTION + 3] = _outward(a, e)
        lights[row, at.LIGHT_RADIANCE : at.LIGHT_RADIANCE + 3] = strength * (tint if row == 0 else 2.0 - tint)
        lights[row, at.LIGHT_HALF_COS] = np.cos(np.radians(rng.uniform(16, 24)))
    return lights


def draw_cameras(
    config: SampleConfig,
    points: Float[np.ndarray, "points 3"],
    rng: np.random.Generator,
    capture_rng: np.random.Generator,
) -> tuple[Cameras, Cameras]:
    """Cameras of the photographs and of the held-out views; one focal length, principal point in the middle.

    Args:
        points: the object's surface, which shall fill 70 to 80% of the photographs.
        capture_rng: source of all that `capture`, `shuffled` and `turned` draw, so that `rng` gives the same numbers
            whatever they are.
    """
    distance, middle = rng.uniform(2.05, 2.4), rng.uniform(0.0, 360.0)
    inputs = _input_poses(config, middle, distance, rng, capture_rng)
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
    return cameras.with_poses(_shuffled_and_turned(config, cameras.T_camera_world, capture_rng)), test_cameras


def _input_poses(
    config: SampleConfig, middle_deg: float, distance: float, rng: np.random.Generator, capture_rng: np.random.Generator
) -> Poses:
    """Cameras where `capture` puts them, aimed a little off the centre, rolled a little."""
    count = config.num_views
    azimuth, elevation = _azimuths(config, count, middle_deg, 10.0, rng), rng.uniform(-5.0, 45.0, count)
    if config.capture != "around":
        azimuth, elevation = _captured(config, middle_deg, capture_rng)
    eyes = _eyes(azimuth, elevation, distance, rng)
    off = rng.normal(size=(count, 3))
    off *= 0.04 * rng.uniform(0.0, 1.0, (count, 1)) ** (1 / 3) / np.linalg.norm(off, axis=1, keepdims=True)
    roll_deg = torch.from_numpy(rng.uniform(-5.0, 5.0, count))
    return look_at(eyes, torch.from_numpy(off), roll_deg=roll_deg)


def _test_poses(config: SampleConfig, middle_deg: float, distance: float, rng: np.random.Generator) -> Poses:
    """Upright cameras that look at the centre, at elevations from -10 to 60 degrees, in the order of their azimuth."""
    azimuth = np.sort(_azimuths(config, config.num_test_views, middle_deg, 3.0, rng))
    eyes = _eyes(azimuth, rng.uniform(-10.0, 60.0, config.num_test_views), distance, rng)
    return look_at(eyes, torch.zeros_like(eyes))


def _azimuths(
    config: SampleConfig, count: int, middle_deg: float, jitter_deg: float, rng: np.random.Generator
) -> Float[np.ndarray, " views"]:
    """Azimuths in degrees, evenly spread over the arc with jitter, in random order."""
    step = config.arc_deg / max(count, 1)
    jitter = rng.uniform(-1.0, 1.0, count) * min(jitter_deg, 0.22 * step)
    return rng.permutation(middle_deg + (np.arange(count) + 0.5) * step - 0.5 * config.arc_deg + jitter)


def _captured(config: SampleConfig, middle_deg: float, rng: np.random.Generator) -> Float[np.ndarray, "2 views"]:
    """Azimuths and elevations in degrees of photographs that a person took, in the order in which they were taken."""
    count, half = config.num_views, config.num_views // 2
    if config.capture == "two_rings":
        low = _walk(config, count - half, middle_deg, (3.0, 12.0), 3.0, rng)
        return np.concatenate([low, _walk(config, half, middle_deg, (38.0, 47.0), 3.0, rng)], axis=1)
    if config.capture == "clustered":
        sides = rng.uniform(-20.0, 20.0, count - half), 180.0 + rng.uniform(-30.0, 30.0, half)
        return np.stack([middle_deg + np.concatenate(sides), rng.uniform(0.0, 60.0, count)])
    return _walk(config, count, middle_deg, (5.0, 35.0), 6.0, rng)


def _walk(
    config: SampleConfig,
    count: int,
    middle_deg: float,
    levels_deg: tuple[float, float],
    sway_deg: float,
    rng: np.random.Generator,
) -> Float[np.ndarray, "2 views"]:
    """Azimuths and elevations in degrees along a walk over the arc, either way.

    Args:
        levels_deg: lowest and highest elevation around which the walk's elevations can vary.
        sway_deg: how far they vary from it at most.
    """
    # The last step of a walk around the object is the one back to its first photograph, which is not taken again.
    span = min(config.arc_deg, 360.0 - 360.0 / count)
    if config.capture == "uneven":
        steps = 3.0 ** rng.uniform(0.0, 1.0, count - 1)
        place = np.append(0.0, np.cumsum(steps)) / max(steps.sum(), 1.0)
    else:
        place = (np.arange(count) + rng.uniform(-0.2, 0.2, count)) / max(count - 1, 1)
    azimuth = middle_deg + rng.choice([-1.0, 1.0]) * span * (place - 0.5)
    phase = rng.uniform(0.0, 2 * np.pi) + 2 * np.pi * np.arange(count) / count
    sway = sway_deg * (0.8 * np.sin(phase) + rng.uniform(-0.2, 0.2, count))
    return np.stack([azimuth, rng.uniform(*levels_deg) + sway])


def _shuffled_and_turned(config: SampleConfig, poses: Poses, rng: np.random.Generator) -> Poses:
    """The poses in the order of the photographs' files, some cameras rolled by exactly 90 degrees.

    The intrinsics stay as they are: photographs are square, with the principal point in the middle.
    """
    order, turned = rng.permutation(len(poses)), rng.permutation(len(poses))[: config.turned]
    poses = poses[order] if config.shuffled else poses.clone()
    for view, side in zip(turned, rng.choice([-1.0, 1.0], len(turned)), strict=True):
        roll = torch.tensor([[0.0, -side, 0.0, 0.0], [side, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
        poses[view] = roll.to(poses) @ poses[view]
    return poses


def _eyes(
    azimuth_deg: Float[np.ndarray, " views"],
    elevation_deg: Float[np.ndarray, " views"],
    distance: float,
    rng: np.random.Generator,
) -> Float[torch.Tensor, "views 3"]:
    """Camera centres at the distance, give or take 10%."""
    distances = distance * rng.uniform(0.9, 1.1, len(azimuth_deg))
    return torch.from_numpy(_outward(azimuth_deg, elevation_deg) * distances[:, None])


def _outward(
    azimuth_deg: Float[np.ndarray, "*views"] | float, elevation_deg: Float[np.ndarray, "*views"] | float
) -> Float[np.ndarray, "*views 3"]:
    """Unit vectors away from the origin."""
    a, e = np.radians(azimuth_deg), np.radians(elevation_deg)
    return np.stack([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)], -1)


def _focal(poses: Poses, inputs: int, points: Points, fill: float) -> float:
    """Focal length in photograph widths: the object fills a share of the input views, and stays inside all views."""
    in_camera = se3.transform_points(poses, points)
    places = in_camera[..., :2] / in_camera[..., 2:]
    extents = (places.amax(1) - places.amin(1)).amax(-1)[:inputs].mean()
    return float(min(fill / extents, 0.5 * MARGIN / places.abs().max()))


def _aimed_past(cameras: Cameras, points: Points, cut: float, rng: np.random.Generator) -> Poses:
    """The poses rotated on the spot until a share of the object's extent lies beyond a random edge of each view."""
    pixels, _ = project(cameras, points)
    low, high = pixels.amin(1), pixels.amax(1)
    poses = []
    for view in range(len(cameras)):
        axis, beyond = int(rng.integers(2)), bool(rng.integers(2))
        extent, size = high[view, axis] - low[view, axis], float(cameras.width)
        shift = size + cut * extent - high[view, axis] if beyond else -low[view, axis] - cut * extent
        angle = torch.atan(shift / cameras.K[view, 0, 0])
        tangent = torch.zeros(6, dtype=torch.float64)
        # Rotating the camera left (about its y axis, which points down) moves the image of the object to the right.
        tangent[3 + (1 - axis)] = angle if axis == 0 else -angle
        poses.append(se3.exp(tangent) @ cameras.T_camera_world[view])
    return torch.stack(poses)
