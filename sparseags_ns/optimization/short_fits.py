"""Short reconstructions with the joint optimisation: from scratch at coarse resolution, or a few steps on from a fit.

Pose search, outlier repair and registration judge poses by them. Frame: `world`, normalised.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.optimization.losses import TargetPyramid, joint_loss, random_backgrounds
from sparseags_ns.optimization.observer import observer
from sparseags_ns.optimization.parameters import activate, deactivate
from sparseags_ns.optimization.pose_adam import PoseAdam
from sparseags_ns.optimization.reconstruct import Reconstruction, reconstruct
from sparseags_ns.optimization.schedule import exponential
from sparseags_ns.optimization.settings import ADAM_EPS, COARSE_PX, SPARSEAGS, Preset
from sparseags_ns.rasterizer.threads import torch_on_one_thread
from sparseags_ns.views import Views

_LR_DECAY = 0.3
"""Factor by which the pose learning rate has fallen at the end of a continuation."""


def coarse_preset(preset: Preset = SPARSEAGS) -> Preset:
    """The preset's coarse stages only, with the steps that they have in a whole run.

    Raises:
        ValueError: the preset has no coarse stage.
    """
    settings = preset.settings
    stages = tuple(stage for stage in settings.stages if stage.pixels is not None and stage.pixels <= COARSE_PX)
    if not stages:
        raise ValueError(f"coarse_preset: the preset has no stage of {COARSE_PX} px or less; `sparseags` has three")
    part = sum(stage.share for stage in stages) / sum(stage.share for stage in settings.stages)
    return replace(preset, settings=replace(settings, stages=stages), steps=max(round(preset.steps * part), 1))


@dataclass(frozen=True)
class Continuation:
    """A few more steps from an existing fit."""

    pixels: int
    """Longer side of the photographs in these steps."""
    steps: int
    pose_lr: float
    """Pose learning rate of the first step; it falls to a third."""


@runtime_checkable
class Fitter(Protocol):
    """Makes short reconstructions of one scene. A protocol, so that detection and repair can be tested with fakes."""

    def from_scratch(self, cameras: Cameras, trusted: Bool[Tensor, " views"]) -> Reconstruction:
        """Reconstruct coarsely from these cameras, with the trusted views only."""
        ...

    def continued(self, fit: Reconstruction, continuation: Continuation) -> Reconstruction:
        """Refine a fit for some more steps, with the views that it trusts."""
        ...


@dataclass
class ShortFitter:
    """Makes short reconstructions with the joint optimisation; the observer may pause it after every step."""

    views: Views
    preset: Preset = field(default_factory=coarse_preset)

    def __post_init__(self) -> None:
        self._targets = TargetPyramid(self.views)

    def from_scratch(self, cameras: Cameras, trusted: Bool[Tensor, " views"]) -> Reconstruction:
        """Reconstruct with the preset from these cameras, with the trusted views only."""
        views = replace(self.views, cameras=cameras, trusted=trusted)
        return reconstruct(views, self.preset, progress=lambda *_: observer().pause(), targets=self._targets)

    @torch_on_one_thread()
    def continued(self, fit: Reconstruction, continuation: Continuation) -> Reconstruction:
        """Refine a fit for some more steps, with the views that it trusts.

        Intrinsics stay as they are, and colours lose their view dependence: at these sizes neither tells poses apart.
        """
        params, index = deactivate(fit.gaussians, 1), fit.trusted.nonzero().flatten()
        targets, guess = self._targets.at(continuation.pixels)[index], fit.cameras[index]
        tangents = nn.Parameter(fit.gaussians.means.new_zeros(len(index), 6))
        rates, settings = self.preset.learning_rates, self.preset.settings
        groups = [{"params": [value], "lr": rates[name]} for name, value in params.items()]
        splat, poses = torch.optim.Adam(groups, betas=self.preset.betas, eps=ADAM_EPS), PoseAdam([tangents])
        scale = self.views.pose_lr_scale
        scale = torch.ones_like(tangents[:, :1]) if scale is None else scale[index, None]
        for step in range(continuation.steps):
            lr, done = continuation.pose_lr, step / continuation.steps
            poses.param_groups[0]["lr"] = exponential(lr, lr * _LR_DECAY, done)
            cameras = guess.with_poses(guess.T_camera_world @ se3.exp(scale * tangents))
            background = random_backgrounds(len(index), settings.seed, step).to(tangents)
            losses, _ = joint_loss(activate(params), cameras, targets, background, settings, sh_degree=0)
            splat.zero_grad()
            poses.zero_grad()
            torch.stack(list(losses.values())).sum().backward()
            splat.step()
            poses.step()
            observer().pause()
        moved = fit.cameras.T_camera_world.clone()
        moved[index] = (guess.T_camera_world @ se3.exp(scale * tangents)).detach()
        frozen = activate({name: value.detach() for name, value in params.items()})
        return Reconstruction(frozen, fit.cameras.with_poses(moved), fit.trusted)
