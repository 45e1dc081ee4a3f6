"""The diffusion prior at full size: a Zero123-XL with random weights, saved, loaded by our loader, and run.

A step of guidance (encode the render, predict noise for every photograph, gradient of the render) is compared with the
bare networks: as many UNet passes (one for each photograph and one without), and the VAE's encoding with its gradient.
Speed and memory do not depend on the weights. Measured on the CPU (CPU time of one thread) and, if there is a device,
on CUDA (wall-clock time). The full size needs 5 GB of disk and 12 GB of memory.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import torch

from benchmarks.metric import Metric
from benchmarks.rasterizer import threads
from benchmarks.timing import cpu_seconds
from benchmarks.zero123_models import TINY, Layout, write_folder, write_projection
from sparseags_ns.geometry.cameras import Cameras, orbit
from sparseags_ns.guidance.loading import load_folder
from sparseags_ns.guidance.networks import ZERO123_XL, Architecture, Networks, build
from sparseags_ns.guidance.zero123 import Zero123, Zero123Options

REPEATS = 2
VIEWS = {"cpu": (1, 2, 4), "cuda": (1, 2, 4, 8, 16)}
SIDE = 256
LAYOUTS: tuple[Layout, ...] = ("clip_camera_projection", "cc_projection")
ALLOWED_OVERHEAD = 0.15
"""Largest time of a step beyond its networks, as a share of their time."""


def run(quick: bool) -> list[Metric]:
    """Loading of both layouts, then steps by number of photographs; the quick form runs a tiny model."""
    architecture = TINY if quick else ZERO123_XL
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    metrics = []
    with tempfile.TemporaryDirectory() as folder:
        metrics += write_layouts(architecture, Path(folder))
        loaded = {}
        for layout in LAYOUTS:
            loaded.clear()  # one at a time: each fills 5 GB
            started = perf_counter()
            loaded[layout] = load_folder(Path(folder) / layout)
            metrics.append(_seconds(f"{size(architecture)}load/{layout}", perf_counter() - started))
        (networks,) = loaded.values()
        for device in devices:
            networks.frozen(device, dtype_on(device))
            for count in (1, 2) if quick else VIEWS[device]:
                with threads(1):
                    metrics += step_times(networks, device, count)
    return metrics


def write_layouts(architecture: Architecture, folder: Path) -> list[Metric]:
    """Save random networks in both layouts; shared files are written once and linked."""
    networks, metrics = random_networks(architecture), []
    for layout in LAYOUTS:
        started = perf_counter()
        if layout == LAYOUTS[0]:
            write_folder(networks, folder / layout, layout)
        else:
            shutil.copytree(folder / LAYOUTS[0], folder / layout, copy_function=os.link)
            shutil.rmtree(folder / layout / LAYOUTS[0])
            write_projection(networks, folder / layout, layout)
        metrics.append(_seconds(f"{size(architecture)}write/{layout}", perf_counter() - started))
    return metrics


def size(architecture: Architecture) -> str:
    """Prefix of the names of a tiny model's figures."""
    return "tiny_" if architecture is TINY else ""


def random_networks(architecture: Architecture) -> Networks:
    """Networks filled with small random numbers, without the slow initialisation of each layer."""
    networks = build(architecture, "meta")
    generator = torch.Generator().manual_seed(0)
    for module in networks.modules().values():
        module.to_empty(device="cpu")
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                norm = "norm" in name and name.endswith("weight")
                value.fill_(1.0) if norm else value.normal_(0, 0.02, generator=generator)
            else:
                value.copy_(torch.arange(value.numel()).reshape(value.shape))
    return networks


def step_times(networks: Networks, device: str, count: int) -> list[Metric]:
    """Least time of a step with `count` photographs, of its bare passes, and what the step adds to them."""
    guidance = Zero123(networks, Zero123Options(image_size=8 * networks.unet.config["sample_size"]))
    images, cameras = torch.rand(count, SIDE, SIDE, 3), ring(count)
    conditions = guidance.condition(images)
    image = torch.rand(SIDE, SIDE, 3, device=device, requires_grad=True)
    latent = torch.rand(count + 1, 8, *conditions.latents.shape[2:]).to(conditions.latents)
    context = torch.rand(count + 1, 1, networks.unet.config["cross_attention_dim"]).to(latent)
    pixels = torch.rand(1, 3, guidance.options.image_size, guidance.options.image_size).to(latent)

    def step() -> None:
        loss, _ = guidance(image, cameras[:1], conditions, cameras, 0.5, torch.Generator().manual_seed(0))
        torch.autograd.grad(loss, image)

    def passes() -> None:
        with torch.no_grad():
            networks.unet(latent, 500, encoder_hidden_states=context)

    def encoding() -> None:
        leaf = pixels.clone().requires_grad_()
        torch.autograd.grad(networks.posterior(leaf).mean.sum(), leaf)

    _reset_peak(device)
    times = take_turns({"step": step, "unet": passes, "vae": encoding}, device)
    full = networks.unet.config["sample_size"] == ZERO123_XL.unet["sample_size"]
    name = f"{'' if full else 'tiny_'}{device}/{count}_views"
    print(
        f"{name}: {', '.join(f'{k} {v:.2f} s' for k, v in times.items())}, peak {peak_gib(device):.1f} GiB", flush=True
    )
    metrics = [
        _seconds(f"{name}/step", times["step"]),
        _seconds(f"{name}/unet_passes", times["unet"]),
        _seconds(f"{name}/vae_with_gradient", times["vae"]),
        Metric(f"{name}/peak_memory", peak_gib(device), 0.25, shown=f"{peak_gib(device):.1f} GiB"),
    ]
    if full:  # next to a tiny model's few milliseconds the overhead has no meaning
        ratio = times["step"] / (times["unet"] + times["vae"])
        metrics.append(Metric(f"{name}/step_over_networks", ratio, ALLOWED_OVERHEAD, shown=f"{ratio - 1:+.1%}"))
    return metrics


def take_turns(works: dict[str, Callable[[], None]], device: str) -> dict[str, float]:
    """Least seconds of each work, taking turns, so that a busy spell of the machine hits all of them."""
    clock = cuda_seconds if device == "cuda" else cpu_seconds
    least = dict.fromkeys(works, float("inf"))
    for _ in range(REPEATS):
        for name, work in works.items():
            least[name] = min(least[name], clock(work))
    return least


def cuda_seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of one run, until the device is done."""
    torch.cuda.synchronize()
    started = perf_counter()
    work()
    torch.cuda.synchronize()
    return perf_counter() - started


def ring(count: int) -> Cameras:
    """Cameras around the object at the normalised distance."""
    K = torch.tensor([[1.8 * SIDE, 0, SIDE / 2], [0, 1.8 * SIDE, SIDE / 2], [0, 0, 1]]).repeat(count, 1, 1)
    return Cameras(orbit(torch.linspace(0, 300, count), torch.zeros(count), 1.85), K, SIDE, SIDE)


def dtype_on(device: str) -> torch.dtype:
    """Default precision of the prior."""
    return torch.float16 if device == "cuda" else torch.float32


def peak_gib(device: str) -> float:
    """Peak memory since the last reset, weights included: of the device, or of this process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**20


def _reset_peak(device: str) -> None:
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM (man 5 proc)


def _seconds(name: str, seconds: float) -> Metric:
    """Wall-clock time; disks, devices and neighbours differ, so that only a multiple of the baseline is a failure."""
    return Metric(name, seconds, 3.0, shown=f"{seconds:.2f} s")


def plot(metrics: list[Metric], folder: Path) -> list[Path]:
    """No plot: the table shows all figures."""
    return []
