"""Views that start without trust wait for a place: which is tried next, and may it stay? Sees numbers, renders nothing.

A round: `next_waiting` names the view whose best pose stands out most among those not tried since the last one was
placed; it is joined to the others on trial, and `judged` places it or refuses it. When nothing is left to try, those
that were refused stay out.

Letters: a loss is a view's squared error over object area.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sparseags_ns.runs.record import Decision


@dataclass(frozen=True)
class Trial:
    """What is known once a view was joined to the others at its best pose, and all were refined."""

    loss: float
    """Of the view there."""
    usual: float
    """Median of the others'."""
    arbitrary: float
    """Of the view at an arbitrary pose: the median of all that were searched."""
    others_factor: float
    """Geometric mean of the others' losses with the view over those without it."""
    before: float
    """Loss of the view at its best pose before it was joined: on what the others show."""
    next_best: float
    """The same at the best pose elsewhere; infinite if there is none."""
    has_mask: bool = True
    """Whether a mask says where the object ends; else the view is a whole photograph."""

    @property
    def numbers(self) -> dict[str, float]:
        """For the log."""
        return {
            "loss_over_median": self.loss / max(self.usual, 1e-12),
            "loss_over_arbitrary": self.loss / max(self.arbitrary, 1e-12),
            "others_factor": self.others_factor,
            "before_over_arbitrary": self.before / max(self.arbitrary, 1e-12),
            "before_over_next_best": self.before / max(self.next_best, 1e-12),
        }


@dataclass(frozen=True)
class RegistrationRule:
    """When a view has found its place: it is explained about as well as the others, and costs them little."""

    like_others: float = 3.0
    """Its loss over the median of the others'..."""
    unlike_chance: float = 0.05
    """...or over that of an arbitrary pose may be at most this; the larger limit counts."""
    may_rise: float = 1.7
    """The others' losses may rise by this factor: a view at a wrong pose is explained at the others' expense. (Samples:
    1.2 to 1.3 at right poses, 2.5 and more at wrong ones, and for photographs of something else.)"""

    seen_before: float = 0.2
    """A whole photograph must be explained by what the others show, before it is joined: its loss over that of an
    arbitrary pose may be at most this..."""
    stands_out: float = 0.85
    """...and over that of the best pose elsewhere at most this. In a room a camera put before what nobody else sees
    costs the others nothing, and once it is joined it paints there what it likes. (Photographs: 0.05 and 0.18, 0.2 and
    0.7 at right poses; 0.21 to 0.28, 0.94 to 1.0 at wrong ones.)"""

    def fits(self, trial: Trial) -> bool:
        """Whether the view may stay."""
        if not trial.has_mask and (
            trial.before > self.seen_before * trial.arbitrary or trial.before > self.stands_out * trial.next_best
        ):
            return False
        limit = max(self.like_others * trial.usual, self.unlike_chance * trial.arbitrary)
        return trial.loss <= limit and trial.others_factor <= self.may_rise


@dataclass(frozen=True)
class RegistrationState:
    """Where the state machine stands."""

    untried: tuple[int, ...]
    """Not tried since a view was placed last."""
    refused: tuple[int, ...] = ()
    placed: tuple[int, ...] = ()
    """In the order in which they found their places."""
    decisions: tuple[Decision, ...] = ()

    @property
    def done(self) -> bool:
        """Whether nothing is left to try."""
        return not self.untried


def next_waiting(state: RegistrationState, margins: Mapping[int, float]) -> int:
    """The view to be tried next: that with the least margin, the loss of its best pose over that of its next best."""
    if state.done:
        raise ValueError("no view is waiting; ask `done` first")
    return min(state.untried, key=lambda view: (margins.get(view, math.inf), view))


def judged(state: RegistrationState, view: int, trial: Trial, rule: RegistrationRule) -> RegistrationState:
    """Place a view, so that those refused before get another chance on the larger splat, or refuse it."""
    if view not in state.untried:
        raise ValueError(f"view {view} is not waiting; waiting are {state.untried}")
    untried = tuple(other for other in state.untried if other != view)
    if not rule.fits(trial):
        return replace(state, untried=untried, refused=(*state.refused, view))
    decision = Decision(
        "register", view, "it had no pose that counted; the other views agree with this one", trial.numbers
    )
    return RegistrationState((*untried, *state.refused), (), (*state.placed, view), (*state.decisions, decision))


def ended(state: RegistrationState, trials: Mapping[int, Trial]) -> RegistrationState:
    """Those that were refused to the end stay out, each with a decision of its own.

    Args:
        trials: the last one of each view.
    """
    kept = tuple(
        Decision("reject", view, "it fits nowhere and stays out, at the best pose known", trials[view].numbers)
        for view in state.refused
    )
    return replace(state, decisions=(*state.decisions, *kept))
