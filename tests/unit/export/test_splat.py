"""The exported splat: read back by an independent reader, it renders as the run does, through the exported cameras."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from plyfile import PlyData

from sparseags_ns.export.orientation import Orient, oriented
from sparseags_ns.export.splat import write_splat
from sparseags_ns.metrics.images import psnr
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.opening import OpenedRun, open_run


@pytest.fixture
def run(make_run: Callable[..., Path]) -> OpenedRun:
    return open_run(make_run(3))


def read_splat(path: Path) -> Gaussians:
    """A splat read as the 3DGS paper's viewer reads it, independently of the writer."""
    vertex = PlyData.read(str(path))["vertex"]

    def stack(*names: str) -> torch.Tensor:
        return torch.tensor(np.stack([vertex[name] for name in names], axis=1))

    rest = sorted((p.name for p in vertex.properties if p.name.startswith("f_rest_")), key=lambda n: int(n[7:]))
    colors = stack("f_dc_0", "f_dc_1", "f_dc_2")[:, None]
    if rest:
        colors = torch.cat([colors, stack(*rest).reshape(len(colors), 3, -1).transpose(1, 2)], dim=1)
    return Gaussians(
        means=stack("x", "y", "z"),
        quats=stack("rot_0", "rot_1", "rot_2", "rot_3"),
        scales=stack("scale_0", "scale_1", "scale_2").exp(),
        opacities=stack("opacity")[:, 0].sigmoid(),
        colors=colors.contiguous(),
    )


@pytest.mark.parametrize("orient", ["world", "given", "y-up", "y-down", "z-up"])
def test_the_splat_through_the_exported_cameras_looks_like_the_run(
    run: OpenedRun, tmp_path: Path, orient: Orient
) -> None:
    placed, white = oriented(run, orient), torch.ones(3)
    assert write_splat(tmp_path / "splat.ply", placed) == 60
    there = rasterize(read_splat(tmp_path / "splat.ply"), placed.refined.to(torch.float32), white).rgb
    here = rasterize(run.gaussians, run.refined, white).rgb
    assert float(psnr(there, here).min()) > 40


def test_a_splat_that_float32_cannot_hold_is_warned_of(
    georeferenced: OpenedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_splat(tmp_path / "splat.ply", oriented(georeferenced, "world"))
    assert "warning" not in capsys.readouterr().err
    write_splat(tmp_path / "splat.ply", oriented(georeferenced, "given"))
    said = capsys.readouterr().err
    assert "warning: splat.ply holds float32" in said and "coordinates of up to 5.41e+06 are then off by up to" in said


@pytest.mark.parametrize("degree, rest", [(0, 0), (1, 9), (2, 24), (3, 45)])
def test_colours_have_the_chosen_degree(run: OpenedRun, tmp_path: Path, degree: int, rest: int) -> None:
    write_splat(tmp_path / "splat.ply", oriented(run, "world"), degree)
    splat = read_splat(tmp_path / "splat.ply")
    assert splat.colors.shape[1] == rest // 3 + 1
    shared = min(splat.colors.shape[1], run.gaussians.colors.shape[1])
    torch.testing.assert_close(splat.colors[:, :shared], run.gaussians.colors[:, :shared])
    assert not splat.colors[:, shared:].any()


def test_properties_come_in_the_order_that_viewers_expect(run: OpenedRun, tmp_path: Path) -> None:
    write_splat(tmp_path / "splat.ply", oriented(run, "y-down"), 1)
    names = [p.name for p in PlyData.read(str(tmp_path / "splat.ply"))["vertex"].properties]
    assert names == (
        ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"]
        + [f"f_rest_{i}" for i in range(9)]
        + ["opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
    )
    assert "frame y-down" in PlyData.read(str(tmp_path / "splat.ply")).comments[0]


def test_broken_and_invisible_gaussians_stay_out(run: OpenedRun, tmp_path: Path) -> None:
    means, opacities = run.gaussians.means.clone(), run.gaussians.opacities.clone()
    means[3, 1], opacities[5], opacities[6] = torch.nan, 0.001, 1.0
    broken = replace(run, gaussians=replace(run.gaussians, means=means, opacities=opacities))
    assert write_splat(tmp_path / "splat.ply", oriented(broken, "world")) == 58
    assert bool(read_splat(tmp_path / "splat.ply").opacities.isfinite().all())
