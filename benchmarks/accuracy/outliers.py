"""Figures of the outlier search: outliers found and missed, views falsely moved, errors of the outliers afterwards.

Units: degrees, percent, seconds on one thread.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.accuracy.store import Record
from benchmarks.accuracy.tables import markdown

GROSS_DEG = 30.0
"""A given pose with a larger rotation error is an outlier."""
NEAR_SYMMETRIC = ("cup_and_saucer",)
"""Scenes that have rows of their own as well."""
RIGHT_DEG = 10.0
"""A given pose with a smaller rotation error is right."""
LIMITS_DEG = (5.0, 10.0, 20.0)
HEAD = ("scenes", "level", "runs", "outliers", "found (%)", "declared rightly (%)", "wrongly")
HEAD = (*HEAD, *(f"within {limit:.0f} deg (%)" for limit in LIMITS_DEG), "s a run (cpu)", "of it pose repair")


@dataclass(frozen=True)
class Tally:
    """Counts over some runs."""

    runs: int
    outliers: int
    found: int
    """Outliers whose pose was declared wrong."""
    declared: int
    """Views whose pose was declared wrong."""
    false_corrections: int
    """Views declared wrong whose pose was right, or is no better afterwards."""
    within: tuple[int, ...]
    """Outliers whose final rotation error is within each of LIMITS_DEG."""
    cpu_seconds: float
    """Mean over the runs."""
    pose_repair_cpu_seconds: float
    """Mean part of `cpu_seconds` spent on other starts, detection, searches and verdicts."""


def tally(records: Sequence[Record]) -> Tally:
    """Counts over runs whose outliers were searched; the names of views are their numbers."""
    outliers = found = declared = false = 0
    within = [0] * len(LIMITS_DEG)
    for record in records:
        before, after = (record["views"][when]["rotation_deg"] for when in ("before", "after"))
        wrong = {view for view, error in enumerate(before) if error > GROSS_DEG}
        corrected = {int(name) for name in record["pose_repair"]["corrected"]}
        outliers, found, declared = outliers + len(wrong), found + len(wrong & corrected), declared + len(corrected)
        false += sum(before[view] < RIGHT_DEG or after[view] >= before[view] for view in corrected)
        for position, limit in enumerate(LIMITS_DEG):
            within[position] += sum(after[view] <= limit for view in wrong)
    seconds = (_mean(records, kind) for kind in ("cpu_seconds", "pose_repair_cpu_seconds"))
    return Tally(len(records), outliers, found, declared, false, tuple(within), *seconds)


def _mean(records: Sequence[Record], figure: str) -> float:
    return sum(record[figure] for record in records) / max(len(records), 1)


def outlier_groups(records: Sequence[Record]) -> dict[tuple[str, str], list[Record]]:
    """Runs whose outliers were searched, by kind of scenes and level; near-symmetric scenes form extra groups."""
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record["poses"] == "refined" and record.get("pose_repair") is not None and _is_numbered(record):
            scene, suffix = record["scene"], "" if record["recipe"] == "sparseags" else f" ({record['recipe']})"
            groups[scene["family"] + suffix, scene["level"]].append(record)
            if scene["name"] in NEAR_SYMMETRIC:
                groups[scene["name"] + suffix, scene["level"]].append(record)
    return groups


def outlier_table(records: Sequence[Record]) -> str | None:
    """One line for each group; None if nothing was searched."""
    groups = outlier_groups(records)
    if not groups:
        return None
    return markdown(HEAD, [[*key, *_row(tally(members))] for key, members in groups.items()])


def _is_numbered(record: Record) -> bool:
    return all(name.isdigit() for name in record["pose_repair"]["corrected"])


def _row(counts: Tally) -> list[str]:
    def percent(part: int, whole: int) -> str:
        return f"{100 * part / whole:.0f}" if whole else "-"

    return [
        *(str(counts.runs), str(counts.outliers)),
        percent(counts.found, counts.outliers),
        percent(counts.declared - counts.false_corrections, counts.declared),
        str(counts.false_corrections),
        *(percent(near, counts.outliers) for near in counts.within),
        f"{counts.cpu_seconds:.0f}",
        f"{counts.pose_repair_cpu_seconds:.0f}",
    ]
