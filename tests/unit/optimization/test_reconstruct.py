"""The joint optimisation without nerfstudio."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.pose_errors import pose_errors
from sparseags_ns.optimization.losses import TargetPyramid
from sparseags_ns.optimization.parameters import activate, deactivate
from sparseags_ns.optimization.reconstruct import Reconstruction, reconstruct
from sparseags_ns.optimization.seeding import seed_params
from sparseags_ns.optimization.settings import PRESETS, SPARSEAGS, JointSettings, Preset, Stage
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views


def small(preset: Preset = SPARSEAGS, **settings: object) -> Preset:
    return replace(preset, settings=replace(preset.settings, num_gaussians=150, **settings))


def disturbed(views: Views, size: float = 0.06) -> Views:
    tangents = size * torch.randn(len(views), 6, generator=torch.Generator().manual_seed(1))
    poses = views.cameras.T_camera_world @ se3.exp(tangents)
    return replace(views, cameras=views.cameras.with_poses(poses))


def test_rough_poses_come_nearer_to_the_truth(make_views: Callable[..., Views]) -> None:
    views = make_views(6, 48)
    rough = disturbed(views)
    result = reconstruct(rough, small(), steps=150)
    true = views.cameras.T_camera_world
    given, refined = (pose_errors(c.T_camera_world, true).summary() for c in (rough.cameras, result.cameras))
    assert refined["median_rotation_error_deg"] < 0.75 * given["median_rotation_error_deg"]


def test_poses_stay_if_they_are_not_refined(make_views: Callable[..., Views]) -> None:
    views = make_views(3, 24)
    result = reconstruct(views, small(), steps=6, refine_poses=False)
    torch.testing.assert_close(result.cameras.T_camera_world, views.cameras.T_camera_world, atol=1e-6, rtol=0.0)


def test_the_same_seed_gives_the_same_result(make_views: Callable[..., Views]) -> None:
    views = make_views(3, 24)
    a, b, c = (reconstruct(views, small(seed=seed), steps=8) for seed in (0, 0, 1))
    assert torch.equal(a.gaussians.means, b.gaussians.means) and torch.equal(a.cameras.K, b.cameras.K)
    assert not torch.equal(a.gaussians.means[:50], c.gaussians.means[:50])


def test_untrusted_views_keep_their_pose(make_views: Callable[..., Views]) -> None:
    views = make_views(4, 24)
    views = replace(views, trusted=torch.tensor([True, True, False, True]))
    refined = reconstruct(views, small(), steps=6).cameras.T_camera_world
    # The world may be moved and scaled as a whole, but is never rotated.
    rotated = (refined - views.cameras.T_camera_world)[:, :3, :3].abs().amax((1, 2)) > 1e-6
    assert rotated.tolist() == [True, True, False, True]


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_runs_and_reports_progress(name: str, make_views: Callable[..., Views]) -> None:
    seen: list[tuple[int, int]] = []
    result = reconstruct(
        make_views(3, 16), small(PRESETS[name]), steps=5, progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(i + 1, 5) for i in range(5)]
    assert all(tensor.isfinite().all() for tensor in vars(result.gaussians).values())


def test_hull_seeds_take_the_photographs_colours(make_views: Callable[..., Views]) -> None:
    params = seed_params(small(seeding="hull").settings, make_views(4, 32))
    assert params["means"].shape == (150, 3) and params["features_dc"].std() > 0.1


def test_a_run_continues_from_the_repaired_state(make_views: Callable[..., Views]) -> None:
    """Gaussians, cameras and trust are replaced once, between the coarse and the fine stages."""
    views = make_views(4, 80)
    seen: list[Reconstruction] = []

    def repair_poses(found: Reconstruction) -> Reconstruction:
        seen.append(found)
        fewer = Gaussians(**{name: value[:20] for name, value in vars(found.gaussians).items()})
        return Reconstruction(fewer, views.cameras, torch.tensor([True, True, True, False]))

    result = reconstruct(disturbed(views), small(), steps=12, repair_poses=repair_poses)
    assert len(seen) == 1 and seen[0].trusted.all() and len(seen[0].gaussians.means) > 20
    assert result.trusted.tolist() == [True, True, True, False]
    assert len(result.gaussians.means) <= 4 * 20, "two splits later"
    rotated = (result.cameras.T_camera_world - views.cameras.T_camera_world)[:, :3, :3].abs().amax((1, 2))
    assert rotated[3] < 1e-6 and 1e-6 < rotated[:3].min() and rotated.max() < 0.05


def test_renders_survive_a_restart(make_views: Callable[..., Views]) -> None:
    views = make_views(2, 24)
    params = seed_params(JointSettings(num_gaussians=40), views)
    params["features_dc"].data.normal_(generator=torch.Generator().manual_seed(0))
    before = activate(params)
    after = activate(deactivate(before, 9))
    background = torch.ones(3)
    renders = [rasterize(g, views.cameras, background, sh_degree=2).rgb for g in (before, after)]
    torch.testing.assert_close(*renders, atol=1e-4, rtol=0.0)


def test_many_short_fits_share_their_targets(make_views: Callable[..., Views]) -> None:
    """One coarse stage and few Gaussians, as for an initialiser that fits hundreds of times."""
    views = make_views(4, 48)
    stage = Stage(share=1.0, pixels=16, pose_lr=6e-3)
    preset, targets = replace(small(stages=(stage,)), steps=4), TargetPyramid(views)
    own, shared = (reconstruct(disturbed(views), preset, targets=given) for given in (None, targets))
    assert torch.equal(own.gaussians.means, shared.gaussians.means)
    assert targets.at(16) is targets.at(16) and targets.at(16).alpha.shape == (4, 16, 16)


def test_a_reconstruction_needs_neither_gsplat_nor_nerfstudio() -> None:
    code = (
        "import sys, sparseags_ns.optimization.reconstruct as _;"
        "print({'gsplat', 'nerfstudio', 'diffusers'} & {name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
