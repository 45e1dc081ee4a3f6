"""Errors of the samples' initial poses: of the size of the level, and of the kind that was asked for."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.geometry.pose_errors import pose_errors
from sparseags_ns.sample import NOISE, Noise, SampleConfig
from sparseags_ns.sample.config import Level, OutlierKind
from sparseags_ns.sample.noise import RoughCameras, roughen
from sparseags_ns.sample.studio import draw_cameras

BALL = np.random.default_rng(0).normal(size=(300, 3))
BALL *= 0.5 / np.linalg.norm(BALL, axis=1, keepdims=True)


@cache
def true_cameras(seed: int = 0, views: int = 8) -> Cameras:
    rngs = (np.random.default_rng(seed), np.random.default_rng(seed))
    return draw_cameras(SampleConfig(seed=seed, num_views=views), BALL, *rngs)[0]


def many(noise: Noise, kind: OutlierKind = "any") -> tuple[Cameras, RoughCameras]:
    """The true cameras of 32 x 40 views, and rough ones with this noise."""
    once = true_cameras(views=32)
    cameras = Cameras(once.T_camera_world.repeat(40, 1, 1), once.K.repeat(40, 1, 1), once.width, once.height)
    return cameras, roughen(cameras, noise, kind, np.random.default_rng(1))


def test_exact_level_changes_nothing() -> None:
    true, rough = many(NOISE["exact"])
    assert torch.allclose(rough.cameras.T_camera_world, true.T_camera_world, atol=1e-12)
    assert torch.equal(rough.cameras.K, true.K) and not rough.outliers


def test_rotation_around_the_object_has_the_deviation_asked_for_and_keeps_the_object_in_place() -> None:
    true, rough = many(Noise(rotation_deg=3.0))
    rotated = rough.cameras.T_world_camera[:, :3, :3] @ true.T_world_camera[:, :3, :3].mT
    deviations = se3.rotation_vector(rotated).rad2deg().std(0)
    assert torch.allclose(deviations, torch.full((3,), 3.0, dtype=torch.float64), rtol=0.1)
    at_origin = se3.transform_points(rough.cameras.T_camera_world, torch.zeros(1, 3, dtype=torch.float64))
    assert torch.allclose(at_origin, se3.transform_points(true.T_camera_world, torch.zeros_like(at_origin[0])))


def test_rare_large_rotations_come_as_often_as_asked_for() -> None:
    true, rough = many(Noise(rotation_deg=0.1, tail_share=0.2, tail_deg=20.0))
    rotated = se3.rotation_angle(rough.cameras.T_camera_world[:, :3, :3] @ true.T_camera_world[:, :3, :3].mT).rad2deg()
    assert abs(float((rotated > 1).double().mean()) - 0.2) < 0.05


def test_centres_move_by_the_shares_of_the_distance_asked_for() -> None:
    true, rough = many(Noise(radial=0.08, sideways=0.03))
    distance = true.centers.norm(dim=1, keepdim=True)
    moved = rough.cameras.centers - true.centers
    outward = true.centers / distance
    across = moved - (moved * outward).sum(1, keepdim=True) * outward
    assert abs(float((across / distance).square().sum(1).mean().sqrt()) / (0.03 * 2**0.5) - 1) < 0.1
    along = ((rough.cameras.centers * outward).sum(1) / distance[:, 0]).log()
    assert abs(float(along.std()) / 0.08 - 1) < 0.1


def test_rotation_on_the_spot_leaves_the_centre() -> None:
    true, rough = many(Noise(orientation_deg=2.0))
    assert torch.allclose(rough.cameras.centers, true.centers, atol=1e-9)
    rotated = se3.rotation_vector(rough.cameras.T_camera_world[:, :3, :3] @ true.T_camera_world[:, :3, :3].mT)
    assert torch.allclose(rotated.rad2deg().std(0), torch.full((3,), 2.0, dtype=torch.float64), rtol=0.1)


def test_focal_errors_have_a_shared_and_an_own_part() -> None:
    _, rough = many(Noise(focal_view=0.02))
    assert abs(float(np.log(rough.focal_factors).std()) / 0.02 - 1) < 0.1
    shared = [
        float(
            np.log(roughen(true_cameras(), Noise(focal_scene=0.05), "any", np.random.default_rng(s)).focal_factors)[0]
        )
        for s in range(150)
    ]
    assert abs(np.std(shared) / 0.05 - 1) < 0.25


@pytest.mark.parametrize(
    "level, expected",
    [("dust3r", (52, 94, 86)), ("raydiff", (13, 75, 43)), ("outlier1", (72, 75, 6)), ("outlier2", (51, 54, 0))],
)
def test_levels_start_as_accurate_as_the_initialisers_they_imitate(
    level: Level, expected: tuple[float, float, float]
) -> None:
    sums = np.zeros(3)
    for seed in range(60):
        true = true_cameras(seed)
        rough = roughen(true, NOISE[level], "any", np.random.default_rng([seed, 9]))
        errors = pose_errors(rough.cameras.T_camera_world, true.T_camera_world)
        sums += (errors.rotation_accuracy(5.0), errors.rotation_accuracy(15.0), errors.center_accuracy())
    assert np.abs(100 * sums / 60 - expected).max() < 8


def test_overrides_replace_only_their_part_of_the_level() -> None:
    noise = SampleConfig(level="raydiff", rotation_noise_deg=1.0, focal_noise=0.0, outliers=3).noise
    assert (noise.rotation_deg, noise.tail_share, noise.focal_scene, noise.outliers) == (1.0, 0.0, 0.0, 3)
    assert (noise.radial, noise.sideways) == (NOISE["raydiff"].radial, NOISE["raydiff"].sideways)


def test_azimuth_outliers_circle_the_object_at_their_height() -> None:
    true, rough = many(Noise(outliers=200), "azimuth")
    views = sorted(rough.outliers)
    angles = np.abs([rough.outliers[view].angle_deg for view in views])
    assert angles.min() >= 60 and angles.max() <= 180 and np.ptp(angles) > 90
    assert torch.allclose(rough.cameras.centers[views, 1], true.centers[views, 1], atol=1e-9)
    rotated = rough.cameras.T_camera_world[views, :3, :3] @ true.T_camera_world[views, :3, :3].mT
    assert torch.allclose(se3.rotation_angle(rotated).rad2deg(), torch.from_numpy(angles), atol=1e-6)


def test_front_back_outliers_lie_on_the_other_side() -> None:
    true, rough = many(Noise(outliers=200), "front_back")
    views = sorted(rough.outliers)
    angles = np.array([rough.outliers[view].angle_deg for view in views])
    assert angles.min() >= 170 and angles.max() <= 190
    flat = torch.tensor([0, 2])
    cosine = torch.nn.functional.cosine_similarity(rough.cameras.centers[views][:, flat], true.centers[views][:, flat])
    assert float(cosine.max()) < -0.98


def test_up_down_outliers_look_from_the_far_side_upside_down() -> None:
    true, rough = many(Noise(outliers=200), "up_down")
    views = sorted(rough.outliers)
    before, after = true.T_world_camera[views], rough.cameras.T_world_camera[views]
    assert torch.allclose(after[:, :3, 0], before[:, :3, 0], atol=1e-9)
    assert torch.allclose(after[:, :3, 1], -before[:, :3, 1], atol=1e-9)
    away = (rough.cameras.centers[views] * true.centers[views]).sum(1)
    assert float(away.max()) < 0


def test_kinds_of_outliers_come_with_their_shares_and_only_as_many_as_asked_for() -> None:
    _, rough = many(Noise(outliers=1000))
    kinds = [outlier.kind for outlier in rough.outliers.values()]
    assert len(kinds) == 1000
    for kind, share in (("azimuth", 0.6), ("front_back", 0.2), ("up_down", 0.2)):
        assert abs(kinds.count(kind) / 1000 - share) < 0.06
