"""What `sparseags train` and `sparseags view` do through nerfstudio, in this process.

A run is shown from what its own folder holds, as `open_run` reads it, so that it may have been moved, come from another
version or from somebody else: nothing in it is executed, and no path or address in it is followed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from threading import Lock
from typing import Any

import torch
import tyro
from nerfstudio.engine.trainer import TrainerConfig
from nerfstudio.scripts.train import main as ns_train
from nerfstudio.utils import writer
from nerfstudio.viewer.viewer import Viewer
from tyro.conf import FlagConversionOff, SuppressFixed

from sparseags_ns.plugin.dataparser import OpenedRunParser
from sparseags_ns.plugin.pipeline import SparseAGSPipeline
from sparseags_ns.plugin.quiet import other_packages_hidden, prints_hidden
from sparseags_ns.plugin.trainer import SparseAGSTrainerConfig
from sparseags_ns.runs.opening import OpenedRun
from sparseags_ns.viewer.page import browsers_wait


class UntrustedConfigError(ValueError):
    """A config that could run code."""


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
    """Train as `ns-train` does; the run's folder is `config.get_base_dir()`.

    Raises:
        UntrustedConfigError: it names another config, which nerfstudio's loader would read.
    """
    if config.load_config is not None:
        raise UntrustedConfigError(
            f"{config.load_config} is not loaded, since nerfstudio's loader runs code that a config holds: to go on "
            "with a run, name its nerfstudio_models/ as --load-dir; if you trust the file, ns-train takes it"
        )
    with other_packages_hidden(config.verbose):
        ns_train(config)


def pipeline_of_run(run: OpenedRun, method: TrainerConfig, device: torch.device | str) -> SparseAGSPipeline:
    """nerfstudio's pipeline of a run, made of the photographs, cameras and Gaussians in the run's folder.

    Args:
        method: the registered config of the run's method. Its settings are used, not those of config.yml, which may
            name other folders, hosts and files to load.
    """
    config: Any = deepcopy(method.pipeline)
    config.datamanager.data = run.folder
    config.datamanager.dataparser._target = partial(OpenedRunParser, run)
    config.model.sh_degree, config.model.seeding = run.sh_degree, "ball"  # The seeds are replaced at once.
    pipeline = config.setup(device=device, test_mode="test")
    pipeline.eval()
    pipeline.model.show(run)
    return pipeline


def serve_run(run: OpenedRun, method: TrainerConfig, host: str, port: int | None) -> None:
    """Serve a run in the web viewer, until Ctrl-C.

    Args:
        method: the registered config of the run's method.
        port: None for the first free one from 7007.
    """
    config = deepcopy(method)
    config.viewer.websocket_host, config.viewer.websocket_port = host, port
    config.logging.local_writer.enable = False  # The viewer only needs what the writer's setup sets beside the writer.
    with prints_hidden():
        pipeline = pipeline_of_run(run, method, "cuda" if torch.cuda.is_available() else "cpu")
        log, manager = run.folder / config.viewer.relative_log_filename, pipeline.datamanager
        with browsers_wait():
            viewer = Viewer(config.viewer, log, run.folder, pipeline, train_lock=Lock())
        writer.setup_local_writer(config.logging, max_iter=run.record.num_steps)
        viewer.init_scene(manager.train_dataset, "completed", manager.eval_dataset)
        viewer.update_scene(step=run.steps_done - 1)
        while True:
            time.sleep(0.1)
