"""Requests from the viewer: answered, noted in the record, interruptible; and what the viewer shows of a search."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from sparseags_ns.optimization.observer import observed_by
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.optimization.settings import SPARSEAGS
from sparseags_ns.outliers.manual_search import ManualSearch
from sparseags_ns.pose_search.search import search_view
from sparseags_ns.pose_search.settings import SearchSettings
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.record import Decision, RunRecord
from sparseags_ns.viewer import request_queue
from sparseags_ns.viewer.live_search import LiveSearch
from sparseags_ns.viewer.request_queue import LockYielder, Request, RequestQueue, SearchInterruptedError, Training
from sparseags_ns.views import Views

MakeViews = Callable[..., Views]
QUICK = SearchSettings(
    spacing_deg=30.0, coarse_px=16, fine_px=16, shortlist=6, finalists=3, coarse_steps=4, fine_steps=2
)


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


def test_a_request_that_waits_is_not_added_again(make_views: MakeViews, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = make_queue(fake_model(make_views(3)), monkeypatch)
    searched: list[int] = []
    monkeypatch.setattr(requests, "_search", lambda view: searched.append(view) or "")
    for _ in range(2):
        for _ in range(100):
            requests.ask(Request("search", 1))
        requests.work()
    assert searched == [1, 1]


@pytest.mark.parametrize("of", [None, False])
def test_after_the_end_requests_are_answered_and_change_nothing(
    of: bool | None, make_views: MakeViews, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fake_model(make_views(3))
    requests = make_queue(model, monkeypatch)
    requests.training = None if of is None else training(goes_on=False)
    requests.ask(Request("leave out", 0))
    requests.work()
    assert model.trusted.all() and "no effect" in requests.answers[-1] and model.record.events == []


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
    assert request_queue._answer_to("001", found, True, 8.0).startswith("View 001 keeps its pose: its own pose")
    fit = Reconstruction.__new__(Reconstruction)
    moved = replace(found, fit=fit, decision=Decision("correct", 1, "better", numbers))
    assert "was rotated by 127 degrees" in request_queue._answer_to("001", moved, True, 8.0)
    assert "Nothing was changed" in request_queue._answer_to("001", moved, False, 8.0)


def test_a_search_is_shown_while_it_runs_and_after(make_views: MakeViews, toy_gaussians: Gaussians) -> None:
    live = LiveSearch()
    with observed_by(live), live.doing("searching view 002"):
        search_view(toy_gaussians, make_views(4), 2, 1.85, QUICK)
        assert live.now.doing == "searching view 002" and live.now.number == 1
    assert live.now.doing is None
    assert live.now.finalists is not None and live.now.centers is not None and len(live.now.centers) > 200


def test_a_pause_lets_another_thread_have_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LockYielder, "PERIOD_S", 0.0)
    lock, rendered = threading.Lock(), threading.Event()

    def render() -> None:
        with lock:
            rendered.set()

    yielding = LockYielder(lock, lambda: False)
    with lock:
        other = threading.Thread(target=render)
        other.start()
        while not rendered.is_set():
            yielding.pause()
        assert lock.locked()
    other.join()


def test_a_pause_stops_an_interrupted_search() -> None:
    with pytest.raises(SearchInterruptedError):
        LockYielder(None, lambda: True).pause()
