"""What the records of all cases say: successes with their interval, calibration, and the plot of both."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ab_initio.cases import HARD, LINES, Line
from benchmarks.accuracy.store import Record
from benchmarks.accuracy.tables import markdown

HEAD = ("line", "n", "successes", "failures", "allowed of 20", "success, 95% interval (%)", "sure", "sure but wrong")
HEAD = (*HEAD, "right one 2nd or 3rd", "median rot. (deg)", "median s (cpu)", "most s", "whole runs")
BAD = tuple(line.name for line in LINES if line.bad)
BINS = 8


def is_right(record: Record) -> bool:
    """Whether the cameras are right: R@15 = 100, R@5 >= 95, and no photograph of another object among them."""
    return _succeeds(record["figures"]) and not record.get("aliens_registered")


def is_sure(record: Record) -> bool:
    """Whether the initialiser gave an answer without doubt."""
    return record["refused"] is None and record["doubt"] is None


def is_success(record: Record) -> bool:
    """Whether the cameras are right; for bad inputs also whether the answer is not sure."""
    return is_right(record) or (record["line"] in BAD and not is_sure(record))


def _succeeds(figures: Record | None) -> bool:
    return figures is not None and figures["R@15"] > 1 - 1e-9 and figures["R@5"] >= 0.95 - 1e-9


def wilson(successes: int, count: int) -> tuple[float, float]:
    """Wilson's 95% interval of a share of successes (E. B. Wilson, 1927)."""
    if count == 0:
        return 0.0, 1.0
    z, share = 1.959964, successes / count
    middle, spread = share + z * z / (2 * count), z * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    low, high = ((middle + sign * spread) / (1 + z * z / count) for sign in (-1, 1))
    return max(low, 0.0), min(high, 1.0)


@dataclass(frozen=True)
class Calibration:
    """How honest the answers are, bad inputs included."""

    sure: int
    sure_wrong: int
    failures: int
    failures_told: int
    """Failures that were refused or given with doubt."""

    @staticmethod
    def of(records: Sequence[Record]) -> Calibration:
        """Count the records."""
        sure = [record for record in records if is_sure(record)]
        wrong = [record for record in records if not is_right(record)]
        told = [record for record in wrong if not is_sure(record)]
        return Calibration(len(sure), len(wrong) - len(told), len(wrong), len(told))

    def __str__(self) -> str:
        return (
            f"high-confidence answers {self.sure}, of which wrong {_share(self.sure_wrong, self.sure)}; failures and "
            f"bad inputs {self.failures}, of which reported as uncertain {_share(self.failures_told, self.failures)}."
        )


def _share(part: int, whole: int) -> str:
    if whole == 0:
        return str(part)
    low, high = wilson(part, whole)
    return f"{part} ({100 * part / whole:.1f}%, 95% interval {100 * low:.1f} to {100 * high:.1f})"


@dataclass(frozen=True)
class Row:
    """The records of one line."""

    name: str
    line: Line
    records: tuple[Record, ...]

    @property
    def successes(self) -> int:
        """Number of successes."""
        return sum(map(is_success, self.records))

    @property
    def rotation_deg(self) -> float:
        """Median over the scenes of the median rotation error; NaN without any truth."""
        errors = [record["figures"]["median_rotation_error_deg"] for record in self.records if record["figures"]]
        return statistics.median(errors) if errors else math.nan

    def cells(self) -> list[str]:
        """Cells of the table, under `HEAD`."""
        records, count = self.records, len(self.records)
        low, high = wilson(self.successes, count)
        seconds, cpu = ([record[kind] for record in records] for kind in ("seconds", "cpu_seconds"))
        sure, wrong = Calibration.of(records).sure, Calibration.of(records).sure_wrong
        others = [r for r in records if not is_right(r) and any(map(_succeeds, r.get("alternatives", ())))]
        whole = [_succeeds(record["whole"]["figures"]) for record in records if record.get("whole")]
        return [
            *(self.name, str(count), str(self.successes), str(count - self.successes)),
            "-" if self.line.allowed is None else str(self.line.allowed),
            f"{100 * low:.0f} to {100 * high:.0f}",
            *(str(sure), str(wrong), str(len(others))),
            "-" if math.isnan(self.rotation_deg) else f"{self.rotation_deg:.2f}",
            f"{statistics.median(seconds):.0f} ({statistics.median(cpu):.0f})",
            f"{max(seconds):.0f}",
            f"{sum(whole)} of {len(whole)}" if whole else "-",
        ]


def rows(records: Sequence[Record]) -> list[Row]:
    """A row for each line that has records, first without the hard families, then these apart."""
    made = []
    for apart in (None, *HARD):
        for line in LINES:
            family = [r for r in records if r["line"] == line.name and _apart(r) == apart]
            made += [Row(line.name + (f", {apart}" if apart else ""), line, tuple(family))] if family else []
    return made


def _apart(record: Record) -> str | None:
    family = record["config"]["family"]
    return family if family in HARD else None


def report(records: Sequence[Record]) -> str:
    """Table, calibration and a line for each failure, as Markdown."""
    easy = [record for record in records if _apart(record) is None]
    failed = [case_line(record) for record in records if not is_success(record)]
    parts = [
        markdown(HEAD, [row.cells() for row in rows(records)]),
        f"Calibration over all {len(records)}: {Calibration.of(records)}",
        f"Without the families {' and '.join(HARD)}, {len(easy)}: {Calibration.of(easy)}",
        "\n".join(["Failures:\n", *failed]) if failed else "No failures.",
    ]
    return "\n\n".join(parts)


def case_line(record: Record) -> str:
    """One case in a line: how right it is, and what the initialiser said."""
    parts = [record["title"]]
    if record["figures"]:
        rates = [f"{rate} {100 * record['figures'][rate]:.0f}" for rate in ("R@5", "R@15", "CC@0.1")]
        parts += [*rates, f"median {record['figures']['median_rotation_error_deg']:.1f} deg"]
    if record["refused"] is None:
        ratio = "none" if record["ratio"] is None else f"{record['ratio']:.2f}"
        parts += [f"loss {record['losses'][0]:.4f}, best other {ratio}", f"{len(record['left_out'])} left out"]
        parts.append(f"confidence {statistics.fmean(record['confidence']):.2f}")
    said = f"refused: {record['refused']}" if record["refused"] else record["doubt"] or "SURE"
    return f"- {', '.join(parts)}, {record['seconds']:.0f} s: {said}"


def reliability(records: Sequence[Record]) -> list[tuple[float, int, int]]:
    """Mean confidence, right answers and all answers in bins of equal width; answers that were refused have none."""
    answers = [(statistics.fmean(r["confidence"]), is_right(r)) for r in records if r["refused"] is None]
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for confidence, right in answers:
        bins[min(int(BINS * confidence), BINS - 1)].append((confidence, right))
    return [(statistics.fmean(c for c, _ in b), sum(right for _, right in b), len(b)) for b in bins if b]


def plot_reliability(records: Sequence[Record], file: Path) -> Path:
    """Draw the share of right answers over confidence, with its interval, for sets with and without doubt."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (axis, loss) = pyplot.subplots(1, 2, figsize=(12, 5), layout="constrained")
    for confidence, right, count in reliability(records):
        low, high = wilson(right, count)
        axis.plot([confidence] * 2, [low, high], color="C0")
        axis.plot(confidence, right / count, "o", color="C0")
        axis.annotate(f"{right} of {count}", (confidence, right / count), xytext=(6, 4), textcoords="offset points")
    axis.plot([0, 1], [0, 1], color="grey", lw=0.8)
    axis.set(xlim=(0, 1), ylim=(-0.03, 1.08), xlabel="confidence, mean over the views", ylabel="share right")
    for right, color in ((True, "C2"), (False, "C3")):
        for sure, marker in ((True, "o"), (False, "x")):
            chosen = [r for r in records if r["refused"] is None and (is_right(r), is_sure(r)) == (right, sure)]
            label = f"{'right' if right else 'wrong'}, {'sure' if sure else 'in doubt'} ({len(chosen)})"
            points = [r["losses"][0] for r in chosen], [min(r["ratio"] or math.inf, 6.0) for r in chosen]
            loss.scatter(*points, marker=marker, color=color, label=label)
    loss.set(xscale="log", xlabel="mean loss of a view at 64 px", ylabel="loss of the best other (6: none, or more)")
    loss.legend()
    for each in (axis, loss):
        each.grid(True, alpha=0.3)
    figure.savefig(file, dpi=90)
    pyplot.close(figure)
    return file
