"""Running nerfstudio's commands from Python, in this process."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import torch
from nerfstudio.engine.trainer import TrainerConfig
from nerfstudio.scripts.exporter import ExportGaussianSplat
from nerfstudio.scripts.train import main as ns_train
from nerfstudio.utils.eval_utils import eval_setup

from sparseags_ns.method_configs.sparseags import sparseags
from sparseags_ns.plugin.model import SparseAGSModel
from sparseags_ns.plugin.trainer import SparseAGSTrainerConfig
from sparseags_ns.rasterizer.types import Gaussians


def train(data: Path, output_dir: Path, *, experiment: str, steps: int | None = None) -> SparseAGSTrainerConfig:
    """What `ns-train sparseags --data DATA` does, without the viewer; returns the run's config."""
    config = deepcopy(sparseags.config)
    assert isinstance(config, SparseAGSTrainerConfig)
    config.data, config.output_dir, config.experiment_name = data, output_dir, experiment
    config.vis = "tensorboard"
    config.viewer.quit_on_train_completion = True
    if steps is not None:
        config.max_num_iterations = steps
    ns_train(config)
    return config


def export_splat(config_path: Path, output_dir: Path) -> Path:
    """What `ns-export gaussian-splat` does; returns the file."""
    ExportGaussianSplat(load_config=config_path, output_dir=output_dir).main()
    return output_dir / "splat.ply"


def load_splat(run: Path) -> tuple[Gaussians, int]:
    """The Gaussians of a run's latest checkpoint, in the world of its refined cameras, and their colours' degree.

    Raises:
        ValueError: there is no checkpoint, or the run's photographs are not where they were.
    """
    checkpoints = run.absolute() / "nerfstudio_models"
    if not any(checkpoints.glob("step-*.ckpt")):
        raise ValueError(f"{run} holds no checkpoint: expected {checkpoints}/step-*.ckpt, as ns-train writes them")

    def here(config: TrainerConfig) -> TrainerConfig:
        # The folder may have been moved since: an absolute path wins over the one that the config remembers.
        config.relative_model_dir = checkpoints
        return config

    _, pipeline, _, _ = eval_setup(run / "config.yml", test_mode="inference", update_config_callback=here)
    model = pipeline.model
    assert isinstance(model, SparseAGSModel)
    with torch.no_grad():
        return model.gaussians(), model.config.sh_degree
