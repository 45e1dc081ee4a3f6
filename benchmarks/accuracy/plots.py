"""Errors before against after, view by view: below the diagonal is better."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.accuracy.store import Record

KINDS = (("rotation_deg", "rotation error of the view (deg)", (0.05, 180)), ("center", "centre error (s)", (1e-3, 3)))


def plot_views(records: Sequence[Record], folder: Path) -> list[Path]:
    """One picture for each recipe: rows are levels, columns rotations and centres, colours kinds of scenes."""
    recipes = dict.fromkeys(record["recipe"] for record in records if record["poses"] == "refined")
    return [_plot_recipe([r for r in records if r["recipe"] == recipe], folder, recipe) for recipe in recipes]


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
    """Errors before and after of all views; those too small for the picture lie on its edge."""
    before, after = ([max(e, least) for v in views for e in v[when][kind]] for when in ("before", "after"))
    return before, after
