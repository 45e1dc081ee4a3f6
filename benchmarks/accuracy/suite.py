"""The accuracy suite for the registry of benchmarks: runs the jobs, computes figures, writes table and plots."""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.accuracy import tables
from benchmarks.accuracy.jobs import run_job
from benchmarks.accuracy.outliers import GROSS_DEG, LIMITS_DEG, outlier_groups, outlier_table, tally
from benchmarks.accuracy.plots import plot_outliers, plot_views
from benchmarks.accuracy.pool import run_jobs
from benchmarks.accuracy.scenes import SHARED
from benchmarks.accuracy.selection import absent_families, is_own, select_jobs, selection_name
from benchmarks.accuracy.store import Record, Store
from benchmarks.metric import Metric


class AccuracySuite:
    """One call of the suite with its options."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.records: list[Record] = []
        self.report = ""

    def run(self, quick: bool) -> list[Metric]:
        """Run the jobs that are not done yet; returns the means to compare with the baseline.

        Raises:
            SystemExit: the options contradict each other, or jobs failed.
        """
        options = self.options
        if options.update and is_own(options):
            sys.exit("accuracy: a selection of its own has no baseline; leave out --update, or the narrowing options")
        try:
            jobs = select_jobs(options)
        except ValueError as error:
            sys.exit(f"accuracy: {error}")
        absent = absent_families(options) if selection_name(options) in ("own", "all") else []
        if absent:
            print(
                f"accuracy: only samples are run: {SHARED} is absent, which holds {', '.join(absent)}", file=sys.stderr
            )
        self.records = run_jobs(jobs, Store(options.results), run_job, options.processes)
        if len(self.records) < len(jobs):
            sys.exit(f"accuracy: {len(jobs) - len(self.records)} jobs failed; run the command again to retry them")
        self.report = report(self.records)
        print(f"\n{self.report}")
        return metrics(self.records, selection_name(options))

    def plot(self, metrics: list[Metric], folder: Path) -> list[Path]:
        """The report and the plots, as files."""
        text = folder / "accuracy.md"
        text.write_text(self.report + "\n", encoding="utf-8")
        return [text, *plot_views(self.records, folder), *plot_outliers(self.records, folder)]


def suite(options: argparse.Namespace) -> AccuracySuite:
    """Entry point for the registry."""
    return AccuracySuite(options)


def report(records: Sequence[Record]) -> str:
    """Tables and lists, as Markdown."""
    found = tables.groups(records)
    singles = [group for group in found if group.scenes != "hard, all"]
    worse, total = tables.worse_lines(found), sum(len(group.records) for group in singles)
    parts = [
        "Given -> refined: mean over scenes ± standard deviation. Wall seconds (CPU seconds) on one thread, on a "
        "machine that may be busy.\n\n" + tables.accuracy_table(found),
        f"Made worse ({tables.WORSE}): {len(worse)} of {total} runs ({100 * len(worse) / max(total, 1):.1f}%)\n"
        + "\n".join(worse),
        "Regularity of the splats (terms: benchmarks/accuracy/regularity.py):\n\n" + tables.regularity_table(found),
    ]
    searched = outlier_table(records)
    if searched is not None:
        parts.append(f"Outliers (given rotation wrong by more than {GROSS_DEG:.0f} degrees):\n\n{searched}")
    references = tables.reference_table(records)
    if references is not None:
        parts.append("Novel views, PSNR of the same recipe with frozen, refined and true poses:\n\n" + references)
    return "\n\n".join([*parts, tables.PUBLISHED.rstrip()])


def metrics(records: Sequence[Record], selection: str) -> list[Metric]:
    """Means of each group; the selection is part of the names, since means over other scenes do not compare."""
    found = [metric for group in tables.groups(records) for metric in _group_metrics(group, selection)]
    found += outlier_metrics(selection, records)
    gains = [tables.gains(psnr) for psnr in tables.references(records).values()]
    for name, column in zip(("over_frozen", "over_true"), zip(*gains, strict=True), strict=False):
        mean = statistics.fmean(column)
        # Tolerances are shares of the figure, and this one is near 0: with 20 dB added, 0.025 is half a decibel.
        found.append(Metric(f"{selection}/novel_views/{name}", 20 + mean, 0.025, "higher", f"{mean:+.2f} dB"))
    return found


def _group_metrics(group: tables.Group, selection: str) -> list[Metric]:
    base = f"{selection}/{group.scenes}/{group.level}/{group.recipe}".replace(", ", "_").replace(" ", "_")
    made = []
    for rate, tolerance in (("R@5", 0.05), ("R@15", 0.03), ("CC@0.1", 0.05)):
        spread = group.spread("after", rate, 100)
        made.append(Metric(f"{base}/{rate}", spread.mean, tolerance, "higher", _shown(spread, 1, "%")))
    rotation = group.spread("after", "median_rotation_error_deg")
    focal = group.spread("after", "median_focal_error", 100)
    made.append(Metric(f"{base}/rotation", rotation.mean, 0.25, "lower", _shown(rotation, 2, "deg")))
    made.append(Metric(f"{base}/focal", focal.mean, 0.25, "lower", _shown(focal, 1, "%")))
    psnr, count = group.novel("psnr"), len(group.records)
    if psnr.values:
        made.append(Metric(f"{base}/psnr", psnr.mean, 0.02, "higher", _shown(psnr, 2, "dB")))
    kept = 100 * (1 - len(group.worse) / count)
    made.append(Metric(f"{base}/not_worse", kept, 0.03, "higher", f"{count - len(group.worse)} of {count}"))
    return made


def outlier_metrics(selection: str, records: Sequence[Record]) -> list[Metric]:
    """Percent of the outliers that were found and corrected, and of the runs in which no view was wrongly moved."""
    made = []
    for (kind, level), members in outlier_groups(records).items():
        base, counts = f"{selection}/{kind}/{level}/outliers".replace(" ", "_"), tally(members)
        kept = 100 * (1 - min(counts.false_corrections / counts.runs, 1))
        made.append(Metric(f"{base}/none_wrongly_moved", kept, 0.06, "higher", f"{counts.false_corrections} wrongly"))
        parts = {"found": counts.found}
        parts |= {f"within_{limit:.0f}_deg": near for limit, near in zip(LIMITS_DEG, counts.within, strict=True)}
        for name, part in parts.items() if counts.outliers > 0 else ():
            share, shown = 100 * part / counts.outliers, f"{part} of {counts.outliers}"
            made.append(Metric(f"{base}/{name}", share, 0.06, "higher", shown))
    return made


def _shown(spread: tables.Spread, digits: int, unit: str) -> str:
    return f"{spread.mean:.{digits}f}±{spread.deviation:.{digits}f} {unit}"
