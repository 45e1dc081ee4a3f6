"""Optional packages and weights of networks: what each adds, and how to get it. Nothing is fetched."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch

from sparseags_ns.doctor.checks import Check
from sparseags_ns.guidance.choice import find_base, find_six_dof
from sparseags_ns.guidance.loading import BASE_NAMES, SIX_DOF_SOURCE
from sparseags_ns.metrics.images import ALEXNET_FILES, find_alexnet
from sparseags_ns.pose_init.features import features
from sparseags_ns.pose_init.networks.dust3r_package import find_weights, missing_package, missing_weights
from sparseags_ns.preprocess import rembg_masks

GROUP = "Optional"


def optional_checks() -> list[Check]:
    """One check for each optional package and file; the main job runs without any of them."""
    place = Path(torch.hub.get_dir()) / "checkpoints"
    fetch = "python -c \"import torchvision; torchvision.models.alexnet(weights='DEFAULT')\" fetches it (233 MB)"
    prior = "not on this machine: sides that no photograph shows stay empty"
    six_dof = "not on this machine: the vanilla prior is used instead"
    no_features = features.missing_packages()
    no_dust3r = missing_package() or missing_weights("auto")
    no_rembg = rembg_masks.missing()
    heic = None if find_spec("pillow_heif") is None else "pillow-heif is here"
    return [
        _check("LPIPS", find_alexnet(), f"DSSIM stands in: no {ALEXNET_FILES} in {place}", fetch),
        _check("Zero123 prior", find_base(), prior, f"hf download {BASE_NAMES[0]}"),
        _check("Zero123, 6 DoF", find_six_dof(), six_dof, SIX_DOF_SOURCE),
        _check("poses from features", None if no_features else "packages and weights are here", *_split(no_features)),
        _check("poses by dust3r", None if no_dust3r else find_weights("auto"), *_split(no_dust3r)),
        Check(GROUP, "poses by ab-initio", "ok", "built in: for one object with masks, no network, no weights"),
        _check("masks by rembg", None if no_rembg else rembg_masks.model(), *_split(no_rembg)),
        _check("HEIC photographs", heic, "phones' .heic files cannot be read", "pip install pillow-heif"),
    ]


def _check(name: str, found: str | Path | None, missing: str, fix: str) -> Check:
    if found is not None:
        return Check(GROUP, name, "ok", str(found))
    return Check(GROUP, name, "missing", missing, fix)


def _split(missing: str | None) -> tuple[str, str]:
    """What is missing, and how to get it, which the messages of `missing` functions separate by a semicolon."""
    what, _, how = (missing or "").partition("; ")
    return what, how
