"""Which matches the mapping may use."""

from __future__ import annotations

import numpy as np

from sparseags_ns.pose_init.features.matching import (
    LOWEST_SCORE,
    Matches,
    MatchingSettings,
    ScoredMatches,
    filter_matches,
)

SETTINGS = MatchingSettings()


def used(*groups: tuple[int, float]) -> Matches:
    """Matches that are left of some numbers of matches with given scores."""
    scores = np.concatenate([np.full(count, score, np.float32) for count, score in groups])
    return filter_matches(ScoredMatches(np.stack([np.arange(len(scores))] * 2, axis=1), scores), SETTINGS)


def test_photographs_that_share_much_use_all_but_the_weakest_matches() -> None:
    matches = used((60, 0.9), (20, 0.3), (10, LOWEST_SCORE + 0.01))
    assert len(matches) == 80 and matches.max() == 79


def test_many_hesitant_matches_do_not_make_two_photographs_neighbours() -> None:
    """Between opposite sides of one toy there are a hundred matches, a third of them sure."""
    assert len(used((33, 0.8), (70, 0.3))) == 0
    share = round(33 / SETTINGS.min_sure_share) - 33
    assert len(used((33, 0.8), (share - 1, 0.3))) > 0


def test_a_few_sure_matches_are_not_enough() -> None:
    assert len(used((SETTINGS.min_sure - 1, 0.9))) == 0
    assert len(used((SETTINGS.min_sure, 0.9))) == SETTINGS.min_sure


def test_photographs_without_matches_have_none_to_use() -> None:
    none = ScoredMatches(np.zeros((0, 2), np.int64), np.zeros(0, np.float32))
    assert filter_matches(none, SETTINGS).shape == (0, 2)
