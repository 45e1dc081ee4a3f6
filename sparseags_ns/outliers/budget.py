"""The work that outlier repair may do, counted in reconstructions, so that it ends in time on any machine.

A count, unlike a clock, gives equal results on any load. The clock is only a last guard.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from jaxtyping import Bool
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.optimization.short_fits import Continuation, Fitter

CONTINUED = 0.15
"""Work of a continuation with the pose search that mostly comes with it, in reconstructions from scratch."""
_LATE = 3.0
"""The clock ends the work where it takes this many times the seconds that were asked for."""


@dataclass
class Budget:
    """Work that may be done, and that was done."""

    most: float = math.inf
    """Reconstructions from scratch that may be made."""
    seconds: float = math.inf
    """Seconds in which they were expected to be made."""
    spent: float = 0.0
    _began: float = field(default_factory=time.monotonic)

    @property
    def late(self) -> bool:
        """Whether the clock ends the work before its count; the result then depends on the machine's load."""
        return time.monotonic() - self._began > _LATE * self.seconds

    @property
    def exhausted(self) -> bool:
        """Whether no new work may begin."""
        return self.late or self.spent >= self.most

    @property
    def left(self) -> float:
        """Reconstructions that may still be made."""
        return max(self.most - self.spent, 0.0)


@dataclass
class CountingFitter:
    """Makes short reconstructions and counts them."""

    fitter: Fitter
    budget: Budget

    def from_scratch(self, cameras: Cameras, trusted: Bool[Tensor, " views"]) -> Reconstruction:
        """See `Fitter`."""
        self.budget.spent += 1
        return self.fitter.from_scratch(cameras, trusted)

    def continued(self, fit: Reconstruction, continuation: Continuation) -> Reconstruction:
        """See `Fitter`."""
        self.budget.spent += CONTINUED
        return self.fitter.continued(fit, continuation)
