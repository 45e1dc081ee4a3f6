"""The state machine of registration, on numbers alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseags_ns.outliers.registration import RegistrationState, Trial, ended, judged, next_view
from sparseags_ns.outliers.settings import RegistrationSettings

SETTINGS = RegistrationSettings()
GOOD = Trial(loss=0.01, usual=0.01, arbitrary=0.5, others_factor=1.1, before=0.05, next_best=0.1)
MISFIT = replace(GOOD, loss=0.4)
COSTLY = replace(GOOD, others_factor=3.0)


def test_view_with_the_most_distinct_pose_is_tried_first() -> None:
    assert next_view(RegistrationState((1, 4, 6)), {1: 0.9, 4: 0.2, 6: 0.5}) == 4


def test_views_not_searched_yet_come_last_and_in_order() -> None:
    assert next_view(RegistrationState((6, 1, 4)), {4: 0.99}) == 4
    assert next_view(RegistrationState((6, 1)), {}) == 1


def test_view_that_fits_is_registered_with_its_numbers() -> None:
    state = judged(RegistrationState((2,)), 2, GOOD, SETTINGS)
    assert state.registered == (2,) and state.done and [d.action for d in state.decisions] == ["register"]
    assert state.decisions[0].numbers == GOOD.numbers


@pytest.mark.parametrize("trial", [MISFIT, COSTLY])
def test_view_that_fits_badly_or_at_the_others_expense_is_refused(trial: Trial) -> None:
    state = judged(RegistrationState((2,)), 2, trial, SETTINGS)
    assert state.registered == () and state.refused == (2,) and state.done and state.decisions == ()


def test_hard_view_stays_if_it_is_far_better_than_chance() -> None:
    assert replace(GOOD, loss=0.045, arbitrary=1.0, others_factor=1.0).fits(SETTINGS)


@pytest.mark.parametrize("unseen", [{"before": 0.11}, {"next_best": 0.055}])
def test_photograph_without_a_mask_must_be_rendered_before_it_is_joined(unseen: dict[str, float]) -> None:
    """A camera before what no other view sees costs the others nothing: it paints what it shows itself."""
    assert replace(GOOD, has_mask=False).fits(SETTINGS) and replace(GOOD, **unseen).fits(SETTINGS)
    assert not replace(GOOD, has_mask=False, **unseen).fits(SETTINGS)


def test_refused_view_is_tried_again_once_another_is_registered() -> None:
    state = judged(RegistrationState((2, 3)), 2, MISFIT, SETTINGS)
    assert not state.done and state.untried == (3,)
    state = judged(state, 3, GOOD, SETTINGS)
    assert state.untried == (2,) and state.refused == ()
    assert judged(state, 2, GOOD, SETTINGS).registered == (3, 2)


def test_views_refused_to_the_end_are_rejected_with_their_numbers() -> None:
    state = judged(judged(RegistrationState((2, 3)), 2, MISFIT, SETTINGS), 3, COSTLY, SETTINGS)
    decisions = ended(state, {2: MISFIT, 3: COSTLY}).decisions
    assert [(d.action, d.view) for d in decisions] == [("reject", 2), ("reject", 3)]
    assert decisions[0].numbers["loss_over_median"] == pytest.approx(40.0)
    json.dumps([decision.to_json(("a", "b", "c", "d")) for decision in decisions])


def test_only_unregistered_views_are_judged() -> None:
    with pytest.raises(ValueError, match="not to be registered"):
        judged(RegistrationState((2,)), 3, GOOD, SETTINGS)
    with pytest.raises(ValueError, match="no view is left"):
        next_view(RegistrationState(()), {})


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_every_view_ends_registered_or_rejected_after_finitely_many_trials(fits: list[bool]) -> None:
    state, trials, answers = RegistrationState(tuple(range(5))), {}, iter(fits)
    for _ in range(15):  # 5 + 4 + 3 + 2 + 1
        if state.done:
            break
        view = next_view(state, {})
        trials[view] = replace(GOOD, loss=0.01 if next(answers, False) else 0.4)
        state = judged(state, view, trials[view], SETTINGS)
    assert state.done and sorted(state.registered + state.refused) == list(range(5))
    assert sorted(d.view for d in ended(state, trials).decisions if d.view is not None) == list(range(5))
