"""Who watches a search: hypotheses, scores and findings while they come, for the run's files and the live viewer.

Watching changes nothing of what is computed. So the observer is no argument of all the functions between the callback
that has one and the search that it watches: it is set around them, for the calling thread alone.

Frame: `world` of the splat that is searched, which may differ a little from one search to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras

Kind = Literal["glance", "thorough"]
"""A quick search of a view that nothing is held against yet; the search of a suspect."""


@runtime_checkable
class SearchObserver(Protocol):
    """Is told what a search does; must return quickly and keep no reference to what it may not change."""

    def begun(self, view: int, kind: Kind, cameras: Cameras) -> None:
        """A search of one view begins; the cameras are those of the splat, the view's own where it claims to be."""
        ...

    def scored(self, poses: Float[Tensor, "hypotheses 4 4"], losses: Float[Tensor, " hypotheses"]) -> None:
        """All hypotheses as placed, and their losses at the coarse size."""
        ...

    def ended(self, poses: Float[Tensor, "finalists 4 4"], losses: Float[Tensor, " finalists"]) -> None:
        """The search is over: what it found, best first; nothing if the photograph shows no object."""
        ...

    def compared(self, here: float, elsewhere: float) -> None:
        """What the search that ended last was for: least loss near the view's claimed pose, and anywhere else."""
        ...


class Nobody:
    """Watches nothing."""

    def begun(self, view: int, kind: Kind, cameras: Cameras) -> None:
        """Ignored."""

    def scored(self, poses: Float[Tensor, "hypotheses 4 4"], losses: Float[Tensor, " hypotheses"]) -> None:
        """Ignored."""

    def ended(self, poses: Float[Tensor, "finalists 4 4"], losses: Float[Tensor, " finalists"]) -> None:
        """Ignored."""

    def compared(self, here: float, elsewhere: float) -> None:
        """Ignored."""


class Both:
    """Two observers as one."""

    def __init__(self, first: SearchObserver, second: SearchObserver) -> None:
        self._all = (first, second)

    def begun(self, view: int, kind: Kind, cameras: Cameras) -> None:
        """Told to both."""
        for one in self._all:
            one.begun(view, kind, cameras)

    def scored(self, poses: Float[Tensor, "hypotheses 4 4"], losses: Float[Tensor, " hypotheses"]) -> None:
        """Told to both."""
        for one in self._all:
            one.scored(poses, losses)

    def ended(self, poses: Float[Tensor, "finalists 4 4"], losses: Float[Tensor, " finalists"]) -> None:
        """Told to both."""
        for one in self._all:
            one.ended(poses, losses)

    def compared(self, here: float, elsewhere: float) -> None:
        """Told to both."""
        for one in self._all:
            one.compared(here, elsewhere)


_OBSERVER: ContextVar[SearchObserver | None] = ContextVar("search_observer", default=None)


@contextmanager
def watched_by(observer: SearchObserver) -> Iterator[None]:
    """Let someone watch all searches inside the block."""
    token = _OBSERVER.set(observer)
    try:
        yield
    finally:
        _OBSERVER.reset(token)


def observer() -> SearchObserver:
    """Who watches now."""
    return _OBSERVER.get() or Nobody()
