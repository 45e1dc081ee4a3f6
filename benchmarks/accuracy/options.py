"""Options of the accuracy suite; imports nothing heavy, so that `--help` is quick."""

from __future__ import annotations

import argparse
from pathlib import Path

HARD = ("arc", "cut", "thin", "near_symmetric", "masks")
FAMILIES = ("synthetic", "real", "sample", "counts", *HARD)
LEVELS = ("dust3r", "raydiff", "outlier1", "outlier2")
NARROWING = ("families", "levels", "scenes", "seeds", "presets", "ablation", "steps", "size", "references")
"""Options that make a selection of its own, which has no baseline."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add them as a group of their own."""
    group = parser.add_argument_group("accuracy")
    add = group.add_argument
    add("--families", nargs="+", choices=(*FAMILIES, "hard"), help="kinds of scenes; `hard` means the last five")
    add("--levels", nargs="+", choices=LEVELS, help="errors of the initial poses (default: dust3r raydiff, synthetic: all)")
    add("--scenes", nargs="+", help="only these scenes of ../shared/data")
    add("--seeds", nargs="+", type=int, help="of the samples (default: 0 to 4; 0 and 1 for sample and counts)")
    add("--presets", nargs="+", help="recipes (default: all; hard and counts: the first)")
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
