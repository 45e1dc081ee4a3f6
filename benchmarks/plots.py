"""Plots of the suites."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from benchmarks.metric import Metric


def plot_rasterizer(metrics: list[Metric], file: Path) -> Path:
    """Milliseconds per view over the number of Gaussians, forward and with backward; scaling with views beside it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    lines: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for metric in metrics:
        kind, *rest = metric.name.split("/")
        if kind in ("forward", "forward+backward"):
            lines[kind, rest[0]].append((int(rest[1]), float(metric.shown.split()[0])))
    figure, axes = pyplot.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    for axis, kind in zip(axes, ("forward", "forward+backward"), strict=False):
        for (line_kind, size), points in lines.items():
            if line_kind == kind:
                axis.loglog(*zip(*points, strict=True), "o-", label=size)
        axis.set(title=f"{kind}, one thread", xlabel="Gaussians", ylabel="CPU ms a view")
        axis.grid(True, which="both", alpha=0.3)
        axis.legend()
    views = [(int(m.name.split("/")[1]), float(m.shown.split()[0])) for m in metrics if m.name.startswith("views/")]
    if views:
        axes[2].plot(*zip(*views, strict=True), "o-")
        axes[2].set_ylim(bottom=0)
    axes[2].set_visible(bool(views))
    axes[2].set(title="10,000 Gaussians, 256 px", xlabel="views in one call", ylabel="CPU ms a view")
    axes[2].grid(True, alpha=0.3)
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
    return file
