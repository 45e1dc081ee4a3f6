"""A small sample scene, and short runs on it as `ns-train` makes them, in this process and without the viewer."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import torch

from benchmarks.zero123_models import TINY, write_folder
from sparseags_ns.guidance.networks import build
from sparseags_ns.method_configs.sparseags import sparseags, sparseags_paper
from sparseags_ns.plugin.trainer import SparseAGSTrainer, SparseAGSTrainerConfig
from sparseags_ns.sample import SampleConfig, make_sample

STEPS = 60


def _config(
    scene: Path,
    output_dir: Path,
    *,
    steps: int = STEPS,
    paper: bool = False,
    repair_poses: bool = False,
    prior: Path | None = None,
) -> SparseAGSTrainerConfig:
    config = deepcopy((sparseags_paper if paper else sparseags).config)
    assert isinstance(config, SparseAGSTrainerConfig)
    config.pipeline.datamanager.data = scene
    config.pipeline.datamanager.dataparser.resolution = 64
    config.pipeline.model.num_gaussians = 400
    if not repair_poses:
        config.pipeline.model.other_pose_rates, config.pipeline.model.outlier_rule = (), "off"
    config.pipeline.model.guidance = "none" if prior is None else str(prior)
    config.pipeline.model.guidance_image_size, config.pipeline.model.guidance_sizes = 64, (32, 48, 64)
    config.output_dir, config.experiment_name, config.timestamp = output_dir, "run", "now"
    config.max_num_iterations = steps
    config.vis = "tensorboard"
    config.viewer.quit_on_train_completion = True
    config.report = False  # test_report.py asks for it; all the others would only wait for it
    return config


def _start(config: SparseAGSTrainerConfig) -> SparseAGSTrainer:
    torch.manual_seed(config.machine.seed)
    config.save_config()
    trainer = config.setup(local_rank=0, world_size=1)
    trainer.setup()
    return trainer


@pytest.fixture(scope="session")
def make_config() -> Callable[..., SparseAGSTrainerConfig]:
    """`make_config(scene, output_dir, steps=, paper=, repair_poses=, prior=)`: the config of a short run.

    Start selection and outlier repair, which take most of the time, are done with `repair_poses` only. `prior` is the
    folder of a diffusion model.
    """
    return _config


@pytest.fixture(scope="session")
def start() -> Callable[[SparseAGSTrainerConfig], SparseAGSTrainer]:
    """`start(config)`: a trainer that is set up."""
    return _start


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five rough views of a sample object."""
    directory = tmp_path_factory.mktemp("sample") / "scene"
    make_sample(SampleConfig(seed=3, size=64, num_views=5, num_test_views=2, level="dust3r"), directory)
    return directory


@pytest.fixture(scope="session")
def run(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> SparseAGSTrainer:
    """A finished run."""
    trainer = _start(_config(scene, tmp_path_factory.mktemp("runs")))
    trainer.train()
    return trainer


@pytest.fixture(scope="session")
def diffusion_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny diffusion model with random weights, in a published layout."""
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        write_folder(build(TINY), folder, "cc_projection")
    return folder
