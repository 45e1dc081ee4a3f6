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
    return [_lpips(), *_zero123(), _features(), _dust3r(), _rembg(), _heic()]


def _lpips() -> Check:
    found = find_alexnet()
    if found is not None:
        return Check(GROUP, "LPIPS", "ok", str(found))
    place = Path(torch.hub.get_dir()) / "checkpoints"
    said = f"DSSIM stands in: no {ALEXNET_FILES} in {place}"
    fix = "python -c \"import torchvision; torchvision.models.alexnet(weights='DEFAULT')\" fetches it (233 MB)"
    return Check(GROUP, "LPIPS", "missing", said, fix)


def _zero123() -> list[Check]:
    """The diffusion prior's weights."""
    base, six = find_base(), find_six_dof()
    checks = [
        _found("Zero123 prior", base, "sides that no photograph shows stay empty", f"hf download {BASE_NAMES[0]}")
    ]
    return [*checks, _found("Zero123, 6 DoF", six, "the vanilla prior is used instead", SIX_DOF_SOURCE)]


def _found(name: str, where: Path | None, without: str, fix: str) -> Check:
    if where is not None:
        return Check(GROUP, name, "ok", str(where))
    return Check(GROUP, name, "missing", f"not on this machine: {without}", fix)


def _features() -> Check:
    missing = features.missing_packages()
    if missing is None:
        return Check(GROUP, "poses from features", "ok", "packages and weights are here")
    return Check(GROUP, "poses from features", "missing", *_split(missing))


def _dust3r() -> Check:
    missing = missing_package() or missing_weights("auto")
    if missing is None:
        return Check(GROUP, "poses by dust3r", "ok", str(find_weights("auto")))
    return Check(GROUP, "poses by dust3r", "missing", *_split(missing))


def _rembg() -> Check:
    missing = rembg_masks.missing()
    if missing is None:
        return Check(GROUP, "masks by rembg", "ok", rembg_masks.model())
    return Check(GROUP, "masks by rembg", "missing", *_split(missing))


def _heic() -> Check:
    if find_spec("pillow_heif") is not None:
        return Check(GROUP, "HEIC photographs", "ok", "pillow-heif is here")
    return Check(GROUP, "HEIC photographs", "missing", "phones' .heic files cannot be read", "pip install pillow-heif")


def _split(missing: str) -> tuple[str, str]:
    """What is missing, and how to get it, which the messages of `missing` functions separate by a semicolon."""
    what, _, how = missing.partition("; ")
    return what, how
