"""A run whose files say all that a report can show: decisions, starts, a history, a search."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sparseags_ns.report import collect, turning

DECISIONS = [
    {"action": "suspect", "view": "001", "why": "it fits better elsewhere", "numbers": {"elsewhere": 0.3}},
    {
        "action": "drop",
        "view": "001",
        "why": "without it everybody else's error falls",
        "numbers": {"others_factor": 0.2},
    },
    {"action": "finish", "view": None, "why": "no view fits better elsewhere", "numbers": {"elsewhere": None}},
    {
        "action": "correct",
        "view": "001",
        "why": "with its new pose all views agree better",
        "numbers": {"rotation_deg": 127},
    },
]
STARTS = [{"pose_rate": 1.0, "loss": 0.05, "rotation_deg": 4.26}, {"pose_rate": 0.4, "loss": 0.08}]
"""The second one as older runs wrote it."""
SETTLED = {"starts": STARTS, "chosen_start": STARTS[0], "corrected": ["001"], "decisions": DECISIONS}


@pytest.fixture
def summary() -> dict[str, Any]:
    """Of four views: one put right, one left out, one that fits worse, one as it should be."""

    def view(name: str, trusted: bool, error: float, turned: float) -> dict[str, Any]:
        return {
            "name": name,
            "trusted": trusted,
            "mse_before": 0.04,
            "mse_after": error,
            "dssim_before": 0.3,
            "dssim_after": 0.01,
            "rotation_deg": turned,
            "camera_moved": 0.1,
        }

    views = [view("000", True, 0.0004, 2.0), view("001", True, 0.0004, 127.3), view("002", False, 0.02, 4.0)]
    return {
        "steps_done": 1540,
        "num_steps": 1540,
        "views": [*views, view("003", True, 0.0025, 3.0)],
        "settled": SETTLED,
        "perceptual_error": "dssim",
    }


@pytest.fixture
def history() -> dict[str, Any]:
    """Of the toy run's views."""
    return {
        "version": 1,
        "views": ["000", "001", "002", "003", "004"],
        "num_steps": 60,
        "steps": [1, 30, 60],
        "errors": [[0.3] * 5, [0.02] * 5, [0.001, 0.002, 0.001, 0.001, 0.0]],
        "phases": [
            {"name": "16 px", "from_step": 0, "to_step": 30, "pixels": 16},
            {"name": "starts and outlier search", "from_step": 30, "to_step": 30, "pixels": None},
            {"name": "32 px", "from_step": 30, "to_step": 60, "pixels": 32},
        ],
        "events": [{"step": 31, "view": "002", "action": "leave out", "why": "asked for", "numbers": {}, "by": "hand"}],
    }


@pytest.fixture
def searches() -> dict[str, Any]:
    """One quick and one thorough search of the same view."""
    places = [[0.0, 0.5, 1.8], [1.8, 0.5, 0.0]]
    search = {
        "view": "001",
        "kind": "thorough",
        "tried": 2560,
        "cameras": {"centers": [[1.0, 0.0, float(i)] for i in range(5)], "forward": [[0.0, 0.0, 1.0]] * 5},
        "hypotheses": {"centers": places, "scores": [0.01, 0.2]},
        "finalists": {"centers": places[:1], "forward": [[0, 0, 1]], "scores": [0.01], "rotation_deg": [127.0]},
        "here": 0.1,
        "elsewhere": 0.01,
        "chosen": 0,
    }
    return {
        "version": 1,
        "views": ["000", "001", "002", "003", "004"],
        "searches": [{**search, "kind": "quick", "tried": 1}, search],
    }


@pytest.fixture
def small_turntable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few small frames: what is tested is the page."""
    small = turning.turntable
    monkeypatch.setattr(collect, "turntable", lambda run: small(run, frames=5, size=24))


@pytest.fixture
def told_run(
    make_run: Callable[..., Path], history: dict[str, Any], searches: dict[str, Any], small_turntable: None
) -> Path:
    """A run on the toy scene with everything beside it, the third view left out."""
    folder = make_run(count=5, size=32, untrusted=(2,))
    outputs = folder / "sparseags"
    summary = json.loads((outputs / "summary.json").read_text())
    summary["settled"] = SETTLED
    for name, content in (("summary", summary), ("history", history), ("searches", searches)):
        (outputs / f"{name}.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def rename_view() -> Callable[[Path, str, str], None]:
    """`rename_view(run, old, new)`: as if the photograph had always had that name."""

    def rename(run: Path, old: str, new: str) -> None:
        outputs = run / "sparseags"
        (outputs / "images" / f"{old}.png").rename(outputs / "images" / f"{new}.png")
        for file in outputs.glob("*.json"):
            file.write_text(json.dumps(_replaced(json.loads(file.read_text()), old, new)))

    return rename


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {_replaced(key, old, new): _replaced(one, old, new) for key, one in value.items()}
    if isinstance(value, list):
        return [_replaced(one, old, new) for one in value]
    return value.replace(old, new) if isinstance(value, str) and old in value.split("/")[-1] else value
