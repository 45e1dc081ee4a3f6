"""The page's content from an opened run. Renders its views; figures and decisions come from the run's record.

Frame: the run's `world`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from statistics import median

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.export.turntable import object_sphere
from sparseags_ns.geometry.cameras import Cameras, orbit_angles
from sparseags_ns.metrics.images import over_white
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.report import decisions, plots, sentences
from sparseags_ns.report.command import command
from sparseags_ns.report.content import Fact, Mark, Pictures, Report, Tone, ViewRow, percent
from sparseags_ns.report.given_cameras import describe_source, given_cameras
from sparseags_ns.report.pictures import difference_colors, turntable, view_picture
from sparseags_ns.runs.opening import OpenedRun

FILES = {
    "sparseags/transforms.json": "refined cameras, nerfstudio's format",
    "sparseags/cameras.json": "refined cameras, the authors' format",
    "sparseags/images/": "the photographs as trained on, with their masks as transparency",
    "sparseags/views.png": "photographs above renders",
    "sparseags/summary.json": "errors, decisions, times and versions of this page",
    "sparseags/history.json": "errors over the run",
    "sparseags/searches.json": "poses that the searches tried",
    "config.yml": "for ns-viewer, ns-export, ns-eval, ns-render and the sparseags commands",
}

PRIOR_NOTE = "(auto: used where there is a GPU and the weights are on the machine)"


def collect(run: OpenedRun) -> Report:
    """Everything that the page shows."""
    record, outcome, findings = run.record, run.outcome, _findings(run)
    verdicts, tones, repair = sentences.verdicts(findings), sentences.tones(findings), record.pose_repair
    saved = datetime.fromtimestamp(run.checkpoint.stat().st_mtime)
    return Report(
        title=str(run.config.get("experiment_name") or run.folder.name),
        subtitle=(
            f"{len(run.views)} photographs · {outcome.gaussians:,} Gaussians · "
            f"{_duration(sum(record.seconds.values()))} on {outcome.device} · {saved:%d %B %Y, %H:%M}"
        ),
        headline=sentences.headline(findings),
        tiles=_tiles(findings),
        statements=sentences.statements(findings),
        views=_view_rows(run, verdicts, tones),
        perceptual_name=outcome.perceptual_error.upper(),
        turntable=turntable(run),
        scene=plots.camera_plot(run, tones, [view.posed for view in outcome.views]),
        given=given_cameras(record),
        chart=plots.error_chart(record, tones),
        starts=() if repair is None or len(repair.starts) < 2 else repair.starts,
        chosen_start=None if repair is None else repair.chosen_start,
        steps=decisions.steps(record),
        searches=plots.search_plots(record),
        seconds={phase: seconds for phase, seconds in record.seconds.items() if seconds >= 0.005},
        command=command(run.config),
        run_facts=_run_facts(run),
        version_facts=tuple(Fact(name, version) for name, version in outcome.versions.items()),
        files=tuple(Fact(name, use) for name, use in FILES.items() if (run.folder / name).exists()),
    )


def _tiles(findings: sentences.Findings) -> tuple[Fact, ...]:
    views = findings.outcome.views
    trusted = [view for view in views if view.trusted] or views
    posed = [view for view in trusted if view.posed]
    rotation_deg = [view.rotation_deg for view in posed] or [0.0]
    now = percent(median(view.mse_after for view in trusted))
    given = percent(median(view.mse_before for view in posed)) if posed else None
    return (
        Fact("photographs trusted", f"{sum(view.trusted for view in views)} / {len(views)}"),
        Fact("colour error, median", f"{now:.1f}%", "" if given is None else f"as given: {given:.0f}%"),
        Fact("camera rotation, median", f"{median(rotation_deg):.1f}°", f"most: {max(rotation_deg):.0f}°"),
        Fact("wall time", _duration(sum(findings.record.seconds.values()))),
    )


def _findings(run: OpenedRun) -> sentences.Findings:
    center = object_sphere(run.gaussians).center
    azimuths, _, _ = orbit_angles((run.refined.centers - center).detach().cpu())
    focal = run.refined.K.detach()[:, 0, 0] / run.initial.K.detach()[:, 0, 0]
    model = run.config.get("pipeline", {}).get("model", {})
    return sentences.Findings(
        record=run.record,
        outcome=run.outcome,
        gap=sentences.widest_gap(azimuths, run.trusted.cpu()),
        focal_factor=float(focal.median()),
        prior=str(model.get("guidance", "auto")),
        whole_photographs=run.whole_photographs,
    )


def _view_rows(run: OpenedRun, verdicts: Sequence[tuple[Mark, str]], tones: Sequence[Tone]) -> tuple[ViewRow, ...]:
    photographs = over_white(run.views.images, run.views.masks)
    refined, given = _renders(run, run.refined), _renders(run, run.initial_anchored)
    known = run.views.valid[..., None]
    differences = difference_colors(refined * known, photographs * known)
    planes = zip(photographs, refined, given, differences, strict=True)
    pictures = [Pictures(*map(view_picture, four)) for four in planes]
    views = run.outcome.views
    longest = max(view.mse_after for view in views) or 1.0
    rows = zip(run.views.names, views, verdicts, tones, pictures, strict=True)
    return tuple(
        ViewRow(name, mark, tone, verdict, shown, view, round(100 * math.sqrt(view.mse_after / longest), 2))
        for name, view, (mark, verdict), tone, shown in rows
    )


def _renders(run: OpenedRun, cameras: Cameras) -> Float[Tensor, "views height width 3"]:
    with torch.no_grad():
        white = torch.ones(3).to(run.views.images)
        return rasterize(run.gaussians, cameras, white, sh_degree=run.sh_degree).rgb.clamp(0, 1)


def _run_facts(run: OpenedRun) -> tuple[Fact, ...]:
    config, init = run.config, run.record.pose_init
    model = config.get("pipeline", {}).get("model", {})
    return (
        Fact("Method", str(config.get("method_name", "sparseags"))),
        Fact("Run", str(run.folder)),
        Fact("Steps", f"{run.outcome.steps_done:,} of {run.record.num_steps:,}"),
        Fact("Device", run.outcome.device),
        Fact("Photographs", f"{len(run.views)}, {run.views.cameras.width} x {run.views.cameras.height} px"),
        *(() if init is None else (Fact("Given cameras", describe_source(init)),)),
        Fact("Focal lengths refined", str(model.get("refine_focal", "?"))),
        Fact("Outlier rule", str(model.get("outlier_rule", "?"))),
        Fact("Diffusion prior", str(model.get("guidance", "auto")), PRIOR_NOTE),
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
