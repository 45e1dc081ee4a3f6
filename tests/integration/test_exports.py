"""Exports of a run that `ns-train` made: opened without nerfstudio they hold what nerfstudio's own commands see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from nerfstudio.scripts.exporter import ExportGaussianSplat
from nerfstudio.utils.eval_utils import eval_setup
from plyfile import PlyData

from sparseags_ns.export.orientation import oriented
from sparseags_ns.export.splat import write_splat
from sparseags_ns.export.visible import render_views
from sparseags_ns.plugin.trainer import SparseAGSTrainer
from sparseags_ns.runs.opening import open_run


def test_an_opened_run_holds_what_was_trained(run: SparseAGSTrainer) -> None:
    opened, model = open_run(run.base_dir), run.pipeline.model
    cameras = model.cameras().detach()
    torch.testing.assert_close(opened.refined.T_camera_world, cameras.T_camera_world, atol=1e-6, rtol=0)
    assert torch.equal(opened.refined.K, cameras.K) and torch.equal(opened.initial.K, model.initial_cameras().K)
    assert torch.equal(opened.gaussians.means, model.means) and opened.sh_degree == model.config.sh_degree
    assert torch.equal(opened.trusted, model.trusted) and opened.steps_done == model.steps_done
    assert opened.views.names == model.views.names
    torch.testing.assert_close(opened.views.images, model.views.images, atol=0.51 / 255, rtol=0)
    torch.testing.assert_close(opened.views.masks, model.views.masks, atol=0.51 / 255, rtol=0)
    assert opened.config["pipeline"]["model"]["num_gaussians"] == model.config.num_gaussians
    given = run.config.pipeline.datamanager.dataparser
    assert opened.config["pipeline"]["datamanager"]["dataparser"]["resolution"] == given.resolution


def test_an_opened_run_renders_as_nerfstudio_does(run: SparseAGSTrainer) -> None:
    opened = open_run(run.base_dir)
    _, pipeline, _, _ = eval_setup(run.base_dir / "config.yml", test_mode="test")
    cameras = pipeline.datamanager.eval_dataset.cameras  # type: ignore[union-attr]
    raster = render_views(opened.gaussians, opened.refined.detach(), opened.sh_degree, torch.ones(3))
    for view in range(len(opened.views)):
        theirs = pipeline.model.get_outputs_for_camera(cameras[view : view + 1])["rgb"]
        # Cameras come back from a file in decimals: a splat may cross the alpha of 1/255 below which it does not count.
        difference = (raster.rgb[view].clamp(0, 1) - theirs).abs()
        assert difference.max() < 5e-3 and difference.mean() < 1e-5


def test_the_splat_is_that_of_ns_export(run: SparseAGSTrainer, tmp_path: Path) -> None:
    ExportGaussianSplat(load_config=run.base_dir / "config.yml", output_dir=tmp_path).main()
    opened = open_run(run.base_dir)
    write_splat(tmp_path / "ours.ply", oriented(opened, "world"), opened.sh_degree)
    theirs, ours = (PlyData.read(str(tmp_path / name))["vertex"] for name in ("splat.ply", "ours.ply"))
    names = [p.name for p in theirs.properties]
    assert names == [p.name for p in ours.properties] and len(theirs.data) == len(ours.data)
    for name in names:
        # Opacities and sizes went through their activations and back.
        np.testing.assert_allclose(ours[name], theirs[name], atol=2e-3 if name == "opacity" else 1e-5)
