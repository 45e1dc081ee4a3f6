"""The published folder layouts of Zero123 models, and writing them.

(a) `ashawkey/zero123-xl-diffusers`, `bennyguo/zero123-xl-diffusers`: `clip_camera_projection/` with the keys `proj.*`;
(b) `kxic/zero123-*` (diffusers' community pipeline zero1to3): `cc_projection/` with the keys `projection.*`.
Both: `unet/`, `vae/`, `image_encoder/`, `scheduler/`. No program of a folder is ever run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from torch import Tensor

from sparseags_ns.guidance.networks import Architecture, Networks
from sparseags_ns.storage import write_json

PROJECTIONS = {"clip_camera_projection": "proj", "cc_projection": "projection"}
"""Folder of the camera projection, and what its keys begin with, in each layout."""

WEIGHTS = {
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "image_encoder": "model",
    **dict.fromkeys(PROJECTIONS, "diffusion_pytorch_model"),
}
"""Stem of the weights' file in each subfolder; transformers' older pickles are `pytorch_model.bin`."""

Layout = Literal["clip_camera_projection", "cc_projection"]


def weights_file(folder: Path, half: bool) -> Path | None:
    """The file of weights in a subfolder: safetensors before pickles, then the precision that is wanted.

    Args:
        half: whether 16-bit weights (the variant `fp16`) are wanted where both exist.
    """
    stem = WEIGHTS[folder.name]
    pickles = "pytorch_model" if folder.name == "image_encoder" else stem
    variants = (".fp16", "") if half else ("", ".fp16")
    names = [f"{stem}{variant}.safetensors" for variant in variants]
    names += [f"{stem}{variant}.safetensors.index.json" for variant in variants]
    names += [f"{pickles}{variant}.bin" for variant in variants]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def is_complete(folder: Path) -> bool:
    """Whether every network of a layout has its weights, in any precision."""
    projection = projection_folder(folder)
    parts = [folder / part for part in ("unet", "vae", "image_encoder")]
    return projection is not None and all(weights_file(part, half=True) for part in [*parts, projection])


def projection_folder(folder: Path) -> Path | None:
    """The subfolder with the camera projection, if there is one."""
    return next((folder / name for name in PROJECTIONS if (folder / name).is_dir()), None)


def write_folder(
    networks: Networks, architecture: Architecture, folder: Path, layout: Layout, *, variant: str | None = None
) -> None:
    """Write a model in a published layout, as safetensors.

    Args:
        variant: `fp16` puts that into the files' names, as the published 16-bit files have it.
    """
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    networks.unet.save_pretrained(folder / "unet", variant=variant)
    networks.vae.save_pretrained(folder / "vae", variant=variant)
    networks.image_encoder.save_pretrained(folder / "image_encoder", variant=variant)
    DDIMScheduler(**architecture.scheduler).save_pretrained(folder / "scheduler")
    write_projection(networks, folder, layout, variant=variant)


def write_projection(networks: Networks, folder: Path, layout: Layout, *, variant: str | None = None) -> None:
    """Write the camera projection's subfolder, the one thing in which the layouts differ."""
    from safetensors.torch import save_file

    where, prefix = folder / layout, PROJECTIONS[layout]
    where.mkdir(parents=True, exist_ok=True)
    state: dict[str, Tensor] = {f"{prefix}.{name}": value for name, value in networks.projection.state_dict().items()}
    infix = "" if variant is None else f".{variant}"
    save_file(state, where / f"{WEIGHTS[layout]}{infix}.safetensors", metadata={"format": "pt"})
    write_json(where / "config.json", {"_class_name": layout}, indent=None)
