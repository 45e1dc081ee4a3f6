"""Checkpoints of the original (LDM) code, loaded into the networks of diffusers and transformers.

Parts by prefix: `model.diffusion_model.` the UNet; `cc_projection.` the camera projection; `first_stage_model.` the
VAE; `cond_stage_model.model.visual.` OpenAI's CLIP. Others (moving averages, CLIP's text half, losses) are not used,
but counted, so that a report accounts for every key.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from sparseags_ns.guidance.ldm_names import clip_entries, unet_name, vae_name

State = Mapping[str, Tensor]

PREFIXES = {
    "unet": "model.diffusion_model.",
    "projection": "cc_projection.",
    "vae": "first_stage_model.",
    "image_encoder": "cond_stage_model.model.visual.",
}
"""Prefix of the keys of each part."""


class CheckpointError(ValueError):
    """A file of weights cannot be used; the message says what to do about it."""


@dataclass(frozen=True)
class Report:
    """Account of every key of a checkpoint that was loaded."""

    used: dict[str, int]
    """Number of the checkpoint's keys that were loaded into each part."""
    ignored: dict[str, int]
    """Number of other keys, by the first part of their name."""
    kept: dict[str, int] = field(default_factory=dict)
    """Number of weights of each part that the checkpoint lacks, so that the base's are kept."""

    def line(self) -> str:
        """The report in one line."""
        kept = f"; the base's are kept: {_counts(self.kept)}" if self.kept else ""
        return f"keys used: {_counts(self.used)}; not used: {_counts(self.ignored) or 'none'}{kept}"


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors of a `.safetensors` file or of a pickle; no code of the pickle is ever run.

    Raises:
        CheckpointError: the file is absent or holds no tensors.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint at {path}")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    try:
        archive = zipfile.is_zipfile(path)
        foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path) if archive else []
        with torch.serialization.safe_globals([(_Inert, name) for name in foreign]):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=archive)
    except Exception as error:
        raise CheckpointError(
            f"{path} is not a checkpoint that torch reads without running code of it (weights_only); a file that is "
            "whole and trusted can be turned into .safetensors elsewhere"
        ) from error
    state = content.get("state_dict", content) if isinstance(content, Mapping) else {}
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    if not tensors:
        raise CheckpointError(f"{path} holds no tensors under 'state_dict'")
    return tensors


class _Inert:
    """Stand-in for the objects of other programs inside a pickle (a trainer's callbacks); does nothing."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


def apply_checkpoint(
    state: State, modules: Mapping[str, nn.Module], layers_per_block: int, *, over_base: bool = False
) -> Report:
    """Load an LDM checkpoint into networks of the same architecture: UNet and projection always, others if present.

    The modules have the names in `PREFIXES` and change in place; `layers_per_block` is in the UNet's configuration.

    Args:
        over_base: whether the modules are those of a loaded model, which may keep weights that the checkpoint lacks.
            The projection and the UNet's attention blocks, all that a 6-DoF model differs in for certain, must be
            there. Foreign keys of VAE and image encoder are then not used.

    Raises:
        CheckpointError: a part is incomplete, holds foreign keys, or has other shapes. Nothing is loaded then.
    """
    ready, missing, unexpected, used, kept = {}, [], [], {}, {}
    for part, prefix in PREFIXES.items():
        tensors = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        if not tensors and part not in ("unet", "projection"):
            continue
        mapped, unmapped = _converted(part, tensors, layers_per_block)
        target = modules[part].state_dict()
        absent = [name for name in target if name not in mapped]
        kept[part] = sum(over_base and not _is_needed(part, name) for name in absent)
        missing += [f"{part}: {name}" for name in absent if not over_base or _is_needed(part, name)]
        if not over_base or part in ("unet", "projection"):
            unexpected += [f"{part}: {name}" for name in [*unmapped, *(mapped.keys() - target.keys())]]
        ready[part] = {name: _fitted(part, name, mapped[name], target[name]) for name in mapped.keys() & target.keys()}
        used[part] = len(tensors) - len(unmapped)
    if missing or unexpected:
        raise CheckpointError(
            f"the checkpoint would fill the model by half only: {len(missing)} weights are missing and "
            f"{len(unexpected)} have no place, among them {', '.join([*missing[:3], *unexpected[:3]])}. Is it a "
            "Zero123 checkpoint, and whole? One that holds only a part of the UNet goes on top of a whole model "
            "(--pipeline.model.guidance-base)"
        )
    for part, weights in ready.items():
        modules[part].load_state_dict(weights, strict=not over_base)
    others = Counter(key.split(".")[0] for key in state if not key.startswith(tuple(PREFIXES.values())))
    return Report(used, dict(others), {part: count for part, count in kept.items() if count})


def _is_needed(part: str, name: str) -> bool:
    """Whether a weight must be in the checkpoint even if a base has one."""
    return part == "projection" or (part == "unet" and ".attentions." in name)


def _counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in numbers.items())


def projection_of(state: State) -> nn.Linear:
    """A camera projection with random weights in the shape of the checkpoint's, which reveals its kind of embedding.

    Raises:
        CheckpointError: the checkpoint has none.
    """
    weight = state.get(f"{PREFIXES['projection']}weight")
    if weight is None or weight.ndim != 2:
        raise CheckpointError(
            "the checkpoint has no camera projection (cc_projection.weight): it is not of a Zero123 model"
        )
    return nn.Linear(weight.shape[1], weight.shape[0])


def _converted(part: str, tensors: State, layers_per_block: int) -> tuple[dict[str, Tensor], list[str]]:
    """Tensors of a part under their new names, and the old names that have no new one."""
    # LDM counts the resolutions of the VAE's decoder from the finest, diffusers from the coarsest.
    levels = 1 + max((int(m[1]) for name in tensors if (m := re.match(r"decoder\.up\.(\d+)\.", name))), default=0)
    mapped: dict[str, Tensor] = {}
    unmapped = []
    for name, value in tensors.items():
        if part == "image_encoder":
            entries = clip_entries(name, value)
        elif part == "projection":
            entries = {name: value}
        else:
            new = unet_name(name, layers_per_block) if part == "unet" else vae_name(name, levels)
            entries = {} if new is None else {new: value}
        mapped |= entries
        unmapped += [] if entries else [name]
    return mapped, unmapped


def _fitted(part: str, name: str, value: Tensor, target: Tensor) -> Tensor:
    """The tensor in the target's shape and dtype; 1x1 convolutions and linear layers are interchangeable.

    Raises:
        CheckpointError: the shapes differ by more than that.
    """
    if value.squeeze().shape != target.squeeze().shape:
        raise CheckpointError(
            f"{part}: {name} is {tuple(value.shape)} in the checkpoint, {tuple(target.shape)} in the model: the "
            "checkpoint is of another architecture"
        )
    return value.reshape(target.shape).to(target.dtype)
