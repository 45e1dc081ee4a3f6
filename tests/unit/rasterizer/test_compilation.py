"""Machine code of the kernels: what a process compiles computes what the next one loads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

RENDERS_AND_PRINTS_BITS = """
import torch
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians
generator = torch.Generator().manual_seed(0)
splat = Gaussians(
    means=0.15 * torch.randn(300, 3, generator=generator),
    quats=torch.randn(300, 4, generator=generator),
    scales=0.01 + 0.05 * torch.rand(300, 3, generator=generator),
    opacities=torch.rand(300, generator=generator),
    colors=torch.rand(300, 3, generator=generator),
)
pose = torch.eye(4)[None].clone()
pose[0, 2, 3] = 1.85
K = torch.tensor([[[60.0, 0.0, 16.0], [0.0, 60.0, 16.0], [0.0, 0.0, 1.0]]])
print(rasterize(splat, Cameras(pose, K, 32, 32), torch.full((3,), 0.5), backend="cpu").rgb.numpy().tobytes().hex())
"""


def test_kernels_just_compiled_round_as_those_loaded_from_disk(tmp_path: Path) -> None:
    """Else the first run on a machine could not be repeated: differences of a bit grow over hundreds of steps."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    runs = [
        subprocess.run(
            [sys.executable, "-c", RENDERS_AND_PRINTS_BITS], env=environment, capture_output=True, text=True, check=True
        )
        for _ in range(2)
    ]
    assert "compiling" in runs[0].stderr and "compiling" not in runs[1].stderr
    assert runs[0].stdout == runs[1].stdout
