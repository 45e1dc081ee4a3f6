"""Which matches the mapping may use."""

from __future__ import annotations

import numpy as np

from sparseags_ns.pose_init.features.matching import FEWEST_SURE, LEAST_SURE_SHARE, LOWEST_SCORE, ScoredMatches


def scored(*groups: tuple[int, float]) -> ScoredMatches:
    scores = np.concatenate([np.full(count, score, np.float32) for count, score in groups])
    return ScoredMatches(np.stack([np.arange(len(scores))] * 2, axis=1), scores)


def test_of_photographs_that_share_much_all_but_the_weakest_matches_are_used() -> None:
    matches = scored((60, 0.9), (20, 0.3), (10, LOWEST_SCORE + 0.01))
    assert len(matches.believed) == 80 and matches.believed.max() == 79


def test_many_hesitant_matches_do_not_make_two_photographs_neighbours() -> None:
    """What two opposite sides of one toy look like: a hundred matches, a third of them sure."""
    assert len(scored((33, 0.8), (70, 0.3)).believed) == 0
    share = round(33 / LEAST_SURE_SHARE) - 33
    assert len(scored((33, 0.8), (share - 1, 0.3)).believed) > 0


def test_a_few_sure_matches_are_not_enough() -> None:
    assert len(scored((FEWEST_SURE - 1, 0.9)).believed) == 0
    assert len(scored((FEWEST_SURE, 0.9)).believed) == FEWEST_SURE


def test_photographs_without_matches_have_none_to_believe() -> None:
    assert ScoredMatches(np.zeros((0, 2), np.int64), np.zeros(0, np.float32)).believed.shape == (0, 2)
