"""The state machine of outlier detection, on numbers alone."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseags_ns.outliers.detection import (
    DetectionState,
    Evidence,
    LeaveOneOutRule,
    PublishedRule,
    begin,
    drop_limit,
    judged,
    next_suspect,
    resolved,
)
from sparseags_ns.outliers.settings import LeaveOneOutSettings

NAN = math.nan
EVEN = (0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)
RIGHT = Evidence(EVEN, (2.5,) * 8)


def suspicious(view: int, ratio: float = 0.3) -> Evidence:
    """Evidence in which one view fits better at another pose."""
    return Evidence(EVEN, tuple(ratio if i == view else 2.5 for i in range(8)))


def without(view: int, ratio: float, factor: float) -> Evidence:
    """Evidence after a view was left out: its ratio, and the others' errors times a factor."""
    return Evidence(tuple(factor * error for error in EVEN), tuple(ratio if i == view else NAN for i in range(8)))


@pytest.mark.parametrize("views, limit", [(2, 0), (3, 1), (4, 1), (5, 1), (6, 2), (7, 3), (8, 4), (16, 4)])
def test_drop_limits_are_those_of_the_paper(views: int, limit: int) -> None:
    assert drop_limit(views) == limit


def test_right_views_end_the_search_at_once() -> None:
    state = next_suspect(begin((True,) * 8), RIGHT, LeaveOneOutRule())
    assert state.finished and state.suspect is None and [d.action for d in state.decisions] == ["finish"]


def test_guilty_view_is_suspected_and_dropped() -> None:
    rule, before = LeaveOneOutRule(), suspicious(3)
    state = next_suspect(begin((True,) * 8), before, rule)
    assert state.suspect == 3 and not state.finished
    state = judged(state, before, without(3, ratio=0.4, factor=0.7), rule)
    assert state.dropped == (3,) and not state.trusted[3] and state.suspect is None
    assert next_suspect(state, RIGHT, rule).finished


@pytest.mark.parametrize("rule", [LeaveOneOutRule(), PublishedRule()])
def test_views_whose_cameras_are_fixed_are_never_suspected(rule: LeaveOneOutRule | PublishedRule) -> None:
    errors = tuple(10.0 if view == 3 else error for view, error in enumerate(EVEN))
    clear = Evidence(errors, suspicious(3).ratios)
    assert next_suspect(begin((True,) * 8), clear, rule).suspect == 3
    assert next_suspect(begin((True,) * 8, fixed=(3,)), clear, rule).suspect != 3
    assert next_suspect(begin((True,) * 8, fixed=tuple(range(8))), clear, rule).finished


def test_innocent_suspect_is_restored_and_not_suspected_again() -> None:
    rule, before = LeaveOneOutRule(), suspicious(3)
    state = judged(next_suspect(begin((True,) * 8), before, rule), before, without(3, 1.4, 0.95), rule)
    assert state.dropped == () and all(state.trusted) and state.cleared == (3,)
    assert next_suspect(state, before, rule).finished


def test_view_whose_absence_harms_the_others_is_restored() -> None:
    rule, before = LeaveOneOutRule(), suspicious(3)
    state = judged(next_suspect(begin((True,) * 8), before, rule), before, without(3, 0.5, 1.6), rule)
    assert state.dropped == ()


def test_a_great_fall_of_the_others_errors_proves_guilt_without_a_better_pose() -> None:
    rule, before = LeaveOneOutRule(), suspicious(3)
    state = judged(next_suspect(begin((True,) * 8), before, rule), before, without(3, 1.1, 0.3), rule)
    assert state.dropped == (3,)


@pytest.mark.parametrize("gain, corrected", [(0.7, (3,)), (0.99, ())])
def test_doubt_is_resolved_by_the_sum_of_all_errors(gain: float, corrected: tuple[int, ...]) -> None:
    rule, before = LeaveOneOutRule(), suspicious(3)
    state = judged(next_suspect(begin((True,) * 8), before, rule), before, without(3, 1.0, 0.95), rule)
    assert state.suspect == 3 and state.decisions[-1].action == "doubt"
    state = resolved(state, 1.0, gain, rule)
    assert state.corrected == corrected and state.dropped == () and all(state.trusted)
    assert next_suspect(state, before, rule).finished


def test_lost_view_is_suspected_even_if_it_was_not_tested() -> None:
    evidence = Evidence((0.1, 0.1, 5.0, 0.1), (1.5, NAN, NAN, NAN))
    assert next_suspect(begin((True,) * 4), evidence, LeaveOneOutRule()).suspect == 2


def test_after_a_drop_cleared_views_may_be_suspected_again() -> None:
    rule = LeaveOneOutRule()
    state = DetectionState(trusted=(True,) * 8, suspect=1, cleared=(3,))
    state = judged(state, RIGHT, without(1, 0.2, 0.5), rule)
    assert next_suspect(state, suspicious(3), rule).suspect == 3


def test_search_ends_after_enough_cleared_suspects() -> None:
    state = DetectionState(trusted=(True,) * 8, cleared=(0, 1))
    assert next_suspect(state, suspicious(3), LeaveOneOutRule(LeaveOneOutSettings(max_cleared=2))).finished


def test_views_untrusted_from_the_start_are_never_suspected() -> None:
    trusted = (False, *(True,) * 8)
    evidence = Evidence((9.0, *EVEN), (0.1, *(2.5,) * 8))
    assert next_suspect(begin(trusted), evidence, LeaveOneOutRule()).finished


@pytest.mark.parametrize("again", [False, True])
def test_a_ratio_that_is_suspicious_among_few_views_is_not_among_eight(again: bool) -> None:
    assert next_suspect(begin((True,) * 8, again=again), Evidence(EVEN[:8], (1.7,) * 8), LeaveOneOutRule()).finished


@pytest.mark.parametrize("views", [6, 7])
def test_few_views_are_suspected_sooner_and_cleared_more_often(views: int) -> None:
    state, rule, evidence = (
        begin((True,) * views),
        LeaveOneOutRule(LeaveOneOutSettings(max_cleared=0)),
        Evidence(EVEN[:views], (1.7,) * views),
    )
    for number in range(3):
        state = next_suspect(state, evidence, rule)
        assert state.suspect == number
        state = judged(state, evidence, Evidence(evidence.errors, (1.7,) * len(state.trusted)), rule)
    assert next_suspect(state, evidence, rule).finished


def test_a_view_that_fits_elsewhere_but_does_not_improve_the_others_is_in_doubt() -> None:
    rule, before = LeaveOneOutRule(), suspicious(3)
    state = judged(next_suspect(begin((True,) * 8), before, rule), before, without(3, 0.4, 0.95), rule)
    assert state.suspect == 3 and state.decisions[-1].action == "doubt"


def test_published_rule_makes_one_pass() -> None:
    assert next_suspect(begin((True,) * 8, again=True), RIGHT, PublishedRule()).finished


def test_published_rule_drops_the_largest_error_if_the_mean_falls_by_its_threshold() -> None:
    rule = PublishedRule()
    before = Evidence((0.2, 0.2, 0.6, 0.2), (NAN,) * 4)
    state = next_suspect(begin((True,) * 4), before, rule)
    assert state.suspect == 2
    assert judged(state, before, Evidence((0.14, 0.14, 0.9, 0.14), (NAN,) * 4), rule).dropped == (2,)
    kept = judged(state, before, Evidence((0.16, 0.16, 0.1, 0.16), (NAN,) * 4), rule)
    assert kept.dropped == () and next_suspect(kept, before, rule).finished


def test_judging_without_a_suspect_is_refused() -> None:
    with pytest.raises(ValueError, match="no view is suspected"):
        judged(begin((True,) * 4), RIGHT, RIGHT, LeaveOneOutRule())


def test_decisions_can_be_written_as_json() -> None:
    evidence = Evidence((0.1, 0.1, 5.0, 0.1), (NAN,) * 4)
    (decision,) = next_suspect(begin((True,) * 4), evidence, LeaveOneOutRule()).decisions
    written = json.loads(json.dumps(decision.to_json(("a", "b", "c", "d")), allow_nan=False))
    assert written["view"] == "c" and written["action"] == "suspect" and written["numbers"]["elsewhere"] is None


@given(st.data())
def test_any_evidence_ends_within_the_limits(data: st.DataObject) -> None:
    count = data.draw(st.integers(3, 12))
    numbers = st.floats(1e-4, 10.0)
    rule = data.draw(st.sampled_from([LeaveOneOutRule(), PublishedRule()]))

    def evidence() -> Evidence:
        errors = tuple(data.draw(numbers) for _ in range(count))
        return Evidence(errors, tuple(data.draw(st.one_of(numbers, st.just(NAN))) for _ in range(count)))

    state = begin((True,) * count)
    for _ in range(4 * count):
        before = evidence()
        state = next_suspect(state, before, rule)
        if state.finished:
            break
        after = evidence()
        known = tuple(1.0 if math.isnan(value) else value for value in after.ratios)
        state = judged(state, before, Evidence(after.errors, known), rule)
        if state.suspect is not None:
            state = resolved(state, data.draw(numbers), data.draw(numbers), rule)
    assert state.finished
    changed = state.dropped + state.corrected
    assert len(changed) <= drop_limit(count) and len(set(changed)) == len(changed)
    assert sum(state.trusted) == count - len(state.dropped) >= 2
