"""Which photographs are matched with each other, and which of their matches are used.

An object looks alike from two opposite sides, a striped mat from any side: a matcher then finds dozens of matches
between photographs that show no common point, and a handful of photographs has no others that would contradict them.
The matcher is unsure of such matches. Measured with LightGlue on the kitchen photographs (benchmarks/photos): between
opposite sides of the bulldozer at most a third of the matches are sure, seldom more than twenty; between neighbours
half or more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int

Matches = Int[np.ndarray, "matches 2"]
PairMatches = Mapping[tuple[int, int], Int[np.ndarray, "_ 2"]]
"""Matches of pairs of photographs, by the photographs' numbers."""

LOWEST_SCORE = 0.1
"""Score below which LightGlue drops a match itself."""


@dataclass(frozen=True)
class MatchingSettings:
    """Thresholds of choosing pairs of photographs and filtering their matches."""

    max_pairs: int = 200
    """All pairs are matched up to this many, 20 photographs; else each photograph with its `neighbours`."""
    neighbours: int = 10
    """Number of photographs that each one is matched with where there are too many pairs."""
    digest_points: int = 512
    """Number of each photograph's best key points that decide which its neighbours are."""
    min_score: float = 0.2
    """Lowest score of a match that is used; of weaker ones, more are wrong than help in pairs that share a view."""
    sure_score: float = 0.5
    """Score above which a match counts as sure."""
    min_sure: int = 20
    """Fewest sure matches of photographs that share a view (measured, see the module's docstring)."""
    min_sure_share: float = 0.4
    """Least share of sure ones among the matches of photographs that share a view (measured as well)."""


@dataclass(frozen=True)
class KeyPoints:
    """Key points of one photograph."""

    positions: Float[np.ndarray, "points 2"]
    """Virtual pixels."""
    descriptors: Float[np.ndarray, "points channels"]
    scores: Float[np.ndarray, " points"]
    colors: Float[np.ndarray, "points 3"]
    """sRGB, 0 to 1."""
    size: Float[np.ndarray, " axes"]
    """Width and height of the photograph in virtual pixels."""


@dataclass(frozen=True)
class ScoredMatches:
    """Matches between two photographs."""

    pairs: Matches
    """Indices of the first and the second photograph's key points."""
    scores: Float[np.ndarray, " matches"]
    """The matcher's score of each: `LOWEST_SCORE` to 1."""


def pairs_to_match(points: Sequence[KeyPoints], settings: MatchingSettings) -> list[tuple[int, int]]:
    """All pairs of a few photographs; of many, each photograph with its likeliest neighbours.

    The likeness of two photographs is the number of their best key points that are mutual nearest neighbours.
    """
    pairs = list(combinations(range(len(points)), 2))
    if len(pairs) <= settings.max_pairs:
        return pairs
    best = [p.descriptors[np.argsort(-p.scores)[: settings.digest_points]] for p in points]
    likeness = np.zeros((len(points), len(points)))
    for a, b in pairs:
        if min(len(best[a]), len(best[b])) == 0:
            continue
        products = best[a] @ best[b].T
        mutual = products.argmax(0)[products.argmax(1)] == np.arange(len(products))
        likeness[a, b] = likeness[b, a] = mutual.sum()
    nearest = np.argsort(-likeness, axis=1)[:, : settings.neighbours]
    return sorted({(min(a, int(b)), max(a, int(b))) for a in range(len(points)) for b in nearest[a] if a != b})


def filter_matches(matches: ScoredMatches, settings: MatchingSettings) -> Matches:
    """The matches that the mapping may use: none at all of two photographs that only look alike."""
    sure = int((matches.scores > settings.sure_score).sum())
    if sure < settings.min_sure or sure < settings.min_sure_share * len(matches.scores):
        return matches.pairs[:0]
    return matches.pairs[matches.scores > settings.min_score]
