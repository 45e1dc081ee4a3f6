"""Exports in another world: renders are equal, up is the chosen axis, and the given poses are where they were given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sparseags_ns.export.orientation import Orient, moved_gaussians, oriented, quat_product, rotated_harmonics
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import Similarity, up_direction
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.reference import harmonics
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.opening import OpenedRun, open_run


def any_similarity(scale: float = 2.5) -> Similarity:
    R = se3.exp(torch.tensor([0, 0, 0, 1.0, -0.7, 0.4], dtype=torch.float64))[:3, :3]
    return Similarity(torch.tensor(scale, dtype=torch.float64), R, torch.tensor([3.0, -2, 1], dtype=torch.float64))


def render(gaussians: Gaussians, cameras: Cameras) -> torch.Tensor:
    return rasterize(gaussians, cameras.to(gaussians.means), torch.ones(3), near=1e-3).rgb


def test_a_splat_moved_with_its_cameras_looks_the_same(make_run: Callable[..., Path]) -> None:
    run, similarity = open_run(make_run(3)), any_similarity()
    moved = run.refined.with_poses(similarity.apply_to_poses(run.refined.T_camera_world))
    before, after = render(run.gaussians, run.refined), render(moved_gaussians(run.gaussians, similarity), moved)
    torch.testing.assert_close(after, before, atol=2e-3, rtol=0)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_rotated_colours_seen_from_rotated_directions_are_the_original_ones(degree: int) -> None:
    generator = torch.Generator().manual_seed(degree)
    coefficients = torch.randn(7, (degree + 1) ** 2, 3, generator=generator)
    directions = torch.nn.functional.normalize(torch.randn(20, 3, generator=generator), dim=-1)
    rotation = any_similarity().rotation.float()
    before = torch.einsum("db,nbc->ndc", harmonics(directions, degree), coefficients)
    rotated = rotated_harmonics(coefficients, rotation)
    after = torch.einsum("db,nbc->ndc", harmonics(directions @ rotation.T, degree), rotated)
    torch.testing.assert_close(after, before, atol=1e-5, rtol=0)


def test_quaternions_multiply_as_rotations_do() -> None:
    a, b = torch.nn.functional.normalize(torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0)), dim=-1)
    product = se3.rotations_from_quats(quat_product(a, b))
    torch.testing.assert_close(product, se3.rotations_from_quats(a) @ se3.rotations_from_quats(b), atol=1e-6, rtol=0)


@pytest.mark.parametrize("orient, up", [("y-up", [0, 1, 0]), ("y-down", [0, -1, 0]), ("z-up", [0, 0, 1])])
def test_up_is_the_chosen_axis(make_run: Callable[..., Path], orient: Orient, up: list[int]) -> None:
    placed = oriented(open_run(make_run()), orient)
    found = up_direction(placed.refined.T_world_camera.double())
    torch.testing.assert_close(found, torch.tensor(up, dtype=torch.float64), atol=1e-6, rtol=0)
    assert placed.description["orient"] == orient


def test_the_given_world_is_that_of_the_given_poses(make_run: Callable[..., Path]) -> None:
    run = open_run(make_run(8))
    given = run.normalisation.inverse().apply_to_poses(run.initial.T_camera_world.double())
    placed = oriented(run, "given")
    distance = (se3.inverse(given)[:, :3, 3] - placed.refined.centers).norm(dim=-1)
    # The toy's given poses are wrong by 0.03 in the run's world, which is half as large as the given one.
    assert float(distance.mean()) < 0.2 and float(placed.from_world.scale) == pytest.approx(2, rel=0.05)


def test_a_drift_of_the_whole_world_is_removed(make_run: Callable[..., Path]) -> None:
    run, drift = open_run(make_run(6)), any_similarity(1.1)
    drifted = replace(
        run,
        refined=run.initial.with_poses(drift.apply_to_poses(run.initial.T_camera_world)),
        gaussians=moved_gaussians(run.gaussians, drift),
    )
    given = run.normalisation.inverse().apply_to_poses(run.initial.T_camera_world.double())
    torch.testing.assert_close(oriented(drifted, "given").refined.T_camera_world, given, atol=1e-4, rtol=0)


def test_cameras_come_back_exactly_into_a_georeferenced_world(georeferenced: OpenedRun) -> None:
    run = replace(georeferenced, refined=georeferenced.initial)
    given = run.normalisation.inverse().apply_to_points(run.initial.centers.double())
    assert float(given.abs().max()) > 5e6
    error = (oriented(run, "given").refined.centers - given).norm(dim=-1).max()
    assert float(error) < 1e-6


def test_the_run_s_own_world_is_left_untouched(make_run: Callable[..., Path]) -> None:
    run = open_run(make_run())
    placed = oriented(run, "world")
    assert torch.equal(placed.gaussians.means, run.gaussians.means)
    assert torch.equal(placed.refined.T_camera_world, run.refined.T_camera_world)
