"""The content of the panel as plain values: one row for each view, and a headline for the run. Pure functions.

Units: degrees; percent of the mean distance to the object; errors as in the run's history (runs/record.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from sparseags_ns.runs.record import HistoryRow, Phase, ViewStatus

Mode = Literal["training", "paused", "completed", "opened"]
"""State of the run shown; `opened` if it was loaded from its folder."""

COLORS: dict[ViewStatus, tuple[int, int, int]] = {
    ViewStatus.TRUSTED: (64, 192, 120),
    ViewStatus.TRUSTED_BY_HAND: (64, 192, 120),
    ViewStatus.CORRECTED: (90, 160, 255),
    ViewStatus.REGISTERED: (90, 160, 255),
    ViewStatus.UNTRUSTED: (240, 80, 80),
    ViewStatus.LEFT_OUT: (240, 80, 80),
    ViewStatus.UNREGISTERED: (240, 80, 80),
}
"""Colours of frusta, rows and curves, sRGB, 0 to 255."""


@dataclass(frozen=True)
class ViewRow:
    """One row of the table of views."""

    name: str
    status: ViewStatus
    error: float | None
    """Squared error; None before the first step."""
    ratio: float | None
    """Error over the median of the trusted views."""
    rotation_deg: float | None
    moved_percent: float | None


def view_rows(names: Sequence[str], last: HistoryRow | None, statuses: Sequence[ViewStatus]) -> list[ViewRow]:
    """The rows of the table of views.

    Args:
        last: newest row of the history; None before the first step.
    """
    if last is None:
        return [ViewRow(name, status, None, None, None, None) for name, status in zip(names, statuses, strict=True)]
    in_use = [error for error, status in zip(last.errors, statuses, strict=True) if status.in_use]
    usual = median(in_use) if in_use else 0.0
    columns = zip(names, statuses, last.errors, last.rotation_deg, last.moved_percent, strict=True)
    return [
        ViewRow(name, status, error, error / usual if usual else None, rotation_deg, moved_percent)
        for name, status, error, rotation_deg, moved_percent in columns
    ]


@dataclass(frozen=True)
class Headline:
    """Phase and progress of the run in words."""

    title: str
    detail: str
    percent: float
    """Share of the steps done."""


def headline(mode: Mode, steps_done: int, num_steps: int, phases: Sequence[Phase], doing: str | None) -> Headline:
    """The headline of a run.

    Args:
        phases: of the schedule, as in history.json.
        doing: activity that holds the steps at the moment; None if there is none.
    """
    percent = 100 * min(steps_done / max(num_steps, 1), 1.0)
    steps = f"step {steps_done} of {num_steps}"
    if doing is not None:
        if doing.startswith("searching"):
            return Headline(doing.capitalize(), steps, percent)
        return Headline("Repairing the poses", f"{doing}; {steps}", percent)
    if mode == "opened":
        return Headline("A finished run" if percent >= 100 else "An unfinished run", steps, percent)
    if mode == "completed":
        return Headline("Finished" if percent >= 100 else "Stopped", steps, percent)
    stages = [phase for phase in phases if phase.pixels is not None]
    number = max((i for i, phase in enumerate(stages) if phase.from_step <= steps_done), default=0)
    title = f"Refining at {stages[number].pixels} px" if stages else "Refining"
    detail = f"stage {number + 1} of {max(len(stages), 1)}, {steps}"
    return Headline(f"{title}, paused" if mode == "paused" else title, detail, percent)
