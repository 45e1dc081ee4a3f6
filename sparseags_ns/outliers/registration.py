"""Registration of views that start without trust: each is searched on the splat of the others, joined to them on trial,
and accepted if all views together agree.

A round (`register_views`) tries the view whose best pose is most distinct among those not tried since the last one was
registered. `judged` registers or refuses it; it sees numbers only. When no view is left to try, those that were refused
are rejected. A given pose that was not trusted is one candidate among others; a view without any pose has none.

Frame: `world`, normalised. Losses are squared errors over the object's area (pose_search/losses.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.outliers.alignment import align_poses
from sparseags_ns.outliers.context import RepairContext
from sparseags_ns.outliers.settings import RegistrationSettings
from sparseags_ns.pose_search.search import SearchResult, search_view
from sparseags_ns.runs.record import Decision


@dataclass(frozen=True)
class Trial:
    """Losses after a view was joined to the others at its best pose and all were refined."""

    loss: float
    """Loss of the view."""
    usual: float
    """Median loss of the others."""
    arbitrary: float
    """Loss of the view at an arbitrary pose: the median over all hypotheses."""
    others_factor: float
    """Geometric mean of the others' losses with the view over those without it."""
    before: float
    """Loss of the view at its best pose on the others' splat, before it was joined."""
    next_best: float
    """Loss of the view at its next best pose on that splat; infinite if there is none."""
    has_mask: bool = True
    """Whether the mask leaves anything out; if not, the whole photograph is the object."""

    @property
    def numbers(self) -> dict[str, float]:
        """Figures for the decision."""
        return {
            "loss_over_median": self.loss / max(self.usual, 1e-12),
            "loss_over_arbitrary": self.loss / max(self.arbitrary, 1e-12),
            "others_factor": self.others_factor,
            "before_over_arbitrary": self.before / max(self.arbitrary, 1e-12),
            "before_over_next_best": self.before / max(self.next_best, 1e-12),
        }

    def fits(self, settings: RegistrationSettings) -> bool:
        """Whether the view is rendered about as well as the others, and costs them little."""
        if not self.has_mask and (
            self.before > settings.max_before * self.arbitrary or self.before > settings.max_over_next * self.next_best
        ):
            return False
        limit = max(settings.max_over_median * self.usual, settings.max_over_arbitrary * self.arbitrary)
        return self.loss <= limit and self.others_factor <= settings.may_rise


@dataclass(frozen=True)
class RegistrationState:
    """State of the state machine."""

    untried: tuple[int, ...]
    """Views not tried since the last one was registered."""
    refused: tuple[int, ...] = ()
    """Views tried in vain since then."""
    registered: tuple[int, ...] = ()
    """Registered views, in the order of their registration."""
    decisions: tuple[Decision, ...] = ()

    @property
    def done(self) -> bool:
        """Whether no view is left to try."""
        return not self.untried


def next_view(state: RegistrationState, distinctness: Mapping[int, float]) -> int:
    """The view to try next: that of the most distinct best pose, which is the least value; unsearched views come last.

    Raises:
        ValueError: no view is left to try.
    """
    if state.done:
        raise ValueError("no view is left to register; check `done` first")
    return min(state.untried, key=lambda view: (distinctness.get(view, math.inf), view))


def judged(state: RegistrationState, view: int, trial: Trial, settings: RegistrationSettings) -> RegistrationState:
    """Register a view, so that those refused before are tried again on the larger splat, or refuse it.

    Raises:
        ValueError: the view is not among those to try.
    """
    if view not in state.untried:
        raise ValueError(f"view {view} is not to be registered; left are {state.untried}")
    untried = tuple(other for other in state.untried if other != view)
    if not trial.fits(settings):
        return replace(state, untried=untried, refused=(*state.refused, view))
    why = "it had no trusted pose; the other views fit this one"
    decisions = (*state.decisions, Decision("register", view, why, trial.numbers))
    return RegistrationState((*untried, *state.refused), (), (*state.registered, view), decisions)


def ended(state: RegistrationState, trials: Mapping[int, Trial]) -> RegistrationState:
    """Reject the views that were refused to the end, and those that were not tried in time, with one decision each.

    Args:
        state: in which no view is left to try, or no work may be done.
        trials: the last trial of each view.
    """
    why = "it fits nowhere and stays out, at the best pose known"
    rejected = tuple(Decision("reject", view, why, trials[view].numbers) for view in state.refused)
    why = "the time budget ended before a pose was found for it"
    late = tuple(Decision("reject", view, why, {}) for view in state.untried)
    return replace(state, decisions=(*state.decisions, *rejected, *late))


def register_views(
    context: RepairContext, fit: Reconstruction, unregistered: Sequence[int]
) -> tuple[Reconstruction, RegistrationState]:
    """Find poses for views without trust, or leave them out.

    Args:
        context: of the repair.
        fit: of the trusted views.
        unregistered: indices of the views; each shows the object.

    Returns:
        The fit, in which the registered views are trusted and the others have the best pose known; the final state.
    """
    found: dict[int, SearchResult] = {}
    trials: dict[int, Trial] = {}
    state, alone = RegistrationState(tuple(unregistered)), _refined_alone(context, fit)
    while not state.done and not context.budget.exhausted:
        for view in state.untried if len(state.untried) > 1 and not found else ():
            found[view] = _searched(context, fit, view)
        view = next_view(state, {view: result.distinctness for view, result in found.items()})
        if view not in found or view in trials or state.registered:
            found[view] = _searched(context, fit, view)  # The splat has grown since the last search.
        context.searches[view] = found[view]
        joined = context.joined_as_found(fit, view, _known_poses(context, fit, view))
        trials[view] = _trial(context, joined, alone, view, found[view])
        state = judged(state, view, trials[view], context.settings.registration)
        fit = joined if view in state.registered else fit.with_pose(view, joined.cameras.T_camera_world[view])
        alone = _refined_alone(context, fit) if view in state.registered and not state.done else alone
    if state.registered:
        fit = _better_from_scratch(context, fit)
    return fit, ended(state, trials)


def _searched(context: RepairContext, fit: Reconstruction, view: int) -> SearchResult:
    """Search all around the object and beside all trusted cameras: without masks, silhouettes tell little."""
    seen = replace(context.views, cameras=fit.cameras)
    beside = fit.cameras.T_camera_world[fit.trusted]
    settings = context.settings.thorough_search
    return search_view(fit.gaussians, seen, view, fit.camera_distance, settings, extra=beside)


def _known_poses(context: RepairContext, fit: Reconstruction, view: int) -> Float[Tensor, "known 4 4"]:
    """The given pose, if the view came with one."""
    given = align_poses(context.start_poses, fit)[view : view + 1]
    return given[:0] if view in context.views.unposed else given


def _refined_alone(context: RepairContext, fit: Reconstruction) -> Reconstruction:
    """The fit refined as when a view joins, but without one: the difference is what joining costs the others."""
    return context.fitter.continued(fit, context.settings.joining)


def _trial(
    context: RepairContext, joined: Reconstruction, alone: Reconstruction, view: int, found: SearchResult
) -> Trial:
    with_it, without_it = context.losses(joined), context.losses(alone)[alone.trusted]
    others = with_it[alone.trusted]
    factor = (others.clamp_min(1e-12).log() - without_it.clamp_min(1e-12).log()).mean().exp()
    return Trial(
        loss=float(with_it[view]),
        usual=float(others.quantile(0.5)),
        arbitrary=found.arbitrary_loss,
        others_factor=float(factor),
        before=float(found.losses[0]) if len(found.losses) > 0 else math.inf,
        next_best=float(found.losses[1]) if len(found.losses) > 1 else math.inf,
        has_mask=bool(context.views.is_cut_out[view]),
    )


def _better_from_scratch(context: RepairContext, fit: Reconstruction) -> Reconstruction:
    """The fit, or one from scratch from its cameras if that has the lesser sum of losses; sharpened."""
    again = context.fitter.from_scratch(fit.cameras, fit.trusted)
    kept, redone = (context.sharpened(one) for one in (fit, again))
    better = redone[1][fit.trusted].sum() < kept[1][fit.trusted].sum()
    return redone[0] if bool(better) else kept[0]
