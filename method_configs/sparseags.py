"""The methods that `ns-train` offers: `sparseags`, and `sparseags-paper` with the authors' schedule and constants."""

from __future__ import annotations

import sys
from dataclasses import fields
from typing import Any

from sparseags_ns.plugin.quiet import greet_ns_train

greet_ns_train(sys.argv)  # before the imports below, which take a second

# ruff: noqa: E402
import torch
from nerfstudio.configs.base_config import LocalWriterConfig, LoggingConfig, ViewerConfig
from nerfstudio.plugins.types import MethodSpecification

from sparseags_ns.optimization.prior import PriorSettings
from sparseags_ns.optimization.settings import PRESETS, JointSettings
from sparseags_ns.plugin.model import SparseAGSModelConfig
from sparseags_ns.plugin.optimizers import AdamConfig, PoseAdamConfig
from sparseags_ns.plugin.pipeline import SparseAGSPipelineConfig
from sparseags_ns.plugin.trainer import SparseAGSMachineConfig, SparseAGSTrainerConfig


def method(name: str, description: str, prior: PriorSettings | None = None) -> MethodSpecification:
    """A preset as a nerfstudio method; the prior's settings are its defaults if None."""
    preset = PRESETS[name]
    poses = PoseAdamConfig() if preset.pose_optimizer == "pose_adam" else AdamConfig(betas=preset.betas)
    groups = {group: AdamConfig(lr=lr, betas=preset.betas) for group, lr in preset.learning_rates.items()}
    # The model scales these rates by its own schedule at every step; nerfstudio's schedulers stay out.
    optimizers: dict[str, Any] = {
        group: {"optimizer": optimizer, "scheduler": None}
        for group, optimizer in (groups | {"camera_opt": poses, "focal_opt": AdamConfig(betas=(0.9, 0.99))}).items()
    }
    settings = {field.name: getattr(preset.settings, field.name) for field in fields(JointSettings)}
    settings |= vars(prior or PriorSettings())
    config = SparseAGSTrainerConfig(
        method_name=name,
        max_num_iterations=preset.steps,
        steps_per_save=250,
        steps_per_eval_batch=0,
        steps_per_eval_image=0,
        steps_per_eval_all_images=0,
        mixed_precision=False,
        pipeline=SparseAGSPipelineConfig(model=SparseAGSModelConfig(**settings)),
        optimizers=optimizers,
        machine=SparseAGSMachineConfig(device_type="cuda" if torch.cuda.is_available() else "cpu"),
        # nerfstudio's viewer listens to the whole network by default; ours to this machine.
        viewer=ViewerConfig(websocket_host="127.0.0.1", num_rays_per_chunk=1 << 15),
        # The trainer shows its own progress; with `verbose` it turns nerfstudio's table of metrics on.
        logging=LoggingConfig(steps_per_log=10, local_writer=LocalWriterConfig(enable=False), profiler="none"),
        vis="viewer",
    )
    return MethodSpecification(config, description=description)


sparseags = method(
    "sparseags",
    "A Gaussian splat and its cameras, refined together from a few photographs with rough poses (SparseAGS).",
)

sparseags_paper = method(
    "sparseags-paper",
    "SparseAGS with the authors' schedule and constants (NeurIPS 2024), for comparison.",
    # Beside a colour loss of 1e4 r and an alpha loss of 1e3 r, which the preset has; the prior's is not ramped.
    prior=PriorSettings(guidance_weight=1.0, guidance_every=1),
)

METHODS = {str(registered.config.method_name): registered for registered in (sparseags, sparseags_paper)}
"""Registered methods by their names in ns-train."""
