"""Plots of errors before against after, view by view (below the diagonal is better), and of outliers found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.accuracy.outliers import LIMITS_DEG, outlier_groups, tally
from benchmarks.accuracy.store import Record

KINDS = (("rotation_deg", "rotation error of the view (deg)", (0.05, 180)), ("center", "centre error (s)", (1e-3, 3)))


def plot_views(records: Sequence[Record], folder: Path) -> list[Path]:
    """Draw one figure for each recipe: rows are levels, columns rotations and centres, colours kinds of scenes."""
    recipes = dict.fromkeys(record["recipe"] for record in records if record["poses"] == "refined")
    return [_plot_recipe([r for r in records if r["recipe"] == recipe], folder, recipe) for recipe in recipes]


def plot_outliers(records: Sequence[Record], folder: Path) -> list[Path]:
    """Draw one figure: shares of the outliers that were found and that ended near the truth, by kind of scenes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    counts = {key: tally(members) for key, members in outlier_groups(records).items()}
    counts = {key: count for key, count in counts.items() if count.outliers > 0}
    if not counts:
        return []
    figure, axis = pyplot.subplots(figsize=(10, 1.5 + 0.75 * len(counts)), layout="constrained")
    bars = ("found", *(f"within {limit:.0f} deg" for limit in LIMITS_DEG))
    for number, label in enumerate(bars):
        parts = [(count.found, *count.within)[number] for count in counts.values()]
        shares = [100 * part / count.outliers for part, count in zip(parts, counts.values(), strict=True)]
        axis.barh([row + 0.2 * number for row in range(len(counts))], shares, height=0.18, label=label)
    labels = [f"{kind}, {level}\n{count.outliers} in {count.runs} runs" for (kind, level), count in counts.items()]
    axis.set_yticks([row + 0.3 for row in range(len(counts))], labels)
    axis.invert_yaxis()
    axis.set(xlim=(0, 100), xlabel="share of the grossly wrong views (%)")
    axis.grid(True, axis="x", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=len(bars))
    file = folder / "accuracy-outliers.png"
    figure.savefig(file, dpi=90)
    pyplot.close(figure)
    return [file]


def _plot_recipe(records: Sequence[Record], folder: Path, recipe: str) -> Path:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    refined = [record for record in records if record["poses"] == "refined"]
    levels = list(dict.fromkeys(record["scene"]["level"] for record in refined))
    families = list(dict.fromkeys(record["scene"]["family"] for record in refined))
    figure, axes = pyplot.subplots(
        len(levels), len(KINDS), figsize=(11, 5 * len(levels)), layout="constrained", squeeze=False
    )
    for row, level in zip(axes, levels, strict=True):
        for axis, (kind, label, limits) in zip(row, KINDS, strict=True):
            for number, family in enumerate(families):
                points = _points([r["views"] for r in refined if _is(r, level, family)], kind, limits[0])
                axis.scatter(*points, s=9, alpha=0.6, label=family, color=f"C{number}")
            axis.plot(limits, limits, color="grey", lw=0.8)
            axis.set(xscale="log", yscale="log", xlim=limits, ylim=limits, xlabel=f"given: {label}", ylabel="refined")
            axis.set_title(f"{recipe}, {level}")
            axis.grid(True, alpha=0.3)
        row[0].legend()
    file = folder / f"accuracy-{recipe}.png"
    figure.savefig(file, dpi=90)
    pyplot.close(figure)
    return file


def _is(record: Record, level: str, family: str) -> bool:
    return (record["scene"]["level"], record["scene"]["family"]) == (level, family)


def _points(views: Sequence[Record], kind: str, least: float) -> tuple[list[float], list[float]]:
    """Errors before and after of all views; those below the axis limits are moved to them."""
    before, after = ([max(e, least) for v in views for e in v[when][kind]] for when in ("before", "after"))
    return before, after
