"""Views that start without trust are placed on the splat of the others: searched, joined on trial, judged by all views.

Nothing that was given counts for a view that nobody knew a pose for; a given pose that was not trusted is one candidate
among others.

Frame: `world`, normalised. Losses are squared errors over the object's area.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.outliers.context import RepairContext
from sparseags_ns.outliers.fits import realigned
from sparseags_ns.outliers.registration_rule import RegistrationState, Trial, ended, judged, next_waiting
from sparseags_ns.pose_search.leave_one_out import candidate_poses
from sparseags_ns.pose_search.search import SearchResult, search_view
from sparseags_ns.runs.record import Decision


@dataclass(frozen=True)
class Registration:
    """How the placing ended."""

    fit: Reconstruction
    """With the placed views trusted, and the others at the best pose known."""
    placed: tuple[int, ...]
    decisions: tuple[Decision, ...]


def register_views(place: RepairContext, fit: Reconstruction, waiting: Sequence[int]) -> Registration:
    """Give views without trust a place among the others, or leave them out.

    Args:
        fit: of the trusted views.
        waiting: the views; each shows the object.
    """
    found: dict[int, SearchResult] = {}
    trials: dict[int, Trial] = {}
    state, alone = RegistrationState(tuple(waiting)), _refined_alone(place, fit)
    while not state.done:
        for view in state.untried if len(state.untried) > 1 and not found else ():
            found[view] = _searched(place, fit, view)
        view = next_waiting(state, {view: _margin(result) for view, result in found.items()})
        if view not in found or view in trials or state.placed:
            found[view] = _searched(place, fit, view)
        joined = place.best_joined(
            fit, view, candidate_poses(found[view], _known(place, fit, view), place.settings.candidates)
        )
        trials[view] = _trial(place, joined, alone, view, found[view])
        state = judged(state, view, trials[view], place.settings.admission)
        fit = joined if view in state.placed else fit.with_pose(view, joined.cameras.T_camera_world[view])
        alone = _refined_alone(place, fit) if view in state.placed and not state.done else alone
    place.searches.update(found)
    if state.placed:
        fit = _once_more(place, fit)
    return Registration(fit, state.placed, ended(state, trials).decisions)


def _searched(place: RepairContext, fit: Reconstruction, view: int) -> SearchResult:
    """All around the object, and beside all known cameras: in a scene without masks, silhouettes say little."""
    seen = replace(place.views, cameras=fit.cameras)
    beside = fit.cameras.T_camera_world[fit.trusted]
    return search_view(
        fit.gaussians,
        seen,
        view,
        fit.camera_distance,
        place.settings.thorough,
        extra=beside,
    )


def _known(place: RepairContext, fit: Reconstruction, view: int) -> Float[Tensor, "known 4 4"]:
    """The pose that was given, if one was."""
    given = realigned(fit, place.claims)[view : view + 1]
    return given[:0] if view in place.views.unposed else given


def _margin(found: SearchResult) -> float:
    return float(found.losses[0] / found.losses[1]) if len(found.losses) > 1 else 1.0


def _refined_alone(place: RepairContext, fit: Reconstruction) -> Reconstruction:
    """The fit refined as it is when a view joins, but without one: so what joining costs the others is plain."""
    return place.fitter.continued(fit, place.settings.joining)


def _trial(
    place: RepairContext, joined: Reconstruction, alone: Reconstruction, view: int, found: SearchResult
) -> Trial:
    with_it, without_it = place.losses(joined), place.losses(alone)[alone.trusted]
    others = with_it[alone.trusted]
    factor = (others.clamp_min(1e-12).log() - without_it.clamp_min(1e-12).log()).mean().exp()
    return Trial(
        loss=float(with_it[view]),
        usual=float(others.quantile(0.5)),
        arbitrary=float(found.hypothesis_losses.quantile(0.5)),
        others_factor=float(factor),
        before=float(found.losses[0]) if len(found.losses) > 0 else math.inf,
        next_best=float(found.losses[1]) if len(found.losses) > 1 else math.inf,
        has_mask=bool((place.views.masks[view] < 0.5)[place.views.valid[view] > 0.5].any()),
    )


def _once_more(place: RepairContext, fit: Reconstruction) -> Reconstruction:
    """The fit, or one from scratch from where its cameras stand, whichever explains the photographs better."""
    again = place.fitter.from_scratch(fit.cameras, fit.trusted)
    kept, redone = (place.sharpened(one) for one in (fit, again))
    better = redone[1][fit.trusted].sum() < kept[1][fit.trusted].sum()
    return redone[0] if bool(better) else kept[0]
