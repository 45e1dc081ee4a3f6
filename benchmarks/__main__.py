"""Runs the suites: `python -m benchmarks [suite ...] [--quick] [--update] [--plots FOLDER]`."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from pathlib import Path

from benchmarks.ab_initio.options import add_options as add_ab_initio_options
from benchmarks.accuracy.options import add_options as add_accuracy_options
from benchmarks.metric import format_table, judge, read_baseline, write_baseline

SUITES = {
    "rasterizer": "benchmarks.rasterizer",
    "accuracy": "benchmarks.accuracy.suite",
    "guidance": "benchmarks.guidance",
    "id_pose": "benchmarks.id_pose",
    "photos": "benchmarks.photos.suite",
    "masks": "benchmarks.masks",
    "ab_initio": "benchmarks.ab_initio.suite",
}
"""Modules of the suites, by name."""


LONG = {"accuracy", "guidance", "id_pose", "photos", "masks", "ab_initio"}
"""Suites that take long or much memory: without a name on the command line they run in their short form."""


def main(arguments: list[str] | None = None) -> int:
    """Run, print, plot, compare; 1 if any figure is outside its tolerance."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="suite", help=f"of {', '.join(SUITES)}; all by default")
    parser.add_argument("--quick", action="store_true", help="a short form of each suite")
    parser.add_argument("--update", action="store_true", help="make today's figures the baseline")
    parser.add_argument("--plots", type=Path, default=Path("outputs/benchmarks"), help="folder for the plots")
    add_accuracy_options(parser)
    add_ab_initio_options(parser)
    group = parser.add_argument_group("id_pose")
    group.add_argument("--id-pose-weights", default="auto", help="the prior, as for --pipeline.model.guidance")
    group.add_argument("--random-prior", action="store_true", help="a tiny random one: only to see that it runs")
    options = parser.parse_args(arguments)
    options.suites = [name.replace("-", "_") for name in options.suites]
    unknown = sorted(set(options.suites) - set(SUITES))
    if unknown:
        parser.error(f"no suite named {', '.join(unknown)}; choose from {', '.join(SUITES)}")
    unnamed = [_short(options) if name in LONG else options for name in SUITES]
    chosen = [(name, options) for name in options.suites] or list(zip(SUITES, unnamed, strict=True))
    failed = [name for name, how in chosen if not _run(name, how)]
    if failed:
        print(f"outside the tolerances: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _short(options: argparse.Namespace) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(options), "quick": True})


def _run(name: str, options: argparse.Namespace) -> bool:
    """Run one suite; whether all its figures are within their tolerances."""
    module = importlib.import_module(SUITES[name])
    suite = module.suite(options) if hasattr(module, "suite") else module
    metrics = suite.run(options.quick)
    verdicts = judge(metrics, read_baseline(name))
    print(f"\n{name}, on {_machine()}\n{format_table(verdicts)}")
    options.plots.mkdir(parents=True, exist_ok=True)
    for file in suite.plot(metrics, options.plots):
        print(f"plot: {file}")
    if options.update:
        print(f"baseline written: {write_baseline(name, metrics, _machine())}")
        return True
    return all(verdict.passed for verdict in verdicts)


def _machine() -> str:
    """Processor, cores and Python, for the table's head."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = names[0] if names else name
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())
