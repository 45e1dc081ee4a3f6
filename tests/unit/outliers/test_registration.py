"""Views without trust are registered: with a fake that reconstructs at once, and with real short reconstructions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from sparseags_ns.geometry.alignment import normalizing_similarity
from sparseags_ns.geometry.motion import object_anchored
from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.optimization.short_fits import Fitter, ShortFitter, coarse_preset
from sparseags_ns.outliers.repair import RepairResult, repair
from sparseags_ns.outliers.settings import RegistrationSettings, RepairSettings
from sparseags_ns.pose_search.settings import SearchSettings
from sparseags_ns.sample import SampleConfig, render_sample
from sparseags_ns.views import Views

QUICK = SearchSettings(
    spacing_deg=30.0, coarse_px=16, fine_px=32, shortlist=12, finalists=3, coarse_steps=20, fine_steps=12
)
SETTINGS = RepairSettings(
    thorough_search=QUICK,
    pixels=32,
    quick_searches=0,
    candidates=2,
    registration=RegistrationSettings(max_over_arbitrary=0.2),  # The fake renders the others without error.
)


def without_poses(views: Views, *unposed: int) -> Views:
    """The views, some of them with the pose of view 0 in place of their own, and no trust."""
    poses, trusted = views.cameras.T_camera_world.clone(), views.trusted.clone()
    poses[list(unposed)] = views.cameras.T_camera_world[0]
    trusted[list(unposed)] = False
    return replace(views, cameras=views.cameras.with_poses(poses), trusted=trusted, unposed=unposed)


def actions(result: RepairResult) -> list[tuple[str, int | None]]:
    return [(decision.action, decision.view) for decision in result.decisions]


def test_views_without_a_pose_are_registered(make_views: Callable[..., Views], perfect_fitter: Fitter) -> None:
    views = make_views(6, 32)
    result = repair(without_poses(views, 2, 4), perfect_fitter, settings=SETTINGS)
    assert result.fit.trusted.all() and result.registered.tolist() == [False, False, True, False, True, False]
    assert not result.corrected.any()
    assert pose_change(result.fit.cameras.T_camera_world, views.cameras.T_camera_world)[0].max() < 12.0
    assert sorted(actions(result)[1:]) == [("register", 2), ("register", 4)]


def test_photograph_of_something_else_is_rejected(make_views: Callable[..., Views], perfect_fitter: Fitter) -> None:
    views = make_views(5, 32)
    images = views.images.clone()
    images[2] = 1 - images[2].flip(0, 1)
    result = repair(without_poses(replace(views, images=images), 2), perfect_fitter, settings=SETTINGS)
    assert result.fit.trusted.tolist() == [True, True, False, True, True] and not result.registered.any()
    assert actions(result)[-1] == ("reject", 2) and result.decisions[-1].numbers["loss_over_median"] > 3
    assert not torch.equal(result.fit.cameras.T_camera_world[2], views.cameras.T_camera_world[0])


def test_blank_photograph_without_a_pose_is_not_searched(
    make_views: Callable[..., Views], perfect_fitter: Fitter
) -> None:
    views = make_views(5, 32)
    masks = views.masks.clone()
    masks[2] = 0.0
    result = repair(without_poses(replace(views, masks=masks), 2), perfect_fitter, settings=SETTINGS)
    assert not result.fit.trusted[2] and 2 not in [view for _, view in actions(result)]


def test_given_pose_that_is_not_trusted_is_a_candidate(
    make_views: Callable[..., Views], perfect_fitter: Fitter
) -> None:
    views = make_views(5, 32)
    trusted = views.trusted.clone()
    trusted[1] = False
    result = repair(replace(views, trusted=trusted), perfect_fitter, settings=SETTINGS)
    assert result.registered[1] and result.fit.trusted.all()
    assert torch.allclose(result.fit.cameras.T_camera_world[1], views.cameras.T_camera_world[1], atol=1e-4)


@pytest.mark.slow
def test_view_of_a_sample_without_a_pose_lands_within_10_degrees() -> None:
    sample = render_sample(SampleConfig(seed=2, size=64, num_views=7, num_test_views=1, level="dust3r"))
    views = without_poses(sample.views, 3)
    views = views.moved(normalizing_similarity(views.cameras.T_camera_world[views.posed])).to(torch.float32)
    preset = coarse_preset()
    fitter = ShortFitter(views, replace(preset, steps=preset.steps // 4))
    result = repair(views, fitter, settings=RepairSettings(quick_searches=0))
    assert result.fit.trusted.all() and result.registered[3]
    true, fit = sample.true_cameras.T_camera_world, result.fit
    similarity = object_anchored(true, fit.cameras.T_camera_world, fit.gaussians.visible_center)
    rotation_deg, _ = pose_change(similarity.apply_to_poses(true).float(), fit.cameras.T_camera_world)
    assert rotation_deg[3] < 10.0 and rotation_deg.max() < 10.0


def test_views_without_a_pose_are_not_posed(make_views: Callable[..., Views]) -> None:
    assert without_poses(make_views(4, 32), 1).posed.tolist() == [True, False, True, True]
    with pytest.raises(IndexError):
        _ = replace(make_views(4, 32), unposed=(7,)).posed
