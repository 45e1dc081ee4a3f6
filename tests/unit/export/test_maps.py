"""Depth maps and masks: equal to renders of the splat, in the stated units."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.export import maps
from sparseags_ns.export.orientation import oriented
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.runs.opening import OpenedRun, open_run


@pytest.fixture
def run(make_run: Callable[..., Path]) -> OpenedRun:
    return open_run(make_run(3))


def rendered(run: OpenedRun) -> tuple[torch.Tensor, torch.Tensor]:
    raster = rasterize(run.gaussians, run.refined, sh_degree=run.sh_degree, depth=True)
    assert raster.depth is not None
    return raster.alpha, raster.depth


def test_both_files_hold_the_rendered_depth_in_units_of_the_world(run: OpenedRun, tmp_path: Path) -> None:
    record = maps.write_depths(tmp_path, oriented(run, "world"), [0, 2], None)
    alpha, depth = rendered(run)
    assert record["views"] == ["000", "002"] and not (tmp_path / "001.png").exists()
    for view in (0, 2):
        expected = torch.where(alpha[view] >= 0.5, depth[view], 0)
        image = Image.open(tmp_path / f"00{view}.png")
        assert image.mode == "I;16" and image.size == (32, 32)
        values = torch.from_numpy(np.array(image).astype(np.float64)) * record["units_per_value"]
        torch.testing.assert_close(values.float(), expected, atol=0.51 * record["units_per_value"], rtol=0)
        binary = maps.read_colmap_map(tmp_path / f"00{view}.png.geometric.bin")
        torch.testing.assert_close(binary, expected, atol=1e-6, rtol=0)
    assert 1.4 < float(expected.max()) < 2.3, "the toy is 1.85 away"


def test_depth_grows_with_the_world(run: OpenedRun, tmp_path: Path) -> None:
    for name in ("world", "given"):
        (tmp_path / name).mkdir()
    placed = oriented(run, "given")
    here = maps.write_depths(tmp_path / "world", oriented(run, "world"), [0], None)
    there = maps.write_depths(tmp_path / "given", placed, [0], None)
    a, b = (maps.read_colmap_map(tmp_path / name / "000.png.geometric.bin") for name in ("world", "given"))
    torch.testing.assert_close(b, a * float(placed.from_world.scale), atol=2e-3, rtol=0)
    assert here["units_per_value"] == there["units_per_value"] == pytest.approx(1e-4)


def test_depth_does_not_suffer_from_large_coordinates(georeferenced: OpenedRun, tmp_path: Path) -> None:
    for name in ("world", "given"):
        (tmp_path / name).mkdir()
        maps.write_depths(tmp_path / name, oriented(georeferenced, name), [0], None)
    a, b = (maps.read_colmap_map(tmp_path / name / "000.png.geometric.bin") for name in ("world", "given"))
    scale = float(oriented(georeferenced, "given").from_world.scale)
    torch.testing.assert_close(b, a * scale, rtol=1e-5, atol=0)


@pytest.mark.parametrize("largest, unit", [(1.9, 1e-4), (6.5, 1e-4), (6.6, 1e-3), (650.0, 1e-2), (0.0, 1e-16)])
def test_the_largest_depth_fits_sixteen_bits(largest: float, unit: float) -> None:
    assert maps.png_unit(largest) == pytest.approx(unit) and largest / maps.png_unit(largest) <= 65535


def test_a_map_is_written_as_colmap_reads_it(tmp_path: Path) -> None:
    values = torch.arange(6.0).reshape(2, 3)
    maps.write_colmap_map(tmp_path / "a.bin", values)
    content = (tmp_path / "a.bin").read_bytes()
    assert content.startswith(b"3&2&1&") and len(content) == 6 + 24
    # As COLMAP's own script reads it: column-major (width, height, channels), then transposed.
    flat = np.frombuffer(content[6:], np.float32)
    np.testing.assert_array_equal(np.transpose(flat.reshape((3, 2, 1), order="F"), (1, 0, 2)).squeeze(), values)


@pytest.mark.parametrize("colmap_names", [False, True])
def test_masks_of_the_photographs_are_those_trained_with(run: OpenedRun, tmp_path: Path, colmap_names: bool) -> None:
    maps.write_masks(tmp_path, oriented(run, "world"), [1], "photographs", colmap_names, None)
    written = Image.open(tmp_path / ("001.png.png" if colmap_names else "001.png"))
    trained = Image.open(run.outputs / "images" / "001.png").getchannel("A")
    assert written.mode == "L" and np.array_equal(np.array(written), np.array(trained))


def test_masks_of_the_splat_are_its_alpha(run: OpenedRun, tmp_path: Path) -> None:
    maps.write_masks(tmp_path, oriented(run, "world"), [1], "splat", False, None)
    written = torch.from_numpy(np.array(Image.open(tmp_path / "001.png"))).float() / 255
    torch.testing.assert_close(written, rendered(run)[0][1], atol=0.51 / 255, rtol=0)
