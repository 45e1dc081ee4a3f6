"""Two saves of one toy run, at steps 60 and 120; nothing is rendered, so that a save takes milliseconds.

The cameras of the second save are those of the first, all rotated by a radian, so that a mixture of both is seen.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest import mock

import torch

from sparseags_ns.formats.transforms_json import read_transforms_json
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.metrics.images import PerceptualError, dssim
from sparseags_ns.metrics.view_errors import ViewErrors
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.opening import open_run
from sparseags_ns.runs.outputs import RunState
from sparseags_ns.runs.record import RunRecord
from sparseags_ns.runs.saving import save_run
from sparseags_ns.views import Views

torch.set_num_threads(1)  # A process with threads cannot be forked.
VIEWS, SIDE_PX, GAUSSIANS = 3, 16, 2000
STEPS = 60, 120
CONFIG = "pipeline: {model: {num_gaussians: 4}}\n"
NORMALISATION = '{"transform": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], "scale": 1.0}'


def run_state(steps: int) -> RunState:
    """The toy run after so many steps."""
    angles = torch.arange(VIEWS) * 0.9 + (0.0 if steps == STEPS[0] else 1.0)
    turns = torch.stack([torch.zeros(VIEWS), angles, torch.zeros(VIEWS)], dim=1)
    tangents = torch.cat([torch.zeros(VIEWS, 3), turns], dim=1)
    away = se3.pose(torch.eye(3), torch.tensor([0.0, 0.0, 1.85]))
    K = torch.tensor([[20.0, 0, 8], [0, 20, 8], [0, 0, 1]]).expand(VIEWS, 3, 3)
    cameras = Cameras(away @ se3.exp(tangents), K, SIDE_PX, SIDE_PX)
    generator = torch.Generator().manual_seed(steps)
    means = torch.rand(GAUSSIANS, 3, generator=generator) - 0.5
    spread = torch.full_like(means, 0.1)
    quats = torch.nn.functional.normalize(torch.ones(GAUSSIANS, 4), dim=-1)
    gaussians = Gaussians(means, quats, spread, torch.full((GAUSSIANS,), 0.5), torch.rand(GAUSSIANS, 1, 3))
    names = tuple(f"{view:03d}" for view in range(VIEWS))
    planes = torch.ones(VIEWS, SIDE_PX, SIDE_PX)
    images, trusted = planes[..., None].expand(-1, -1, -1, 3).clone(), torch.ones(VIEWS, dtype=torch.bool)
    views = Views(names, tuple(map(Path, names)), images, planes, planes, cameras, trusted)
    return RunState(views, cameras, cameras, trusted, gaussians, 0, steps, RunRecord(names, 120), dict)


def save(folder: Path, steps: int) -> None:
    """Save the toy run after so many steps, as training does."""
    run = run_state(steps)
    splat = run.gaussians
    values = {"means": splat.means, "quats": splat.quats, "scales": splat.scales.log()}
    values |= {"opacities": splat.opacities.logit()[:, None], "features_dc": splat.colors[:, 0]}
    values |= {"features_rest": splat.colors[:, 1:]}
    pipeline: dict[str, object] = {f"_model.gauss_params.{name}": value for name, value in values.items()}
    initial = {"T_camera_initial": run.initial.T_camera_world, "K_initial": run.initial.K, "trusted": run.trusted}
    pipeline |= {f"_model.{name}": value for name, value in initial.items()}
    pipeline["_model._extra_state"] = {"record": run.record.to_json()}
    with unrendered():
        save_run(folder, {"step": steps - 1, "pipeline": pipeline}, run, PerceptualError("dssim", dssim))


def begin(folder: Path) -> None:
    """A run's folder with the first save."""
    folder.mkdir(parents=True)
    (folder / "config.yml").write_text(CONFIG)
    (folder / "dataparser_transforms.json").write_text(NORMALISATION)
    save(folder, STEPS[0])


def fault_of(folder: Path) -> str | None:
    """What is wrong with the run in a folder as a person would find it; None if it is one whole save."""
    try:
        with unrendered():
            run = open_run(folder)
    except ValueError as error:
        return str(error)
    if run.steps_done not in STEPS or run.outcome.steps_done != run.steps_done:
        return f"splat of step {run.steps_done}, record of step {run.outcome.steps_done}"
    expected = run_state(run.steps_done)
    written = torch.stack([frame.T_camera_world for frame in read_transforms_json(run.outputs / "transforms.json")])
    for cameras in (run.refined.T_camera_world, written.float()):
        if not torch.allclose(cameras, expected.refined.T_camera_world, atol=1e-5):
            return f"splat of step {run.steps_done}, cameras of another"
    return None if torch.equal(run.gaussians.means, expected.gaussians.means) else "splat of another step"


def unrendered() -> mock._patch:
    """Replace the errors of views, which need renders, by zeros."""
    errors = ViewErrors(torch.zeros(VIEWS), torch.zeros(VIEWS), "dssim", torch.ones(VIEWS, SIDE_PX, SIDE_PX, 3))
    return mock.patch("sparseags_ns.runs.outputs.view_errors", lambda *_, **__: replace(errors))
