"""Between the coarse and the fine stages: from which start, and from which poses, a run goes on.

1. Starts. The coarse stages are run again from the given poses at other pose learning rates, and the run goes on from
   the start whose renders explain all trusted photographs best, without having turned most views far: views that
   disagree wildly want a high rate, views that are cut by the photograph's edge or seen from one side a low one, and
   the photographs tell which.
2. Views that this carried far from where they fit better go back (outliers/fallback.py).
3. Outliers, and the places of views that are not trusted yet (outliers/repair.py).
4. Views whose given pose was as wrong as an outlier's, but which refinement alone has put right, are declared too.

Wiring: meets `model`. A pure function of its inputs: interrupted, it is begun again and ends the same.

Frame: `world`, normalised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.metrics.perceptual import perceptual_error
from sparseags_ns.optimization.corrections import share_focal_length
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.optimization.settings import JointSettings, Preset
from sparseags_ns.optimization.short_fits import ShortFitter, coarse_preset
from sparseags_ns.outliers.context import RepairContext
from sparseags_ns.outliers.detection import PublishedRule
from sparseags_ns.outliers.fallback import declared_wrong, fall_back
from sparseags_ns.outliers.fits import median_rotation_deg, start_cost
from sparseags_ns.outliers.repair import RepairResult, RepairSettings, repair
from sparseags_ns.pose_search.losses import view_losses
from sparseags_ns.pose_search.search import SearchResult
from sparseags_ns.runs.record import Decision, PoseRepairRecord, Start
from sparseags_ns.views import Views


@dataclass(frozen=True)
class PoseRepair:
    """Where the run goes on from, and why."""

    reconstruction: Reconstruction
    starts: tuple[Start, ...]
    chosen: Start
    corrected: Bool[Tensor, " views"]
    """Views whose given pose was grossly wrong: the outlier search, or refinement alone, has put them elsewhere."""
    registered: Bool[Tensor, " views"]
    """Views that were not trusted at first and have found their places."""
    decisions: tuple[Decision, ...]
    searches: dict[int, SearchResult]

    @property
    def record(self) -> PoseRepairRecord:
        """Its plain values, for the run's record."""
        corrected, registered = (tuple(one.nonzero().flatten().tolist()) for one in (self.corrected, self.registered))
        return PoseRepairRecord(self.starts, self.chosen, corrected, registered, self.decisions)


def repair_poses(
    views: Views,
    preset: Preset,
    coarse: Reconstruction,
    *,
    say: Callable[[str], None] | None = None,
) -> PoseRepair:
    """Choose among starts, then search for outliers, as the preset's settings say.

    Args:
        views: with the cameras and the trust that the run began with.
        coarse: where the run's coarse stages ended.
        say: told what begins, for the user.
    """
    say = say or (lambda _: None)
    settings = preset.settings
    views = share_focal_length(views, settings)
    best, starts, chosen = _best_start(views, preset, coarse, say)
    fitter = ShortFitter(views, coarse_preset(_at_pose_rate(preset, chosen.pose_rate)))
    repairing = _repair_settings(settings)
    place = RepairContext(views, fitter, repairing, views.cameras.T_camera_world)
    best, fallen = fall_back(place, best)
    none = torch.zeros_like(best.trusted)
    result, wrong, declared = RepairResult(best, none, (), {}, False, none), none, ()
    if settings.outlier_rule != "off":
        waiting = int((~views.trusted).sum())
        also = f", then for the places of the {waiting} that are not trusted yet" if waiting else ""
        say(f"looking for outliers among {int(best.trusted.sum())} views{also}")
        others = [
            ShortFitter(views, coarse_preset(_at_pose_rate(preset, start.pose_rate)))
            for start in starts
            if start is not chosen
        ]
        result = repair(views, fitter, best, repairing, others=others)
        wrong, declared = declared_wrong(place, result.fit, ~views.trusted | result.corrected)
    fit = result.fit
    going_on = Reconstruction(fit.gaussians, fit.cameras, fit.trusted)
    decisions = (*fallen, *result.decisions, *declared)
    return PoseRepair(going_on, starts, chosen, result.corrected | wrong, result.placed, decisions, result.searches)


def _best_start(
    views: Views,
    preset: Preset,
    coarse: Reconstruction,
    say: Callable[[str], None],
) -> tuple[Reconstruction, tuple[Start, ...], Start]:
    """The run's own start against the others."""
    best = Reconstruction(coarse.gaussians, coarse.cameras, coarse.trusted)
    chosen = _start(1.0, best, views)
    starts = [chosen]
    if bool(views.fixed[coarse.trusted].all()):
        return best, tuple(starts), chosen  # Other rates would move nothing.
    for rate in preset.settings.other_pose_rates:
        say(f"coarse stages once more, at {rate:g} times the pose learning rate")
        fitter = ShortFitter(views, coarse_preset(_at_pose_rate(preset, rate)))
        fit = fitter.from_scratch(views.cameras, coarse.trusted)
        starts.append(_start(rate, fit, views))
        if _cost(starts[-1]) < _cost(chosen):
            best, chosen = fit, starts[-1]
    return best, tuple(starts), chosen


def _start(pose_rate: float, fit: Reconstruction, views: Views) -> Start:
    losses: Float[Tensor, " views"] = view_losses(fit, views, RepairSettings.pixels)
    rotation_deg = median_rotation_deg(fit, views.cameras.T_camera_world)
    return Start(pose_rate, float(losses[fit.trusted].sum()), rotation_deg)


def _cost(start: Start) -> float:
    """The figure by which starts are compared; lower is better."""
    return start_cost(start.loss, start.rotation_deg)


def _at_pose_rate(preset: Preset, rate: float) -> Preset:
    stages = tuple(replace(stage, pose_lr=stage.pose_lr * rate) for stage in preset.settings.stages)
    return replace(preset, settings=replace(preset.settings, stages=stages))


def _repair_settings(settings: JointSettings) -> RepairSettings:
    """The published rule knows nothing of glances, and its threshold is meant for LPIPS."""
    if settings.outlier_rule == "published":
        return RepairSettings(rule=PublishedRule(), perceptual=perceptual_error(), quick_searches=0)
    return RepairSettings()
