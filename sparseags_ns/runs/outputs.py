"""What a run leaves beside each checkpoint: refined cameras, the working photographs, a summary, a picture.

Everything is in the frame of the exported splat (the normalised world of the run). File paths inside the camera files
are relative to the folder they lie in, so that the folder is a scene of its own.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from PIL import Image
from torch import Tensor

from sparseags_ns import __version__
from sparseags_ns.formats.cameras_json import write_cameras_json
from sparseags_ns.formats.frame import Frame
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.geometry.motion import drift
from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.metrics.images import over_white
from sparseags_ns.metrics.perceptual import PerceptualError
from sparseags_ns.metrics.view_errors import ViewErrors, view_errors
from sparseags_ns.rasterizer.threads import num_threads
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.contact_sheet import contact_sheet, save_image
from sparseags_ns.views import Views

FOLDER = "sparseags"
VALID_FOLDER = "valid"
"""White where a photograph shows something; only where some of one shows nothing."""
PACKAGES = ("torch", "nerfstudio", "gsplat", "numba", "numpy")


@dataclass(frozen=True)
class RunState:
    """A run at one step, as the outputs need it."""

    views: Views
    initial: Cameras
    """Cameras as pose init gave them, in the normalised world."""
    refined: Cameras
    trusted: Bool[Tensor, " views"]
    gaussians: Gaussians
    sh_degree: int
    steps_done: int
    num_steps: int
    settled: dict[str, Any] | None
    """What was decided between the coarse and the fine stages; None before, or where nothing was to be decided."""
    seconds: Callable[[], dict[str, float]]
    """Wall seconds by phase, up to the moment of the call."""
    by_hand: Mapping[str, str] = field(default_factory=dict)
    """Views that somebody left out, or trusted, in the viewer: `left out` or `trusted`, by name."""


def write_run_outputs(folder: Path, state: RunState, perceptual: PerceptualError) -> dict[str, Any]:
    """Write transforms.json, cameras.json, images/, valid/, summary.json and views.png; returns the summary."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    given = anchored(state.initial, state.refined, state.gaussians, state.views.posed)
    before = view_errors(state.gaussians, given, state.views, perceptual, sh_degree=state.sh_degree)
    after = view_errors(state.gaussians, state.refined, state.views, perceptual, sh_degree=state.sh_degree)
    _write_photographs(folder / "images", state.views)
    _write_valid(folder / VALID_FOLDER, state.views)
    frames = _frames(state)
    write_transforms_json(folder / "transforms.json", frames)
    write_cameras_json(folder / "cameras.json", frames)
    labels = [f"{name}  error {error:.4f}" for name, error in zip(state.views.names, after.mse.tolist(), strict=True)]
    sheet = contact_sheet(over_white(state.views.images, state.views.masks), after.renders, labels, state.trusted)
    save_image(sheet, folder / "views.png")
    summary = summarize(state, given, before, after)
    _write_text(folder / "summary.json", json.dumps(summary, indent=2))
    return summary


def anchored(
    given: Cameras, refined: Cameras, gaussians: Gaussians, posed: Bool[Tensor, " views"] | None = None
) -> Cameras:
    """The given cameras, moved as one so that the object stands where the refined cameras have it.

    The world itself may drift a little during the optimisation; that is no error of the given poses.

    Args:
        posed: the cameras that were given; the others only stand in for one, and say nothing of the drift.
    """
    center = gaussians.center
    told = torch.arange(len(given), device=center.device) if posed is None else posed.to(center.device).nonzero()[:, 0]
    similarity = drift(given.T_camera_world[told], refined.T_camera_world[told], center)
    return given.with_poses(similarity.apply_to_poses(given.T_camera_world))


def summarize(state: RunState, given: Cameras, before: ViewErrors, after: ViewErrors) -> dict[str, Any]:
    """The content of summary.json."""
    rotation_deg, moved = pose_change(given.T_camera_world, state.refined.T_camera_world)
    posed = state.views.posed.tolist()
    return {
        "steps_done": state.steps_done,
        "num_steps": state.num_steps,
        "gaussians": len(state.gaussians.means),
        "device": _device_name(state.gaussians.means.device),
        "perceptual_error": after.perceptual_name,
        "errors": "squared and perceptual error over object area, over white; `before`: the final splat seen "
        "through the given poses (moved as one, since the world may drift), `after`: through the refined poses. A view "
        "that came without a pose (`posed`) has nothing before, and repeats what is after",
        "views": [
            {
                "name": name,
                "trusted": bool(state.trusted[i]),
                "by_hand": state.by_hand.get(name),
                "posed": posed[i],
                "mse_before": float(before.mse[i] if posed[i] else after.mse[i]),
                "mse_after": float(after.mse[i]),
                f"{after.perceptual_name}_before": float(before.perceptual[i] if posed[i] else after.perceptual[i]),
                f"{after.perceptual_name}_after": float(after.perceptual[i]),
                "rotation_deg": float(rotation_deg[i]) if posed[i] else 0.0,
                "camera_moved": float(moved[i]) if posed[i] else 0.0,
            }
            for i, name in enumerate(state.views.names)
        ],
        "settled": state.settled,
        "seconds": {phase: round(seconds, 2) for phase, seconds in state.seconds().items()},
        "versions": {"sparseags_ns": __version__, "python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
    }


def _frames(state: RunState) -> list[Frame]:
    cameras = state.refined.to("cpu", torch.float64)
    return [
        Frame(
            name=name,
            file_path=f"images/{name}.png",
            T_camera_world=cameras.T_camera_world[i].detach(),
            K=cameras.K[i].detach(),
            width=cameras.width,
            height=cameras.height,
            trusted=bool(state.trusted[i]),
        )
        for i, name in enumerate(state.views.names)
    ]


def _write_photographs(folder: Path, views: Views) -> None:
    rgba = torch.cat([views.images, views.masks[..., None]], dim=-1).cpu().numpy()
    for name, pixels in zip(views.names, (rgba * 255).round().astype(np.uint8), strict=True):
        path = folder / f"{name}.png"
        if not path.exists():
            save_image(Image.fromarray(pixels), path)


def _write_valid(folder: Path, views: Views) -> None:
    """Where each photograph shows something, if that is not everywhere."""
    if bool((views.valid < 1).any()):
        folder.mkdir(exist_ok=True)
        for name, plane in zip(views.names, (views.valid.cpu().numpy() * 255).round().astype(np.uint8), strict=True):
            if not (folder / f"{name}.png").exists():
                save_image(Image.fromarray(plane), folder / f"{name}.png")


def _write_text(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"cpu ({num_threads()} threads)"
