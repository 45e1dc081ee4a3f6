"""What the main job needs: Python, packages, devices, their kernels, system libraries, tools and writable folders."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from importlib.metadata import PackageNotFoundError, entry_points, requires, version
from importlib.util import find_spec
from pathlib import Path

import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sparseags_ns.doctor.checks import Check
from sparseags_ns.geometry.cameras import Cameras, orbit
from sparseags_ns.rasterizer import Gaussians, rasterize
from sparseags_ns.rasterizer.kernels.jit import kernel_folder
from sparseags_ns.rasterizer.threads import num_threads

ENVIRONMENT, DEVICES, SYSTEM = "Environment", "Devices", "System"
PYTHONS = ((3, 10), (3, 12))
"""The first and the last supported version of Python."""
SHOWN = ("torch", "torchvision", "nerfstudio", "gsplat", "viser", "numba", "numpy")
"""Packages that are always shown on a line of their own."""
METHOD_GROUP = "nerfstudio.method_configs"
"""Group of the entry points by which nerfstudio finds methods."""
LIBRARIES = {
    "libGL.so.1": ("libgl1", "ns-export and the mesh exports, through open3d"),
    "libX11.so.6": ("libx11-6", "ns-export, through open3d"),
    "libgomp.so.1": ("libgomp1", "ns-export, through open3d"),
    "libudev.so.1": ("libudev1", "ns-export, through open3d"),
    "libOpenGL.so.0": ("libopengl0", "ns-export poisson and tsdf, through pymeshlab"),
}
"""Debian's package of each shared library, and what needs it."""
TOOLS = {
    "ns-train": (
        f"activate the environment, or call {Path(sys.executable).with_name('ns-train')}",
        "the command ns-train; `sparseags train` does without",
    ),
    "ffmpeg": ("sudo apt-get install ffmpeg", "ns-render"),
}
"""How to get each program, and what needs it."""


def python_check(python: tuple[int, int] | None = None) -> Check:
    """Whether the version of Python is supported."""
    found = f"{platform.python_version()} ({sys.executable})"
    if PYTHONS[0] <= (python or sys.version_info[:2]) <= PYTHONS[1]:
        return Check(ENVIRONMENT, "python", "ok", found, needed=True)
    fix = "make the environment with Python 3.10, 3.11 or 3.12: PYTHON=python3.12 bash scripts/setup.sh"
    return Check(ENVIRONMENT, "python", "wrong", found, fix, needed=True)


def package_checks(
    requirements: Iterable[Requirement] | None = None, pins: dict[str, str] | None = None
) -> list[Check]:
    """One check for each required package; packages as tested share one, except those of `SHOWN`.

    Args:
        requirements: by default those of the installed project, without extras.
        pins: tested versions, by default those of constraints.txt.
    """
    if requirements is None:
        found = [Requirement(line) for line in requires("sparseags_ns") or ()]
        requirements = [one for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]
    pins = _pins() if pins is None else pins
    checks = [_package(requirement, pins.get(canonicalize_name(requirement.name))) for requirement in requirements]
    quiet = sorted(check.name for check in checks if check.state == "ok" and check.name not in SHOWN)
    ranks = {name: rank for rank, name in enumerate(SHOWN)}
    loud = sorted((c for c in checks if c.name not in quiet), key=lambda check: ranks.get(check.name, len(SHOWN)))
    if quiet:
        loud.append(Check(ENVIRONMENT, f"{len(quiet)} other packages", "ok", ", ".join(quiet)))
    return loud


def method_check() -> Check:
    """Whether nerfstudio's commands find the method."""
    check = partial(Check, ENVIRONMENT, "ns-train sparseags", needed=True)
    if any(entry.name == "sparseags" for entry in entry_points(group=METHOD_GROUP)):
        return check("ok", "nerfstudio finds the method")
    fix = "install the project itself: pip install -c constraints.txt -e ."
    return check("missing", "the method's entry point is not installed", fix)


def _package(requirement: Requirement, tested: str | None) -> Check:
    """Whether a package is installed, in the required range, and of the tested version."""
    check = partial(Check, ENVIRONMENT, requirement.name, needed=True)
    wanted = f"{requirement.name}=={tested}" if tested else requirement
    fix = f"pip install '{wanted}'"
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return check("missing", "not installed", fix)
    if not requirement.specifier.contains(found, prereleases=True):
        return check("wrong", f"{found}, asked for is {requirement.specifier}", fix)
    if tested is not None and found.partition("+")[0] != tested:
        return check("note", f"{found}, tested with {tested}", fix)
    return check("ok", found)


def _pins() -> dict[str, str]:
    """Tested versions from constraints.txt; empty where the package is installed without it."""
    file = Path(__file__).parents[2] / "constraints.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    here = [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
    return {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in here}


def device_checks() -> list[Check]:
    """The processor, and the graphics card if there is one."""
    cpu = Check(DEVICES, "cpu", "ok", f"threads in use: {num_threads()}", needed=True)
    if not torch.cuda.is_available():
        found = "torch finds no device: everything runs on the CPU, the prior is off"
        return [cpu, Check(DEVICES, "cuda", "note", found)]
    card = torch.cuda.get_device_properties(0)
    return [cpu, Check(DEVICES, "cuda", "ok", f"{card.name}, {card.total_memory / 2**30:.0f} GiB")]


def kernel_checks() -> list[Check]:
    """The CPU kernels: the folder of their compiled code, and whether they render."""
    folder = kernel_folder()
    if folder is None:
        found = "no folder can be written: kernels are compiled in every process"
        fix = "make ~/.cache writable, or set NUMBA_CACHE_DIR to a folder that is"
        kept = Check(DEVICES, "numba cache", "note", found, fix)
    else:
        count = len(list(folder.rglob("*.nbi")))
        found = (
            f"{count} kernels compiled" if count else "nothing compiled yet, the first render takes some 20 s longer"
        )
        kept = Check(DEVICES, "numba cache", "ok", f"{folder} ({found})")
    return [kept, render_check(torch.device("cpu"), "cpu rasterizer (numba)")]


def gsplat_checks() -> list[Check]:
    """gsplat's CUDA kernels; they are not compiled here, which takes minutes."""
    if not torch.cuda.is_available():
        return []
    from torch.utils import cpp_extension

    name = "cuda rasterizer (gsplat)"
    # torch compiles gsplat's library into this folder at first use.
    builds = Path(cpp_extension.get_default_build_root()).glob("**/gsplat_cuda/gsplat_cuda.so")
    if find_spec("gsplat.csrc") is not None or any(builds):
        return [render_check(torch.device("cuda"), name)]
    if shutil.which("nvcc") is None:
        fix = (
            "install the CUDA toolkit of torch's CUDA version, put nvcc on PATH; until then: --machine.device-type cpu"
        )
        return [Check(DEVICES, name, "missing", "not compiled, and there is no nvcc to do it", fix, needed=True)]
    found = "not compiled yet: the first run does it, which takes some minutes"
    return [Check(DEVICES, name, "note", found, "python -c 'from gsplat.cuda import _backend' compiles it now")]


def render_check(device: torch.device, name: str) -> Check:
    """Render one Gaussian and check its opacity."""
    check = partial(Check, DEVICES, name, needed=True)
    started = time.monotonic()
    try:
        alpha = _one_gaussian(device)
    except Exception as error:  # a broken installation may raise anything, and the user needs to see it
        found = f"{type(error).__name__}: {error}".splitlines()[0]
        return check("wrong", found, "reinstall: bash scripts/setup.sh, or pip install -e . again")
    if not 0.5 < alpha < 1.0:
        found = f"draws wrong: opacity {alpha:.3f} in the middle, expected 0.9"
        return check("wrong", found, "report this with the output of sparseags doctor --json")
    return check("ok", f"draws ({time.monotonic() - started:.1f} s, compiling included)")


def _one_gaussian(device: torch.device) -> float:
    """Rendered opacity at the centre of a Gaussian with opacity 0.9."""
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


def library_checks(loads: Callable[[str], bool] | None = None) -> list[Check]:
    """Libraries that a bare container lacks. Linux only: on other systems the wheels contain them."""
    if platform.system() != "Linux":
        return []
    missing = {name: about for name, about in LIBRARIES.items() if not (loads or _loads)(name)}
    if not missing:
        return [Check(SYSTEM, "libraries", "ok", ", ".join(LIBRARIES))]
    return [
        Check(SYSTEM, name, "missing", f"needed by {use}", f"sudo apt-get install {package}")
        for name, (package, use) in missing.items()
    ]


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def tool_checks() -> list[Check]:
    """Programs that are called."""
    checks = []
    for name, (fix, use) in TOOLS.items():
        where = shutil.which(name)
        found = where or f"not on PATH; needed for {use}"
        checks.append(Check(SYSTEM, name, "ok" if where else "note", found, "" if where else fix))
    if torch.cuda.is_available() and shutil.which("g++") is None:
        fix = "sudo apt-get install g++"
        checks.append(Check(SYSTEM, "g++", "missing", "needed once, to compile gsplat's kernels", fix, needed=True))
    return checks


def folder_checks() -> list[Check]:
    """Folders that are written to."""
    from huggingface_hub.constants import HF_HUB_CACHE

    folders = {
        "working folder": (Path.cwd(), "runs go to outputs/ in it; name another with --output-dir"),
        "temporary folder": (Path(tempfile.gettempdir()), "set TMPDIR to a folder that can be written"),
        "torch hub": (Path(torch.hub.get_dir()), "set TORCH_HOME to a folder that can be written"),
        "model hub": (Path(HF_HUB_CACHE), "set HF_HOME to a folder that can be written"),
    }
    return [_folder(name, *about) for name, about in folders.items()]


def _folder(name: str, folder: Path, fix: str) -> Check:
    """Whether a folder, or the nearest one above that exists, can be written."""
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(existing).free / 2**30
    if not os.access(existing, os.W_OK | os.X_OK):
        return Check("Folders", name, "wrong", f"{folder} cannot be written", fix)
    if free < 1:
        return Check("Folders", name, "note", f"{folder} ({free:.1f} GiB free: little)", fix)
    return Check("Folders", name, "ok", f"{folder} ({free:.0f} GiB free)")
