"""Cameras and points for the page's 3D plots, as plain values; the drawing is done in assets/space.js.

Frame: the run's `world` (+y up), moved so that the object's middle is the origin. Units: world units, three decimals.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.export.preparation import frustum_corners
from sparseags_ns.export.turntable import object_sphere
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.pose_search.proxy import base_colors
from sparseags_ns.report.content import Tone
from sparseags_ns.runs.opening import OpenedRun

MOST_POINTS = 5000
LEAST_OPACITY = 0.3
FRUSTUM = 0.22
"""Depth of a drawn camera over the cameras' distance from the object."""
MOST_HYPOTHESES = 200


def scene(run: OpenedRun, tones: list[Tone], posed: list[bool]) -> dict[str, Any]:
    """The cameras, given (None where none was) and refined, around the splat's most opaque centres."""
    sphere = object_sphere(run.gaussians)
    center = sphere.center.cpu()
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


def searches(content: dict[str, Any] | None) -> tuple[dict[str, Any], ...]:
    """The thorough searches of searches.json, the last one of each view; those by hand too."""
    found: dict[str, dict[str, Any]] = {}
    for search in (content or {}).get("searches", ()):
        if search["kind"] == "thorough" and search["hypotheses"]["centers"]:
            found[search["view"]] = search
    names = list((content or {}).get("views", ()))
    return tuple(_search(search, names) for search in found.values())


def _search(search: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """One search as the plot needs it, with the hypotheses best first."""
    hypotheses, finalists = search["hypotheses"], search["finalists"]
    chosen = search["chosen"]
    return {
        "view": search["view"],
        "tried": search["tried"],
        "here": search["here"],
        "elsewhere": search["elsewhere"],
        "others": [c for name, c in zip(names, search["cameras"]["centers"], strict=True) if name != search["view"]],
        "claimed": search["cameras"]["centers"][names.index(search["view"])],
        "centers": hypotheses["centers"][:MOST_HYPOTHESES],
        "scores": hypotheses["scores"][:MOST_HYPOTHESES],
        "finalists": finalists["centers"],
        "finalist_scores": finalists["scores"],
        "chosen": chosen,
        "rotation_deg": None if chosen is None else finalists["rotation_deg"][chosen],
    }


def _corners(cameras: Cameras, center: Float[Tensor, " 3"], depth: float) -> list[list[list[float]]]:
    """Each camera's centre and the corners of its picture."""
    return _rounded(frustum_corners(cameras.detach().to("cpu", torch.float32), depth) - center)


def _points(run: OpenedRun, center: Float[Tensor, " 3"]) -> dict[str, Any]:
    """Centres, colours and sizes of the Gaussians that are seen most."""
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
    """As nested lists with three decimals."""
    thousandths = (values.detach().double().cpu() * 1000).round() / 1000
    return thousandths.tolist()
