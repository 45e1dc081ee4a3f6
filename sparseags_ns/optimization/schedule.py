"""The schedule of a run: which stage a step belongs to, and what follows from it.

Why stages: many free Gaussians fit each photograph on its own, and the poses stop moving or drift; few large ones at
low resolution force the views to agree first (docs/method.md). Every function is pure in the step, so that a resumed
run follows the same schedule as an uninterrupted one.

Units: steps; a `ratio` is a share of a stage or of the run, 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sparseags_ns.optimization.settings import COARSE_PX, JointSettings, Stage


@dataclass(frozen=True)
class Moment:
    """Position of a step in the schedule."""

    stage: Stage
    index: int
    """Number of the stage, from 0."""
    begins: bool
    """Whether the step is the first of its stage."""
    stage_ratio: float
    """Share of the stage done before the step."""
    run_ratio: float
    """Share of the run done after the step (r in the paper)."""

    @property
    def pose_lr(self) -> float:
        """Learning rate of the poses: exponential decay inside each stage."""
        return self.stage.pose_lr * self.stage.pose_lr_decay**self.stage_ratio


@dataclass(frozen=True)
class Run:
    """Settings and length of one optimisation."""

    settings: JointSettings
    num_steps: int

    def moment(self, step: int) -> Moment:
        """Position of a step in the schedule; steps past the end stay in the last stage."""
        stages = self.settings.stages
        starts = stage_starts(stages, self.num_steps)
        inside = min(step, self.num_steps - 1)
        index = max(i for i in range(len(stages)) if starts[i] <= inside)
        length = max(starts[index + 1] - starts[index], 1)
        return Moment(
            stage=stages[index],
            index=index,
            begins=step == starts[index],
            stage_ratio=(inside - starts[index]) / length,
            run_ratio=(inside + 1) / self.num_steps,
        )

    def sh_degree(self, step: int) -> int:
        """Degree of the spherical harmonics that a step renders with."""
        settings = self.settings
        return min(self.moment(step).stage.sh_degree, step // settings.sh_degree_interval, settings.sh_degree)


def stage_starts(stages: Sequence[Stage], num_steps: int) -> list[int]:
    """First step of each stage, followed by `num_steps`.

    Raises:
        ValueError: there are no stages, or a share is not positive.
    """
    if not stages or any(stage.share <= 0 for stage in stages):
        raise ValueError(f"stages need one or more positive shares, got {[stage.share for stage in stages]}")
    total = sum(stage.share for stage in stages)
    done, starts = 0.0, [0]
    for stage in stages:
        done += stage.share
        starts.append(round(num_steps * done / total))
    return starts


def coarse_end(stages: Sequence[Stage], num_steps: int, pixels: int = COARSE_PX) -> int | None:
    """First step that compares photographs at more than `pixels`; start selection and outlier repair run before it.

    None if the run has no coarse stage, or only coarse ones.
    """
    fine = [stage.pixels is None or stage.pixels > pixels for stage in stages]
    if True not in fine or fine[0]:
        return None
    return stage_starts(stages, num_steps)[fine.index(True)]


def exponential(start: float, end: float, ratio: float) -> float:
    """Exponential interpolation from `start` to `end` (3D Gaussian splatting's schedule of the means)."""
    return start * (end / start) ** ratio
