"""Orientations around an object, placing by silhouettes, diverse shortlists, proxies and targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import orbit, project
from sparseags_ns.pose_search.hypotheses import all_orientations, place_by_silhouette, select_diverse
from sparseags_ns.pose_search.proxy import proxy
from sparseags_ns.pose_search.target import target_of
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.constants import SH_C0
from sparseags_ns.rasterizer.types import Gaussians, Target
from sparseags_ns.views import Views


def random_rotations(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    quats = torch.nn.functional.normalize(torch.randn(count, 4, generator=generator), dim=-1)
    w, x, y, z = quats.unbind(-1)
    tangents = torch.stack([x, y, z], -1) / torch.stack([x, y, z], -1).norm(dim=-1, keepdim=True)
    angle = 2 * torch.atan2(torch.stack([x, y, z], -1).norm(dim=-1), w)
    return se3.exp(torch.cat([torch.zeros(count, 3), tangents * angle[:, None]], dim=-1))[:, :3, :3]


def silhouette(mask: torch.Tensor, valid: torch.Tensor, K: torch.Tensor) -> Target:
    """A target without colours."""
    return Target(mask.new_zeros(*mask.shape, 3), mask, valid, K)


def test_every_rotation_has_a_hypothesis_nearby() -> None:
    R = all_orientations(18.0).poses(1.85, torch.zeros(3))[:, :3, :3]
    wanted = random_rotations(400)
    nearest = torch.stack([se3.rotation_angle(R @ turn.T).min() for turn in wanted]).rad2deg()
    assert nearest.max() < 18.0


def test_limited_roll_still_sees_every_side() -> None:
    orientations = all_orientations(20.0, max_roll_deg=20.0)
    assert orientations.roll_deg.unique().tolist() == [-20.0, 0.0, 20.0]
    assert orientations.elevation_deg.min() == -90.0 and orientations.elevation_deg.max() == 90.0


def test_bad_spacing_is_refused() -> None:
    with pytest.raises(ValueError, match="spacing"):
        all_orientations(0.0)


@pytest.mark.parametrize("cut", [False, True])
def test_silhouette_gives_distance_and_place(
    make_views: Callable[..., Views], toy_gaussians: Gaussians, cut: bool
) -> None:
    views = make_views(4, 64)
    true = views.cameras.T_camera_world.clone()
    true[:, :3, 3] += torch.tensor([0.08, -0.05, 0.3])
    masks = rasterize(toy_gaussians, views.cameras.with_poses(true)).alpha
    valid = torch.ones_like(masks)
    if cut:
        valid[:, :, :20] = 0.0
    wrong = true.clone()
    wrong[:, :3, 3] = torch.tensor([0.0, 0.0, 1.85])
    for view in range(4):
        target = silhouette(masks[view] * valid[view], valid[view], views.cameras.K[view])
        found = place_by_silhouette(wrong[view : view + 1], toy_gaussians, target, rounds=6 if cut else 2)
        offset = (found[0, :3, 3] - true[view, :3, 3]).abs()
        assert offset[:2].max() < 0.02 and offset[2] < (0.12 if cut else 0.05)


def test_empty_mask_places_nothing(toy_gaussians: Gaussians) -> None:
    poses = all_orientations(60.0).poses(1.85, torch.zeros(3))
    K = torch.tensor([[60.0, 0.0, 16.0], [0.0, 60.0, 16.0], [0.0, 0.0, 1.0]])
    assert torch.equal(
        place_by_silhouette(poses, toy_gaussians, silhouette(torch.zeros(32, 32), torch.ones(32, 32), K)), poses
    )


def test_poses_that_show_nothing_stay(toy_gaussians: Gaussians) -> None:
    away = orbit(torch.tensor([0.0]), torch.tensor([0.0]), 1.85)
    away[0, 2, 3] = -5.0
    K = torch.tensor([[60.0, 0.0, 16.0], [0.0, 60.0, 16.0], [0.0, 0.0, 1.0]])
    assert torch.equal(
        place_by_silhouette(away, toy_gaussians, silhouette(torch.ones(32, 32), torch.ones(32, 32), K)), away
    )


def test_shortlist_keeps_the_best_and_its_distance() -> None:
    poses = orbit(torch.tensor([0.0, 5.0, 40.0, 43.0, 200.0]), torch.zeros(5), 1.0)
    kept = select_diverse(poses, torch.tensor([0.2, 0.1, 0.5, 0.4, 0.3]), count=10, min_apart_deg=10.0)
    assert kept.tolist() == [1, 4, 3]
    assert select_diverse(poses, torch.zeros(5), count=2, min_apart_deg=10.0).tolist() == [0, 2]


def test_proxy_is_small_and_looks_alike(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    cameras = make_views(4, 32).cameras
    # Each Gaussian as five on the same spot: merging undoes it.
    many = Gaussians(
        means=toy_gaussians.means.repeat_interleave(5, 0),
        quats=toy_gaussians.quats.repeat_interleave(5, 0),
        scales=toy_gaussians.scales.repeat_interleave(5, 0),
        opacities=1 - (1 - toy_gaussians.opacities.repeat_interleave(5, 0)) ** 0.2,
        colors=toy_gaussians.colors.repeat_interleave(5, 0),
    )
    small = proxy(many, 60)
    assert len(small.means) <= 60
    full, merged = rasterize(many, cameras), rasterize(small, cameras)
    assert (full.rgb - merged.rgb).abs().mean() < 0.05 and (full.alpha - merged.alpha).abs().mean() < 0.05


def test_proxy_of_a_small_splat_is_the_splat_without_its_ghosts(toy_gaussians: Gaussians) -> None:
    opacities = toy_gaussians.opacities.clone()
    opacities[:10] = 0.01
    kept = proxy(replace(toy_gaussians, opacities=opacities), 1000)
    assert torch.equal(kept.means, toy_gaussians.means[10:])
    with pytest.raises(ValueError, match="count 3"):
        proxy(toy_gaussians, 3)


def test_proxy_takes_the_base_colour_of_harmonics(toy_gaussians: Gaussians) -> None:
    coefficients = torch.cat([(toy_gaussians.colors[:, None] - 0.5) / SH_C0, torch.ones(60, 3, 3)], 1)
    shown = proxy(replace(toy_gaussians, colors=coefficients), 1000)
    assert torch.allclose(shown.colors, toy_gaussians.colors, atol=1e-6)


def test_middle_is_where_the_opaque_gaussians_are(toy_gaussians: Gaussians) -> None:
    ghost = replace(toy_gaussians, opacities=torch.where(torch.arange(60) < 1, 0.9, 1e-6))
    assert torch.allclose(ghost.visible_center, toy_gaussians.means[0], atol=1e-4)


def test_reduced_photograph_keeps_its_rays(make_views: Callable[..., Views]) -> None:
    views = make_views(2, 64)
    target = target_of(views, 1, 16)
    pixels, _ = project(views.cameras, torch.zeros(1, 3))
    assert target.mask.shape == (16, 16) and target.over(0.5).shape == (16, 16, 3)
    assert torch.allclose(target.K[:2, 2] * 4, views.cameras.K[1, :2, 2]) and pixels.shape == (2, 1, 2)
    assert target_of(views, 1, 1000).mask.shape == (64, 64)
