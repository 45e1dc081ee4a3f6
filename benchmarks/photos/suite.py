"""The photographs suite: runs the cases, each in a process of its own; prints a table; computes figures."""

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
"""Exact poses from a file, of which none is fixed. Refinement makes them worse in a whole scene, which is why cameras
of whole scenes are fixed by default."""
CASES = (*(case for subset in SUBSETS for case in (Case(subset), Case(subset, "changed", steps=0))), GIVEN)
QUICK = (Case(SUBSETS[0], resolution=128), Case(SUBSETS[0], "changed", resolution=128, steps=0))
"""Cases of the short form: one scene at half the size."""

_last: list[Record] = []


def run(quick: bool) -> list[Metric]:
    """Run the cases that are not done yet; returns no figures if the photographs are absent."""
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
    """Sheets of photographs above renders, which the jobs saved."""
    return sorted(WORK.glob("*.png")) if metrics else []


def _line(record: Record) -> str:
    """Line of the table for one case."""
    parts = [f"{record['case']}: {record['posed']} with a pose, {record['fixed']} fixed"]
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
            rotation, center = float(errors.rotation_deg.quantile(0.5)), float(errors.center.quantile(0.5))
            found.append(Metric(f"{base}/changed/rotation", rotation, 1.0, shown=f"{rotation:.2f} deg"))
            found.append(Metric(f"{base}/changed/centre", center, 1.0, shown=f"{center:.4f} s"))
            continue
        if case.how.startswith("with poses"):
            base += "/with_poses_refined"
        else:
            found.append(Metric(f"{base}/posed", record["posed"], 0.1, "higher", f"{record['posed']}"))
        for when in ("after",) if case.how.startswith("with poses") else ("before", "after"):
            rotation, center = record[when]["rotation_deg"], record[when]["center"]
            found.append(Metric(f"{base}/{when}/rotation", rotation, 0.5, shown=f"{rotation:.2f} deg"))
            found.append(Metric(f"{base}/{when}/centre", center, 0.5, shown=f"{center:.4f} s"))
        found.append(Metric(f"{base}/psnr", record["psnr"], 0.05, "higher", f"{record['psnr']:.1f} dB"))
    return found
