"""Which prior a run gets: `auto`, `none`, `zero123-6dof`, `zero123`, or a path or hub name. Said in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from sparseags_ns.console import announce
from sparseags_ns.guidance.checkpoints import CheckpointError
from sparseags_ns.guidance.loading import load_checkpoint, load_folder
from sparseags_ns.guidance.networks import Networks
from sparseags_ns.guidance.sources import (
    BASE_NAMES,
    SIX_DOF_FILE,
    SIX_DOF_SOURCE,
    find_base,
    find_six_dof,
    hub_folder,
    is_hub_name,
)
from sparseags_ns.guidance.zero123 import Zero123, Zero123Options

Precision = Literal["auto", "fp32", "fp16", "bf16"]

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

_CHECKPOINTS = (".ckpt", ".pt", ".pth", ".bin", ".safetensors")


def choose_guidance(
    choice: str,
    device: torch.device | str,
    options: Zero123Options,
    *,
    base: str | None = None,
    precision: Precision = "auto",
) -> Zero123 | None:
    """The prior, loaded and frozen, or None where there is none; says which and why.

    Args:
        choice: `auto` (where a CUDA device and the weights are at hand), `none`, `zero123-6dof`, `zero123`, a diffusers
            folder, a name on the model hub, or an LDM checkpoint.
        device: where the networks go.
        options: how the model is asked.
        base: folder or hub name with what an LDM checkpoint lacks; Zero123-XL if None.
        precision: `auto` is fp16 on CUDA, fp32 on the CPU.

    Raises:
        CheckpointError: what was asked for by name is not there or does not fit.
    """
    device = torch.device(device)
    if choice == "none":
        announce("diffusion prior: off", "guidance is none")
        return None
    dtype = _dtype(precision, device)
    if choice == "auto":
        reason = _why_not(device)
        if reason is not None:
            announce(
                "diffusion prior: off", f"{reason}; to switch it on: --pipeline.model.guidance PATH, see docs/prior.md"
            )
            return None
        choice = "zero123-6dof" if find_six_dof() is not None else "zero123"
    networks, where = _named(choice, base, half=dtype != torch.float32)
    announce(
        f"diffusion prior: {networks.embedding} Zero123", f"weights from {where}, {str(dtype)[6:]} on {device.type}"
    )
    return Zero123(networks.frozen(device, dtype), options)


def _dtype(precision: Precision, device: torch.device) -> torch.dtype:
    if precision == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    return _DTYPES[precision]


def _why_not(device: torch.device) -> str | None:
    """Why `auto` leaves the prior off; None if it does not."""
    if device.type != "cuda":
        return "no CUDA device, and on a CPU each of its steps takes many seconds"
    if find_base() is None:
        return f"no Zero123 weights on this machine: hf download {BASE_NAMES[0]}"
    return None


def _named(choice: str, base: str | None, half: bool) -> tuple[Networks, str]:
    """The networks of a choice, and where they came from."""
    if choice == "zero123":
        return _base_networks(base or BASE_NAMES[0], half)
    if choice == "zero123-6dof":
        path = find_six_dof()
        if path is None:
            raise CheckpointError(f"there is no {SIX_DOF_FILE} on this machine. {SIX_DOF_SOURCE}")
        return _checkpoint_networks(path, base or BASE_NAMES[0], half)
    path = Path(choice).expanduser()
    if path.is_dir():
        return load_folder(path, half=half), str(path)
    if path.is_file() and path.suffix in _CHECKPOINTS:
        return _checkpoint_networks(path, base, half)
    if is_hub_name(choice):
        return _base_networks(choice, half)
    raise CheckpointError(
        f"guidance '{choice}' is neither auto, none, zero123-6dof, zero123, nor a folder, a checkpoint "
        f"({', '.join(_CHECKPOINTS)}) or a name on the model hub such as {BASE_NAMES[0]}"
    )


def _base_networks(name: str, half: bool) -> tuple[Networks, str]:
    if not is_hub_name(name):
        return load_folder(Path(name).expanduser(), half=half), name
    here = find_base() if name == BASE_NAMES[0] else None
    return load_folder(here or hub_folder(name, half=half, download=True), half=half), name


def _checkpoint_networks(path: Path, base: str | None, half: bool) -> tuple[Networks, str]:
    below = None if base is None else _base_networks(base, half)
    networks, report = load_checkpoint(path, below[0] if below else None)
    announce(f"checkpoint {path.name} loaded", report.line())
    return networks, f"{path}" + (f" on {below[1]}" if below else "")
