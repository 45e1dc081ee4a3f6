"""Which views have a wrong pose: a state machine that sees numbers only, and renders nothing.

A round: `suspect` one view, or `finish`; the others are reconstructed without it; then `drop` it or `restore` it.
Where that leaves a `doubt`, all are reconstructed with the best pose found for it, and it is `correct`ed or restored.
After the last round dropped views are put where all views like them best: `correct`, or `reject` at the best pose.

Letters: an error is a view's loss over object area; `elsewhere` of a view is the least loss at a pose far from its own
over the least loss near its own, on a splat made without that view. Below 1, the view would rather stand elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Protocol, runtime_checkable

from sparseags_ns.runs.record import Decision

WARY_BELOW = 8
"""With fewer views than this each is explained by few others, and what a glance says counts less."""


@dataclass(frozen=True)
class Evidence:
    """What is known of all views before or after a view was left out."""

    errors: tuple[float, ...]
    """Of each view."""
    elsewhere: tuple[float, ...]
    """Of each view; NaN where it was not looked for."""


@dataclass(frozen=True)
class DetectionState:
    """Where the state machine stands."""

    trusted: tuple[bool, ...]
    suspect: int | None = None
    """Left out on trial."""
    cleared: tuple[int, ...] = ()
    """Suspects that were restored; they are not suspected again until a drop changes the evidence."""
    dropped: tuple[int, ...] = ()
    """In the order of their drops."""
    corrected: tuple[int, ...] = ()
    """Trusted again, at new poses; not suspected again."""
    fixed: tuple[int, ...] = ()
    """Their poses do not move and are beyond suspicion."""
    again: bool = False
    """Outliers were found and put elsewhere before."""
    decisions: tuple[Decision, ...] = ()
    finished: bool = False

    @property
    def limit(self) -> int:
        """How many of these views may be dropped."""
        return drop_limit(self._trusted_at_first)

    @property
    def wary(self) -> bool:
        """Views are few."""
        return self._trusted_at_first < WARY_BELOW

    @property
    def _trusted_at_first(self) -> int:
        return sum(self.trusted) + len(self.dropped)


def drop_limit(views: int) -> int:
    """How many of so many views may be dropped (paper: 1 of up to 5, all but 4 of up to 7, else 4); 2 always stay."""
    return max(min(1 if views <= 5 else views - 4 if views < 8 else 4, views - 2), 0)


@runtime_checkable
class Rule(Protocol):
    """How views are suspected and suspects judged."""

    def suspect(self, state: DetectionState, evidence: Evidence) -> Decision:
        """The next suspect, or `finish`."""
        ...

    def judge(self, state: DetectionState, before: Evidence, after: Evidence) -> Decision:
        """`drop`, `restore` or `doubt` the suspect, by what changed when it was left out."""
        ...

    def repair_poses(self, state: DetectionState, before: float, after: float) -> Decision:
        """`correct` or `restore` a doubtful suspect, by the sum of all views' errors without and with its new pose."""
        ...


@dataclass(frozen=True)
class PublishedRule:
    """The authors': the largest error is suspect; it is guilty if the others' mean error falls by a fixed amount.

    Its error is LPIPS over rendered area.
    """

    threshold: float = 0.05
    """The mean error of the others has to fall by this (paper: 0.05)."""

    def suspect(self, state: DetectionState, evidence: Evidence) -> Decision:
        """The trusted view with the largest error; after one that was restored the search for outliers is over."""
        if state.again or state.cleared:
            why = "the last suspect was innocent" if state.cleared else "this rule looks once"
            return Decision("finish", None, why, {})
        open_ = [view for view in _trusted(state) if view not in state.fixed]
        if not open_:
            return Decision("finish", None, "no view is left to suspect", {})
        worst = max(open_, key=lambda view: evidence.errors[view])
        return Decision("suspect", worst, "largest error of all", {"error": evidence.errors[worst]})

    def judge(self, state: DetectionState, before: Evidence, after: Evidence) -> Decision:
        """By the fall of the mean error of the others."""
        others = _others(state)
        falls_by = fmean(before.errors[view] for view in others) - fmean(after.errors[view] for view in others)
        numbers = {"falls_by": falls_by, "threshold": self.threshold}
        if falls_by >= self.threshold:
            return Decision("drop", state.suspect, "without it the others' mean error falls enough", numbers)
        return Decision("restore", state.suspect, "without it the others' mean error hardly falls", numbers)

    def repair_poses(self, state: DetectionState, before: float, after: float) -> Decision:
        """This rule has no doubts."""
        raise ValueError("the published rule leaves no doubt that could be settled")


@dataclass(frozen=True)
class LeaveOneOutRule:
    """Ours: a view is suspect that would rather stand elsewhere, and guilty if that is still so on a splat
    reconstructed from scratch without it, or if everybody else's error falls by a factor.

    A view's own error proves little: its neighbours suffer as much, and given time it paints Gaussians of its own.
    """

    suspect_below: float = 1.6
    """`elsewhere` on the splat from which the view was only faded out."""
    suspect_below_wary: float = 2.0
    """The same where there are less than eight views, since each is then explained by few others."""
    lost_above: float = 10.0
    """Error over the median, from which a view is suspect anyway: it does not see the object at all."""
    prove_below: float = 0.8
    """`elsewhere` on the splat reconstructed without it."""
    must_ease: float = 0.9
    """...and this factor on the others' errors: while another view is wrong, right ones seem to stand elsewhere too,
    but nobody is eased by their absence."""
    must_fall: float = 0.5
    """Factor on the others' errors that proves guilt on its own."""
    doubt_below: float = 1.3
    """`elsewhere` below which a suspect is not acquitted without trying the best pose found."""
    correct_below: float = 0.97
    """That pose has to lower the sum of all views' errors by this factor."""
    max_cleared: int = 2
    """After so many innocent suspects in a row the search for outliers is over."""
    max_cleared_wary: int = 3
    """The same where views are few."""

    def suspect(self, state: DetectionState, evidence: Evidence) -> Decision:
        """The view most eager to be elsewhere."""
        middle = median(evidence.errors[view] for view in _trusted(state))
        open_ = [view for view in _trusted(state) if view not in state.cleared + state.corrected + state.fixed]
        lost = [view for view in open_ if evidence.errors[view] > self.lost_above * middle]
        known = [view for view in open_ if not math.isnan(evidence.elsewhere[view])]
        if len(state.cleared) >= (self.max_cleared_wary if state.wary else self.max_cleared):
            return Decision("finish", None, f"the last {len(state.cleared)} suspects were innocent", {})
        if lost:
            view = max(lost, key=lambda view: evidence.errors[view])
            return Decision("suspect", view, "it does not see the object", self._numbers(evidence, view, middle))
        if known:
            view = min(known, key=lambda view: evidence.elsewhere[view])
            numbers = self._numbers(evidence, view, middle)
            if evidence.elsewhere[view] < (self.suspect_below_wary if state.wary else self.suspect_below):
                return Decision("suspect", view, "it fits better elsewhere", numbers)
            return Decision("finish", None, "no view fits better elsewhere", numbers)
        return Decision("finish", None, "no view is left to suspect", {})

    def judge(self, state: DetectionState, before: Evidence, after: Evidence) -> Decision:
        """By where the suspect would rather stand, and by what the others gain."""
        assert state.suspect is not None
        logs = [math.log(max(after.errors[v], 1e-12) / max(before.errors[v], 1e-12)) for v in _others(state)]
        factor, elsewhere = math.exp(fmean(logs)), after.elsewhere[state.suspect]
        numbers = {"elsewhere": elsewhere, "others_factor": factor}
        if factor <= self.must_fall:
            return Decision("drop", state.suspect, "without it everybody else's error falls", numbers)
        if elsewhere <= self.prove_below and factor <= self.must_ease:
            return Decision("drop", state.suspect, "the others' splat shows it elsewhere", numbers)
        if elsewhere <= self.doubt_below:
            return Decision("doubt", state.suspect, "another pose fits the others' splat about as well", numbers)
        return Decision("restore", state.suspect, "its own pose fits the others' splat best", numbers)

    def repair_poses(self, state: DetectionState, before: float, after: float) -> Decision:
        """By what all views say."""
        numbers = {"sum_before": before, "sum_after": after}
        if after < self.correct_below * before:
            return Decision("correct", state.suspect, "with its new pose all views agree better", numbers)
        return Decision("restore", state.suspect, "with another pose the views agree no better", numbers)

    @staticmethod
    def _numbers(evidence: Evidence, view: int, middle: float) -> dict[str, float]:
        return {"elsewhere": evidence.elsewhere[view], "error_over_median": evidence.errors[view] / max(middle, 1e-12)}


def begin(trusted: tuple[bool, ...], fixed: tuple[int, ...] = (), again: bool = False) -> DetectionState:
    """The first state. Views untrusted from the start (outliers/registration_rule.py) are no suspects and count for no limit."""
    return DetectionState(trusted, fixed=fixed, again=again)


def next_suspect(state: DetectionState, evidence: Evidence, rule: Rule) -> DetectionState:
    """Suspect a view (left out from now on), or finish."""
    if len(state.dropped) + len(state.corrected) >= state.limit:
        why = f"no more than {state.limit} of {sum(state.trusted) + len(state.dropped)} views may be dropped"
        decision = Decision("finish", None, why, {})
    else:
        decision = rule.suspect(state, evidence)
    finished = decision.action == "finish"
    return replace(state, suspect=decision.view, decisions=(*state.decisions, decision), finished=finished)


def judged(state: DetectionState, before: Evidence, after: Evidence, rule: Rule) -> DetectionState:
    """Drop the suspect for good, or restore it, or keep it suspected, in doubt."""
    view = _the_suspect(state)
    decision = rule.judge(state, before, after)
    state = replace(state, decisions=(*state.decisions, decision))
    if decision.action == "doubt":
        return state
    state = replace(state, suspect=None)
    if decision.action == "restore":
        return replace(state, cleared=(*state.cleared, view))
    trusted = tuple(old and index != view for index, old in enumerate(state.trusted))
    return replace(state, trusted=trusted, cleared=(), dropped=(*state.dropped, view))


def settled(state: DetectionState, before: float, after: float, rule: Rule) -> DetectionState:
    """Correct the doubtful suspect, or restore it."""
    view = _the_suspect(state)
    decision = rule.repair_poses(state, before, after)
    state = replace(state, suspect=None, decisions=(*state.decisions, decision))
    if decision.action == "restore":
        return replace(state, cleared=(*state.cleared, view))
    return replace(state, cleared=(), corrected=(*state.corrected, view))


def _the_suspect(state: DetectionState) -> int:
    if state.suspect is None:
        raise ValueError("no view is suspected; next_suspect comes first")
    return state.suspect


def _trusted(state: DetectionState) -> list[int]:
    return [view for view, trusted in enumerate(state.trusted) if trusted]


def _others(state: DetectionState) -> list[int]:
    return [view for view in _trusted(state) if view != state.suspect]
