"""Frozen Zero123 networks from files: folders in a diffusers layout, and LDM checkpoints, alone or on top of a folder.

Published folder layouts:
(a) `ashawkey/zero123-xl-diffusers`, `bennyguo/zero123-xl-diffusers`: `clip_camera_projection/` with the keys `proj.*`;
(b) `kxic/zero123-*` (diffusers' community pipeline zero1to3): `cc_projection/` with the keys `projection.*`.
Both have `unet/`, `vae/`, `image_encoder/`, `scheduler/`.

Safetensors are preferred, pickles are read with weights_only, and no program in a folder is ever run. Weights that fill
a network only in part are refused.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from sparseags_ns.guidance.checkpoints import (
    PREFIXES,
    CheckpointError,
    Report,
    apply_checkpoint,
    projection_of,
    read_state,
)
from sparseags_ns.guidance.embeddings import NUMBERS, Embedding
from sparseags_ns.guidance.networks import ZERO123_XL, Architecture, Networks, build

BASE_NAMES = ("ashawkey/zero123-xl-diffusers", "bennyguo/zero123-xl-diffusers", "kxic/zero123-xl")
"""Zero123-XL on the model hub, the preferred name first."""

SIX_DOF_FILE = "zero123_6dof_23k.ckpt"
"""File name of the 6-DoF weights of the SparseAGS authors."""

SIX_DOF_SOURCE = (
    f"The 6-DoF weights ({SIX_DOF_FILE}) are linked in the README of github.com/QitaoZhao/SparseAGS; put them into "
    "checkpoints/ or ~/.cache/sparseags_ns/"
)

PARTS = ("unet", "vae", "image_encoder", "scheduler")
"""Subfolders of both layouts."""

PROJECTIONS = {"clip_camera_projection": "proj", "cc_projection": "projection"}
"""Subfolder of the camera projection in each layout, and the prefix of its keys."""

WEIGHTS = {
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "image_encoder": "model",
    **dict.fromkeys(PROJECTIONS, "diffusion_pytorch_model"),
}
"""Stem of the weights' file in each subfolder; older pickles of the image encoder are `pytorch_model.bin`."""


def load_folder(folder: Path, *, half: bool = False) -> Networks:
    """A model in a published diffusers layout, in the precision of its files; `half` prefers 16-bit files.

    Raises:
        CheckpointError: something is missing; the message says where to get it.
    """
    absent = [part for part in PARTS if not (folder / part).is_dir()]
    where = _projection_folder(folder)
    if absent or where is None:
        lacking = [*absent, *([] if where else [" or ".join(PROJECTIONS)])]
        raise CheckpointError(
            f"{folder} is no Zero123 model in a diffusers layout: it has no {', '.join(lacking)}. Get one whole, for "
            f"instance with: hf download {BASE_NAMES[0]} --local-dir {folder}"
        )
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler
    from transformers import CLIPVisionModelWithProjection

    unet = _pretrained(UNet2DConditionModel, folder / "unet", half)
    image_encoder = _pretrained(CLIPVisionModelWithProjection, folder / "image_encoder", half)
    projection = _projection(where, half)
    scheduler: Any = DDIMScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
    kind = scheduler.config["prediction_type"]
    if kind != "epsilon":
        raise CheckpointError(f"{folder / 'scheduler'}: the model must predict the noise (epsilon), predicts {kind}")
    return Networks(
        unet=unet,
        vae=_pretrained(AutoencoderKL, folder / "vae", half),
        image_encoder=image_encoder,
        projection=projection,
        alphas_cumprod=scheduler.alphas_cumprod.float(),
        embedding=_embedding(projection, image_encoder.config.projection_dim, folder.name),
    )


def load_checkpoint(
    path: Path, base: Networks | None, architecture: Architecture = ZERO123_XL
) -> tuple[Networks, Report]:
    """An LDM checkpoint, on top of a loaded model or, if it is complete, alone.

    Args:
        path: `.safetensors` file or pickle.
        base: model that provides what the checkpoint lacks, which may be all of the UNet but its attention blocks. Its
            projection and what the checkpoint holds are replaced.
        architecture: architecture of the networks if there is no base.

    Raises:
        CheckpointError: it does not fill the networks, or lacks the VAE or the image encoder and there is no base.
    """
    state = read_state(path)
    projection = projection_of(state)
    complete = all(any(key.startswith(PREFIXES[part]) for key in state) for part in ("vae", "image_encoder"))
    if base is None and not complete:
        raise CheckpointError(
            f"{path} has no VAE or no image encoder: name a diffusers folder or a hub name for them too "
            f"(--pipeline.model.guidance-base {BASE_NAMES[0]}). {SIX_DOF_SOURCE}"
        )
    networks = base or build(architecture)
    width = networks.image_encoder.config.projection_dim
    networks = replace(networks, projection=projection, embedding=_embedding(projection, width, path.name))
    layers = networks.unet.config["layers_per_block"]
    return networks, apply_checkpoint(state, networks.modules(), layers, over_base=base is not None)


def is_complete(folder: Path) -> bool:
    """Whether every network of a layout has its weights, in any precision."""
    projection = _projection_folder(folder)
    parts = [folder / part for part in PARTS if part != "scheduler"]
    return projection is not None and all(weights_file(part, half=True) for part in [*parts, projection])


def weights_file(folder: Path, half: bool) -> Path | None:
    """File of weights in a subfolder: safetensors before pickles, then by precision; None if there is none.

    `half` prefers 16-bit weights (the variant `fp16`) where both exist.
    """
    stem = WEIGHTS[folder.name]
    pickles = "pytorch_model" if folder.name == "image_encoder" else stem
    forms = ((stem, ".safetensors"), (stem, ".safetensors.index.json"), (pickles, ".bin"))
    names = [f"{name}{variant}{end}" for name, end in forms for variant in ((".fp16", "") if half else ("", ".fp16"))]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _projection_folder(folder: Path) -> Path | None:
    """Subfolder with the camera projection; None if there is none."""
    return next((folder / name for name in PROJECTIONS if (folder / name).is_dir()), None)


def _pretrained(kind: Any, folder: Path, half: bool) -> Any:
    """The network of a subfolder, complete or refused."""
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
    # from_pretrained leaves missing weights random and only warns.
    if info["missing_keys"] or info["mismatched_keys"] or info.get("error_msgs"):
        few = ", ".join(sorted(map(str, [*info["missing_keys"], *info["mismatched_keys"]]))[:3])
        raise CheckpointError(
            f"{file} fills its network by half only: {len(info['missing_keys'])} weights are missing, among them "
            f"{few}. The file is cut short or of another architecture; get it again"
        )
    return model


def _projection(folder: Path, half: bool) -> nn.Linear:
    """The camera projection: a plain linear layer, whatever class the folder's config names."""
    file = weights_file(folder, half)
    if file is None:
        raise CheckpointError(f"{folder} has no weights; get them from {BASE_NAMES[0]}")
    state, prefix = read_state(file), PROJECTIONS[folder.name]
    if set(state) != {f"{prefix}.weight", f"{prefix}.bias"}:
        raise CheckpointError(f"{file} must hold {prefix}.weight and {prefix}.bias, holds {', '.join(sorted(state))}")
    weight, bias = state[f"{prefix}.weight"], state[f"{prefix}.bias"]
    layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer


def _embedding(projection: nn.Linear, clip_width: int, name: str) -> Embedding:
    """Kind of camera numbers that a projection takes, known by their count; Stable Zero123 by its name."""
    numbers = projection.in_features - clip_width
    if numbers == NUMBERS["6dof"]:
        return "6dof"
    if numbers == NUMBERS["vanilla"]:
        return "stable" if "stable" in name.lower() else "vanilla"
    raise CheckpointError(
        f"the camera projection of {name} takes {numbers} numbers besides the image's {clip_width}; Zero123 takes "
        f"{NUMBERS['vanilla']}, its 6-DoF form {NUMBERS['6dof']}"
    )
