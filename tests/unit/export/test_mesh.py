"""The mesh: closed, with the shape and colours of the object; and the distance field of exact depth maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from sparseags_ns.export.destination import ExportError
from sparseags_ns.export.fusion import DepthMaps, distance_field
from sparseags_ns.export.mesh import MeshSettings, make_mesh, surrounding_cameras
from sparseags_ns.export.orientation import oriented
from sparseags_ns.export.surface import Grid, Surface, largest_parts, level_surface
from sparseags_ns.export.turntable import Sphere
from sparseags_ns.geometry.cameras import Cameras, project
from sparseags_ns.rasterizer.types import Gaussians, Raster
from sparseags_ns.runs.opening import OpenedRun, open_run

SMALL = MeshSettings(resolution=40, viewpoints=16, faces=1500, smoothing=2)


def stage(what: str) -> Callable[[int, int], None]:
    return lambda done, total: None


@pytest.fixture
def ball(make_run: Callable[..., Path]) -> OpenedRun:
    """A run whose splat is a ball of radius 0.3, red above, blue below, with one stray Gaussian."""
    run = open_run(make_run(4, 64))
    index = torch.arange(800) + 0.5
    y, azimuth = 1 - 2 * index / 800, index * 2.399963
    normals = torch.stack([(1 - y * y).sqrt() * azimuth.cos(), y, (1 - y * y).sqrt() * azimuth.sin()], dim=-1)
    means = torch.cat([0.3 * normals, torch.tensor([[0.5, 0.1, 0.0]])])
    colors = torch.zeros(801, 1, 3)
    colors[:, 0, 0], colors[:, 0, 1], colors[:, 0, 2] = means[:, 1].sign() * 1.7, -1.7, -means[:, 1].sign() * 1.7
    return replace(
        run,
        gaussians=Gaussians(
            means, torch.tensor([[1.0, 0, 0, 0]]).repeat(801, 1), torch.full((801, 3), 0.025), torch.full((801,), 0.95),
            colors,
        ),
        sh_degree=0,
    )  # fmt: skip


def test_a_ball_becomes_a_closed_ball_in_its_colours(ball: OpenedRun, tmp_path: Path) -> None:
    made = make_mesh(oriented(ball, "world"), SMALL, stage)
    made.export(str(tmp_path / "ball.ply"))
    mesh = trimesh.load(tmp_path / "ball.ply", process=False)
    assert isinstance(mesh, trimesh.Trimesh) and mesh.is_watertight and mesh.body_count == 1, "the stray one is gone"
    radii = np.linalg.norm(mesh.vertices, axis=1)
    # The splat is as thick as its Gaussians: it covers a pixel by half up to 0.7 standard deviations outside.
    assert radii.mean() == pytest.approx(0.317, abs=0.008) and radii.std() < 0.01
    assert mesh.volume > 0 and len(mesh.faces) <= 1500
    colors = np.asarray(mesh.visual.vertex_colors)[:, :3].astype(float)  # type: ignore[union-attr]
    above, below = colors[mesh.vertices[:, 1] > 0.1].mean(0), colors[mesh.vertices[:, 1] < -0.1].mean(0)
    assert above[0] > 200 and above[2] < 40 and below[2] > 200 and below[0] < 40


@pytest.mark.parametrize("ending", [".glb", ".obj"])
def test_other_formats_hold_the_same_mesh(ball: OpenedRun, tmp_path: Path, ending: str) -> None:
    made = make_mesh(oriented(ball, "z-up"), replace(SMALL, resolution=24), stage)
    made.export(str(tmp_path / f"ball{ending}"))
    mesh = trimesh.load(tmp_path / f"ball{ending}", force="mesh", process=False)
    assert isinstance(mesh, trimesh.Trimesh) and len(mesh.faces) == len(made.faces)
    np.testing.assert_allclose(mesh.bounds, made.bounds, atol=1e-4)
    colors = np.asarray(mesh.visual.vertex_colors)[:, :3].astype(float)  # type: ignore[union-attr]
    assert colors[mesh.vertices[:, 2] > 0.1].mean(0)[0] > 200, "the red half is on top where z is up"


@pytest.mark.parametrize("ending", [".glb", ".obj"])
def test_a_texture_shows_the_same_colours(ball: OpenedRun, tmp_path: Path, ending: str) -> None:
    made = make_mesh(oriented(ball, "world"), replace(SMALL, resolution=24, faces=300, texture=128), stage)
    made.export(str(tmp_path / f"ball{ending}"))
    mesh = trimesh.load(tmp_path / f"ball{ending}", force="mesh", process=False)
    assert isinstance(mesh, trimesh.Trimesh)
    colors = np.asarray(mesh.visual.to_color().vertex_colors)[:, :3].astype(float)  # type: ignore[union-attr]
    above, below = colors[mesh.vertices[:, 1] > 0.1], colors[mesh.vertices[:, 1] < -0.1]
    assert above[:, 0].min() > 180 and above[:, 2].max() < 60
    assert below[:, 2].min() > 180 and below[:, 0].max() < 60
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    assert mesh.is_watertight


def test_an_invisible_splat_has_no_mesh(ball: OpenedRun) -> None:
    faint = replace(ball, gaussians=replace(ball.gaussians, opacities=torch.full((801,), 0.02)))
    with pytest.raises(ExportError, match=r"the splat has no surface.*train it longer"):
        make_mesh(oriented(faint, "world"), SMALL, stage)


def exact_maps(count: int = 24, size: int = 96, radius: float = 0.3) -> DepthMaps:
    """Depth of an exact ball."""
    cameras = surrounding_cameras(Sphere(torch.zeros(3), radius), count, size, size)
    column, row = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="xy")
    rays = torch.stack([column, row, torch.ones_like(row)], dim=-1) @ torch.linalg.inv(cameras.K[0]).T
    center = cameras.T_camera_world[0, :3, 3]
    a, b, c = rays.square().sum(-1), rays @ center, center.square().sum() - radius**2
    hit = b * b > a * c
    depth = torch.where(hit, (b - (b * b - a * c).clamp_min(0).sqrt()) / a, 0)
    planes = depth.expand(count, -1, -1), hit.float().expand(count, -1, -1)
    raster = Raster(torch.zeros(count, size, size, 3), planes[1], planes[0], {})
    return DepthMaps(cameras, raster, torch.ones(count))


def test_exact_depth_gives_the_exact_surface() -> None:
    grid = Grid(torch.full((3,), -0.4), 0.8 / 47, 48)
    surface = level_surface(distance_field(exact_maps(), grid, 0.06), grid)
    radii = np.linalg.norm(surface.vertices, axis=1)
    assert abs(radii.mean() - 0.3) < 0.002 and radii.std() < 0.004
    mesh = trimesh.Trimesh(surface.vertices, surface.faces)
    assert mesh.is_watertight and mesh.volume > 0, "corners go round counterclockwise as seen from outside"


def test_an_object_that_fills_the_grid_is_closed_at_its_border() -> None:
    grid = Grid(torch.full((3,), -0.1), 0.02, 10)
    surface = level_surface(torch.full((10, 10, 10), -1.0), grid)
    assert trimesh.Trimesh(surface.vertices, surface.faces).is_watertight


def test_the_surrounding_cameras_see_the_whole_object() -> None:
    sphere = Sphere(torch.tensor([1.0, 2, 3]), 0.5)
    cameras = surrounding_cameras(sphere, 20, 64, 48)
    directions = torch.nn.functional.normalize(torch.randn(200, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    pixels, depth = project(cameras, sphere.center + 0.5 * directions)
    assert float(depth.min()) > 0 and float(pixels.min()) > 0
    assert float(pixels[..., 0].max()) < 64 and float(pixels[..., 1].max()) < 48
    assert isinstance(cameras, Cameras) and float(cameras.centers.mean(0).sub(sphere.center).norm()) < 0.1


def test_small_parts_and_cavities_are_dropped() -> None:
    outer, inner = trimesh.creation.icosphere(2, 1.0), trimesh.creation.icosphere(2, 0.5)
    inner.invert()
    crumb = trimesh.creation.icosphere(1, 0.05).apply_translation((3, 0, 0))
    arm = trimesh.creation.icosphere(2, 0.6).apply_translation((0, 3, 0))
    together = trimesh.util.concatenate([outer, inner, crumb, arm])
    assert isinstance(together, trimesh.Trimesh)
    kept = largest_parts(Surface(np.array(together.vertices), np.array(together.faces)), 0.02)
    assert len(kept.faces) == len(outer.faces) + len(arm.faces)
