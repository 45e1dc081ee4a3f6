"""The benchmark command fails when a figure leaves its tolerance, in the direction that is worse."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from benchmarks import metric

REPO = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("better", "value", "passed"),
    [("lower", 1.2, True), ("lower", 1.3, False), ("lower", 0.1, True), ("higher", 0.7, False), ("higher", 9.0, True)],
)
def test_a_figure_fails_only_when_worse_than_its_tolerance(
    better: Literal["lower", "higher"], value: float, passed: bool
) -> None:
    (verdict,) = metric.judge([metric.Metric("speed", value, 0.25, better)], {"speed": 1.0})
    assert verdict.passed == passed and ("FAILED" in metric.format_table([verdict])) != passed


def test_a_figure_without_baseline_passes_as_new() -> None:
    (verdict,) = metric.judge([metric.Metric("speed", 3.0)], {})
    assert verdict.passed and "new" in metric.format_table([verdict])


def test_a_written_baseline_keeps_figures_that_were_not_run(tmp_path: Path) -> None:
    for name, value in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
        metric.write_baseline("suite", [metric.Metric(name, value)], "a machine", tmp_path)
    assert metric.read_baseline("suite", tmp_path) == {"a": 3.0, "b": 2.0}


def test_an_unknown_suite_is_refused_by_name() -> None:
    done = subprocess.run([sys.executable, "-m", "benchmarks", "nonsense"], cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 2 and "no suite named nonsense" in done.stderr
