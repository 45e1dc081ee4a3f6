"""Zero123 models with random weights, for tests and benchmarks: a tiny architecture, and writing the published layouts.

guidance/loading.py describes the layouts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from sparseags_ns.guidance.loading import PROJECTIONS, WEIGHTS
from sparseags_ns.guidance.networks import SCHEDULER, Architecture, Networks

Layout = Literal["clip_camera_projection", "cc_projection"]

TINY = Architecture(
    unet={
        "sample_size": 8,
        "in_channels": 8,
        "out_channels": 4,
        "block_out_channels": (8, 16),
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "layers_per_block": 1,
        "attention_head_dim": 2,
        "cross_attention_dim": 16,
        "norm_num_groups": 4,
    },
    vae={
        "sample_size": 64,
        "latent_channels": 4,
        "block_out_channels": (4, 8, 8, 8),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 1,
        "norm_num_groups": 4,
    },
    image_encoder={
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 16,
        "patch_size": 8,
        "projection_dim": 16,
    },
)
"""The classes of Zero123-XL with tens of thousands of parameters; suits images of 64 pixels."""


def write_folder(networks: Networks, folder: Path, layout: Layout, *, variant: str | None = None) -> None:
    """Write a model in a published layout, as safetensors.

    Args:
        networks: model to write.
        folder: folder to write into.
        layout: subfolder of the camera projection.
        variant: `fp16` adds that to the file names, as the published 16-bit files have it.
    """
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    networks.unet.save_pretrained(folder / "unet", variant=variant)
    networks.vae.save_pretrained(folder / "vae", variant=variant)
    networks.image_encoder.save_pretrained(folder / "image_encoder", variant=variant)
    DDIMScheduler(**SCHEDULER).save_pretrained(folder / "scheduler")
    write_projection(networks, folder, layout, variant=variant)


def write_projection(networks: Networks, folder: Path, layout: Layout, *, variant: str | None = None) -> None:
    """Write the subfolder of the camera projection, the only difference between the layouts."""
    from safetensors.torch import save_file

    where, prefix = folder / layout, PROJECTIONS[layout]
    where.mkdir(parents=True, exist_ok=True)
    state = {f"{prefix}.{name}": value for name, value in networks.projection.state_dict().items()}
    infix = "" if variant is None else f".{variant}"
    save_file(state, where / f"{WEIGHTS[layout]}{infix}.safetensors", metadata={"format": "pt"})
    (where / "config.json").write_text(json.dumps({"_class_name": layout}) + "\n", encoding="utf-8")
