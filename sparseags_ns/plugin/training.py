"""Training through nerfstudio in this process, from the arguments that `ns-train` takes."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import tyro
from nerfstudio.engine.trainer import TrainerConfig
from nerfstudio.scripts.train import main as ns_train
from tyro.conf import FlagConversionOff, SuppressFixed

from sparseags_ns.plugin.quiet import other_packages_hidden
from sparseags_ns.plugin.trainer import SparseAGSTrainerConfig


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
