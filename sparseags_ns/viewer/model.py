"""The model as the viewer sees it: a protocol that `plugin/model.py` implements, since `plugin/` imports this room."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.optimization.schedule import Run
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.record import RunRecord
from sparseags_ns.views import Views


class ViewedModel(Protocol):
    """The part of the model that the viewer shows and that requests change."""

    views: Views
    record: RunRecord
    run: Run
    trusted: Tensor
    T_camera_initial: Tensor
    steps_done: int
    room_behind: float
    config: Any
    camera_optimizer: Any

    @property
    def device(self) -> torch.device: ...
    @property
    def num_points(self) -> int: ...
    def cameras(self) -> Cameras: ...
    def gaussians(self) -> Gaussians: ...
    def reconstruction(self) -> Reconstruction: ...
    def continue_from(self, fit: Reconstruction, optimizers: dict[str, torch.optim.Optimizer]) -> None: ...
