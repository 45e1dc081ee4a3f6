"""What every search of a run tried and found, as plain values: the content of `sparseags/searches.json`.

The file, version 1 (lists in it are parallel; positions are camera centres):

    {"version": 1,
     "measure": what scores are, in words; lower is better,
     "frame": in words,
     "views": names of all views, in order,
     "searches": [{
        "view": name of the view that was searched,
        "kind": "quick" or "thorough",
        "by": "search" (the run's own) or "hand" (asked for in the viewer),
        "step": steps done when it began,
        "cameras": {"centers": [[x, y, z], ...], "forward": [[x, y, z], ...]}, of all views at that time, the searched
            one where it claimed to be,
        "tried": how many hypotheses there were,
        "score_median": of all of them,
        "hypotheses": {"centers": [[x, y, z], ...], "scores": [...]}, the best MOST of them, best first,
        "finalists": {"centers": ..., "forward": ..., "scores": ..., "rotation_deg": [...]}, refined poses, best first;
            turned against where the view claimed to be,
        "here": least score near the claimed pose, "elsewhere": anywhere else; null where nobody asked or the
            photograph shows no object,
        "chosen": which finalist the view stands at since what follows from the search was decided (within
            CHOSEN_DEG), null where it kept its pose or stands at none of them
     }, ...]}

Frame: `world` of the searched splat: the run's normalised world but for a drift of a few percent, so plots should take
`cameras` from the same search. +y is up. Scores are squared errors over the object's area (pose_search/search.py).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.optimization.observer import Observer, SearchKind

VERSION = 1
MOST = 200
"""Hypotheses that are kept of each search."""
CHOSEN_DEG = 12.0
"""A view stands at a finalist if it is turned by less against it: joint refinement has moved it since."""
MEASURE = "squared error of colour (over grey) and alpha over the object's area; lower is better"
FRAME = "world of the searched splat: the run's normalised world but for a small drift; OpenCV cameras, +y up"


class SearchLog(Observer):
    """An observer (optimization/observer.py) that keeps the searches of one stretch of work."""

    def __init__(self, names: tuple[str, ...], step: int, by: str = "search") -> None:
        self.searches: list[dict[str, Any]] = []
        self._names, self._step, self._by = names, step, by
        self._poses: list[tuple[int, Float[Tensor, "finalists 4 4"], Float[Tensor, "4 4"]]] = []
        self._open: dict[str, Any] = {}
        self._claimed: Float[Tensor, "4 4"] | None = None

    def on_search_begin(self, view: int, kind: SearchKind, cameras: Cameras) -> None:
        """A search of one view begins."""
        poses = cameras.T_camera_world.detach()
        self._claimed = poses[view].clone()
        self._open = {"view": self._names[view], "kind": kind, "by": self._by, "step": self._step}
        self._open["cameras"] = {"centers": _centers(poses), "forward": _forward(poses)}
        self._open |= {"tried": 0, "score_median": None, "hypotheses": {"centers": [], "scores": []}}

    def on_hypotheses(self, poses: Float[Tensor, "hypotheses 4 4"], losses: Float[Tensor, " hypotheses"]) -> None:
        """All hypotheses and their losses."""
        best = losses.argsort(stable=True)[:MOST]
        self._open["tried"], self._open["score_median"] = len(losses), _number(losses.quantile(0.5))
        self._open["hypotheses"] = {"centers": _centers(poses[best]), "scores": _rounded(losses[best])}

    def on_search_end(self, poses: Float[Tensor, "finalists 4 4"], losses: Float[Tensor, " finalists"]) -> None:
        """The search is over."""
        assert self._claimed is not None
        poses = poses.detach()
        rotation_deg, _ = pose_change(self._claimed.expand(len(poses), 4, 4), poses)
        self._open["finalists"] = {
            "centers": _centers(poses),
            "forward": _forward(poses),
            "scores": _rounded(losses),
            "rotation_deg": _rounded(rotation_deg),
        }
        self._open |= {"here": None, "elsewhere": None, "chosen": None}
        self._poses.append((self._names.index(self._open["view"]), poses, self._claimed))
        self.searches.append(self._open)

    def on_comparison(self, loss_near: float, loss_elsewhere: float) -> None:
        """Of the last search."""
        self.searches[-1] |= {"here": _number(loss_near), "elsewhere": _number(loss_elsewhere)}

    def decided(self, cameras: Cameras) -> list[dict[str, Any]]:
        """All searches, with what was chosen, now that the views stand where they do.

        A view has chosen a finalist if that is nearer than the pose which it claimed when it was searched.
        """
        for search, (view, poses, claimed) in zip(self.searches, self._poses, strict=True):
            options = torch.cat([claimed[None], poses])
            stands = cameras.T_camera_world.detach()[view].to(options).expand(len(options), 4, 4)
            rotation_deg, _ = pose_change(options, stands)
            nearest = int(rotation_deg.argmin())
            search["chosen"] = nearest - 1 if nearest > 0 and rotation_deg[nearest] < CHOSEN_DEG else None
        return self.searches


def searches_json(searches: list[dict[str, Any]], names: tuple[str, ...]) -> dict[str, Any]:
    """The content of searches.json."""
    return {"version": VERSION, "measure": MEASURE, "frame": FRAME, "views": list(names), "searches": searches}


def _centers(poses: Float[Tensor, "poses 4 4"]) -> list[list[float]]:
    return _rounded(se3.inverse(poses)[:, :3, 3])


def _forward(poses: Float[Tensor, "poses 4 4"]) -> list[list[float]]:
    return _rounded(poses[:, 2, :3])


def _rounded(values: Tensor) -> Any:
    """As nested lists of at most six significant digits, null where not finite."""

    def plain(value: Any) -> Any:
        return [plain(one) for one in value] if isinstance(value, list) else _number(value)

    return plain(values.detach().cpu().tolist())


def _number(value: Any) -> float | None:
    number = float(value)
    return float(f"{number:.6g}") if math.isfinite(number) else None
