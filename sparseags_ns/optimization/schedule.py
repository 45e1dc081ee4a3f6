"""What happens when in a run: a few stages, each a share of the steps, from few coarse Gaussians to fine ones.

Why stages: many free Gaussians explain each photograph on their own, and the poses stop moving or drift; few large
ones at low resolution force the views to agree first (docs/method.md). Every function is pure in the step, so that a
resumed run is on the same schedule as an unbroken one.

Units: steps; `ratio` is a share of a stage or of the run, 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

COARSE_PX = 64
"""Stages up to this size are coarse."""


@dataclass(frozen=True)
class Stage:
    """One part of the run."""

    share: float
    """Share of the run's steps; the shares of all stages are scaled to sum to 1."""
    pixels: int | None
    """Photographs are compared at this size (longer side); None: at the working resolution."""
    pose_lr: float
    """Learning rate of the camera tangents (radians and world units) at the stage's start."""
    pose_lr_decay: float = 0.1
    """Factor that the pose learning rate has fallen by at the stage's end (exponential)."""
    precondition_poses: bool = False
    """Whether shift, distance, orbit and roll each have a step size of their own (optimization/pose_adam.py)."""
    focal_lr: float = 0.0
    """Learning rate of the logarithms of the focal factors. Only perspective tells a focal length from a distance, and
    it shows once the poses are nearly right."""
    smoothing_px: float = 0.0
    """Every Gaussian is rendered as if blurred, in space, by this many pixels of the stage (standard deviation):
    views find each other from farther away. The next stage begins with the blurred ones. 0 in the last stage."""
    split: bool = False
    """Split every visible Gaussian in two when the stage begins."""
    sh_degree: int = 0
    """Highest degree of the spherical harmonics that are learned. View-dependent colour lets a view explain its
    photograph from a wrong pose, so it waits until the poses have settled."""


@dataclass(frozen=True)
class Moment:
    """Where a step lies."""

    stage: Stage
    index: int
    """Which stage, from 0."""
    begins: bool
    """Whether the step is the first of its stage."""
    stage_ratio: float
    """Share of the stage done before the step."""
    run_ratio: float
    """Share of the run done after the step; METHOD's r."""


def stage_starts(stages: Sequence[Stage], num_steps: int) -> list[int]:
    """First step of each stage, and `num_steps` at the end.

    Raises:
        ValueError: no stages, or a share that is not positive.
    """
    if not stages or any(stage.share <= 0 for stage in stages):
        raise ValueError(f"stages need one or more positive shares, got {[stage.share for stage in stages]}")
    total = sum(stage.share for stage in stages)
    done, starts = 0.0, [0]
    for stage in stages:
        done += stage.share
        starts.append(round(num_steps * done / total))
    return starts


def moment_of(step: int, stages: Sequence[Stage], num_steps: int) -> Moment:
    """The stage of a step. Steps past the end stay in the last stage."""
    starts = stage_starts(stages, num_steps)
    inside = min(step, num_steps - 1)
    index = max(i for i in range(len(stages)) if starts[i] <= inside)
    length = max(starts[index + 1] - starts[index], 1)
    return Moment(
        stage=stages[index],
        index=index,
        begins=step == starts[index],
        stage_ratio=(inside - starts[index]) / length,
        run_ratio=(inside + 1) / num_steps,
    )


def coarse_end(stages: Sequence[Stage], num_steps: int, pixels: int = COARSE_PX) -> int | None:
    """The first step whose photographs are larger than `pixels`: poses are settled before it, while steps are cheap.

    None if the run has no coarse stage, or no other.
    """
    fine = [stage.pixels is None or stage.pixels > pixels for stage in stages]
    if True not in fine or fine[0]:
        return None
    return stage_starts(stages, num_steps)[fine.index(True)]


def pose_lr(moment: Moment) -> float:
    """Learning rate of the poses: exponential decay inside each stage."""
    return moment.stage.pose_lr * moment.stage.pose_lr_decay**moment.stage_ratio


def exponential(start: float, end: float, ratio: float) -> float:
    """Exponential interpolation from `start` to `end` (3D Gaussian splatting's schedule of the means)."""
    return start * (end / start) ** ratio
