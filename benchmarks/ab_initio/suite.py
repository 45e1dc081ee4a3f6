"""The ab-initio suite for the registry of benchmarks: runs the cases, each in a process of its own, and reports."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from benchmarks.ab_initio.cases import SEEDS, Case, quick_cases, select_cases
from benchmarks.ab_initio.jobs import case_key, run_case, run_whole, whole_key
from benchmarks.ab_initio.report import Calibration, case_line, is_success, plot_reliability, report, rows
from benchmarks.accuracy.pool import THREADS
from benchmarks.accuracy.store import Record, Store
from benchmarks.metric import Metric

SIZE = 256


class AbInitioSuite:
    """One call of the suite with its options."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.records: list[Record] = []

    @property
    def selection(self) -> str:
        """Prefix of the figures' names; figures of different selections cannot be compared."""
        options = self.options
        own = options.seeds is not None or options.size is not None or (options.quick and options.lines is not None)
        return "own" if own else "quick" if options.quick else "all"

    def run(self, quick: bool) -> list[Metric]:
        """Run the cases that are not done yet; returns the figures to compare with the baseline.

        Raises:
            SystemExit: the options contradict each other, cases failed, or the code changed meanwhile.
        """
        options = self.options
        if options.update and self.selection == "own":
            sys.exit("ab_initio: a selection of its own has no baseline; leave out --update, or the narrowing options")
        size = options.size or SIZE
        try:
            cases = select_cases(options.lines, options.seeds or SEEDS, size, options.whole_runs)
        except ValueError as error:
            sys.exit(f"ab_initio: {error}")
        cases = quick_cases(size) if quick and options.lines is None else cases
        store = Store(options.ab_initio_results)
        if not options.finished:
            run_cases(cases, store, options.jobs)
        self.records = finished(cases, store)
        print(f"\n{report(self.records)}")
        if len(self.records) < len(cases) and (options.update or not options.finished):
            sys.exit(f"ab_initio: {len(cases) - len(self.records)} cases are missing; run the command again for these")
        return metrics(self.records, self.selection, pooled=options.lines is None)

    def plot(self, metrics: list[Metric], folder: Path) -> list[Path]:
        """The report and the reliability plot, as files."""
        text = folder / "ab_initio.md"
        text.write_text(report(self.records) + "\n", encoding="utf-8")
        return [text, plot_reliability(self.records, folder / "ab_initio-reliability.png")]


def suite(options: argparse.Namespace) -> AbInitioSuite:
    """Entry point for the registry."""
    return AbInitioSuite(options)


def finished(cases: Sequence[Case], store: Store) -> list[Record]:
    """Records of the cases that are done, with those of their whole runs."""
    known = ((case, store.records.get(case_key(case))) for case in cases)
    return [{**record, "whole": store.records.get(whole_key(case))} for case, record in known if record]


def run_cases(
    cases: Sequence[Case],
    store: Store,
    jobs: int,
    work: Callable[[Case], Record] = run_case,
    whole_work: Callable[[Case, Record], Record] = run_whole,
) -> None:
    """Run the cases that are not in the store, then the whole runs that are not; each is stored as it ends.

    Raises:
        SystemExit: the code has changed since the start, so that the records would be of different code.
    """
    pending = [case for case in cases if case_key(case) not in store.records]
    print(f"{len(cases)} cases, of which {len(cases) - len(pending)} are done", file=sys.stderr)
    _run(pending, lambda case: _in_process(work, case), case_key, store, jobs)
    whole = [case for case in cases if case.whole and whole_key(case) not in store.records]
    whole = [case for case in whole if store.records.get(case_key(case), {}).get("cameras")]
    _run(whole, lambda case: _in_process(whole_work, case, store.records[case_key(case)]), whole_key, store, jobs)


def _run(
    cases: Sequence[Case], work: Callable[[Case], Record], key: Callable[[Case], str], store: Store, jobs: int
) -> None:
    if jobs > 1:
        threads = str(max((os.cpu_count() or 1) // jobs, 1))
        os.environ.update({name: threads for name in THREADS})  # Read when a new process loads torch.
    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(work, case): case for case in cases}
        try:
            for number, future in enumerate(as_completed(futures), start=1):
                case, error = futures[future], future.exception()
                if error is not None:
                    # One failure must not lose the other records; the case is tried again in the next run.
                    print(f"failed: {case.title}: {type(error).__name__}: {error}", file=sys.stderr)
                    continue
                record = future.result()
                store.add(record)
                print(f"{number}/{len(cases)} {_line(case, record)}", file=sys.stderr)
                if record["key"] != key(case):
                    sys.exit("ab_initio: the code changed during the run; run again, in a copy that nobody changes")
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _in_process(work: Callable[..., Record], *arguments: object) -> Record:
    """The result of the work, done in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        return executor.submit(work, *arguments).result()


def _line(case: Case, record: Record) -> str:
    """Progress line of a record."""
    if "line" in record:
        return f"{'success' if is_success(record) else 'FAILURE'} {case_line(record)}"
    return f"whole run of {case.title}: R@5 {100 * record['figures']['R@5']:.0f}, {record['seconds']:.0f} s"


def metrics(records: Sequence[Record], selection: str, pooled: bool) -> list[Metric]:
    """Success and rotation error of each line; with `pooled`, the calibration of all."""
    found = []
    for row in rows(records):
        base, count = f"{selection}/{row.name}".replace(", ", "_"), len(row.records)
        shown = f"{row.successes} of {count}"
        found.append(Metric(f"{base}/success", 100 * row.successes / count, 0.1, "higher", shown))
        if not row.line.bad:
            found.append(Metric(f"{base}/rotation", row.rotation_deg, 0.5, shown=f"{row.rotation_deg:.2f} deg"))
    counts = Calibration.of(records)
    parts = [("sure_and_right", counts.sure - counts.sure_wrong, counts.sure, 0.01)]
    parts.append(("failures_told", counts.failures_told, counts.failures, 0.05))
    for name, part, whole, tolerance in parts if pooled else ():
        share = 100 * part / whole if whole else 100.0
        found.append(Metric(f"{selection}/calibration/{name}", share, tolerance, "higher", f"{part} of {whole}"))
    return found
