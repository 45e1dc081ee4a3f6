"""What training prints at its end: one line for each view, and where the outputs are."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sparseags_ns.runs.outputs import FOLDER
from sparseags_ns.runs.record import RunRecord


def result_table(record: RunRecord) -> Table:
    """Status, errors and rotation of every view.

    Args:
        record: with its outcome.
    """
    outcome = record.outcome
    assert outcome is not None
    views = outcome.views
    statuses = record.statuses([view.trusted for view in views], [view.posed for view in views])
    table = Table(title_justify="left", caption_justify="left")
    table.title = f"{sum(s.in_use for s in statuses)} of {len(views)} views in use, {outcome.gaussians} Gaussians"
    table.title += f", {outcome.steps_done} of {record.num_steps} steps in {sum(record.seconds.values()):.0f} s"
    table.caption = "error: squared, over the object's area; rotation: of the refined against the given camera"
    for column in ("view", "status", "error before", "error after", "rotation"):
        table.add_column(column, justify="left" if column in ("view", "status") else "right")
    for name, status, view in zip(record.names, statuses, views, strict=True):
        before, rotation = (f"{view.mse_before:.4f}", f"{view.rotation_deg:.1f} deg") if view.posed else ("-", "-")
        table.add_row(Text(name), str(status), before, f"{view.mse_after:.4f}", rotation)
    return table


def print_result(record: RunRecord, run: Path, output: TextIO) -> None:
    """Print the table of views and where the outputs of a run are."""
    console, outputs, quoted = Console(file=output, soft_wrap=True), run / FOLDER, shlex.quote(str(run))
    console.print(result_table(record))
    places = {
        "Run": run,
        "Refined cameras": f"{outputs / 'transforms.json'}  (and cameras.json)",
        "Picture": outputs / "views.png",
        "Report": outputs / "report.html" if (outputs / "report.html").is_file() else None,
        "Splat as a file": f"sparseags export {quoted} splat",
        "In the viewer": f"sparseags view {quoted}",
    }
    for name, place in places.items():
        if place is not None:
            console.print(f"{name + ':':<18}{place}", highlight=False, markup=False)
