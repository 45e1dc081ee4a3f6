"""Start selection: from which pose learning rate a run goes on after its coarse stages.

The coarse stages are repeated from the given poses at other pose learning rates. Views that disagree wildly want a high
rate; views that are cut by the photograph's edge, or seen from one side only, want a low one; the photographs tell
which.

Frame: `world`, normalised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.optimization.settings import Preset
from sparseags_ns.optimization.short_fits import ShortFitter, coarse_preset
from sparseags_ns.outliers.alignment import median_rotation_deg
from sparseags_ns.outliers.settings import SLIDE_DEG, RepairSettings
from sparseags_ns.pose_search.losses import view_losses
from sparseags_ns.runs.record import Start
from sparseags_ns.views import Views


def select_start(
    views: Views, preset: Preset, coarse: Reconstruction, say: Callable[[str], None]
) -> tuple[Reconstruction, tuple[Start, ...], Start]:
    """Compare the run's own start with those at the preset's other rates.

    Args:
        views: the photographs with their given cameras; those of a joint fit keep the run's own start.
        preset: of the run.
        coarse: the run's own start, at the end of its coarse stages.
        say: receives a sentence for the user before each start.

    Returns:
        The start of least cost, all starts, and the chosen one's entry among them.
    """
    best, chosen = coarse, _start(1.0, coarse, views)
    starts = [chosen]
    if views.jointly_fitted or bool(views.fixed[coarse.trusted].all()):
        # The poses are the best of many starts already, or other rates would move nothing.
        return best, tuple(starts), chosen
    for rate in preset.settings.other_pose_rates:
        say(f"coarse stages once more, at {rate:g} times the pose learning rate")
        fit = fitter_at(views, preset, rate).from_scratch(views.cameras, coarse.trusted)
        start = _start(rate, fit, views)
        starts.append(start)
        if start_cost(start.loss, start.rotation_deg) < start_cost(chosen.loss, chosen.rotation_deg):
            best, chosen = fit, start
    return best, tuple(starts), chosen


def start_cost(loss: float, rotation_deg: float) -> float:
    """Cost by which reconstructions from the same poses are compared: their sum of losses, raised where the median view
    was rotated far.

    A few poses may be grossly wrong, but a useful initialiser is not wrong by much about most of them. With two wrong
    views of eight, the loss of a near-symmetric cup is least where all other views have slid around its axis, by 13
    degrees in the median: 0.73 times that of the start which left them in place. Where all poses are rough in earnest,
    the loss falls several times, and the median view is rotated by 4 to 7 degrees.
    """
    return loss * (1 + (rotation_deg / SLIDE_DEG) ** 2)


def fitter_at(views: Views, preset: Preset, rate: float) -> ShortFitter:
    """A fitter that makes coarse reconstructions at `rate` times the preset's pose learning rates."""
    stages = tuple(replace(stage, pose_lr=stage.pose_lr * rate) for stage in preset.settings.stages)
    return ShortFitter(views, coarse_preset(replace(preset, settings=replace(preset.settings, stages=stages))))


def _start(pose_rate: float, fit: Reconstruction, views: Views) -> Start:
    losses = view_losses(fit, views, RepairSettings.pixels)
    rotation_deg = median_rotation_deg(views.cameras.T_camera_world, fit)
    return Start(pose_rate, float(losses[fit.trusted].sum()), rotation_deg)
