"""What the outlier search is doing at this moment, for whoever looks on from another thread.

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
"""Hypotheses that are shown of a search, the best."""


@dataclass(frozen=True)
class Glimpse:
    """One moment. Never changed once it was handed out, so that no lock is needed."""

    doing: str | None = None
    """What is being done, for the user; None while no search holds the run."""
    number: int = 0
    """How many searches there have been."""
    view: int | None = None
    """The view that was searched last."""
    kind: SearchKind = "quick"
    searching: bool = False
    """Whether that search still goes on."""
    centers: Float[Tensor, "shown 3"] | None = None
    """Camera centres of its best hypotheses, best first."""
    losses: Float[Tensor, " shown"] | None = None
    finalists: Float[Tensor, "finalists 4 4"] | None = None
    """`T_camera_world`, best first."""


class LiveSearch(Observer):
    """An observer (optimization/observer.py) that keeps the present moment only."""

    def __init__(self) -> None:
        self.now = Glimpse()

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Something holds the run meanwhile."""
        self.says(what)
        try:
            yield
        finally:
            self.now = replace(self.now, doing=None, searching=False)

    def says(self, what: str) -> None:
        """What begins."""
        self.now = replace(self.now, doing=what)

    def on_search_begin(self, view: int, kind: SearchKind, cameras: Cameras) -> None:
        """A search of one view begins."""
        self.now = Glimpse(self.now.doing, self.now.number + 1, view, kind, searching=True)

    def on_hypotheses(self, poses: Float[Tensor, "hypotheses 4 4"], losses: Float[Tensor, " hypotheses"]) -> None:
        """All hypotheses and their losses."""
        best = losses.detach().argsort(stable=True)[:SHOWN]
        centers = se3.inverse(poses.detach()[best])[:, :3, 3].cpu()
        self.now = replace(self.now, centers=centers, losses=losses.detach()[best].cpu())

    def on_search_end(self, poses: Float[Tensor, "finalists 4 4"], losses: Float[Tensor, " finalists"]) -> None:
        """The search is over."""
        self.now = replace(self.now, finalists=poses.detach().cpu(), searching=False)
