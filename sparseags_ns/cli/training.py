"""Running nerfstudio's commands from Python, in this process."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

from nerfstudio.scripts.exporter import ExportGaussianSplat
from nerfstudio.scripts.train import main as ns_train

from sparseags_ns.method_configs.sparseags import sparseags
from sparseags_ns.trainer import SparseAGSTrainerConfig


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
