"""Machine code of the kernels: what a process compiles computes what the next one loads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

RASTERIZES = """
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
ARRANGES = """
import numpy as np
from sparseags_ns.pose_init.ab_initio import kernels
random = np.random.default_rng(0)
rgb = random.random((3, 16, 16, 3), np.float32)
alpha, K = np.ones((3, 16, 16), np.float32), np.tile(np.float32([30, 30, 8, 8]), (3, 1))
R, t = np.tile(np.eye(3, dtype=np.float32), (3, 1, 1)), np.tile(np.float32([0, 0, 1.85]), (3, 1))
gaussians = np.concatenate([0.2 * random.normal(size=(100, 3)), np.full((100, 2), -2), random.random((100, 3))], 1)
gaussians, losses, every = gaussians.astype(np.float32), np.empty(3, np.float32), np.ones(3, np.bool_)
numbers = np.float32([0.55, 0.2, 1.2e-2, 0.2])
kernels.fit(
    rgb, alpha, alpha, K, R, t, every, every, gaussians, random.random((80, 3, 3), np.float32), *numbers, losses
)
kernels.score(rgb[0], alpha[0], alpha[0], K[0], R, t, gaussians, losses)
print(losses.tobytes().hex())
"""


@pytest.mark.parametrize("program", [RASTERIZES, ARRANGES], ids=["rasterizer", "ab_initio"])
def test_kernels_just_compiled_round_as_those_loaded_from_disk(tmp_path: Path, program: str) -> None:
    """Else the first run on a machine could not be repeated: differences of a bit grow over hundreds of steps."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    printed, kept = [], []
    for _ in range(2):
        run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        printed.append(run.stdout)
        kept.append({path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb*")})
    assert kept[0] and kept[0] == kept[1]
    assert printed[0] == printed[1]
