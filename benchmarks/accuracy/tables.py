"""Means and spreads over scenes, beside the published figures, as Markdown.

Rates are in percent, rotation errors in degrees, focal errors |log(f / f_true)| in percent; what the figures of
regularity mean: benchmarks/accuracy/regularity.py.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.accuracy.options import HARD
from benchmarks.accuracy.store import Record

PUBLISHED = """\
Published (SparseAGS, NeurIPS 2024, Tables 1 and 3, secondary transcription; R@5 / R@15 / CC@0.1). The data differ: ours
are rendered objects with poses disturbed at calibrated noise (and two real sets), theirs are NAVI photographs with the
poses that the initialisers gave; theirs have the diffusion prior, ours here have not.

| NAVI, 8 views | given | SPARF | SparseAGS | SparseAGS, no prior, no outlier search |
|---|---|---|---|---|
| Ray Diffusion | 13.5 / 73.5 / 38.3 | 46.0 / 76.1 / 65.8 | 60.3 / 88.2 / 80.4 | 28.4 / 79.9 / 57.7 |
| DUSt3R | 52.3 / 93.8 / 82.2 | 59.7 / 87.8 / 81.9 | 83.7 / 96.2 / 93.5 | |
"""
RATES = ("R@5", "R@15", "CC@0.1")
WORSE = "R@5 fell by more than one pair of views"
HEAD = ("scenes", "level", "recipe", "n", *RATES, "median rot. (deg)", "focal (%)", "PSNR", "over frozen", "over true")
HEAD = (*HEAD, "SSIM", "worse", "s (cpu)")
REGULARITY = (
    ("input_iou", "alpha IoU (%)", 1),
    ("novel_iou", "novel alpha IoU (%)", 1),
    ("outside_hull", "outside hull (% opacity)", 2),
    ("outside_hull_area", "(% opacity x area)", 2),
    ("needles", "needles (% opacity)", 2),
)
"""Figure, column, digits."""


@dataclass(frozen=True)
class Spread:
    """Values of a figure over several scenes."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean; NaN without values."""
        return statistics.fmean(self.values) if self.values else math.nan

    @property
    def deviation(self) -> float:
        """Standard deviation over the scenes; 0 for a single one."""
        return statistics.stdev(self.values) if len(self.values) > 1 else 0.0


@dataclass(frozen=True)
class Group:
    """Records to average: one kind of scenes, one level, one recipe."""

    scenes: str
    level: str
    recipe: str
    records: tuple[Record, ...]
    gains: tuple[tuple[float, float], ...] = ()
    """Gain in PSNR over frozen and over true poses, for the scenes that have these references."""

    def spread(self, when: str, figure: str, factor: float = 1.0) -> Spread:
        """Spread of a figure of the poses `before` or `after`."""
        return Spread(tuple(factor * record[when][figure] for record in self.records))

    def novel(self, figure: str) -> Spread:
        """Spread of PSNR or SSIM over the scenes that have held-out photographs."""
        return Spread(tuple(record["novel"][figure] for record in self.records if record["novel"]))

    def seconds(self, kind: str = "seconds") -> Spread:
        """Spread of wall or CPU seconds."""
        return Spread(tuple(record[kind] for record in self.records))

    def regularity(self, figure: str) -> Spread:
        """Spread of a figure of regularity, in percent, over the scenes that have it."""
        values = (record["regularity"][figure] for record in self.records)
        return Spread(tuple(100 * value for value in values if value is not None))

    @property
    def worse(self) -> list[Record]:
        """Scenes that ended worse than they began."""
        return [record for record in self.records if made_worse(record)]


def made_worse(record: Record) -> bool:
    """Whether R@5 fell by more than one pair of views."""
    views = record["scene"]["views"]
    one_pair = 2 / (views * (views - 1))
    return record["after"]["R@5"] < record["before"]["R@5"] - one_pair * (1 + 1e-6)


def groups(records: Sequence[Record]) -> list[Group]:
    """Groups of records of refined poses by kind of scenes, level and recipe; the hard kinds form one more group."""
    found: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record["poses"] != "refined":
            continue
        level, recipe = record["scene"]["level"], record["recipe"]
        found[_kind(record), level, recipe].append(record)
        if record["scene"]["family"] in HARD:
            found["hard, all", level, recipe].append(record)
    psnr = references(records)
    return [
        Group(*key, tuple(members), tuple(gains(psnr[k]) for k in map(_reference_key, members) if k in psnr))
        for key, members in found.items()
    ]


def _kind(record: Record) -> str:
    scene = record["scene"]
    return f"{scene['views']} views" if scene["family"] == "counts" else scene["family"]


def accuracy_table(found: Sequence[Group]) -> str:
    """Table with a row for each group: before -> after, with the standard deviation over the scenes."""
    return markdown(HEAD, [_row(group) for group in found])


def _row(group: Group) -> list[str]:
    def change(figure: str, factor: float, digits: int) -> str:
        before, after = (group.spread(when, figure, factor) for when in ("before", "after"))
        return f"{before.mean:.{digits}f} -> {after.mean:.{digits}f} ± {after.deviation:.{digits}f}"

    psnr, ssim = group.novel("psnr"), group.novel("ssim")
    rates = [change(rate, 100, 1) for rate in RATES]
    return [
        *(group.scenes, group.level, group.recipe, str(len(group.records))),
        *rates,
        change("median_rotation_error_deg", 1, 2),
        change("median_focal_error", 100, 1),
        f"{psnr.mean:.2f} ± {psnr.deviation:.2f}" if psnr.values else "-",
        *([f"{statistics.fmean(column):+.2f}" for column in zip(*group.gains, strict=True)] or ["-", "-"]),
        f"{ssim.mean:.3f}" if ssim.values else "-",
        f"{len(group.worse)} ({100 * len(group.worse) / len(group.records):.0f}%)",
        f"{group.seconds().mean:.0f} ({group.seconds('cpu_seconds').mean:.0f})",
    ]


def regularity_table(found: Sequence[Group]) -> str:
    """Table with a row for each group: silhouettes, Gaussians beside the object, needles."""
    head = ("scenes", "level", "recipe", "n", *(column for _, column, _ in REGULARITY))
    return markdown(head, [_regularity_row(group) for group in found])


def _regularity_row(group: Group) -> list[str]:
    row = [group.scenes, group.level, group.recipe, str(len(group.records))]
    for figure, _, digits in REGULARITY:
        spread = group.regularity(figure)
        row.append(f"{spread.mean:.{digits}f} ± {spread.deviation:.{digits}f}" if spread.values else "-")
    return row


def worse_lines(found: Sequence[Group]) -> list[str]:
    """A line for each scene that was made worse."""
    lines = []
    for group in (group for group in found if group.scenes != "hard, all"):
        for record in group.worse:
            before, after = record["before"], record["after"]
            lines.append(
                f"- {group.scenes} {record['scene']['name']}, {group.level}, {group.recipe}: "
                f"R@5 {100 * before['R@5']:.0f} -> {100 * after['R@5']:.0f}, median "
                f"{before['median_rotation_error_deg']:.2f} -> {after['median_rotation_error_deg']:.2f} deg"
            )
    return lines


def reference_table(records: Iterable[Record]) -> str | None:
    """Table of novel views from refined poses beside those of the same recipe with frozen and with true poses."""
    found = references(records)
    if not found:
        return None
    rows = [
        [*key, *(f"{v[poses]:.2f}" for poses in ("frozen", "refined", "true")), *(f"{g:+.2f}" for g in gains(v))]
        for key, v in found.items()
    ]
    means = [statistics.fmean(column) for column in zip(*map(gains, found.values()), strict=True)]
    rows.append(["mean", *[""] * 6, *(f"{mean:+.2f}" for mean in means)])
    head = ("scenes", "name", "level", "recipe", "frozen (dB)", "refined", "true", "over frozen", "over true")
    return markdown(head, rows)


def references(records: Iterable[Record]) -> dict[tuple[str, str, str, str], dict[str, float]]:
    """PSNR by kind of poses, for each scene that has all three kinds."""
    psnr: dict[tuple[str, str, str, str], dict[str, float]] = defaultdict(dict)
    for record in records:
        if record["novel"]:
            psnr[_reference_key(record)][record["poses"]] = record["novel"]["psnr"]
    return {key: values for key, values in psnr.items() if {"refined", "frozen", "true"} <= set(values)}


def _reference_key(record: Record) -> tuple[str, str, str, str]:
    scene = record["scene"]
    return _kind(record), scene["name"], scene["level"], record["recipe"]


def gains(psnr: dict[str, float]) -> tuple[float, float]:
    """Gain in PSNR of refined over frozen and over true poses."""
    return psnr["refined"] - psnr["frozen"], psnr["refined"] - psnr["true"]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown table with columns aligned in plain text."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in [head, *rows]
    ]
    return "\n".join([lines[0], rule, *lines[1:]])
