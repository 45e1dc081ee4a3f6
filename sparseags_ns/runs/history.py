"""How a run went: each view's error and motion over the steps, and what happened to it; `sparseags/history.json`.

The file, version 1 (`steps`, `pixels`, `errors`, `rotation_deg`, `moved_percent` and `trusted` are parallel; the last
four hold one value for each view):

    {"version": 1,
     "measure": what errors are, in words,
     "views": names, in order,
     "num_steps": length of the run,
     "steps": [number of steps done, ...],
     "pixels": [longer side of the photographs in that step, ...],
     "errors": [[...], ...], views that are not trusted included,
     "rotation_deg": [[...], ...], degrees by which each camera is turned against its given pose,
     "moved_percent": [[...], ...], by how much its centre has moved, in percent of the mean distance to the object,
     "trusted": [[...], ...], whether the view took part in that step,
     "phases": [{"name": ..., "from_step": first, "to_step": one past the last, "pixels": ...}, ...], the schedule,
         with `starts and outlier search` at the step before which it happens (of no length in steps; null pixels),
     "events": [{"step", "view": name or null, "action", "why", "numbers": {...}, "by": "search" or "hand"}, ...]}

Motions are measured once both sets of cameras were aligned around the object by those views that agree about how the
world has drifted. Errors are squared errors over white and over the object's area, at the step's resolution; the
resolution grows from phase to phase, so that errors of different phases compare roughly only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

VERSION = 1
MEASURE = (
    "squared error over white, over the object's area, at the resolution of the step; lower is better; "
    "the resolution changes from phase to phase"
)
ROWS = 200
"""A whole run has about so many rows."""


@dataclass(frozen=True)
class Row:
    """All views at one step."""

    step: int
    """Steps done."""
    pixels: int
    errors: list[float]
    rotation_deg: list[float]
    moved_percent: list[float]
    trusted: list[bool]


@dataclass(frozen=True)
class Phase:
    """A stretch of the schedule."""

    name: str
    from_step: int
    to_step: int
    pixels: int | None


@dataclass
class RunHistory:
    """Rows and events up to now; goes into every checkpoint, so that a resumed run's history is whole."""

    rows: list[Row] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    @staticmethod
    def is_due(step: int, num_steps: int) -> bool:
        """Whether a row is to be written for a step (counted from 0); the last step's always is."""
        return step % max(num_steps // ROWS, 1) == 0 or step == num_steps - 1

    def happened(
        self, step: int, action: str, view: str | None, why: str, numbers: Mapping[str, Any], by: str = "hand"
    ) -> None:
        """Note an event."""
        event = {"step": step, "view": view, "action": action, "why": why, "numbers": dict(numbers), "by": by}
        self.events.append(event)

    def state(self) -> dict[str, Any]:
        """Plain values, for checkpoints."""
        return {"rows": [asdict(row) for row in self.rows], "events": list(self.events)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> RunHistory:
        """The inverse of `state`."""
        return cls([Row(**row) for row in state.get("rows", ())], list(state.get("events", ())))

    def to_json(self, names: tuple[str, ...], num_steps: int, phases: list[Phase]) -> dict[str, Any]:
        """The content of history.json."""
        columns = {
            "steps": [row.step for row in self.rows],
            "pixels": [row.pixels for row in self.rows],
            "errors": [_short(row.errors) for row in self.rows],
            "rotation_deg": [_short(row.rotation_deg) for row in self.rows],
            "moved_percent": [_short(row.moved_percent) for row in self.rows],
            "trusted": [row.trusted for row in self.rows],
        }
        head = {"version": VERSION, "measure": MEASURE, "views": list(names), "num_steps": num_steps}
        return head | columns | {"phases": [asdict(phase) for phase in phases], "events": self.events}


def _short(values: list[float]) -> list[float]:
    return [float(f"{value:.5g}") for value in values]
