"""Options of the ab-initio suite; imports nothing heavy, so that `--help` is fast."""

from __future__ import annotations

import argparse
from pathlib import Path

RESULTS = Path("outputs/benchmarks/ab_initio.jsonl")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the suite's options to a parser as a group; `--seeds` and `--size` are those of the accuracy suite."""
    add = parser.add_argument_group("ab_initio (and --seeds, --size as above)").add_argument
    add("--lines", nargs="+", help="only these lines, e.g. in-order shuffled-8 clustered alien (default: all)")
    add("--whole-runs", type=float, default=0.0, metavar="SHARE", help="share of the scenes optimised to the end, too")
    add("--jobs", type=int, default=1, help="cases at a time; one uses all cores")
    add("--finished", action="store_true", help="run nothing, report the cases that are finished")
    add("--ab-initio-results", type=Path, default=RESULTS, help="where finished cases are kept")
