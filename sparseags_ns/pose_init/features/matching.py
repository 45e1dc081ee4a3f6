"""Which matches between two photographs are believed.

An object looks alike from two opposite sides, a mat alike from any: a matcher then finds some dozens of matches between
photographs that show no common point, and few photographs have no others that would contradict them. Such matches are
made hesitantly. Measured on the kitchen photographs (benchmarks/photos): of the matches that LightGlue makes between
opposite sides of the bulldozer, at most a third are sure, and seldom more than twenty; between neighbours half or more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

Matches = Int[np.ndarray, "matches 2"]

KEPT_SCORE = 0.2
"""Below it more matches of a right pair are wrong than help."""
SURE_SCORE = 0.5
LOWEST_SCORE = 0.1
"""What the matcher itself drops."""
FEWEST_SURE = 20
LEAST_SURE_SHARE = 0.4


@dataclass(frozen=True)
class ScoredMatches:
    """What the matcher says of two photographs."""

    pairs: Matches
    scores: Float[np.ndarray, " matches"]
    """How sure it is of each: 0 to 1, at least `LOWEST_SCORE`."""

    @property
    def believed(self) -> Matches:
        """The matches that the mapping may use: none at all of two photographs that only look alike."""
        sure = int((self.scores > SURE_SCORE).sum())
        if sure < FEWEST_SURE or sure < LEAST_SURE_SHARE * len(self.scores):
            return self.pairs[:0]
        return self.pairs[self.scores > KEPT_SCORE]
