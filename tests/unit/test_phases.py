"""Wall time by phase."""

from __future__ import annotations

import time

import pytest

from sparseags_ns.runs.phase_clock import PhaseClock


def test_an_inner_phase_stops_the_outer_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    clock = PhaseClock()
    with clock.phase("outer"):
        now = 3.0
        with clock.phase("inner"):
            now = 5.0
        now = 6.0
        assert clock.seconds() == {"outer": 4.0, "inner": 2.0}
    now = 100.0
    assert clock.seconds() == {"outer": 4.0, "inner": 2.0}


def test_an_earlier_process_is_added() -> None:
    clock = PhaseClock()
    clock.add({"optimisation": 10.0})
    clock.add({"optimisation": 5.0, "outputs": 1.0})
    assert clock.seconds() == {"optimisation": 15.0, "outputs": 1.0}
