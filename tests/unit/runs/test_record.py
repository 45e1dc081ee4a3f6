"""The record of a run: its JSON form, records of 0.1.0, and the status of a view."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from sparseags_ns.runs.record import (
    FORMAT,
    Arrangement,
    Decision,
    Event,
    HistoryRow,
    Outcome,
    Phase,
    PoseInitRecord,
    PoseRepairRecord,
    RecordError,
    RunRecord,
    SearchRecord,
    Start,
    ViewOutcome,
    ViewStatus,
    view_status,
)

ARRANGEMENTS = (
    Arrangement(1.0, [[0.0, 0.5, 1.75], None, [1.75, 0.5, 0.0]], [[0.0, 0.0, -1.0], None, [-1.0, 0.0, 0.0]]),
    Arrangement(1.25, [[0.0, 0.5, 1.75]] * 3, [[0.0, 0.0, -1.0]] * 3),
)
VIEW = ViewOutcome(True, True, 0.1, 0.01, 0.5, 0.2, 3.0, 0.1)
NAMES = ("000", "001", "002")
OF_0_1_0 = Path(__file__).parent / "run_0_1_0.json"
"""The files of a sample run that version 0.1.0 made, and the state in its checkpoint: three views, three steps,
and a few decisions more."""


def search(view: int = 0, **changes: Any) -> SearchRecord:
    given = SearchRecord(
        view,
        "thorough",
        "search",
        7,
        [[0.0, 0.0, 1.0]] * 3,
        [[0.0, 0.0, -1.0]] * 3,
        tried=9,
        hypothesis_centers=[[1.0, 0.0, 0.0]],
        hypothesis_scores=[0.1],
    )
    return replace(given, **changes)


FINALIST: dict[str, Any] = {
    "finalist_centers": [[1.0, 0.0, 0.0]],
    "finalist_forward": [[-1.0, 0.0, 0.0]],
    "finalist_scores": [0.1],
    "finalist_rotation_deg": [9.0],
}


def whole_record() -> RunRecord:
    """With something of everything."""
    starts = (Start(1.0, 0.5, 2.0), Start(0.4, 0.25, 1.0))
    decisions = (Decision("finish", None, "no view is left", {"elsewhere": math.inf}), Decision("correct", 1, "so", {}))
    return RunRecord(
        NAMES,
        60,
        [HistoryRow(1, 16, [0.5, 0.123456789, 0.1], [0.0] * 3, [0.0, 2.0, 1.0], [True, True, False])],
        (Phase("16 px", 0, 60, 16),),
        [Event(3, Decision("leave out", 2, "asked for", {}))],
        [search(1, chosen=0, **FINALIST)],
        PoseRepairRecord(starts, starts[1], (1,), (), decisions),
        {"optimisation": 1.0},
        Outcome(
            60, 1000, "cpu", "dssim", (ViewOutcome(True, True, 0.1, 0.01, 0.5, 0.2, 3.0, 0.1),) * 3, {"torch": "2"}
        ),
        PoseInitRecord("fake", True, "two arrangements", (0.5, 0.0, 0.25), 2, ARRANGEMENTS),
    )


def plain(record: RunRecord) -> Any:
    return json.loads(json.dumps(record.to_json(), allow_nan=False))


def test_a_record_comes_back_from_its_json() -> None:
    record = whole_record()
    back = RunRecord.from_json(plain(record))
    assert plain(back) == plain(record) and back.outcome == record.outcome and back.searches == record.searches
    assert math.isnan(back.decisions[0].numbers["elsewhere"]) and back.decisions[1:] == record.decisions[1:]
    assert back.rows[0].errors[1] == 0.12346


def test_a_record_without_outcome_is_what_checkpoints_hold() -> None:
    record = replace(whole_record(), outcome=None)
    assert RunRecord.from_json(plain(record)).outcome is None


def test_the_origin_of_the_initial_cameras_comes_back_also_from_a_checkpoint() -> None:
    record = replace(whole_record(), outcome=None)
    assert RunRecord.from_json(plain(record)).pose_init == record.pose_init is not None
    file = replace(record, pose_init=PoseInitRecord("transforms.json", estimated=False))
    assert RunRecord.from_json(plain(file)).pose_init == file.pose_init


def test_a_record_from_before_the_origin_was_kept_is_read() -> None:
    parts = plain(whole_record())
    del parts["summary"]["pose_init"]
    record = RunRecord.from_json(parts)
    assert record.pose_init is None and plain(record)["summary"]["pose_init"] is None


def test_views_are_names_in_json() -> None:
    parts = plain(whole_record())
    assert parts["summary"]["pose_repair"]["corrected"] == ["001"]
    assert parts["history"]["events"][0]["view"] == "002" and parts["searches"]["searches"][0]["view"] == "001"
    assert [view["status"] for view in parts["summary"]["views"]] == ["trusted", "corrected", "trusted"]


def test_history_and_searches_may_be_missing() -> None:
    record = RunRecord.from_json({"summary": plain(whole_record())["summary"], "history": None})
    assert record.names == NAMES and record.rows == [] and record.searches == [] and record.outcome is not None


@pytest.mark.parametrize(
    "content, complaint",
    [
        ({}, "no record"),
        ({"summary": []}, "no record"),
        ({"summary": {"version": FORMAT}}, "no record.*KeyError"),
        ({"summary": {"version": FORMAT + 1}}, f"format {FORMAT + 1}; this version reads up to {FORMAT}"),
    ],
)
def test_what_is_no_record_is_refused(content: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RecordError, match=complaint):
        RunRecord.from_json(content)


def test_an_unknown_view_is_refused() -> None:
    parts = plain(whole_record())
    parts["history"]["events"][0]["view"] = "elsewhere"
    with pytest.raises(RecordError):
        RunRecord.from_json(parts)


def test_the_files_of_0_1_0_are_read() -> None:
    content = json.loads(OF_0_1_0.read_text())
    record = RunRecord.from_json({part: content[part] for part in ("summary", "history", "searches")})
    outcome, repair = record.outcome, record.pose_repair
    assert outcome is not None and repair is not None and record.names == NAMES and record.num_steps == 1540
    assert outcome.views[1].rotation_deg == content["summary"]["views"][1]["pose_turned_deg"] > 0
    assert outcome.views[0].perceptual_after == content["summary"]["views"][0]["dssim_after"]
    assert [decision.action for decision in repair.decisions] == ["reject", "register", "re-search", "finish"]
    assert repair.decisions[0].numbers["rotation_deg"] == 61.5 and math.isnan(repair.decisions[-1].numbers["elsewhere"])
    assert repair.registered == (2,) and repair.starts[1].rotation_deg == pytest.approx(1.91, abs=0.01)
    assert record.rows[-1].step == 1540 and record.rows[-1].rotation_deg == content["history"]["turned_deg"][-1]
    assert "start selection and outlier repair" in record.seconds
    assert "start selection and outlier repair" in [phase.name for phase in record.phases]
    assert record.by_hand == {0: "trust"} and {one.kind for one in record.searches} == {"quick", "thorough"}
    assert record.searches[0].finalist_rotation_deg == content["searches"]["searches"][0]["finalists"]["turned_deg"]
    assert record.statuses([view.trusted for view in outcome.views], [True] * 3) == (
        ViewStatus.TRUSTED_BY_HAND,
        ViewStatus.UNTRUSTED,
        ViewStatus.REGISTERED,
    )
    assert RunRecord.from_json(plain(record)).outcome == outcome


def test_the_state_in_a_checkpoint_of_0_1_0_is_read() -> None:
    content = json.loads(OF_0_1_0.read_text())
    record = RunRecord.from_json(content["state"], NAMES)
    of_files = RunRecord.from_json({part: content[part] for part in ("summary", "history", "searches")})
    assert record.names == NAMES and record.num_steps == 1540 and record.outcome is None
    assert plain(record)["searches"] == plain(of_files)["searches"]
    assert plain(record)["summary"]["pose_repair"] == plain(of_files)["summary"]["pose_repair"]
    one, other = plain(record)["history"], plain(of_files)["history"]
    assert one | {"phases": None} == other | {"phases": None}


@pytest.mark.parametrize(
    "trusted, posed, corrected, registered, by_hand, status",
    [
        (True, True, False, False, None, "trusted"),
        (True, True, False, False, "trust", "trusted by hand"),
        (True, True, True, False, None, "corrected"),
        (True, True, True, True, None, "registered"),
        (True, False, True, False, None, "registered"),
        (True, True, True, False, "leave out", "corrected"),
        (False, True, False, False, None, "untrusted"),
        (False, True, True, False, "trust", "untrusted"),
        (False, True, False, False, "leave out", "left out by hand"),
        (False, False, False, False, None, "unregistered"),
        (False, False, False, False, "leave out", "left out by hand"),
    ],
)
def test_the_status_of_a_view(
    trusted: bool, posed: bool, corrected: bool, registered: bool, by_hand: Any, status: str
) -> None:
    found = view_status(trusted=trusted, posed=posed, corrected=corrected, registered=registered, by_hand=by_hand)
    assert str(found) == status


def test_a_view_is_in_use_if_and_only_if_it_is_trusted() -> None:
    flags, choices = (True, False), (None, "trust", "leave out")
    for trusted, posed, corrected, registered, by_hand in product(flags, flags, flags, flags, choices):
        status = view_status(
            trusted=trusted,
            posed=posed,
            corrected=corrected,
            registered=registered,
            by_hand=by_hand,  # type: ignore[arg-type]
        )
        assert status.in_use == trusted


def test_views_are_corrected_by_the_run_or_by_hand() -> None:
    repair = PoseRepairRecord((), Start(1.0, 0.5), (1,), (2,), ())
    searches = [search(0, by="hand", chosen=0), search(1, by="hand", chosen=None), search(3, by="search", chosen=1)]
    record = RunRecord(("a", "b", "c", "d"), searches=searches, pose_repair=repair)
    assert record.corrected == {0, 1} and record.registered == {2}
    assert [str(status) for status in record.statuses([True] * 4, [True] * 4)] == [
        "corrected", "corrected", "registered", "trusted"
    ]  # fmt: skip


def test_the_latest_choice_by_hand_counts() -> None:
    made = [("leave out", 1), ("correct", 1), ("trust", 2), ("trust", 1)]
    events = [Event(step, Decision(action, view, "asked for", {})) for step, (action, view) in enumerate(made)]  # type: ignore[arg-type]
    assert RunRecord(NAMES, events=events).by_hand == {1: "trust", 2: "trust"}
