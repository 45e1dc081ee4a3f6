"""Projection, tile lists and spherical harmonics are gsplat's: compared with its own torch code on CPU."""

from __future__ import annotations

import pytest
import torch
from gsplat.cuda._torch_impl import _fully_fused_projection, _isect_tiles, _quat_scale_to_covar_preci
from gsplat.cuda._torch_impl import _spherical_harmonics as gsplat_harmonics
from torch import Tensor

from benchmarks.scenes import Scene, ball_scene
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.autograd import Project
from sparseags_ns.rasterizer.constants import EPS_2D
from sparseags_ns.rasterizer.reference import Projection, _touches_tile, project, view_colors

NAMES = ("means", "quats", "scales", "T_camera_world", "K")


def our_projection(scene: Scene, backend: str) -> Projection:
    if backend == "reference":
        return project(scene.gaussians, scene.cameras)
    t, size = scene.tensors(), (scene.cameras.width, scene.cameras.height)
    return Projection(*Project.apply(*(t[name] for name in NAMES), size, (0.01, 1e10)))


def gsplat_projection(scene: Scene) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    t = scene.tensors()
    covariances, _ = _quat_scale_to_covar_preci(t["quats"], t["scales"], True, False)
    assert covariances is not None
    radii, means2d, depths, conics, _ = _fully_fused_projection(
        t["means"], covariances, t["T_camera_world"], t["K"], scene.cameras.width, scene.cameras.height, eps2d=EPS_2D
    )
    return radii, means2d, depths, conics


@pytest.mark.parametrize("backend_name", ["cpu", "reference"])
@pytest.mark.parametrize("spread", [1.0, 3.0])
def test_projection_and_all_its_gradients_are_gsplats(backend_name: str, spread: float) -> None:
    scene = ball_scene(200, (90, 60), 3, scale=0.05).map(Tensor.double)
    scene = scene.with_tensors({"means": spread * scene.gaussians.means})
    ours, theirs = scene.leaves(), scene.leaves()
    mine = our_projection(ours, backend_name)
    radii, means2d, depths, conics = gsplat_projection(theirs)
    assert torch.equal(mine.radii, radii)
    seen = (radii > 0)[..., None]
    weights = torch.rand(*means2d.shape[:2], 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for m, c, z in ((mine.means2d, mine.conics, mine.depths), (means2d, conics, depths)):
        (torch.where(seen, torch.cat([m, 100 * c, z[..., None]], dim=-1), 0) * weights).sum().backward()
    torch.testing.assert_close(torch.where(seen, mine.means2d, 0), torch.where(seen, means2d, 0))
    torch.testing.assert_close(torch.where(seen, mine.conics, 0), torch.where(seen, conics, 0))
    for name in NAMES:
        expected = theirs.tensors()[name].grad
        assert expected is not None
        if name == "K":  # gsplat's torch code also differentiates skew, which no camera here has
            expected[:, 0, 1], expected[:, 1, 0] = 0, 0
        if name == "T_camera_world":
            expected[:, 3] = 0
        torch.testing.assert_close(ours.tensors()[name].grad, expected, rtol=1e-9, atol=1e-9)


def test_splats_are_listed_for_the_tiles_that_gsplat_lists() -> None:
    scene = ball_scene(40, (50, 40), 2, scale=0.08)
    projection = project(scene.gaussians, scene.cameras)
    tiles_wide, tiles_high = 4, 3
    counts, _, _ = _isect_tiles(
        projection.means2d, projection.radii, projection.depths, 16, tiles_wide, tiles_high, sort=False
    )
    ours = torch.zeros(2, 40, dtype=torch.int32)
    for view in range(2):
        for tile in range(tiles_wide * tiles_high):
            ours[view] += _touches_tile(projection, view, tile % tiles_wide * 16, tile // tiles_wide * 16)
    assert torch.equal(ours, counts)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_harmonics_are_gsplats_for_every_degree(degree: int) -> None:
    scene = ball_scene(30, 16, 2, sh_bases=16).map(Tensor.double)
    centers = torch.linalg.inv(scene.cameras.T_camera_world)[:, :3, 3]
    directions = scene.gaussians.means - centers[:, None]
    coefficients = scene.gaussians.colors.expand(2, -1, -1, -1)
    expected = (gsplat_harmonics(degree, directions, coefficients) + 0.5).clamp_min(0)
    got = view_colors(scene.gaussians, scene.cameras, degree)
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_bands_above_sh_degree_do_not_count(degree: int, backend: str) -> None:
    scene = ball_scene(60, 24, 2, scale=0.08, sh_bases=16).map(lambda t: t.to(backend))
    cut = scene.with_tensors({"colors": scene.gaussians.colors[:, : (degree + 1) ** 2]})
    masked = rasterize(scene.gaussians, scene.cameras, sh_degree=degree).rgb
    torch.testing.assert_close(masked, rasterize(cut.gaussians, cut.cameras).rgb)
