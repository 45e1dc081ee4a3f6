"""Detection of views with a wrong pose: a state machine that sees numbers only and renders nothing.

In each round one view is suspected, or the search finishes (`next_suspect`). The others are reconstructed without the
suspect, which is then dropped, restored, or in doubt (`judged`). In doubt, all views are reconstructed with the best
pose found for the suspect, which is then corrected or restored (`resolved`). What becomes of the dropped views is
decided later (outliers/verdict.py).

An *error* is a view's loss over the object's area. The *ratio* of a view is the result of its leave-one-out test: its
least loss at other poses over its least loss near its own, below 1 where another pose fits better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from statistics import fmean, median

from sparseags_ns.outliers.settings import MIN_VIEWS, LeaveOneOutSettings, PublishedSettings, RepairSettings
from sparseags_ns.runs.record import Decision


@dataclass(frozen=True)
class Evidence:
    """What is known of all views, before or after one was left out."""

    errors: tuple[float, ...]
    """Error of each view."""
    ratios: tuple[float, ...]
    """Ratio of each view; NaN where it was not tested."""


@dataclass(frozen=True)
class DetectionState:
    """State of the state machine."""

    trusted: tuple[bool, ...]
    suspect: int | None = None
    """The view that is left out on trial."""
    cleared: tuple[int, ...] = ()
    """Suspects that were restored; they are not suspected again until a drop changes the evidence."""
    dropped: tuple[int, ...] = ()
    """Dropped views, in the order of their drops."""
    corrected: tuple[int, ...] = ()
    """Views trusted again at new poses; they are not suspected again."""
    fixed: tuple[int, ...] = ()
    """Views whose cameras are fixed; they are never suspected."""
    again: bool = False
    """Whether outliers were found and corrected in an earlier pass."""
    decisions: tuple[Decision, ...] = ()
    finished: bool = False

    @property
    def limit(self) -> int:
        """Largest number of views that may be dropped."""
        return drop_limit(self.trusted_at_first)

    @property
    def trusted_at_first(self) -> int:
        """Number of views that were trusted before any was dropped."""
        return sum(self.trusted) + len(self.dropped)

    @property
    def suspectable(self) -> list[int]:
        """Trusted views whose cameras are not fixed."""
        return [view for view in _trusted(self) if view not in self.fixed]


def drop_limit(views: int) -> int:
    """Largest number of views that may be dropped (paper: 1 of up to 5, all but 4 of up to 7, else 4)."""
    return max(min(1 if views <= 5 else views - 4 if views < 8 else 4, views - MIN_VIEWS), 0)


@dataclass(frozen=True)
class PublishedRule:
    """The authors' rule: the view of largest error is suspected, and guilty if the others' mean error falls enough.

    Errors are LPIPS over the rendered area.
    """

    settings: PublishedSettings = field(default_factory=PublishedSettings)

    def suspect(self, state: DetectionState, evidence: Evidence) -> Decision:
        """The trusted view of largest error; the search finishes after a restored suspect, and is not repeated."""
        if state.again or state.cleared:
            why = "the last suspect was restored" if state.cleared else "this rule makes one pass"
            return Decision("finish", None, why, {})
        if not state.suspectable:
            return Decision("finish", None, "no view is left to suspect", {})
        worst = max(state.suspectable, key=lambda view: evidence.errors[view])
        return Decision("suspect", worst, "largest error of all", {"error": evidence.errors[worst]})

    def judge(self, state: DetectionState, before: Evidence, after: Evidence) -> Decision:
        """Drop the suspect if the mean error of the others falls by the threshold without it."""
        others, threshold = _others(state), self.settings.min_fall
        falls_by = fmean(before.errors[view] for view in others) - fmean(after.errors[view] for view in others)
        numbers = {"falls_by": falls_by, "threshold": threshold}
        if falls_by >= threshold:
            return Decision("drop", state.suspect, "without it the others' mean error falls enough", numbers)
        return Decision("restore", state.suspect, "without it the others' mean error hardly falls", numbers)

    def resolve(self, state: DetectionState, before: float, after: float) -> Decision:
        """Not supported: raises ValueError, since this rule leaves no suspect in doubt."""
        raise ValueError("the published rule leaves no doubt that could be resolved")


@dataclass(frozen=True)
class LeaveOneOutRule:
    """Our rule: a view is suspected if another pose fits it about as well on its left-out fit.

    It is guilty if that still holds on a splat reconstructed from scratch without it and the others' errors fall, or if
    their errors fall to half. A view's own error proves little: its neighbours' errors rise as much, and given time it
    paints Gaussians of its own and is rendered perfectly.
    """

    settings: LeaveOneOutSettings = field(default_factory=LeaveOneOutSettings)

    def suspect(self, state: DetectionState, evidence: Evidence) -> Decision:
        """The view of least ratio, or one that does not see the object at all."""
        settings, few = self.settings, state.trusted_at_first < self.settings.few_views
        middle = median(evidence.errors[view] for view in _trusted(state))
        eligible = [view for view in state.suspectable if view not in state.cleared + state.corrected]
        lost = [view for view in eligible if evidence.errors[view] > settings.lost_above * middle]
        tested = [view for view in eligible if not math.isnan(evidence.ratios[view])]

        def numbers(view: int) -> dict[str, float]:
            over_median = evidence.errors[view] / max(middle, 1e-12)
            return {"elsewhere": evidence.ratios[view], "error_over_median": over_median}

        if len(state.cleared) >= (settings.max_cleared_few if few else settings.max_cleared):
            return Decision("finish", None, f"the last {len(state.cleared)} suspects were restored", {})
        if lost:
            view = max(lost, key=lambda view: evidence.errors[view])
            return Decision("suspect", view, "it does not see the object", numbers(view))
        if tested:
            view = min(tested, key=lambda view: evidence.ratios[view])
            if evidence.ratios[view] < (settings.suspect_below_few if few else settings.suspect_below):
                return Decision("suspect", view, "it fits better elsewhere", numbers(view))
            return Decision("finish", None, "no view fits better elsewhere", numbers(view))
        return Decision("finish", None, "no view is left to suspect", {})

    def judge(self, state: DetectionState, before: Evidence, after: Evidence) -> Decision:
        """Judge the suspect by its ratio on the others' splat and by the factor on the others' errors without it."""
        assert state.suspect is not None
        settings = self.settings
        logs = [math.log(max(after.errors[v], 1e-12) / max(before.errors[v], 1e-12)) for v in _others(state)]
        factor, ratio = math.exp(fmean(logs)), after.ratios[state.suspect]
        numbers = {"elsewhere": ratio, "others_factor": factor}
        if factor <= settings.drop_improvement:
            return Decision("drop", state.suspect, "without it all other views' errors fall", numbers)
        if ratio <= settings.drop_below and factor <= settings.must_improve:
            return Decision("drop", state.suspect, "the others' splat shows it elsewhere", numbers)
        if ratio <= settings.doubt_below:
            return Decision("doubt", state.suspect, "another pose fits the others' splat about as well", numbers)
        return Decision("restore", state.suspect, "its own pose fits the others' splat best", numbers)

    def resolve(self, state: DetectionState, before: float, after: float) -> Decision:
        """Correct the suspect if the sum of all views' errors, before and after it got its new pose, falls enough."""
        numbers = {"sum_before": before, "sum_after": after}
        if after < self.settings.correct_below * before:
            return Decision("correct", state.suspect, "with its new pose the sum of all errors falls", numbers)
        return Decision("restore", state.suspect, "with another pose the sum of all errors hardly falls", numbers)


Rule = PublishedRule | LeaveOneOutRule


def make_rule(settings: RepairSettings) -> Rule:
    """The rule that the settings name: how views are suspected, suspects judged, and doubts resolved."""
    if settings.rule == "published":
        return PublishedRule(settings.published)
    return LeaveOneOutRule(settings.leave_one_out)


def begin(trusted: tuple[bool, ...], fixed: tuple[int, ...] = (), again: bool = False) -> DetectionState:
    """The first state. Views untrusted from the start are never suspected and do not count for the drop limit."""
    return DetectionState(trusted, fixed=fixed, again=again)


def next_suspect(state: DetectionState, evidence: Evidence, rule: Rule) -> DetectionState:
    """Suspect a view, which is left out from now on, or finish."""
    if len(state.dropped) + len(state.corrected) >= state.limit:
        why = f"no more than {state.limit} of {state.trusted_at_first} views may be dropped"
        decision = Decision("finish", None, why, {})
    else:
        decision = rule.suspect(state, evidence)
    finished = decision.action == "finish"
    return replace(state, suspect=decision.view, decisions=(*state.decisions, decision), finished=finished)


def judged(state: DetectionState, before: Evidence, after: Evidence, rule: Rule) -> DetectionState:
    """Drop the suspect for good, restore it, or keep it suspected, in doubt.

    Raises:
        ValueError: no view is suspected.
    """
    view = _suspect_of(state)
    decision = rule.judge(state, before, after)
    state = replace(state, decisions=(*state.decisions, decision))
    if decision.action == "doubt":
        return state
    state = replace(state, suspect=None)
    if decision.action == "restore":
        return replace(state, cleared=(*state.cleared, view))
    trusted = tuple(old and index != view for index, old in enumerate(state.trusted))
    return replace(state, trusted=trusted, cleared=(), dropped=(*state.dropped, view))


def resolved(state: DetectionState, before: float, after: float, rule: Rule) -> DetectionState:
    """Correct the doubtful suspect, or restore it.

    Args:
        before: sum of all views' errors without its new pose.
        after: the same sum with its new pose.

    Raises:
        ValueError: no view is suspected.
    """
    view = _suspect_of(state)
    decision = rule.resolve(state, before, after)
    state = replace(state, suspect=None, decisions=(*state.decisions, decision))
    if decision.action == "restore":
        return replace(state, cleared=(*state.cleared, view))
    return replace(state, cleared=(), corrected=(*state.corrected, view))


def _suspect_of(state: DetectionState) -> int:
    if state.suspect is None:
        raise ValueError("no view is suspected; next_suspect comes first")
    return state.suspect


def _trusted(state: DetectionState) -> list[int]:
    return [view for view, trusted in enumerate(state.trusted) if trusted]


def _others(state: DetectionState) -> list[int]:
    return [view for view in _trusted(state) if view != state.suspect]
