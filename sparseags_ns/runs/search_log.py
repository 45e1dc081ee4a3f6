"""An observer that records every pose search of a stretch of work, for a run's `searches.json` (runs/record.py).

Frame: `world` of the searched splat, which differs from the run's normalised world by a drift of a few percent, so
plots take the cameras of the same search. Scores are the search's losses (pose_search/losses.py).
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
from sparseags_ns.runs.record import Author, SearchRecord

MOST = 200
"""Number of hypotheses recorded of each search, the best ones."""
CHOSEN_DEG = 12.0
"""A view is at a finalist if it is rotated by less against it: joint refinement has moved it since the search."""


class SearchLog(Observer):
    """Records of all searches since it was made."""

    def __init__(self, step: int, by: Author = "search") -> None:
        self._step: int = step
        self._by: Author = by
        self._records: list[SearchRecord] = []
        self._poses: list[tuple[Float[Tensor, "4 4"], Float[Tensor, "finalists 4 4"]]] = []
        """Start pose and finalists of each record."""
        self._running: tuple[SearchRecord, Float[Tensor, "4 4"]] | None = None

    def on_search_begin(self, view: int, kind: SearchKind, cameras: Cameras) -> None:
        """Begin a record."""
        poses = cameras.T_camera_world.detach()
        record = SearchRecord(view, kind, self._by, self._step, _centers(poses), _forward(poses))
        self._running = record, poses[view].clone()

    def on_hypotheses(self, poses: Float[Tensor, "hypotheses 4 4"], losses: Float[Tensor, " hypotheses"]) -> None:
        """Record the best hypotheses."""
        assert self._running is not None
        record, _ = self._running
        best = losses.argsort(stable=True)[:MOST]
        record.tried, record.score_median = len(losses), _number(losses.quantile(0.5))
        record.hypothesis_centers, record.hypothesis_scores = _centers(poses[best]), _rounded(losses[best])

    def on_search_end(self, poses: Float[Tensor, "finalists 4 4"], losses: Float[Tensor, " finalists"]) -> None:
        """Record the finalists; a search that was interrupted before leaves no record."""
        assert self._running is not None
        (record, start), poses = self._running, poses.detach()
        rotation_deg, _ = pose_change(start.expand(len(poses), 4, 4), poses)
        record.finalist_centers, record.finalist_forward = _centers(poses), _forward(poses)
        record.finalist_scores, record.finalist_rotation_deg = _rounded(losses), _rounded(rotation_deg)
        self._poses.append((start, poses))
        self._records.append(record)

    def on_comparison(self, loss_near: float, loss_elsewhere: float) -> None:
        """Record the comparison that the last search was made for."""
        self._records[-1].here, self._records[-1].elsewhere = _number(loss_near), _number(loss_elsewhere)

    def decided(self, cameras: Cameras) -> list[SearchRecord]:
        """All records, each with the finalist at which its view is now, if any.

        A view is at a finalist if that is nearer than the pose at which it was searched.

        Args:
            cameras: of all views, once what follows from the searches was decided.
        """
        for record, (start, poses) in zip(self._records, self._poses, strict=True):
            options = torch.cat([start[None], poses])
            now = cameras.T_camera_world.detach()[record.view].to(options).expand(len(options), 4, 4)
            rotation_deg, _ = pose_change(options, now)
            nearest = int(rotation_deg.argmin())
            record.chosen = nearest - 1 if nearest > 0 and rotation_deg[nearest] < CHOSEN_DEG else None
        return self._records


def _centers(poses: Float[Tensor, "poses 4 4"]) -> list[list[float]]:
    return _rounded(se3.inverse(poses)[:, :3, 3])


def _forward(poses: Float[Tensor, "poses 4 4"]) -> list[list[float]]:
    return _rounded(poses[:, 2, :3])


def _rounded(values: Tensor) -> Any:
    """Nested lists of at most six significant digits, None where not finite."""

    def plain(value: Any) -> Any:
        return [plain(one) for one in value] if isinstance(value, list) else _number(value)

    return plain(values.detach().cpu().tolist())


def _number(value: Any) -> float | None:
    number = float(value)
    return float(f"{number:.6g}") if math.isfinite(number) else None
