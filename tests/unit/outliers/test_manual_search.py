"""A view searched, left out or trusted because somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras, orbit
from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.optimization.observer import observed_by
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.optimization.settings import SPARSEAGS
from sparseags_ns.optimization.short_fits import Continuation
from sparseags_ns.outliers.context import RepairContext
from sparseags_ns.outliers.manual_search import ManualSearch, search_manually
from sparseags_ns.outliers.settings import RepairSettings
from sparseags_ns.pose_search.settings import SearchSettings
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.record import Decision, RunRecord
from sparseags_ns.viewer import request_queue
from sparseags_ns.viewer.live_search import LiveSearch
from sparseags_ns.viewer.request_queue import Request, RequestQueue, SearchInterruptedError, Training
from sparseags_ns.views import Views

QUICK = SearchSettings(
    spacing_deg=30.0, coarse_px=16, fine_px=32, shortlist=12, finalists=3, coarse_steps=20, fine_steps=12
)
SETTINGS = RepairSettings(quick_search=QUICK, thorough_search=QUICK, pixels=32, candidates=2)
MakeViews = Callable[..., Views]


@dataclass
class PerfectFitter:
    """The splat is always the true one."""

    gaussians: Gaussians

    def from_scratch(self, cameras: Cameras, trusted: Tensor) -> Reconstruction:
        return Reconstruction(self.gaussians, cameras, trusted)

    def continued(self, fit: Reconstruction, continuation: Continuation) -> Reconstruction:
        return fit


def context_and_fit(
    views: Views, gaussians: Gaussians, wrong: int | None, trusted: Tensor
) -> tuple[RepairContext, Reconstruction]:
    poses = views.cameras.T_camera_world.clone()
    if wrong is not None:
        poses[wrong] = orbit(torch.tensor(300.0), torch.tensor(20.0), 1.85)
    context = RepairContext(views, PerfectFitter(gaussians), SETTINGS, poses)
    return context, Reconstruction(gaussians, views.cameras.with_poses(poses), trusted)


def test_a_wrong_view_gets_its_pose(make_views: MakeViews, toy_gaussians: Gaussians) -> None:
    views, live = make_views(4), LiveSearch()
    context, fit = context_and_fit(views, toy_gaussians, 2, torch.ones(4, dtype=torch.bool))
    with observed_by(live), live.doing("searching view 002"):
        found = search_manually(context, fit, 2)
        assert live.now.doing == "searching view 002" and live.now.view == 2
    assert live.now.doing is None and not live.now.searching
    assert live.now.finalists is not None and live.now.centers is not None and len(live.now.centers) > 200
    assert found.decision.action == "correct" and found.fit is not None and found.fit.trusted.all()
    errors_deg, _ = pose_change(found.fit.cameras.T_camera_world, views.cameras.T_camera_world)
    assert errors_deg[2] < 6.0 and found.decision.numbers["rotation_deg"] > 60


def test_a_right_view_stays(make_views: MakeViews, toy_gaussians: Gaussians) -> None:
    context, fit = context_and_fit(make_views(4), toy_gaussians, None, torch.ones(4, dtype=torch.bool))
    found = search_manually(context, fit, 1)
    assert found.fit is None and found.decision.action == "restore"


def test_two_others_have_to_be_left(make_views: MakeViews, toy_gaussians: Gaussians) -> None:
    context, fit = context_and_fit(make_views(3), toy_gaussians, None, torch.tensor([True, True, False]))
    found = search_manually(context, fit, 0)
    assert found.fit is None and "2 other trusted views" in found.decision.why


def fake_model(views: Views) -> Any:
    """What the request queue reads of a model, without one."""
    return SimpleNamespace(views=views, trusted=views.trusted.clone(), steps_done=7, record=RunRecord(views.names))


def training(goes_on: bool = True) -> Training:
    return Training(SPARSEAGS, {}, lambda: goes_on)


def make_queue(model: Any, monkeypatch: pytest.MonkeyPatch) -> RequestQueue:
    monkeypatch.setattr(request_queue, "announce", lambda *_: None)
    return RequestQueue(model)


def test_leaving_out_and_trusting_are_noted(make_views: MakeViews, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fake_model(make_views(4))
    requests = make_queue(model, monkeypatch)
    requests.training = training()
    requests.ask(Request("leave out", 1))
    assert requests.has_work and "before the next step" in requests.answers[-1] and model.trusted.all()
    requests.work()
    assert model.trusted.tolist() == [True, False, True, True] and model.record.by_hand == {1: "leave out"}
    requests.ask(Request("trust", 1))
    requests.work()
    assert model.trusted.all() and model.record.by_hand == {1: "trust"}
    made = [event.decision for event in model.record.events]
    assert [(decision.action, decision.view) for decision in made] == [("leave out", 1), ("trust", 1)]
    assert not requests.has_work


def test_the_last_two_views_cannot_be_left_out(make_views: MakeViews, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fake_model(make_views(3))
    requests = make_queue(model, monkeypatch)
    requests.training = training()
    for view in (0, 1):
        requests.ask(Request("leave out", view))
    requests.work()
    assert model.trusted.tolist() == [False, True, True] and "001 stays" in requests.answers[-1]


@pytest.mark.parametrize("of", [None, False])
def test_after_the_end_requests_are_answered_and_change_nothing(
    of: bool | None, make_views: MakeViews, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fake_model(make_views(3))
    requests = make_queue(model, monkeypatch)
    requests.training = None if of is None else training(goes_on=False)
    requests.ask(Request("leave out", 0))
    requests.work()
    assert model.trusted.all() and "nothing would come of it" in requests.answers[-1] and model.record.events == []


def test_an_interrupted_search_says_so(make_views: MakeViews, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = make_queue(fake_model(make_views(3)), monkeypatch)

    def interrupted(*_: object) -> str:
        raise SearchInterruptedError

    monkeypatch.setattr(requests, "_search", interrupted)
    requests.ask(Request("search", 2))
    with pytest.raises(SearchInterruptedError):
        requests.work()
    assert "interrupted" in requests.answers[-1]


def test_answers_say_what_came_of_a_search() -> None:
    numbers = {"sum_own": 0.2, "sum_found": 0.1, "rotation_deg": 127.0}
    found = ManualSearch(None, Decision("restore", 1, "its own pose fits all views best", numbers))
    assert request_queue._told("001", found, True, 8.0).startswith("View 001 stays where it is: its own pose")
    fit = Reconstruction.__new__(Reconstruction)
    moved = replace(found, fit=fit, decision=Decision("correct", 1, "better", numbers))
    assert "now stands 127 degrees from where it was" in request_queue._told("001", moved, True, 8.0)
    assert "Nothing was changed" in request_queue._told("001", moved, False, 8.0)
