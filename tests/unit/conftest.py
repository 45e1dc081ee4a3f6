"""A toy scene that every unit test can build in a moment: a few coloured Gaussians seen from a ring of cameras."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras, orbit
from sparseags_ns.metrics.images import PerceptualError, dssim
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.constants import SH_C0
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.opening import OpenedRun, open_run
from sparseags_ns.runs.outputs import RunState
from sparseags_ns.runs.record import RunRecord
from sparseags_ns.runs.saving import save_run
from sparseags_ns.views import Views


def ring(count: int, size: int, radius: float = 1.85) -> Cameras:
    """Cameras around the origin, looking at it."""
    steps = torch.arange(count)
    T_camera_world = orbit(360.0 * steps / count, 10.0 * (steps % 3).float(), radius)
    focal = 1.8 * size
    K = torch.tensor([[focal, 0.0, size / 2], [0.0, focal, size / 2], [0.0, 0.0, 1.0]]).repeat(count, 1, 1)
    return Cameras(T_camera_world, K, size, size)


@pytest.fixture
def toy_gaussians() -> Gaussians:
    """Sixty opaque blobs in a ball of radius 0.3."""
    generator = torch.Generator().manual_seed(0)
    return Gaussians(
        means=(torch.rand(60, 3, generator=generator) - 0.5) * 0.5,
        quats=torch.randn(60, 4, generator=generator),
        scales=torch.full((60, 3), 0.04),
        opacities=torch.full((60,), 0.9),
        colors=torch.rand(60, 3, generator=generator),
    )


@pytest.fixture
def make_views(toy_gaussians: Gaussians) -> Callable[..., Views]:
    """Photographs of the toy scene: `make_views(count, size)`."""

    def make(count: int = 4, size: int = 32) -> Views:
        cameras = ring(count, size)
        raster = rasterize(toy_gaussians, cameras, backend="reference")
        return Views(
            names=tuple(f"{i:03d}" for i in range(count)),
            paths=tuple(Path(f"{i:03d}.png") for i in range(count)),
            images=(raster.rgb / raster.alpha.clamp_min(1e-6)[..., None]).clamp(0, 1),
            masks=raster.alpha,
            valid=torch.ones_like(raster.alpha),
            cameras=cameras,
            trusted=torch.ones(count, dtype=torch.bool),
        )

    return make


@pytest.fixture(scope="session")
def toy_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `make_run` keeps what it made, to be copied."""
    return tmp_path_factory.mktemp("toy_runs")


@pytest.fixture
def make_run(
    toy_gaussians: Gaussians, make_views: Callable[..., Views], toy_runs: Path, tmp_path: Path
) -> Callable[..., Path]:
    """The folder of a run on the toy scene, as `ns-train` leaves it: `make_run(count, size, untrusted, names)`."""

    def make(count: int = 5, size: int = 32, untrusted: tuple[int, ...] = (), names: tuple[str, ...] = ()) -> Path:
        kept = toy_runs / f"{count}-{size}-{untrusted}-{len(names)}"
        if not kept.exists():
            write(kept, count, size, untrusted, names)
        return Path(shutil.copytree(kept, tmp_path / "toy" / "sparseags" / "now"))

    def write(folder: Path, count: int, size: int, untrusted: tuple[int, ...], names: tuple[str, ...]) -> None:
        views = make_views(count, size)
        views = replace(views, names=names or views.names)
        true = views.cameras
        generator = torch.Generator().manual_seed(1)
        wrong = 0.03 * torch.randn(count, 6, generator=generator)
        initial = true.with_poses(true.T_camera_world @ se3.exp(-wrong))
        trusted = torch.tensor([view not in untrusted for view in range(count)])
        splat = replace(toy_gaussians, colors=_harmonics(toy_gaussians.colors))
        folder.mkdir()
        state = RunState(
            replace(views, cameras=initial),
            initial,
            true,
            trusted,
            splat,
            2,
            60,
            RunRecord(views.names, 60),
            lambda: {"optimisation": 1.0},
        )
        pipeline = _checkpoint(splat, initial, trusted)
        pipeline["_model._extra_state"] = {"record": state.record.to_json()}
        save_run(folder, {"step": 59, "pipeline": pipeline}, state, PerceptualError("dssim", dssim))
        (folder / "config.yml").write_text(CONFIG)
        normalisation = {"transform": torch.eye(4)[:3].tolist(), "scale": 0.5}
        (folder / "dataparser_transforms.json").write_text(json.dumps(normalisation))

    return make


@pytest.fixture
def georeferenced(make_run: Callable[..., Path]) -> OpenedRun:
    """The run on the toy scene, whose given world has coordinates of millions of metres."""
    folder = make_run()
    R = se3.exp(torch.tensor([0, 0, 0, 0.3, -1.2, 0.4], dtype=torch.float64))[:3, :3]
    center = torch.tensor([448260.5, 5411932.25, 412.75], dtype=torch.float64)
    transform = torch.cat([R, -(R @ center)[:, None]], dim=1)
    (folder / "dataparser_transforms.json").write_text(json.dumps({"transform": transform.tolist(), "scale": 0.5}))
    return open_run(folder)


CONFIG = """!!python/object:sparseags_ns.plugin.trainer.SparseAGSTrainerConfig
_target: !!python/name:sparseags_ns.plugin.trainer.SparseAGSTrainer ''
data: !!python/object/apply:pathlib.PosixPath [/, photographs, toy]
experiment_name: toy
pipeline: !!python/object:sparseags_ns.plugin.pipeline.SparseAGSPipelineConfig
  model: !!python/object:sparseags_ns.plugin.model.SparseAGSModelConfig
    stages: !!python/tuple [coarse, fine]
    num_gaussians: 60
"""


def _harmonics(rgb: torch.Tensor) -> torch.Tensor:
    """Coefficients of degree 2: the colour, and a little of everything above it."""
    rest = 0.1 * torch.randn(len(rgb), 8, 3, generator=torch.Generator().manual_seed(2))
    return torch.cat([((rgb - 0.5) / SH_C0)[:, None], rest], dim=1)


def _checkpoint(splat: Gaussians, initial: Cameras, trusted: torch.Tensor) -> dict[str, object]:
    """The pipeline's state, under the names that `ns-train` gives it."""
    gaussians = {
        "means": splat.means,
        "quats": splat.quats,
        "scales": splat.scales.log(),
        "opacities": splat.opacities.logit()[:, None],
        "features_dc": splat.colors[:, 0],
        "features_rest": splat.colors[:, 1:],
    }
    return {
        "_model.T_camera_initial": initial.T_camera_world,
        "_model.K_initial": initial.K,
        "_model.trusted": trusted,
        **{f"_model.gauss_params.{name}": value for name, value in gaussians.items()},
    }
