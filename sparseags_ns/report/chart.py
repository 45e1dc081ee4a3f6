"""Errors over the run as an SVG chart's content: a logarithmic axis upwards, steps to the right.

Chart coordinates: 0 to WIDTH to the right, 0 to HEIGHT downwards.
"""

from __future__ import annotations

import math
from typing import Any

from sparseags_ns.report.content import Band, Chart, Curve, Tone

WIDTH, HEIGHT = 1000, 400
LEAST_ROWS = 2


def chart(history: dict[str, Any] | None, tones: list[Tone]) -> Chart | None:
    """The chart of history.json (sparseags_ns/runs/history.py describes it); None where there is nothing to draw."""
    if history is None or len(history["steps"]) < LEAST_ROWS:
        return None
    steps, errors, whole = history["steps"], history["errors"], max(history["num_steps"], 1)
    positive = [value for row in errors for value in row if value is not None and value > 0]
    if not positive:
        return None
    low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    high = max(high, low + 1)

    def x(step: float) -> float:
        return round(WIDTH * step / whole, 1)

    def y(value: float) -> float:
        return round(HEIGHT * (high - math.log10(max(value, 10**low))) / (high - low), 1)

    curves = []
    for view, name in enumerate(history["views"]):
        known = [(x(step), y(row[view])) for step, row in zip(steps, errors, strict=True) if row[view] is not None]
        curves.append(Curve(name, tones[view], " ".join(f"{left:g},{top:g}" for left, top in known)))
    return Chart(
        curves=tuple(curves),
        x_ticks=tuple((x(step), f"{step:,}") for step in _round_steps(whole)),
        y_ticks=tuple((y(10.0**power), _power(power)) for power in range(low, high + 1)),
        bands=tuple(_bands(history["phases"], whole)),
        data={"views": history["views"], "steps": steps, "errors": errors, "whole": whole, "low": low, "high": high},
    )


def _bands(phases: list[dict[str, Any]], whole: int) -> list[Band]:
    """The schedule's stretches; what takes no steps has no width."""
    return [
        Band(
            phase["name"],
            round(WIDTH * phase["from_step"] / whole, 1),
            round(WIDTH * (min(phase["to_step"], whole) - phase["from_step"]) / whole, 1),
        )
        for phase in phases
    ]


def _round_steps(whole: int) -> list[int]:
    """Four to eight round numbers of steps."""
    unit = 10 ** math.floor(math.log10(whole)) if whole > 1 else 1
    every = next((unit * factor for factor in (0.1, 0.2, 0.25, 0.5) if whole / (unit * factor) <= 8), unit)
    every = max(round(every), 1)
    return list(range(0, whole + 1, every))


def _power(power: int) -> str:
    """10 to a power as a plain number where that is short."""
    return f"{10.0**power:g}" if -4 <= power <= 3 else f"1e{power}"
