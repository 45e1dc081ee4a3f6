"""The photographs suite: the cases one after the other in processes of their own, a table, figures for the baseline."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.accuracy.pool import THREADS
from benchmarks.accuracy.store import Record, Store
from benchmarks.metric import Metric
from benchmarks.photos.jobs import Case, run_case, same_cameras
from benchmarks.photos.subsets import PHOTOS, WORK, Subset

SUBSETS = (Subset("statue", 8), Subset("fox", 10), Subset("kitchen", 10))
GIVEN = Case(Subset("fox", 8), "with poses, refined", resolution=128)
"""Exact poses out of a file, all cameras free: how much worse does refinement make them? Why whole scenes are held."""
CASES = (*(case for subset in SUBSETS for case in (Case(subset), Case(subset, "changed", steps=0))), GIVEN)
QUICK = (Case(SUBSETS[0], resolution=128), Case(SUBSETS[0], "changed", resolution=128, steps=0))
"""The short form: one scene at half the size."""

_last: list[Record] = []


def run(quick: bool) -> list[Metric]:
    """Run what is not done yet; nothing where the photographs are absent."""
    if not PHOTOS.is_dir():
        print(f"photos: nothing is measured, {PHOTOS} is absent", file=sys.stderr)
        return []
    cases = QUICK if quick else CASES
    store = Store(WORK.with_suffix(".jsonl"))
    keys = [case.key for case in cases]
    os.environ.update({name: "1" for name in THREADS})  # Read when a new process loads torch.
    for key, case in zip(keys, cases, strict=True):
        if key not in store.records:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
                store.add({"key": key, **executor.submit(run_case, case).result()})
            print(_line(store.records[key]), file=sys.stderr)
    _last[:] = [store.records[key] for key in keys]
    print("\n".join(["", *(_line(record) for record in _last)]))
    return _metrics(cases, _last)


def plot(metrics: Sequence[Metric], folder: Path) -> list[Path]:
    """Photographs above renders were drawn by the jobs."""
    return sorted(WORK.glob("*.png")) if metrics else []


def _line(record: Record) -> str:
    """What became of one case."""
    parts = [f"{record['case']}: {record['placed']} placed, {record['held']} held"]
    for when in ("before", "after_same", "after"):
        if when in record:
            figures = record[when]
            parts.append(
                f"{when} ({figures['views']}) rotation {figures['rotation_deg']:.2f} (worst "
                f"{figures['worst_rotation_deg']:.2f}) deg, centre {figures['center']:.4f} (worst "
                f"{figures['worst_center']:.4f})"
            )
    if "psnr" in record:
        parts.append(f"{record['trusted']} trusted, PSNR {record['psnr']:.1f} dB, {record['seconds']:.0f} s")
    return "; ".join([*parts, f"init {record['seconds_init']:.0f} s"])


def _metrics(cases: Sequence[Case], records: Sequence[Record]) -> list[Metric]:
    found: list[Metric] = []
    plain = {case.subset: record for case, record in zip(cases, records, strict=True) if case.how == "as they are"}
    for case, record in zip(cases, records, strict=True):
        base = f"{case.subset.scene}_{case.subset.count}/{case.resolution}px"
        if case.how == "changed":
            errors = same_cameras(record["cameras"], plain[case.subset]["cameras"])
            turned, moved = float(errors.rotation_deg.quantile(0.5)), float(errors.center.quantile(0.5))
            found.append(Metric(f"{base}/changed/rotation", turned, 1.0, shown=f"{turned:.2f} deg"))
            found.append(Metric(f"{base}/changed/centre", moved, 1.0, shown=f"{moved:.4f} s"))
            continue
        if case.how.startswith("with poses"):
            base += "/with_poses_refined"
        else:
            found.append(Metric(f"{base}/placed", record["placed"], 0.1, "higher", f"{record['placed']}"))
        for when in ("after",) if case.how.startswith("with poses") else ("before", "after"):
            turned, moved = record[when]["rotation_deg"], record[when]["center"]
            found.append(Metric(f"{base}/{when}/rotation", turned, 0.5, shown=f"{turned:.2f} deg"))
            found.append(Metric(f"{base}/{when}/centre", moved, 0.5, shown=f"{moved:.4f} s"))
        found.append(Metric(f"{base}/psnr", record["psnr"], 0.05, "higher", f"{record['psnr']:.1f} dB"))
    return found
