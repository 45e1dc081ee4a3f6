"""The observer of pose searches and short fits: receives hypotheses, scores and results as they come, for the files of
a run and for the live viewer, and gets regular occasions to pause the work. It also receives how far the search for an
arrangement of photographs without cameras is.

Observing changes nothing of what is computed, so an observer is not passed through all functions between the caller
that has one and the search that reports to it. `observed_by` installs it for the calling thread, `observer()` finds it.

Frame: `world` of the splat that is searched, which may differ a little from one search to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras

SearchKind = Literal["quick", "thorough"]
"""`quick`: a short search of a view that is not suspected yet; `thorough`: the search of a suspect."""

ArrangementPhase = Literal["explore", "polish", "decide", "refine"]
"""Levels of the search for an arrangement of photographs, in their order."""


@dataclass(frozen=True)
class ArrangementState:
    """How far the search for an arrangement of photographs is, and the best arrangement so far.

    Frame: `world` of the arrangement, the object around the origin, +y up; another one for each arrangement.
    """

    phase: ArrangementPhase
    climbs: int
    """Climbs done."""
    most_climbs: int
    """Climbs of the whole search, at most."""
    share: float
    """Share of the search's time that has gone by, about; 1 at its end."""
    loss: float | None
    """Mean loss of the best arrangement of this phase; None before there is one. Phases have losses of their own."""
    photographs: Float[Tensor, "photographs side side 3"]
    """All photographs, cropped to their objects, over white."""
    views: tuple[int, ...] = ()
    """Numbers of the photographs that the best arrangement places."""
    cameras: Cameras | None = None
    """Cameras of these crops; None before there is an arrangement."""

    @property
    def words(self) -> str:
        """The state in a few words."""
        loss = "" if self.loss is None else f", best mean loss {self.loss:.4f}"
        return f"{self.phase}, {self.climbs} of up to {self.most_climbs} climbs{loss}"


class Observer:
    """Receives what searches and short fits report. This base class ignores everything; subclasses override.

    Methods must return quickly and must not modify the tensors that they are given.
    """

    def on_search_begin(self, view: int, kind: SearchKind, cameras: Cameras) -> None:
        """A search of one view begins; `cameras` are those of the searched splat, with the view's present pose."""

    def on_hypotheses(self, poses: Float[Tensor, "hypotheses 4 4"], losses: Float[Tensor, " hypotheses"]) -> None:
        """All hypotheses were placed and scored at the coarse size."""

    def on_search_end(self, poses: Float[Tensor, "finalists 4 4"], losses: Float[Tensor, " finalists"]) -> None:
        """The search has ended with these finalists, best first; none if the photograph shows no object."""

    def on_comparison(self, loss_near: float, loss_elsewhere: float) -> None:
        """The search that ended last belongs to a leave-one-out test: least loss near the view's pose and elsewhere."""

    def on_arrangement(self, state: ArrangementState) -> None:
        """The search for an arrangement of photographs has come to this state."""

    def pause(self) -> None:
        """Called every few milliseconds between batches of work: the place to release a lock, or to raise and stop."""


def _to_all(name: str) -> Any:
    """A method of `Observers` that calls the method of this name of each observer."""

    def forward(self: Observers, *values: Any) -> None:
        for one in self._observers:
            getattr(one, name)(*values)

    return forward


class Observers(Observer):
    """Several observers as one; they are told in order."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    on_search_begin = _to_all("on_search_begin")
    on_hypotheses = _to_all("on_hypotheses")
    on_search_end = _to_all("on_search_end")
    on_comparison = _to_all("on_comparison")
    on_arrangement = _to_all("on_arrangement")
    pause = _to_all("pause")


_OBSERVER: ContextVar[Observer] = ContextVar("observer", default=Observer())  # noqa: B039


@contextmanager
def observed_by(*observers: Observer) -> Iterator[None]:
    """Report all work inside the block to these observers, besides those of the blocks around it."""
    token = _OBSERVER.set(Observers(_OBSERVER.get(), *observers))
    try:
        yield
    finally:
        _OBSERVER.reset(token)


def observer() -> Observer:
    """The observer of the calling thread; one that ignores everything outside of `observed_by`."""
    return _OBSERVER.get()
