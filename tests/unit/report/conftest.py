"""A run whose record holds all that a report can show: decisions, starts, a history, a search."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from sparseags_ns.report import collect, pictures
from sparseags_ns.report.sentences import Findings, Gap
from sparseags_ns.runs.checkpoint import digest
from sparseags_ns.runs.opening import open_run
from sparseags_ns.runs.record import (
    POSE_REPAIR_PHASE,
    Arrangement,
    Decision,
    Event,
    HistoryRow,
    Outcome,
    Phase,
    PoseInitRecord,
    PoseRepairRecord,
    RunRecord,
    SearchRecord,
    Start,
    ViewOutcome,
)

DECISIONS = (
    Decision("suspect", 1, "it fits better elsewhere", {"elsewhere": 0.3}),
    Decision("drop", 1, "without it the others' errors fall", {"others_factor": 0.2}),
    Decision("finish", None, "no view fits better elsewhere", {"elsewhere": math.nan}),
    Decision("correct", 1, "with its new pose the sum of all errors is lower", {"rotation_deg": 127.0}),
)
STARTS = (Start(1.0, 0.05, 4.26), Start(0.4, 0.08, 3.0))
REPAIR = PoseRepairRecord(STARTS, STARTS[0], (1,), (), DECISIONS)
DOUBT = "two different arrangements explain these photographs about equally well"


def ring(loss: float, *slots: int | None) -> Arrangement:
    """Each view in a slot of a ring of five, 72 degrees apart; None for a view without a camera."""
    angles = [None if slot is None else math.radians(72 * slot) for slot in slots]
    return Arrangement(
        loss,
        [None if a is None else [1.8 * math.sin(a), 0.5, 1.8 * math.cos(a)] for a in angles],
        [None if a is None else [-math.sin(a), 0.0, -math.cos(a)] for a in angles],
    )


ORIGIN = PoseInitRecord(
    "ab-initio", True, DOUBT, (0.8, 0.3, 0.75, 0.7, 0.0), 1, (ring(1.0, 0, 1, 2, 3, None), ring(1.12, 0, 2, 1, 3, 4))
)


def view(trusted: bool, error: float, rotation_deg: float) -> ViewOutcome:
    return ViewOutcome(trusted, True, 0.04, error, 0.3, 0.01, rotation_deg, 0.1)


@pytest.fixture
def findings() -> Findings:
    """Four views: an ordinary one, one corrected, one untrusted, one that fits worse than the others."""
    views = (view(True, 0.0004, 2.0), view(True, 0.0004, 127.3), view(False, 0.02, 4.0), view(True, 0.0025, 3.0))
    record = RunRecord(("000", "001", "002", "003"), 1540, pose_repair=REPAIR)
    return Findings(record, Outcome(1540, 4000, "cpu", "dssim", views, {}), Gap(0.0, 60.0), 0.98, "auto", False)


@pytest.fixture
def record() -> RunRecord:
    """Record of a run of the toy scene: a history, a quick and a thorough search of one view, an event by hand."""
    errors = [[0.3] * 5, [0.02] * 5, [0.001, 0.002, 0.001, 0.001, 0.0]]
    rows = [
        HistoryRow(step, 32, one, [0.0] * 5, [0.0] * 5, [True] * 5)
        for step, one in zip((1, 30, 60), errors, strict=True)
    ]
    places = [[0.0, 0.5, 1.8], [1.8, 0.5, 0.0]]
    search = SearchRecord(
        view=1,
        kind="thorough",
        by="search",
        step=30,
        camera_centers=[[1.0, 0.0, float(i)] for i in range(5)],
        camera_forward=[[0.0, 0.0, 1.0]] * 5,
        tried=2560,
        hypothesis_centers=places,
        hypothesis_scores=[0.01, 0.2],
        finalist_centers=places[:1],
        finalist_forward=[[0.0, 0.0, 1.0]],
        finalist_scores=[0.01],
        finalist_rotation_deg=[127.0],
        here=0.1,
        elsewhere=0.01,
        chosen=0,
    )
    phases = (Phase("16 px", 0, 30, 16), Phase(POSE_REPAIR_PHASE, 30, 30, None), Phase("32 px", 30, 60, 32))
    event = Event(31, Decision("leave out", 2, "asked for in the viewer", {}))
    return RunRecord(
        ("000", "001", "002", "003", "004"),
        60,
        rows,
        phases,
        [event],
        [replace(search, kind="quick", tried=1), search],
        REPAIR,
        pose_init=ORIGIN,
    )


@pytest.fixture
def small_turntable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few small frames: what is tested is the page."""
    small = pictures.turntable
    monkeypatch.setattr(collect, "turntable", lambda run: small(run, frames=5, size=24))


@pytest.fixture
def full_run(make_run: Callable[..., Path], record: RunRecord, small_turntable: None) -> Path:
    """A run of the toy scene with that record, the third view left out."""
    folder = make_run(count=5, size=32, untrusted=(2,))
    made = open_run(folder).record
    parts = replace(record, outcome=made.outcome, seconds=made.seconds).to_json()
    for name, content in parts.items():
        (folder / "sparseags" / f"{name}.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def rename_view() -> Callable[[Path, str, str], None]:
    """`rename_view(run, old, new)`: as if the photograph had always had that name."""

    def rename(run: Path, old: str, new: str) -> None:
        outputs = run / "sparseags"
        (outputs / "images" / f"{old}.png").rename(outputs / "images" / f"{new}.png")
        (checkpoint,) = (run / "nerfstudio_models").iterdir()
        before, content = digest(checkpoint), torch.load(checkpoint)
        content["views"]["names"] = _replaced(content["views"]["names"], old, new)
        state = content["pipeline"]["_model._extra_state"]
        state["record"] = _replaced(state["record"], old, new)
        torch.save(content, checkpoint)
        for file in outputs.glob("*.json"):
            text = json.dumps(_replaced(json.loads(file.read_text()), old, new))
            file.write_text(text.replace(before, digest(checkpoint)))

    return rename


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {_replaced(key, old, new): _replaced(one, old, new) for key, one in value.items()}
    if isinstance(value, list):
        return [_replaced(one, old, new) for one in value]
    return value.replace(old, new) if isinstance(value, str) and old in value.split("/")[-1] else value
