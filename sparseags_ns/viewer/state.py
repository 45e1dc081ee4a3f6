"""What the viewer shows of a run, as plain values: one row for each view, the phase, what is being done. Pure.

Units: degrees; percent of the mean distance to the object; errors as in the run's history (sparseags_ns/runs/history.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from sparseags_ns.runs.history import Phase, Row

Mode = Literal["training", "paused", "completed", "looking"]
"""Of a run; `looking` where it was loaded from its folder."""
Standing = Literal["trusted", "re-posed", "outlier", "left out"]
"""Of a view: in use; in use at a pose that a search found; not trusted; left out by hand."""

WORDS: dict[Standing, str] = {
    "trusted": "trusted",
    "re-posed": "re-posed",
    "outlier": "outlier",
    "left out": "left out",
}
COLORS: dict[Standing, tuple[int, int, int]] = {
    "trusted": (64, 192, 120),
    "re-posed": (90, 160, 255),
    "outlier": (240, 80, 80),
    "left out": (240, 80, 80),
}
"""sRGB, 0 to 255: of frusta, rows and curves."""


@dataclass(frozen=True)
class ViewRow:
    """One view."""

    name: str
    standing: Standing
    error: float | None
    """None before the first step."""
    ratio: float | None
    """Error over the trusted views' median."""
    rotation_deg: float | None
    moved_percent: float | None


def view_rows(
    names: Sequence[str],
    last: Row | None,
    trusted: Sequence[bool],
    corrected: Sequence[str],
    by_hand: Mapping[str, str],
) -> list[ViewRow]:
    """The table of the views.

    Args:
        last: newest row of the history.
        corrected: names of views whose given pose was wrong and that were put right.
        by_hand: what was asked for in the viewer: `left out` or `trusted`.
    """
    usual = _usual(last, trusted)
    rows = []
    for i, name in enumerate(names):
        standing: Standing = "trusted"
        if not trusted[i]:
            standing = "left out" if by_hand.get(name) == "left out" else "outlier"
        elif name in corrected:
            standing = "re-posed"
        error = None if last is None else last.errors[i]
        rows.append(
            ViewRow(
                name,
                standing,
                error,
                None if error is None or not usual else error / usual,
                None if last is None else last.rotation_deg[i],
                None if last is None else last.moved_percent[i],
            )
        )
    return rows


def _usual(last: Row | None, trusted: Sequence[bool]) -> float | None:
    errors = [] if last is None else [e for e, t in zip(last.errors, trusted, strict=True) if t]
    return median(errors) if errors else None


@dataclass(frozen=True)
class Headline:
    """Where the run stands, in words."""

    title: str
    detail: str
    percent: float
    """Of the steps."""


def headline(mode: Mode, steps_done: int, num_steps: int, phases: Sequence[Phase], doing: str | None) -> Headline:
    """Phase and progress.

    Args:
        phases: of the schedule, as in history.json.
        doing: what holds the steps at the moment, if anything does.
    """
    percent = 100 * min(steps_done / max(num_steps, 1), 1.0)
    steps = f"step {steps_done} of {num_steps}"
    if doing is not None:
        if doing.startswith("searching"):
            return Headline(doing.capitalize(), steps, percent)
        return Headline("Settling the poses", f"{doing}; {steps}", percent)
    if mode == "looking":
        return Headline("A finished run" if percent >= 100 else "An unfinished run", steps, percent)
    if mode == "completed":
        return Headline("Finished" if percent >= 100 else "Stopped", steps, percent)
    stages = [phase for phase in phases if phase.pixels is not None]
    number = max((i for i, phase in enumerate(stages) if phase.from_step <= steps_done), default=0)
    title = f"Refining at {stages[number].pixels} px" if stages else "Refining"
    detail = f"stage {number + 1} of {max(len(stages), 1)}, {steps}"
    return Headline(f"{title}, paused" if mode == "paused" else title, detail, percent)


def corrected_names(
    settled: Mapping[str, list[str]] | None, searches: Sequence[Mapping[str, object]]
) -> tuple[str, ...]:
    """Views that stand where a search put them: by the run's own decisions, or by hand."""
    by_run = [] if settled is None else [*settled.get("corrected", ()), *settled.get("placed", ())]
    by_hand = [str(one["view"]) for one in searches if one.get("by") == "hand" and one.get("chosen") is not None]
    return tuple(dict.fromkeys([*by_run, *by_hand]))
