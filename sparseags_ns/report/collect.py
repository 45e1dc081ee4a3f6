"""From an opened run to the page's content. Reads what the run left, renders its views, and decides nothing.

Frames: `world`, the run's. Errors come from summary.json, so that all places of a run show the same figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.export.turntable import object_sphere
from sparseags_ns.formats.json_entries import read_json
from sparseags_ns.geometry.cameras import Cameras, orbit_angles
from sparseags_ns.metrics.images import over_white
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.report import chart, decisions, plot, sentences
from sparseags_ns.report.command import command
from sparseags_ns.report.content import Fact, Mark, Pictures, Report, Share, Tone, ViewRow
from sparseags_ns.report.coverage import widest_gap
from sparseags_ns.report.pictures import difference_colors, view_picture
from sparseags_ns.report.turning import turntable
from sparseags_ns.runs.opening import OpenedRun

FILES = {
    "sparseags/transforms.json": "refined cameras, nerfstudio's format",
    "sparseags/cameras.json": "refined cameras, the authors' format",
    "sparseags/images/": "the photographs as trained on, with their masks as transparency",
    "sparseags/views.png": "photographs above renders",
    "sparseags/summary.json": "every figure of this page",
    "sparseags/history.json": "errors over the run",
    "sparseags/searches.json": "what the search tried",
    "config.yml": "for ns-viewer, ns-export, ns-eval, ns-render and the sparseags commands",
}


def collect(run: OpenedRun) -> Report:
    """Everything that the page shows."""
    summary = run.summary
    history, searched = (_read_if_there(run.outputs / f"{name}.json") for name in ("history", "searches"))
    verdicts = sentences.verdicts(summary)
    tones: list[Tone] = [sentences.tone(*verdict) for verdict in verdicts]
    settled = summary.get("settled")
    return Report(
        title=str(run.config.get("experiment_name") or run.folder.name),
        subtitle=_subtitle(run),
        headline=sentences.headline(summary, run.whole_photographs),
        tiles=_tiles(summary),
        statements=sentences.statements(_findings(run)),
        views=_view_rows(run, verdicts),
        perceptual_name=str(summary["perceptual_error"]).upper(),
        turntable=turntable(run),
        scene=plot.scene(run, tones, [sentences.is_posed(view) for view in summary["views"]]),
        chart=chart.chart(history, tones),
        starts=decisions.starts(settled),
        steps=decisions.steps(settled, history),
        searches=plot.searches(searched),
        timings=_timings(summary),
        command=command(run.config),
        run_facts=_run_facts(run),
        version_facts=tuple(Fact(name, version) for name, version in summary["versions"].items()),
        files=tuple(Fact(name, use) for name, use in FILES.items() if (run.folder / name).exists()),
    )


def _read_if_there(path: Path) -> dict[str, Any] | None:
    return read_json(path) if path.is_file() else None


def _subtitle(run: OpenedRun) -> str:
    summary = run.summary
    seconds = sum(summary["seconds"].values())
    saved = datetime.fromtimestamp(run.checkpoint.stat().st_mtime)
    parts = [
        f"{len(summary['views'])} photographs",
        f"{summary['gaussians']:,} Gaussians",
        f"{_duration(seconds)} on {summary['device']}",
        f"{saved:%d %B %Y, %H:%M}",
    ]
    return " · ".join(parts)


def _tiles(summary: dict[str, Any]) -> tuple[Fact, ...]:
    views = summary["views"]
    trusted = [view for view in views if view["trusted"]] or views
    posed = [view for view in trusted if sentences.is_posed(view)]
    turned = [view["rotation_deg"] for view in posed] or [0.0]
    now = sentences.percent(median(view["mse_after"] for view in trusted))
    given = sentences.percent(median(view["mse_before"] for view in posed)) if posed else None
    return (
        Fact("photographs trusted", f"{sum(view['trusted'] for view in views)} / {len(views)}"),
        Fact("colour error, median", f"{now:.1f}%", "" if given is None else f"as given: {given:.0f}%"),
        Fact("cameras turned, median", f"{median(turned):.1f}°", f"most: {max(turned):.0f}°"),
        Fact("wall time", _duration(sum(summary["seconds"].values()))),
    )


def _findings(run: OpenedRun) -> sentences.Findings:
    center = object_sphere(run.gaussians).center
    azimuths, _, _ = orbit_angles((run.refined.centers - center).detach().cpu())
    focal = run.refined.K.detach()[:, 0, 0] / run.initial.K.detach()[:, 0, 0]
    model = run.config.get("pipeline", {}).get("model", {})
    return sentences.Findings(
        summary=run.summary,
        gap=widest_gap(azimuths, run.trusted.cpu()),
        focal_factor=float(focal.median()),
        prior=str(model.get("guidance", "auto")),
        whole_photographs=run.whole_photographs,
    )


def _view_rows(run: OpenedRun, verdicts: Sequence[tuple[Mark, str]]) -> tuple[ViewRow, ...]:
    perceptual = run.summary["perceptual_error"]
    entries = run.summary["views"]
    longest = sentences.percent(max(entry["mse_after"] for entry in entries)) or 1.0
    return tuple(
        ViewRow(
            name=entry["name"],
            mark=mark,
            tone=sentences.tone(mark, verdict),
            verdict=verdict,
            pictures=pictures,
            posed=sentences.is_posed(entry),
            error_before=sentences.percent(entry["mse_before"]),
            error_after=sentences.percent(entry["mse_after"]),
            perceptual_before=entry[f"{perceptual}_before"],
            perceptual_after=entry[f"{perceptual}_after"],
            rotation_deg=entry["rotation_deg"],
            moved=entry["camera_moved"],
            squared_after=entry["mse_after"],
            bar_percent=round(100 * sentences.percent(entry["mse_after"]) / longest, 2),
        )
        for entry, (mark, verdict), pictures in zip(entries, verdicts, _pictures(run), strict=True)
    )


def _pictures(run: OpenedRun) -> list[Pictures]:
    photographs = over_white(run.views.images, run.views.masks)
    refined, given = _renders(run, run.refined), _renders(run, run.initial_anchored)
    known = run.views.valid[..., None]
    differences = difference_colors(refined * known, photographs * known)
    planes = zip(photographs, refined, given, differences, strict=True)
    return [Pictures(*map(view_picture, four)) for four in planes]


def _renders(run: OpenedRun, cameras: Cameras) -> Float[Tensor, "views height width 3"]:
    with torch.no_grad():
        white = torch.ones(3).to(run.views.images)
        return rasterize(run.gaussians, cameras, white, sh_degree=run.sh_degree).rgb.clamp(0, 1)


def _timings(summary: dict[str, Any]) -> tuple[Share, ...]:
    whole = sum(summary["seconds"].values()) or 1.0
    return tuple(
        Share(label, seconds, round(100 * seconds / whole, 2))
        for label, seconds in summary["seconds"].items()
        if seconds >= 0.005
    )


def _run_facts(run: OpenedRun) -> tuple[Fact, ...]:
    summary, config = run.summary, run.config
    model = config.get("pipeline", {}).get("model", {})
    return (
        Fact("Method", str(config.get("method_name", "sparseags"))),
        Fact("Run", str(run.folder)),
        Fact("Steps", f"{summary['steps_done']:,} of {summary['num_steps']:,}"),
        Fact("Device", str(summary["device"])),
        Fact("Photographs", f"{len(run.views)}, {run.views.cameras.width} x {run.views.cameras.height} px"),
        Fact("Focal lengths refined", str(model.get("refine_focal", "?"))),
        Fact("Outlier rule", str(model.get("outlier_rule", "?"))),
        Fact(
            "Diffusion prior",
            str(model.get("guidance", "auto")),
            "(auto asks for a GPU and for weights on the machine)",
        ),
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
