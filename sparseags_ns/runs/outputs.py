"""What a run leaves beside each checkpoint: refined cameras, the working photographs, its record, a picture.

Everything is in the frame of the exported splat (the normalised world of the run). File paths inside the camera files
are relative to the folder they lie in, so that the folder is a scene of its own.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from sparseags_ns import __version__
from sparseags_ns.console import warn
from sparseags_ns.formats.cameras_json import write_cameras_json
from sparseags_ns.formats.frame import Frame
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.geometry.motion import drift
from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.metrics.images import PerceptualError, over_white
from sparseags_ns.metrics.view_errors import ViewErrors, view_errors
from sparseags_ns.rasterizer.threads import num_threads
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.contact_sheet import contact_sheet, save_image
from sparseags_ns.runs.record import Outcome, RunRecord, ViewOutcome
from sparseags_ns.storage import OutputError, write_json
from sparseags_ns.views import Views

FOLDER = "sparseags"
"""Folder of the outputs inside a run's folder."""
VALID_FOLDER = "valid"
"""Folder of masks that are white where a photograph shows something; written only if a photograph has invalid parts."""
FILES = ("transforms.json", "cameras.json", "history.json", "searches.json", "summary.json")
"""Files of every save, besides the picture."""
PACKAGES = ("torch", "nerfstudio", "gsplat", "numba", "numpy")
"""Packages whose versions the summary names, where they are installed."""


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
    record: RunRecord
    seconds: Callable[[], dict[str, float]]
    """Wall seconds by phase, up to the moment of the call."""


def write_run_outputs(
    folder: Path, state: RunState, perceptual: PerceptualError, checkpoint: str | None = None
) -> RunRecord:
    """Write cameras, photographs, the picture and the three files of the record, whose summary comes last.

    Args:
        checkpoint: digest of the checkpoint of the same save.

    Returns:
        The record with the outcome that was measured here.
    """
    views = state.views
    given = anchored(state.initial, state.refined, state.gaussians, views.posed)
    before = view_errors(state.gaussians, given, views, perceptual, sh_degree=state.sh_degree)
    after = view_errors(state.gaussians, state.refined, views, perceptual, sh_degree=state.sh_degree)
    write_photographs(folder, views)
    frames = _frames(state)
    write_transforms_json(folder / "transforms.json", frames)
    write_cameras_json(folder / "cameras.json", frames)
    labels = [f"{name}  error {error:.4f}" for name, error in zip(views.names, after.mse.tolist(), strict=True)]
    statuses = state.record.statuses(state.trusted.tolist(), views.posed.tolist())
    sheet = contact_sheet(over_white(views.images, views.masks), after.renders, labels, statuses)
    try:
        save_image(sheet, folder / "views.png")
    except OutputError as error:  # The run is whole without its picture.
        warn("no picture of the views", str(error))
    outcome = replace(measured(state, given, before, after), checkpoint=checkpoint)
    record = replace(state.record, outcome=outcome, seconds=state.seconds())
    for part, content in sorted(record.to_json().items()):
        write_json(folder / f"{part}.json", content, indent=2 if part == "summary" else None)
    return record


def write_photographs(folder: Path, views: Views) -> None:
    """Write the photographs as trained on, unless an earlier save has."""
    _write_planes(folder / "images", views.names, torch.cat([views.images, views.masks[..., None]], dim=-1))
    if bool((views.valid < 1).any()):
        _write_planes(folder / VALID_FOLDER, views.names, views.valid)


def anchored(
    given: Cameras, refined: Cameras, gaussians: Gaussians, posed: Bool[Tensor, " views"] | None = None
) -> Cameras:
    """The given cameras, moved as one so that they see the object where the refined cameras see it.

    The world itself may drift a little during the optimisation; that is no error of the given poses.

    Args:
        posed: the cameras that were given; the others are placeholders, from which no drift can be measured.
    """
    center = gaussians.center
    usable = slice(None) if posed is None else posed.to(center.device)
    similarity = drift(given.T_camera_world[usable], refined.T_camera_world[usable], center)
    return given.with_poses(similarity.apply_to_poses(given.T_camera_world))


def measured(state: RunState, given: Cameras, before: ViewErrors, after: ViewErrors) -> Outcome:
    """The outcome of a run at one step: errors `before` are through the given cameras (`anchored`), `after` through the
    refined ones.
    """
    rotation_deg, moved = pose_change(given.T_camera_world, state.refined.T_camera_world)
    views = []
    for i, posed in enumerate(state.views.posed.tolist()):
        first = before if posed else after
        views.append(
            ViewOutcome(
                trusted=bool(state.trusted[i]),
                posed=posed,
                mse_before=float(first.mse[i]),
                mse_after=float(after.mse[i]),
                perceptual_before=float(first.perceptual[i]),
                perceptual_after=float(after.perceptual[i]),
                rotation_deg=float(rotation_deg[i]) if posed else 0.0,
                camera_moved=float(moved[i]) if posed else 0.0,
            )
        )
    versions = {"sparseags_ns": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):  # The core runs without nerfstudio and gsplat.
            versions[package] = version(package)
    device = state.gaussians.means.device
    what = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{num_threads()} threads"
    return Outcome(
        steps_done=state.steps_done,
        gaussians=len(state.gaussians.means),
        device=f"{device.type} ({what})",
        perceptual_error=after.perceptual_name,
        views=tuple(views),
        versions=versions,
    )


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


def _write_planes(folder: Path, names: tuple[str, ...], planes: Float[Tensor, "views height width *channels"]) -> None:
    """Write one PNG for each view, unless an earlier save has: they do not change during a run."""
    for name, pixels in zip(names, (planes.cpu().numpy() * 255).round().astype(np.uint8), strict=True):
        path = folder / f"{name}.png"
        if not path.exists():
            save_image(Image.fromarray(pixels), path)
