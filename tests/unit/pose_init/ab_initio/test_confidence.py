"""The verdict on refined arrangements, from their losses alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from sparseags_ns.pose_init.ab_initio.confidence import CLEAR_RATIO, EXPLAINED_LOSS, judge
from sparseags_ns.pose_init.ab_initio.refinement import CONVERGED_DEG, Refined

NAMES = [f"{name}.jpg" for name in "abcdef"]
GOOD = 0.4 * EXPLAINED_LOSS


def refined(*losses: float, strangers: tuple[int, ...] = ()) -> Refined:
    fits = torch.tensor([view not in strangers for view in range(len(losses))])
    return Refined(torch.eye(4).double().repeat(len(losses), 1, 1), 1.0, torch.tensor(losses), fits)


def test_a_good_arrangement_without_rivals_is_sure(snapshot: Callable[..., None]) -> None:
    verdict = judge([refined(*[GOOD] * 6)], NAMES)
    assert verdict.sure and (verdict.confidence == 1).all()
    snapshot(f"{verdict.statement} ({verdict.why})")


def test_a_distant_rival_leaves_it_sure(snapshot: Callable[..., None]) -> None:
    verdict = judge([refined(*[GOOD] * 6), refined(*[3 * GOOD] * 6)], NAMES)
    assert verdict.sure
    snapshot(f"{verdict.statement} ({verdict.why})")


def test_photographs_that_nothing_explains(snapshot: Callable[..., None]) -> None:
    """The worst are named, those that are explained are not."""
    bad = 3 * EXPLAINED_LOSS
    verdict = judge([refined(GOOD, bad, GOOD, bad, bad, bad)], NAMES)
    assert not verdict.sure
    assert "b.jpg, d.jpg, e.jpg, f.jpg" in verdict.statement and "a.jpg" not in verdict.statement
    snapshot(f"{verdict.statement} ({verdict.why})")


def test_two_arrangements_that_are_about_equally_good(snapshot: Callable[..., None]) -> None:
    rival = [GOOD * (CLEAR_RATIO - 0.05)] * 6
    verdict = judge([refined(*[GOOD] * 6), refined(*rival)], NAMES)
    assert not verdict.sure
    snapshot(f"{verdict.statement} ({verdict.why})")
    clearer = judge([refined(*[GOOD] * 6), refined(*[GOOD * (CLEAR_RATIO + 0.05)] * 6)], NAMES)
    assert clearer.sure


def test_one_stranger_is_named_and_has_no_confidence(snapshot: Callable[..., None]) -> None:
    verdict = judge([refined(GOOD, GOOD, 0.1, GOOD, GOOD, GOOD, strangers=(2,))], NAMES)
    assert verdict.sure, "its loss does not count"
    assert verdict.confidence.tolist() == pytest.approx([1, 1, 0, 1, 1, 1])
    snapshot(f"{verdict.statement} ({verdict.why})")


def test_several_strangers_are_too_many_to_be_sure(snapshot: Callable[..., None]) -> None:
    verdict = judge([refined(GOOD, 0.1, 0.1, GOOD, GOOD, GOOD, strangers=(1, 2))], NAMES)
    assert not verdict.sure and verdict.confidence[[1, 2]].tolist() == [0, 0]
    snapshot(f"{verdict.statement} ({verdict.why})")


def test_views_that_the_last_fit_has_moved_leave_it_unsure(snapshot: Callable[..., None]) -> None:
    """Views that do not fit to the others may move."""
    moved = torch.tensor([0.1, CONVERGED_DEG + 1, 20.0, 0.3, 0.1, 0.2])
    verdict = judge([replace(refined(GOOD, GOOD, 0.1, GOOD, GOOD, GOOD, strangers=(2,)), moved_deg=moved)], NAMES)
    assert not verdict.sure and "b.jpg" in verdict.statement and "c.jpg" not in verdict.statement
    snapshot(f"{verdict.statement} ({verdict.why})")
    assert judge([replace(refined(*[GOOD] * 6), moved_deg=0.2 * moved[:2].repeat(3))], NAMES).sure


def test_confidence_grows_with_the_rivals_loss_and_falls_with_the_own() -> None:
    by_ratio = [
        float(judge([refined(*[GOOD] * 6), refined(*[ratio * GOOD] * 6)], NAMES).confidence.mean())
        for ratio in (1.0, 1.1, 1.25, 2.0, 5.0)
    ]
    assert by_ratio == sorted(by_ratio) and len(set(by_ratio)) == len(by_ratio)
    assert by_ratio[0] < 0.05 and by_ratio[-1] > 0.9
    by_loss = [
        float(judge([refined(*[factor * EXPLAINED_LOSS] * 6)], NAMES).confidence.mean()) for factor in (4, 2, 1, 0.5)
    ]
    assert by_loss == sorted(by_loss) and by_loss[:3] == pytest.approx([0.25, 0.5, 1.0])


def test_a_view_that_is_explained_worse_than_the_others_has_less_confidence() -> None:
    confidence = judge([refined(*[GOOD] * 5, 6 * GOOD)], NAMES).confidence
    assert confidence[:5].min() > 2.5 * confidence[5] > 0


def test_few_photographs_need_a_clearer_answer() -> None:
    few, many = ([refined(*[GOOD] * n), refined(*[1.5 * GOOD] * n)] for n in (4, 6))
    assert not judge(few, NAMES[:4]).sure and judge(many, NAMES[:6]).sure
