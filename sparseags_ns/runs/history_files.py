"""Writes `history.json` and `searches.json` beside the run's other outputs; their formats are documented where their
content is made (sparseags_ns/runs/history.py, sparseags_ns/pose_search/log.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sparseags_ns.optimization.schedule import coarse_end, stage_starts
from sparseags_ns.optimization.step import Run
from sparseags_ns.pose_search.log import searches_json
from sparseags_ns.runs.history import Phase, RunHistory
from sparseags_ns.views import Views

SETTLING = "starts and outlier search"


def write_run_history(
    folder: Path, views: Views, run: Run, history: RunHistory, searches: list[dict[str, Any]], *, settles: bool
) -> None:
    """Write both files; each is replaced as a whole."""
    folder.mkdir(parents=True, exist_ok=True)
    full = max(views.images.shape[1:3])
    phases = phases_of(run, full, settles=settles)
    _write(folder / "history.json", history.to_json(views.names, run.num_steps, phases))
    _write(folder / "searches.json", searches_json(searches, views.names))


def phases_of(run: Run, full_px: int, *, settles: bool) -> list[Phase]:
    """The schedule in words.

    Args:
        full_px: longer side of the photographs at the working resolution.
        settles: whether starts are compared or outliers searched between the coarse and the fine stages.
    """
    stages = run.settings.stages
    starts = stage_starts(stages, run.num_steps)
    settled_at = coarse_end(stages, run.num_steps) if settles else None
    phases = []
    for stage, start, end in zip(stages, starts[:-1], starts[1:], strict=True):
        if start == settled_at:
            phases.append(Phase(SETTLING, start, start, None))
        pixels = full_px if stage.pixels is None else min(stage.pixels, full_px)
        phases.append(Phase(f"{pixels} px", start, end, pixels))
    return phases


def _write(path: Path, content: dict[str, Any]) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(content, separators=(",", ":"), allow_nan=False), encoding="utf-8")
    partial.replace(path)
