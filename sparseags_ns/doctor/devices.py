"""Devices, and whether the rasterizer's two back ends are compiled and draw."""

from __future__ import annotations

import shutil
import time
from importlib.util import find_spec
from pathlib import Path

import torch

from sparseags_ns.doctor.checks import Check
from sparseags_ns.geometry.cameras import Cameras, orbit
from sparseags_ns.rasterizer import Gaussians, rasterize
from sparseags_ns.rasterizer.kernels.jit import kernel_folder
from sparseags_ns.rasterizer.threads import num_threads

GROUP = "Devices"
GSPLAT_BUILD = "gsplat_cuda"


def device_checks() -> list[Check]:
    """The processor and the graphics card, if there is one."""
    checks = [Check(GROUP, "cpu", "ok", f"threads in use: {num_threads()}", needed=True)]
    if torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        return [*checks, Check(GROUP, "cuda", "ok", f"{card.name}, {card.total_memory / 2**30:.0f} GiB")]
    return [
        *checks,
        Check(GROUP, "cuda", "note", "torch finds no device: everything runs on the CPU, the prior is off"),
    ]


def kernel_checks() -> list[Check]:
    """The CPU kernels: where their code is kept, and whether they draw."""
    folder = kernel_folder()
    if folder is None:
        fix = "make ~/.cache writable, or set NUMBA_CACHE_DIR to a folder that is"
        kept = Check(
            GROUP, "numba cache", "note", "no folder can be written: kernels are compiled in every process", fix
        )
    else:
        count = len(list(folder.rglob("*.nbi")))
        said = f"{count} kernels compiled" if count else "nothing compiled yet, the first render takes some 20 s longer"
        kept = Check(GROUP, "numba cache", "ok", f"{folder} ({said})")
    return [kept, drawing_check(torch.device("cpu"), "cpu rasterizer (numba)")]


def gsplat_checks() -> list[Check]:
    """gsplat's CUDA kernels; nothing is built here, since that takes minutes."""
    if not torch.cuda.is_available():
        return []
    name = "cuda rasterizer (gsplat)"
    if find_spec("gsplat.csrc") is not None or compiled_gsplat() is not None:
        return [drawing_check(torch.device("cuda"), name)]
    if shutil.which("nvcc") is None:
        fix = (
            "install the CUDA toolkit of torch's CUDA version, put nvcc on PATH; until then: --machine.device-type cpu"
        )
        return [Check(GROUP, name, "missing", "not compiled, and there is no nvcc to do it", fix, needed=True)]
    said = "not compiled yet: the first run does it, which takes some minutes"
    return [Check(GROUP, name, "note", said, "python -c 'from gsplat.cuda import _backend' compiles it now")]


def compiled_gsplat() -> Path | None:
    """gsplat's library as torch builds it at first use, if it was."""
    from torch.utils import cpp_extension

    root = Path(cpp_extension.get_default_build_root())
    return next(iter(sorted(root.glob(f"**/{GSPLAT_BUILD}/{GSPLAT_BUILD}.so"))), None)


def drawing_check(device: torch.device, name: str) -> Check:
    """Draw one Gaussian, and see whether it is there."""
    started = time.monotonic()
    try:
        alpha = _one_gaussian(device)
    except Exception as error:  # whatever a broken installation raises is what the user has to read
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        return Check(
            GROUP, name, "wrong", said, "reinstall: bash scripts/setup.sh, or pip install -e . again", needed=True
        )
    seconds = time.monotonic() - started
    if not 0.5 < alpha < 1.0:
        said = f"draws wrong: opacity {alpha:.3f} in the middle, expected 0.9"
        return Check(GROUP, name, "wrong", said, "report this with the output of sparseags doctor --json", needed=True)
    return Check(GROUP, name, "ok", f"draws ({seconds:.1f} s, compiling included)", needed=True)


def _one_gaussian(device: torch.device) -> float:
    """Opacity in the middle of a picture of one Gaussian of 0.9."""
    gaussians = Gaussians(
        means=torch.zeros(1, 3, device=device),
        quats=torch.tensor([[1.0, 0.0, 0.0, 0.0]], device=device),
        scales=torch.full((1, 3), 0.3, device=device),
        opacities=torch.full((1,), 0.9, device=device),
        colors=torch.ones(1, 3, device=device),
    )
    pose = orbit(torch.zeros(1, device=device), torch.zeros(1, device=device), 2.0)
    K = torch.tensor([[[32.0, 0, 16], [0, 32.0, 16], [0, 0, 1]]], device=device)
    return float(rasterize(gaussians, Cameras(pose, K, 32, 32)).alpha[0, 16, 16])
