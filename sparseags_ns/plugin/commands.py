"""What `sparseags train` and `sparseags view` do through nerfstudio, in this process.

A finished run is shown with its own settings. config.yml names Python modules, which move from one version to the next.
Here it is read as plain data, and its settings are put into the method's present config: runs of earlier versions open
too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import fields, is_dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import torch
import tyro
from nerfstudio.engine.trainer import TrainerConfig
from nerfstudio.scripts.train import main as ns_train
from nerfstudio.utils import writer
from nerfstudio.utils.eval_utils import eval_load_checkpoint
from nerfstudio.viewer.viewer import Viewer
from tyro.conf import FlagConversionOff, SuppressFixed

from sparseags_ns.plugin.quiet import other_packages_hidden, prints_hidden
from sparseags_ns.plugin.trainer import SparseAGSTrainerConfig
from sparseags_ns.runs.checkpoint import CHECKPOINTS
from sparseags_ns.runs.opening import CONFIG, read_run_config
from sparseags_ns.viewer.page import browsers_wait

Config = TypeVar("Config")


def config_of_arguments(method: TrainerConfig, arguments: Sequence[str], prog: str) -> SparseAGSTrainerConfig:
    """The config that `ns-train METHOD ARGUMENTS` makes.

    Args:
        method: the method's registered config; it is not changed.
        prog: name of the program in its error messages.
    """
    parser = SuppressFixed[FlagConversionOff[SparseAGSTrainerConfig]]  # as nerfstudio parses its methods
    config = tyro.cli(parser, default=deepcopy(method), args=list(arguments), prog=prog)
    assert isinstance(config, SparseAGSTrainerConfig)
    return config


def train(config: SparseAGSTrainerConfig) -> None:
    """Train as `ns-train` does; the run's folder is `config.get_base_dir()`."""
    with other_packages_hidden(config.verbose):
        ns_train(config)


def config_of_run(run: Path, method: TrainerConfig) -> SparseAGSTrainerConfig:
    """The config of a run, from config.yml as plain data.

    Args:
        run: the run's folder, which holds config.yml; it may have been moved since.
        method: the registered config of the run's method, for all that the file does not say.

    Raises:
        ValueError: the file cannot be read, or is no run's config.
    """
    config = with_settings(method, read_run_config(run / CONFIG))
    assert isinstance(config, SparseAGSTrainerConfig)
    config.load_dir = run.absolute() / CHECKPOINTS
    return config


def with_settings(config: Config, saved: Mapping[str, Any]) -> Config:
    """A copy of a config with the saved settings that it knows.

    Fields that hold other objects than configs, numbers, texts, paths and tuples of these keep their defaults.
    """
    copy = type(config).__new__(type(config))
    for field in fields(config):  # pyright: ignore[reportArgumentType]
        present = getattr(config, field.name)
        value = saved.get(field.name, present)
        if is_dataclass(present):
            value = with_settings(present, value) if isinstance(value, Mapping) else present
        elif isinstance(value, list | tuple) and len(value) and isinstance(present, tuple) and is_dataclass(present[0]):
            value = tuple(with_settings(present[0], one) for one in value)
        elif field.name.startswith("_") or isinstance(present, dict):
            value = present
        object.__setattr__(copy, field.name, value)
    return copy


def serve_run(run: Path, method: TrainerConfig, host: str, port: int | None) -> None:
    """Serve a run in the web viewer, until Ctrl-C.

    Args:
        run: the run's folder, which holds config.yml.
        method: the registered config of the run's method.
        port: None for the first free one from 7007.

    Raises:
        ValueError: the run, or the photographs that it was made from, cannot be read.
    """
    config = config_of_run(run, method)
    config.viewer.websocket_host, config.viewer.websocket_port = host, port
    with prints_hidden(config.verbose):
        device = "cuda" if torch.cuda.is_available() else "cpu"
        pipeline = config.pipeline.setup(device=torch.device(device), test_mode="test")
        pipeline.eval()
        _, step = eval_load_checkpoint(config, pipeline)
        datamanager = pipeline.datamanager
        log = run / config.viewer.relative_log_filename
        with browsers_wait():
            viewer = Viewer(config.viewer, log, datamanager.get_datapath(), pipeline, train_lock=Lock())
        config.logging.local_writer.enable = False  # The viewer only needs what this call sets beside the writer.
        writer.setup_local_writer(config.logging, max_iter=config.max_num_iterations)
        viewer.init_scene(datamanager.train_dataset, "completed", datamanager.eval_dataset)
        viewer.update_scene(step=step)
        while True:
            time.sleep(0.1)
