"""One figure of a suite, and its comparison with the baseline."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

BASELINES = Path(__file__).parent / "baselines"


@dataclass(frozen=True)
class Metric:
    """A measured figure."""

    name: str
    """Unique in its suite; slashes group: `forward/256px/10000`."""
    value: float
    """What is compared with the baseline; for times, the ratio to the yardstick measured in the same run."""
    tolerance: float = 0.25
    """How much worse than the baseline it may be, as a fraction of the baseline."""
    better: Literal["lower", "higher"] = "lower"
    shown: str = ""
    """The figure for people, with its unit: `4.0 ms`."""


@dataclass(frozen=True)
class Verdict:
    """A metric beside its baseline."""

    metric: Metric
    baseline: float | None
    """None where the baseline does not know the metric."""

    @property
    def change(self) -> float:
        """How much worse than the baseline, as a fraction of it; negative if better."""
        if not self.baseline:
            return 0.0
        change = self.metric.value / self.baseline - 1
        return change if self.metric.better == "lower" else -change

    @property
    def passed(self) -> bool:
        """Whether the metric is within its tolerance."""
        return self.change <= self.metric.tolerance


def judge(metrics: list[Metric], baseline: dict[str, float]) -> list[Verdict]:
    """Put each metric beside its baseline."""
    return [Verdict(metric, baseline.get(metric.name)) for metric in metrics]


def read_baseline(suite: str, folder: Path = BASELINES) -> dict[str, float]:
    """Committed values by metric name; empty if the suite has none yet."""
    file = folder / f"{suite}.json"
    return json.loads(file.read_text())["metrics"] if file.is_file() else {}


def write_baseline(suite: str, metrics: list[Metric], machine: str, folder: Path = BASELINES) -> Path:
    """Make these values the baseline; metrics that were not run this time keep theirs."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{suite}.json"
    values = read_baseline(suite, folder) | {metric.name: round(metric.value, 5) for metric in metrics}
    file.write_text(json.dumps({"machine": machine, "metrics": dict(sorted(values.items()))}, indent=2) + "\n")
    return file


def format_table(verdicts: list[Verdict]) -> str:
    """One line for each metric: figure, value, baseline, change, verdict."""
    width = max((len(verdict.metric.name) for verdict in verdicts), default=0)
    lines = [f"{'metric':{width}}  {'figure':>12}  {'value':>9}  {'baseline':>9}  {'worse by':>8}  {'allowed':>7}"]
    for verdict in verdicts:
        metric = verdict.metric
        base, change = (
            ("-", "new") if verdict.baseline is None else (f"{verdict.baseline:.4g}", f"{verdict.change:+.0%}")
        )
        line = f"{metric.name:{width}}  {metric.shown:>12}  {metric.value:9.4g}  {base:>9}  {change:>8}"
        lines.append(f"{line}  {metric.tolerance:7.0%}{'' if verdict.passed else '  FAILED'}")
    return "\n".join(lines)
