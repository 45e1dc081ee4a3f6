"""The page's chart and 3D plots as plain values: errors over the run, cameras around the object, searches.

Chart coordinates: 0 to WIDTH to the right, 0 to HEIGHT downwards. 3D frame: the run's `world` (+y up), moved so that
the object's middle is the origin; world units, three decimals. Scripts in assets/ draw the 3D plots.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.export.turntable import object_sphere
from sparseags_ns.geometry.cameras import Cameras, frustum_corners
from sparseags_ns.pose_search.proxy import base_colors
from sparseags_ns.report.content import Band, Chart, Curve, Tone
from sparseags_ns.runs.opening import OpenedRun
from sparseags_ns.runs.record import RunRecord, SearchRecord

WIDTH, HEIGHT = 1000, 400
LEAST_ROWS = 2
"""A history of fewer rows makes no chart."""
MOST_POINTS = 5000
LEAST_OPACITY = 0.3
"""Gaussians below are not drawn as points."""
FRUSTUM = 0.22
"""Depth of a drawn camera over the cameras' distance from the object."""


def error_chart(record: RunRecord, tones: Sequence[Tone]) -> Chart | None:
    """Errors over the run as an SVG chart's content; None where there is too little to draw."""
    rows, whole = record.rows, max(record.num_steps, 1)
    positive = [error for row in rows for error in row.errors if error > 0]
    if len(rows) < LEAST_ROWS or not positive:
        return None
    low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    high = max(high, low + 1)

    def x(step: float) -> float:
        return round(WIDTH * step / whole, 1)

    def y(error: float) -> float:
        return round(HEIGHT * (high - math.log10(max(error, 10**low))) / (high - low), 1)

    curves = tuple(
        Curve(name, tones[view], " ".join(f"{x(row.step):g},{y(row.errors[view]):g}" for row in rows))
        for view, name in enumerate(record.names)
    )
    steps, errors = [row.step for row in rows], [row.errors for row in rows]
    return Chart(
        curves=curves,
        x_ticks=tuple((x(step), f"{step:,}") for step in _round_steps(whole)),
        y_ticks=tuple(
            (y(10.0**power), f"{10.0**power:g}" if -4 <= power <= 3 else f"1e{power}") for power in range(low, high + 1)
        ),
        bands=tuple(
            Band(phase.name, x(phase.from_step), x(min(phase.to_step, whole) - phase.from_step))
            for phase in record.phases
        ),
        data={"views": record.names, "steps": steps, "errors": errors, "whole": whole, "low": low, "high": high},
    )


def camera_plot(run: OpenedRun, tones: Sequence[Tone], posed: Sequence[bool]) -> dict[str, Any]:
    """The cameras, given (None where none was) and refined, around the splat's most visible Gaussians."""
    center = object_sphere(run.gaussians).center.cpu()
    distance = float((run.refined.centers.cpu() - center).norm(dim=-1).median())
    given = _corners(run.initial_anchored, center, FRUSTUM * distance)
    refined = _corners(run.refined, center, FRUSTUM * distance)
    return {
        "cameras": [
            {"name": name, "tone": tone, "given": before if was_posed else None, "refined": after}
            for name, tone, was_posed, before, after in zip(run.views.names, tones, posed, given, refined, strict=True)
        ],
        "points": _points(run, center),
        "reach": round(distance, 3),
    }


def search_plots(record: RunRecord) -> tuple[dict[str, Any], ...]:
    """The last thorough search of each view, hypotheses best first."""
    found = {one.view: one for one in record.searches if one.kind == "thorough" and one.hypothesis_centers}
    return tuple(_search_plot(search, record.names[view]) for view, search in found.items())


def _search_plot(search: SearchRecord, name: str) -> dict[str, Any]:
    chosen = search.chosen
    return {
        "view": name,
        "tried": search.tried,
        "here": search.here,
        "elsewhere": search.elsewhere,
        "others": [center for view, center in enumerate(search.camera_centers) if view != search.view],
        "start": search.camera_centers[search.view],
        "centers": search.hypothesis_centers,
        "scores": search.hypothesis_scores,
        "finalists": search.finalist_centers,
        "finalist_scores": search.finalist_scores,
        "chosen": chosen,
        "rotation_deg": None if chosen is None else search.finalist_rotation_deg[chosen],
    }


def _round_steps(whole: int) -> list[int]:
    """Up to nine round numbers of steps from 0 on."""
    unit = 10 ** math.floor(math.log10(whole)) if whole > 1 else 1
    every = next((unit * factor for factor in (0.1, 0.2, 0.25, 0.5) if whole / (unit * factor) <= 8), unit)
    return list(range(0, whole + 1, max(round(every), 1)))


def _corners(cameras: Cameras, center: Float[Tensor, " 3"], depth: float) -> list[list[list[float]]]:
    """Each camera's centre and the corners of its image plane."""
    return _rounded(frustum_corners(cameras.detach().to("cpu", torch.float32), depth) - center)


def _points(run: OpenedRun, center: Float[Tensor, " 3"]) -> dict[str, Any]:
    """Centres, colours and sizes of the Gaussians with the largest opacity times area."""
    gaussians = run.gaussians
    area = gaussians.scales.topk(2, dim=-1).values.prod(-1)
    seen = (gaussians.opacities * area).masked_fill(gaussians.opacities < LEAST_OPACITY, 0)
    index = seen.argsort(descending=True, stable=True)[: min(MOST_POINTS, int((seen > 0).sum()))]
    colors = (base_colors(gaussians)[index].clamp(0, 1) * 255).round().int().cpu()
    return {
        "positions": _rounded((gaussians.means[index].detach().cpu() - center).flatten()),
        "colors": colors.flatten().tolist(),
        "sizes": _rounded(area[index].sqrt()),
    }


def _rounded(values: Tensor) -> Any:
    """Nested lists with three decimals."""
    return ((values.detach().double().cpu() * 1000).round() / 1000).tolist()
