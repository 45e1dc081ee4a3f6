"""The methods that `ns-train` offers: `sparseags`, and `sparseags-paper` with the authors' schedule and constants."""

from __future__ import annotations

from typing import Any

import torch
from nerfstudio.configs.base_config import LoggingConfig, MachineConfig, ViewerConfig
from nerfstudio.plugins.types import MethodSpecification

from sparseags_ns.model.config import PAPER, SparseAGSModelConfig
from sparseags_ns.optimizers import AdamConfig, PoseAdamConfig
from sparseags_ns.pipeline import SparseAGSPipelineConfig
from sparseags_ns.trainer import SparseAGSTrainerConfig

LEARNING_RATES = {
    "means": 2e-3,
    "features_dc": 5e-2,
    "features_rest": 1e-3,
    "opacities": 5e-2,
    "scales": 2e-2,
    "quats": 1e-2,
}
PAPER_LEARNING_RATES = {
    "means": 1e-3,
    "features_dc": 1e-2,
    "features_rest": 1e-2 / 20,
    "opacities": 5e-2,
    "scales": 5e-3,
    "quats": 5e-3,
}
"""The authors' released code; the higher bands learn at a twentieth, as in 3D Gaussian splatting."""


def method(
    name: str,
    description: str,
    model: SparseAGSModelConfig,
    learning_rates: dict[str, float],
    betas: tuple[float, float],
    poses: AdamConfig,
    steps: int = 500,
) -> MethodSpecification:
    """One preset as a nerfstudio method."""
    # The model scales these rates by its own schedule at every step; nerfstudio's schedulers stay out.
    optimizers: dict[str, Any] = {
        group: {"optimizer": AdamConfig(lr=lr, betas=betas), "scheduler": None} for group, lr in learning_rates.items()
    }
    optimizers["camera_opt"] = {"optimizer": poses, "scheduler": None}
    config = SparseAGSTrainerConfig(
        method_name=name,
        max_num_iterations=steps,
        steps_per_save=250,
        steps_per_eval_batch=0,
        steps_per_eval_image=0,
        steps_per_eval_all_images=0,
        mixed_precision=False,
        pipeline=SparseAGSPipelineConfig(model=model),
        optimizers=optimizers,
        machine=MachineConfig(device_type="cuda" if torch.cuda.is_available() else "cpu"),
        # nerfstudio's viewer listens to the whole network by default; ours to this machine.
        viewer=ViewerConfig(websocket_host="127.0.0.1", num_rays_per_chunk=1 << 15),
        logging=LoggingConfig(steps_per_log=10),
        vis="viewer",
    )
    return MethodSpecification(config, description=description)


sparseags = method(
    "sparseags",
    "A Gaussian splat and its cameras, refined together from a few photographs with rough poses (SparseAGS).",
    SparseAGSModelConfig(),
    LEARNING_RATES,
    betas=(0.9, 0.99),
    poses=PoseAdamConfig(),
)

sparseags_paper = method(
    "sparseags-paper",
    "SparseAGS with the authors' schedule and constants (NeurIPS 2024), for comparison.",
    SparseAGSModelConfig(
        stages=PAPER,
        seeding="ball",
        num_gaussians=25_000,
        seed_scale=0.012,
        seed_opacity=0.1,
        rgb_weight=1e4,
        alpha_weight=1e3,
        ramp_losses=True,
        opacity_weight=0.0,
        oversize_weight=0.0,
        means_lr_decay=0.02,
        background_color="white",
        sh_degree=3,
        sh_degree_interval=100,
        densify=True,
    ),
    PAPER_LEARNING_RATES,
    betas=(0.9, 0.999),
    poses=AdamConfig(),
)
