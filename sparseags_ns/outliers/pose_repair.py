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
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.metrics.perceptual import perceptual_error
from sparseags_ns.optimization.reconstruction import Reconstruction
from sparseags_ns.optimization.settings import JointSettings, Preset
from sparseags_ns.optimization.shared_intrinsics import share_focal_length
from sparseags_ns.optimization.short_fits import ShortFitter, coarse_preset
from sparseags_ns.outliers.context import RepairContext
from sparseags_ns.outliers.detection import Decision, PublishedRule
from sparseags_ns.outliers.fallback import declared_wrong, fall_back
from sparseags_ns.outliers.fits import median_rotation_deg, start_cost, view_losses
from sparseags_ns.outliers.repair import RepairResult, RepairSettings, repair
from sparseags_ns.pose_search.search import SearchResult
from sparseags_ns.views import Views


@dataclass(frozen=True)
class Start:
    """What came of one start."""

    pose_rate: float
    """Factor on the recipe's pose learning rates."""
    loss: float
    """Sum over the trusted views of the squared error over the object's area."""
    rotation_deg: float = 0.0
    """By how many degrees it turned the median view."""

    @property
    def cost(self) -> float:
        """By which starts are compared."""
        return start_cost(self.loss, self.rotation_deg)


@dataclass(frozen=True)
class PoseRepair:
    """Where the run goes on from, and why."""

    reconstruction: Reconstruction
    starts: tuple[Start, ...]
    chosen: Start
    corrected: Bool[Tensor, " views"]
    """Views whose given pose was grossly wrong: the outlier search, or refinement alone, has put them elsewhere."""
    placed: Bool[Tensor, " views"]
    """Views that were not trusted at first and have found their places."""
    decisions: tuple[Decision, ...]
    searches: dict[int, SearchResult]

    def to_json(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Plain values for summary.json."""
        return {
            "starts": [asdict(start) for start in self.starts],
            "chosen_start": asdict(self.chosen),
            "corrected": [name for name, moved in zip(names, self.corrected.tolist(), strict=True) if moved],
            "placed": [name for name, found in zip(names, self.placed.tolist(), strict=True) if found],
            "decisions": [decision.to_json(names) for decision in self.decisions],
        }


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
        if starts[-1].cost < chosen.cost:
            best, chosen = fit, starts[-1]
    return best, tuple(starts), chosen


def _start(pose_rate: float, fit: Reconstruction, views: Views) -> Start:
    losses: Float[Tensor, " views"] = view_losses(fit, views, RepairSettings.pixels)
    rotation_deg = median_rotation_deg(fit, views.cameras.T_camera_world)
    return Start(pose_rate, float(losses[fit.trusted].sum()), rotation_deg)


def _at_pose_rate(preset: Preset, rate: float) -> Preset:
    stages = tuple(replace(stage, pose_lr=stage.pose_lr * rate) for stage in preset.settings.stages)
    return replace(preset, settings=replace(preset.settings, stages=stages))


def _repair_settings(settings: JointSettings) -> RepairSettings:
    """The published rule knows nothing of glances, and its threshold is meant for LPIPS."""
    if settings.outlier_rule == "published":
        return RepairSettings(rule=PublishedRule(), perceptual=perceptual_error(), glances=0)
    return RepairSettings()
