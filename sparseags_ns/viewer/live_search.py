"""The present state of the outlier search, readable from other threads.

Frame: `world` of the searched splat (optimization/observer.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.optimization.observer import Observer, SearchKind

SHOWN = 1200
"""Number of a search's best hypotheses that are shown."""


@dataclass(frozen=True)
class SearchState:
    """Immutable snapshot of the search, so that readers need no lock."""

    doing: str | None = None
    """Activity in words; None while no search holds the run."""
    number: int = 0
    """Number of searches so far."""
    centers: Float[Tensor, "shown 3"] | None = None
    """Camera centres of the last search's best hypotheses, best first."""
    losses: Float[Tensor, " shown"] | None = None
    finalists: Float[Tensor, "finalists 4 4"] | None = None
    """`T_camera_world`, best first."""


class LiveSearch(Observer):
    """An observer (optimization/observer.py) that keeps the present state only."""

    def __init__(self) -> None:
        self.now = SearchState()

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Mark an activity that holds the run while the block runs."""
        self.announce(what)
        try:
            yield
        finally:
            self.now = replace(self.now, doing=None)

    def announce(self, what: str) -> None:
        """Set the activity in words."""
        self.now = replace(self.now, doing=what)

    def on_search_begin(self, view: int, kind: SearchKind, cameras: Cameras) -> None:
        """A search of one view begins."""
        self.now = SearchState(self.now.doing, self.now.number + 1)

    def on_hypotheses(self, poses: Float[Tensor, "hypotheses 4 4"], losses: Float[Tensor, " hypotheses"]) -> None:
        """All hypotheses and their losses."""
        best = losses.detach().argsort(stable=True)[:SHOWN]
        centers = se3.inverse(poses.detach()[best])[:, :3, 3].cpu()
        self.now = replace(self.now, centers=centers, losses=losses.detach()[best].cpu())

    def on_search_end(self, poses: Float[Tensor, "finalists 4 4"], losses: Float[Tensor, " finalists"]) -> None:
        """The search is over."""
        self.now = replace(self.now, finalists=poses.detach().cpu())
