"""Options of the accuracy suite; imports nothing heavy, so that `--help` is fast."""

from __future__ import annotations

import argparse
from pathlib import Path

HARD = ("arc", "cut", "thin", "near_symmetric", "masks")
OUTLIERS = (
    "wrong-1of4",
    "wrong-2of6",
    "wrong-3of8",
    "wrong-4of8",
    "wrong-3of12",
    "wrong-4of16",
    "wrong-azimuth",
    "wrong-symmetric",
    "wrong-dust3r",
    "wrong-raydiff",
)
"""Samples with grossly wrong poses, defined in scenes.py."""
FAMILIES = ("synthetic", "real", "sample", "counts", *HARD, *OUTLIERS)
LEVELS = ("dust3r", "raydiff", "outlier1", "outlier2")
SEARCH_SEEDS = (0, 1, 2)
"""Seeds of the method for `--search`."""
NARROWING = (
    "families",
    "levels",
    "scenes",
    "seeds",
    "presets",
    "ablation",
    "steps",
    "size",
    "references",
    "method_seeds",
)
"""Options that select a part of the jobs, for which there is no baseline."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the suite's options to a parser as a group."""
    group = parser.add_argument_group("accuracy")
    add = group.add_argument
    add(
        "--search",
        action="store_true",
        help="the selection that judges the outlier search, which has its own baseline: the synthetic scenes at all "
        f"levels, each with {len(SEARCH_SEEDS)} seeds of the method",
    )
    kinds = f"kinds of scenes; `hard` means {HARD[0]} to {HARD[-1]}, `wrong` those of that name"
    add("--families", nargs="+", choices=(*FAMILIES, "hard", "wrong"), help=kinds)
    add(
        "--levels",
        nargs="+",
        choices=LEVELS,
        help="errors of the initial poses (default: dust3r raydiff; all for synthetic)",
    )
    add("--scenes", nargs="+", help="only these scenes of ../shared/data")
    add("--seeds", nargs="+", type=int, help="seeds of the samples (default: 0 to 4; fewer for some kinds)")
    add("--method-seeds", nargs="+", type=int, help="each job with each of these seeds of the method (default: 0)")
    add("--presets", nargs="+", help="recipes (default: all; hard, wrong and counts: the first)")
    add(
        "--ablation",
        nargs="+",
        action="append",
        metavar=("NAME", "PATH=VALUE"),
        help="the first preset with changes, e.g. hull settings.seeding=hull settings.stages.*.pose_lr=1e-3; a name "
        "alone is looked up in benchmarks/accuracy/ablations.json",
    )
    add("--steps", type=int, help="length of each run (default: the preset's)")
    add("--size", type=int, help="side of the samples' photographs in pixels (default: 256)")
    add(
        "--references",
        choices=("none", "synthetic", "all"),
        help="where novel views are compared with splats from frozen and from true poses, at level dust3r "
        "(default: synthetic)",
    )
    add("--processes", type=int, default=2, help="jobs at a time, one thread each")
    add("--results", type=Path, default=Path("outputs/benchmarks/accuracy.jsonl"), help="where finished jobs are kept")
