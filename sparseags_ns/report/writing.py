"""Writes the page. An error here must not end a run that has just been trained, and is only reported."""

from __future__ import annotations

import shlex
from pathlib import Path

import jinja2
import torch

from sparseags_ns.console import announce, warn
from sparseags_ns.report.collect import collect
from sparseags_ns.report.content import Report
from sparseags_ns.runs.opening import open_run
from sparseags_ns.storage import require_place, write_text

FILE = "report.html"
"""Name of the page in the run's sparseags/ folder."""
ASSETS = Path(__file__).parent / "assets"
STYLES = ("style.css", "figures.css")
SCRIPTS = ("theme.js", "turntable.js", "compare.js", "space.js", "cameras.js", "searches.js", "chart.js")


def write_report(run: Path, output: Path | None = None, device: torch.device | str = "cpu") -> Path:
    """Make the page of a run (its folder, its config.yml or its sparseags/ folder) and return the page's path.

    Without an output it is sparseags/report.html in the run's folder. Views are rendered on the device.

    Raises:
        OutputError: the output is a folder, or below a file.
    """
    path = None if output is None else require_place(output, folder=False)
    opened = open_run(run, device)
    path = path or opened.outputs / FILE
    write_text(path, render(collect(opened)))
    return path


def report_at_end(run: Path, device: torch.device | str = "cpu") -> Path | None:
    """Write the page of a run that has just ended; where that fails, print one line and return None."""
    try:
        path = write_report(run, device=device)
    except Exception as error:  # Whatever it is, the run itself is complete and must end well.
        again = f"sparseags report {shlex.quote(str(run))}"
        warn("no report was made", f"{type(error).__name__}: {error}; to try again: {again}")
        return None
    announce(f"report: {path}", "open it in a browser; it needs no network")
    return path


def render(report: Report) -> str:
    """The page as one string of HTML."""
    # Every string is escaped unless a template says otherwise.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    styles, scripts = ([(ASSETS / file).read_text(encoding="utf-8") for file in files] for files in (STYLES, SCRIPTS))
    return environment.get_template("page.html").render(report=report, styles=styles, scripts=scripts)
