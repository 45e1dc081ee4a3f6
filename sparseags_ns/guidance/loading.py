"""From files to frozen networks: diffusers folders, hub names, and LDM checkpoints, alone or on top of a folder.

Safetensors are preferred; pickles are read with weights_only. A model that would be filled by half is refused.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sparseags_ns.guidance.checkpoints import CheckpointError, Report, apply_checkpoint, projection_of, read_state
from sparseags_ns.guidance.embeddings import NUMBERS, Embedding
from sparseags_ns.guidance.folders import PROJECTIONS, projection_folder, weights_file
from sparseags_ns.guidance.networks import ZERO123_XL, Architecture, Networks, build
from sparseags_ns.guidance.sources import BASE_NAMES, SIX_DOF_SOURCE

PARTS = ("unet", "vae", "image_encoder", "scheduler")


def load_folder(folder: Path, *, half: bool = False) -> Networks:
    """A model in a published diffusers layout, in the precision of its files.

    Args:
        half: whether 16-bit files are wanted where there are both.

    Raises:
        CheckpointError: something is missing, with the place to get it from.
    """
    absent = [part for part in PARTS if not (folder / part).is_dir()]
    where = projection_folder(folder)
    if absent or where is None:
        lacking = [*absent, *([] if where else [" or ".join(PROJECTIONS)])]
        raise CheckpointError(
            f"{folder} is no Zero123 model in a diffusers layout: it has no {', '.join(lacking)}. Get one whole, for "
            f"instance with: hf download {BASE_NAMES[0]} --local-dir {folder}"
        )
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPVisionModelWithProjection

    unet = _pretrained(UNet2DConditionModel, folder / "unet", half)
    image_encoder = _pretrained(CLIPVisionModelWithProjection, folder / "image_encoder", half)
    projection = _projection(where, half)
    return Networks(
        unet=unet,
        vae=_pretrained(AutoencoderKL, folder / "vae", half),
        image_encoder=image_encoder,
        projection=projection,
        alphas_cumprod=_alphas(folder),
        embedding=_embedding(projection, image_encoder.config.projection_dim, folder.name),
    )


def load_checkpoint(
    path: Path, base: Networks | None, architecture: Architecture = ZERO123_XL
) -> tuple[Networks, Report]:
    """An LDM checkpoint, on top of a loaded model or, if it is complete, alone.

    Args:
        base: gives what the checkpoint lacks; its UNet and projection are replaced.
        architecture: of the networks if there is no base.

    Raises:
        CheckpointError: it does not fill the networks, or lacks the VAE or the image encoder and there is no base.
    """
    state = read_state(path)
    projection = projection_of(state)
    complete = all(any(name.startswith(prefix) for name in state) for prefix in ("first_stage_model.", "cond_stage_"))
    if base is None and not complete:
        raise CheckpointError(
            f"{path} has no VAE or no image encoder: name a diffusers folder or a hub name for them too "
            f"(--pipeline.model.guidance-base {BASE_NAMES[0]}). {SIX_DOF_SOURCE}"
        )
    networks = build(architecture) if base is None else base
    width = networks.image_encoder.config.projection_dim
    networks = replace(networks, projection=projection, embedding=_embedding(projection, width, path.name))
    layers = networks.unet.config["layers_per_block"]
    return networks, apply_checkpoint(state, networks.modules(), layers)


def _pretrained(kind: Any, folder: Path, half: bool) -> Any:
    """A network from its subfolder, complete or refused."""
    file = weights_file(folder, half)
    if file is None or not (folder / "config.json").is_file():
        lacking = "config.json" if file else "weights (.safetensors or .bin)"
        raise CheckpointError(f"{folder} has no {lacking}; get the folder whole, for instance from {BASE_NAMES[0]}")
    model, info = kind.from_pretrained(
        folder,
        variant="fp16" if ".fp16." in file.name else None,
        use_safetensors=".safetensors" in file.name,
        output_loading_info=True,
        local_files_only=True,
    )
    if info["missing_keys"] or info["mismatched_keys"] or info.get("error_msgs"):
        few = ", ".join(sorted(map(str, [*info["missing_keys"], *info["mismatched_keys"]]))[:3])
        raise CheckpointError(
            f"{file} fills its network by half only: {len(info['missing_keys'])} weights are missing, among them "
            f"{few}. The file is cut short or of another architecture; get it again"
        )
    return model


def _projection(folder: Path, half: bool) -> nn.Linear:
    """The camera projection: a plain linear layer, whatever class the folder names."""
    file = weights_file(folder, half)
    if file is None:
        raise CheckpointError(f"{folder} has no weights; get them from {BASE_NAMES[0]}")
    state = read_state(file)
    prefix = PROJECTIONS[folder.name]
    if set(state) != {f"{prefix}.weight", f"{prefix}.bias"}:
        raise CheckpointError(f"{file} must hold {prefix}.weight and {prefix}.bias, holds {', '.join(sorted(state))}")
    weight, bias = state[f"{prefix}.weight"], state[f"{prefix}.bias"]
    layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer


def _alphas(folder: Path) -> torch.Tensor:
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    scheduler: Any = DDIMScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
    kind = scheduler.config["prediction_type"]
    if kind != "epsilon":
        raise CheckpointError(f"{folder / 'scheduler'}: the model must predict the noise (epsilon), predicts {kind}")
    return scheduler.alphas_cumprod.float()


def _embedding(projection: nn.Linear, clip_width: int, name: str) -> Embedding:
    """What camera numbers a projection takes, by how many there are; Stable Zero123 by its name."""
    numbers = projection.in_features - clip_width
    if numbers == NUMBERS["6dof"]:
        return "6dof"
    if numbers == NUMBERS["vanilla"]:
        return "stable" if "stable" in name.lower() else "vanilla"
    raise CheckpointError(
        f"the camera projection of {name} takes {numbers} numbers besides the image's {clip_width}; Zero123 takes "
        f"{NUMBERS['vanilla']}, its 6-DoF form {NUMBERS['6dof']}"
    )
