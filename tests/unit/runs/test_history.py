"""What is recorded while a run goes: rows of the history, phases, wall time, searches."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.geometry.motion import consistent_views, motion
from sparseags_ns.optimization.losses import make_targets
from sparseags_ns.optimization.observer import Observer, observed_by, observer
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.optimization.settings import SPARSEAGS, SPARSEAGS_PAPER
from sparseags_ns.pose_search.leave_one_out import leave_one_out
from sparseags_ns.pose_search.settings import SearchSettings
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.history import PhaseClock, errors_over_white, is_due, phases_of, row_of_step
from sparseags_ns.runs.search_log import MOST, SearchLog
from sparseags_ns.views import Views

QUICK = SearchSettings(
    spacing_deg=30.0, coarse_px=16, fine_px=16, shortlist=6, finalists=3, coarse_steps=4, fine_steps=2
)
MakeViews = Callable[..., Views]


def test_error_does_not_depend_on_the_background(make_views: MakeViews, toy_gaussians: Gaussians) -> None:
    views = make_views(3)
    targets, moved = make_targets(views), views.cameras.with_poses(views.cameras.T_camera_world.roll(1, 0))
    errors = []
    for background in (torch.zeros(3, 3), torch.tensor([[0.2, 0.9, 0.4]]).repeat(3, 1)):
        raster = rasterize(toy_gaussians, moved, background)
        errors.append(errors_over_white(raster.rgb, raster.alpha, background, targets))
    torch.testing.assert_close(errors[0], errors[1], atol=1e-5, rtol=0.0)
    assert (errors[0] > 0.05).all()


def test_a_row_holds_untrusted_views_too(make_views: MakeViews, toy_gaussians: Gaussians) -> None:
    views = make_views(4)
    poses = views.cameras.T_camera_world.clone()
    poses[2] = orbit(torch.tensor(300.0), torch.tensor(0.0), 1.85)
    cameras, trusted = views.cameras.with_poses(poses), torch.tensor([True, True, False, True])
    background = torch.ones(3, 3)
    raster = rasterize(toy_gaussians, cameras[trusted.nonzero().flatten()], background)
    given = views.cameras.T_camera_world
    row = row_of_step(9, raster, background, toy_gaussians, cameras, given, trusted, make_targets(views), None)
    assert row.step == 10 and row.pixels == 32 and row.trusted == [True, True, False, True]
    assert max(row.errors[view] for view in (0, 1, 3)) < 1e-4 and row.errors[2] > 0.05
    assert row.rotation_deg[2] > 30 and max(row.rotation_deg[view] for view in (0, 1, 3)) < 0.1


def test_one_view_far_off_is_not_shared_out_among_the_others(make_views: MakeViews) -> None:
    given = make_views(5).cameras.T_camera_world
    refined = given @ se3.exp(torch.tensor([0.0, 0.0, 0.0, 0.0, 0.2, 0.0]))
    refined[3] = orbit(torch.tensor(20.0), torch.tensor(10.0), 1.85)
    found = motion(given, refined, torch.zeros(3))
    assert consistent_views(given, refined).tolist() == [True, True, True, False, True]
    assert found.rotation_deg[[0, 1, 2, 4]].max() < 0.1 < 90 < found.rotation_deg[3]
    assert found.moved_percent[[0, 1, 2, 4]].max() < 1 < 100 < found.moved_percent[3]


def test_the_last_step_always_has_its_row() -> None:
    assert [step for step in range(1000) if is_due(step, 1000)][-2:] == [995, 999]
    assert is_due(0, 3) and is_due(2, 3)


def test_phases_cover_the_run_and_name_the_search() -> None:
    phases = phases_of(SPARSEAGS.settings, 1000, 96)
    assert [phase.name for phase in phases] == [
        "16 px", "32 px", "64 px", "start selection and outlier repair", "96 px", "96 px"
    ]  # fmt: skip
    assert phases[0].from_step == 0 and phases[-1].to_step == 1000
    assert all(a.to_step == b.from_step for a, b in pairwise(phases))
    assert [phase.name for phase in phases_of(SPARSEAGS_PAPER.settings, 9, 96)] == ["96 px"]


def test_a_search_is_logged_with_its_best_hypotheses(make_views: MakeViews, toy_gaussians: Gaussians) -> None:
    views = make_views(4)
    wrong = views.cameras.T_camera_world.clone()
    wrong[2] = orbit(torch.tensor(20.0), torch.tensor(0.0), 1.85)
    fit = Reconstruction(toy_gaussians, views.cameras.with_poses(wrong), torch.tensor([True, True, False, True]))
    log = SearchLog(step=7)
    with observed_by(log, Observer()):
        found = leave_one_out(fit, views, 2, QUICK)
    found_cameras = views.cameras.with_poses(fit.with_pose(2, found.search.poses[0]).cameras.T_camera_world)
    (search,) = log.decided(found_cameras)
    assert search.view == 2 and search.kind == "thorough" and search.by == "search" and search.step == 7
    scores = [score for score in search.hypothesis_scores if score is not None]
    assert len(scores) == MOST < search.tried and scores == sorted(scores)
    assert search.score_median is not None and scores[0] < search.score_median
    assert len(search.hypothesis_centers) == MOST and len(search.camera_centers) == 4
    assert search.here is not None and search.elsewhere is not None
    assert search.here > search.elsewhere > 0 and search.chosen == 0
    assert search.finalist_rotation_deg[0] > 60
    assert log.decided(fit.cameras)[0].chosen is None
    assert type(observer()) is Observer


def test_a_photograph_of_nothing_is_logged_without_scores(make_views: MakeViews, toy_gaussians: Gaussians) -> None:
    views = make_views(4)
    views = replace(views, masks=views.masks * torch.tensor([1.0, 0.0, 1.0, 1.0])[:, None, None])
    log = SearchLog(step=0)
    with observed_by(log):
        leave_one_out(Reconstruction(toy_gaussians, views.cameras, views.trusted), views, 1, QUICK)
    (search,) = log.decided(views.cameras)
    assert search.finalist_scores == [] and search.here is None and search.chosen is None


def test_an_inner_phase_stops_the_outer_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    clock = PhaseClock()
    with clock.phase("outer"):
        now = 3.0
        with clock.phase("inner"):
            now = 5.0
        now = 6.0
        assert clock.seconds() == {"outer": 4.0, "inner": 2.0}
    now = 100.0
    assert clock.seconds() == {"outer": 4.0, "inner": 2.0}


def test_an_earlier_process_is_added() -> None:
    clock = PhaseClock()
    clock.add({"optimisation": 10.0})
    clock.add({"optimisation": 5.0, "outputs": 1.0})
    assert clock.seconds() == {"optimisation": 15.0, "outputs": 1.0}
