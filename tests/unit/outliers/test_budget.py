"""The work that outlier repair may do: it is counted, and nothing new begins once it is used up."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.optimization.settings import SPARSEAGS
from sparseags_ns.optimization.short_fits import Fitter
from sparseags_ns.outliers import budget as budget_module
from sparseags_ns.outliers import pose_repair
from sparseags_ns.outliers.budget import CONTINUED, Budget, CountingFitter
from sparseags_ns.outliers.pose_repair import repair_poses
from sparseags_ns.outliers.repair import RepairResult, repair
from sparseags_ns.outliers.settings import LeaveOneOutSettings, RepairSettings
from sparseags_ns.pose_search.settings import SearchSettings
from sparseags_ns.views import Views

QUICK = SearchSettings(
    spacing_deg=30.0, coarse_px=16, fine_px=32, shortlist=12, finalists=3, coarse_steps=20, fine_steps=12
)
SETTINGS = RepairSettings(
    leave_one_out=LeaveOneOutSettings(must_improve=1.15, suspect_below_few=1.45),
    quick_search=QUICK,
    thorough_search=QUICK,
    pixels=32,
    quick_searches=3,
    candidates=2,
)


def with_wrong(views: Views, *wrong: int) -> Views:
    poses = views.cameras.T_camera_world.clone()
    for number, view in enumerate(wrong):
        poses[view] = orbit(torch.tensor(300.0 + 70 * number), torch.tensor(20.0), 1.85)
    return replace(views, cameras=views.cameras.with_poses(poses))


def repaired(views: Views, fitter: Fitter, budget: Budget) -> RepairResult:
    return repair(views, CountingFitter(fitter, budget), settings=SETTINGS, budget=budget)


def test_fits_are_counted(make_views: Callable[..., Views], perfect_fitter: Fitter) -> None:
    views, counted = make_views(3, 16), Budget(most=2.5)
    fitter = CountingFitter(perfect_fitter, counted)
    fit = fitter.from_scratch(views.cameras, views.trusted)
    fitter.continued(fit, SETTINGS.joining)
    assert counted.spent == 1 + CONTINUED and counted.left == 1.5 - CONTINUED and not counted.exhausted
    for _ in range(2):
        fitter.from_scratch(views.cameras, views.trusted)
    assert counted.exhausted and counted.left == 0 and not counted.late


def test_the_clock_is_a_last_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(budget_module.time, "monotonic", lambda: now[0])
    guarded = Budget(most=50, seconds=10, _began=now[0])
    now[0] += 29
    assert not guarded.exhausted
    now[0] += 2
    assert guarded.exhausted and guarded.late


def test_enough_work_changes_nothing(make_views: Callable[..., Views], perfect_fitter: Fitter) -> None:
    views = with_wrong(make_views(6, 32), 2)
    free, bounded = (repaired(views, perfect_fitter, budget) for budget in (Budget(), Budget(most=1000)))
    assert free.decisions == bounded.decisions and free.corrected.nonzero().flatten().tolist() == [2]
    torch.testing.assert_close(free.fit.cameras.T_camera_world, bounded.fit.cameras.T_camera_world, atol=0, rtol=0)


def test_nothing_is_suspected_once_it_is_used_up(make_views: Callable[..., Views], perfect_fitter: Fitter) -> None:
    views, budget = with_wrong(make_views(6, 32), 2), Budget(most=1)
    result = repaired(views, perfect_fitter, budget)
    assert result.decisions == () and not result.corrected.any()
    assert budget.spent < 3, "one reconstruction and the quick searches of the first look"
    torch.testing.assert_close(result.fit.cameras.T_camera_world, views.cameras.T_camera_world)


def test_work_that_ends_midway_repairs_less_and_ends_soon(
    make_views: Callable[..., Views], perfect_fitter: Fitter
) -> None:
    """Two wrong views: the first is dropped before the work is used up, and gets its pose; the second is not."""
    views, free, bounded = with_wrong(make_views(8, 32), 2, 3), Budget(), Budget(most=2.5)
    everything, part = (repaired(views, perfect_fitter, budget) for budget in (free, bounded))
    assert everything.corrected.nonzero().flatten().tolist() == [2, 3]
    assert sum(decision.action == "drop" for decision in part.decisions) == 1 and part.corrected.sum() == 1
    assert bounded.spent < 0.5 * free.spent


def test_views_that_were_not_searched_in_time_are_named(
    make_views: Callable[..., Views], perfect_fitter: Fitter
) -> None:
    views = replace(make_views(6, 32), trusted=torch.arange(6) < 4)
    result = repaired(views, perfect_fitter, Budget(most=1))
    assert [(d.action, d.view, d.why) for d in result.decisions[-2:]] == [
        ("reject", view, "the time budget ended before a pose was found for it") for view in (4, 5)
    ]
    assert not result.registered.any()


@pytest.mark.parametrize(("late", "why"), [(False, "the time budget is used up"), (True, "the clock ended it")])
def test_the_record_says_that_the_work_was_ended(
    late: bool, why: str, make_views: Callable[..., Views], perfect_fitter: Fitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = replace(make_views(6, 32), jointly_fitted=True)
    monkeypatch.setattr(pose_repair, "fitter_at", lambda *_: perfect_fitter)
    monkeypatch.setattr(pose_repair, "RepairSettings", lambda: SETTINGS)
    coarse = perfect_fitter.from_scratch(views.cameras, views.trusted)
    decisions = repair_poses(views, SPARSEAGS, coarse, budget=Budget(0, -1.0 if late else math.inf)).record.decisions
    assert decisions[-1].action == "finish" and decisions[-1].why.startswith(why)
    assert decisions[-1].numbers["planned"] == 0
    clean = repair_poses(views, SPARSEAGS, coarse, budget=Budget(most=1000)).record.decisions
    assert not any("budget" in decision.why or "clock" in decision.why for decision in clean)
