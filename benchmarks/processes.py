"""Figures that need a fresh process: cold and warm start; peak memory, on Linux."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile

from benchmarks.metric import Metric
from benchmarks.timing import yardstick_seconds

_START = """
import torch
from sparseags_ns.rasterizer import rasterize
from benchmarks.scenes import ball_scene
leaves = ball_scene(1000, 64, 2).leaves()
rasterize(leaves.gaussians, leaves.cameras, leaves.background).rgb.sum().backward()
"""
_IMPORT = "import torch, sparseags_ns.rasterizer, benchmarks.scenes"
_MEMORY = """
import resource, torch
from sparseags_ns.rasterizer import rasterize
from benchmarks.scenes import ball_scene
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
def now():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20
small, large = ball_scene(100, 64, 2).leaves(), ball_scene({count}, {size}, {views}).leaves()
rasterize(small.gaussians, small.cameras, small.background).rgb.sum().backward()
before = now()
rasterize(large.gaussians, large.cameras, large.background).rgb.sum().backward()
print(peak() - before)
"""


def start_and_memory() -> list[Metric]:
    """CPU time to the first gradients with and without compiled kernels on disk; peak memory of large renders."""
    with tempfile.TemporaryDirectory() as cache:
        imported, _ = _child(_IMPORT, cache)
        cold, warm = (_child(_START, cache)[0] - imported for _ in range(2))
    yardstick = yardstick_seconds()
    metrics = [
        Metric(f"start/{name}", seconds / yardstick, 0.5, shown=f"{seconds:.2f} s")
        for name, seconds in (("cold", cold), ("warm", warm))
    ]
    for count, size, views in ((10_000, 512, 8), (100_000, 512, 8)) if sys.platform == "linux" else ():
        megabytes = float(_child(_MEMORY.format(count=count, size=size, views=views))[1])
        name = f"peak_memory/{size}px/{count}/{views}_views"
        metrics.append(Metric(name, megabytes, 0.3, shown=f"{megabytes:.0f} MB"))
    return metrics


def _child(code: str, cache: str | None = None) -> tuple[float, str]:
    """CPU seconds and output of a Python process; its kernels are cached in `cache` if given."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"} | ({} if cache is None else {"NUMBA_CACHE_DIR": cache})
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout.decode()
