"""What is recorded while a run goes: a row of errors and motion at some steps, the phases of its schedule, wall time.

Recording changes nothing of what is optimised. Frame: the normalised world.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.geometry.motion import motion
from sparseags_ns.optimization.losses import Targets
from sparseags_ns.optimization.schedule import coarse_end, stage_starts
from sparseags_ns.optimization.settings import JointSettings
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians, Raster
from sparseags_ns.runs.record import POSE_REPAIR_PHASE, HistoryRow, Phase

ROWS = 200
"""Number of rows of a whole run, about: enough for a smooth curve, few enough for a small file."""


def is_due(step: int, num_steps: int) -> bool:
    """Whether a row is written for a step, counted from 0; the last step always has one."""
    return step % max(num_steps // ROWS, 1) == 0 or step == num_steps - 1


def errors_over_white(
    rgb: Float[Tensor, "views height width 3"],
    alpha: Float[Tensor, "views height width"],
    background: Float[Tensor, "views 3"],
    targets: Targets,
) -> Float[Tensor, " views"]:
    """Squared errors over the object's area, over white, of renders made over any background.

    Pixels outside of a photograph's valid region add nothing; the area is the mask's share of the valid pixels.
    """
    white = torch.ones_like(background)
    rendered = rgb + (1 - alpha)[..., None] * (white - background)[:, None, None, :]
    error = (rendered.clamp(0, 1) - targets.over(white)).square().mean(-1) * targets.valid
    return error.mean((1, 2)) / (targets.alpha * targets.valid).mean((1, 2)).clamp_min(1e-6)


@torch.no_grad()
def row_of_step(
    step: int,
    raster: Raster,
    background: Float[Tensor, "trusted 3"],
    gaussians: Gaussians,
    cameras: Cameras,
    given: Float[Tensor, "views 4 4"],
    trusted: Bool[Tensor, " views"],
    targets: Targets,
    sh_degree: int | None,
) -> HistoryRow:
    """The history's row for one step.

    Trusted views are taken as the step rendered them; the others are rendered here.

    Args:
        step: counted from 0.
        raster: the step's renders of the trusted views, over `background`.
        cameras: refined cameras of all views, at the photographs' working size.
        given: `T_camera_world` of all views as pose initialisation gave them.
        targets: photographs of all views at the step's size.
    """
    height, width = targets.alpha.shape[1:]
    inside, outside = trusted.nonzero().flatten(), (~trusted).nonzero().flatten()
    errors = torch.zeros_like(targets.alpha[:, 0, 0])
    errors[inside] = errors_over_white(raster.rgb, raster.alpha, background, targets[inside])
    if len(outside) > 0:
        white = torch.ones(len(outside), 3).to(background)
        rest = rasterize(gaussians, cameras[outside].resized(width, height), white, sh_degree=sh_degree)
        errors[outside] = errors_over_white(rest.rgb, rest.alpha, white, targets[outside])
    moved = motion(given, cameras.T_camera_world, gaussians.center)
    return HistoryRow(
        step=step + 1,
        pixels=max(height, width),
        errors=errors.tolist(),
        rotation_deg=moved.rotation_deg.tolist(),
        moved_percent=moved.moved_percent.tolist(),
        trusted=trusted.tolist(),
    )


def phases_of(settings: JointSettings, num_steps: int, full_px: int) -> tuple[Phase, ...]:
    """The stages of a run's schedule, and between the coarse and the fine ones start selection and outlier repair.

    `full_px` is the longer side of the photographs at the working resolution.
    """
    starts = stage_starts(settings.stages, num_steps)
    repair_at = coarse_end(settings.stages, num_steps) if settings.repairs_poses else None
    phases = []
    for stage, start, end in zip(settings.stages, starts[:-1], starts[1:], strict=True):
        if start == repair_at:
            phases.append(Phase(POSE_REPAIR_PHASE, start, start, None))
        pixels = full_px if stage.pixels is None else min(stage.pixels, full_px)
        phases.append(Phase(f"{pixels} px", start, end, pixels))
    return tuple(phases)


class PhaseClock:
    """Adds up wall seconds by phase; a phase inside another one stops the outer phase's clock."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._phase: str | None = None
        self._since = 0.0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time inside the block as this phase's."""
        outer = self._switch(name)
        try:
            yield
        finally:
            self._switch(outer)

    def seconds(self) -> dict[str, float]:
        """Seconds by phase up to now, the running phase included."""
        self._switch(self._phase)
        return dict(self._seconds)

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add the seconds of an earlier process of the same run."""
        for name, value in seconds.items():
            self._seconds[name] += value

    def _switch(self, name: str | None) -> str | None:
        now = time.monotonic()
        if self._phase is not None:
            self._seconds[self._phase] = self._seconds[self._phase] + now - self._since
        previous, self._phase, self._since = self._phase, name, now
        return previous
