"""nerfstudio's own commands on a run's config, on CPU and offline: they work, and they use the refined poses."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import numpy as np
import pytest
import torch
from nerfstudio.scripts.eval import ComputePSNR
from nerfstudio.scripts.exporter import ExportCameraPoses, ExportGaussianSplat
from nerfstudio.scripts.render import RenderInterpolated
from nerfstudio.utils.eval_utils import eval_setup
from plyfile import PlyData

from sparseags_ns.geometry.cameras import opengl_from_opencv
from sparseags_ns.metrics.images import over_white, psnr
from sparseags_ns.plugin.pipeline import SparseAGSPipeline
from sparseags_ns.plugin.trainer import SparseAGSTrainer


@pytest.fixture(scope="module")
def config_path(run: SparseAGSTrainer) -> Path:
    return run.base_dir / "config.yml"


@pytest.fixture(autouse=True)
def from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refined_opengl(run: SparseAGSTrainer) -> torch.Tensor:
    return opengl_from_opencv(run.pipeline.model.cameras().T_camera_world.detach())[:, :3]


def test_a_loaded_run_renders_as_the_trained_one(run: SparseAGSTrainer, config_path: Path) -> None:
    _, pipeline, _, step = eval_setup(config_path, test_mode="test")
    assert step == 59
    camera = pipeline.datamanager.eval_dataset.cameras[1:2]  # type: ignore[union-attr]
    run.pipeline.eval()
    here, there = (p.model.get_outputs_for_camera(camera)["rgb"] for p in (run.pipeline, pipeline))
    assert torch.equal(here, there)


def test_evaluation_looks_through_the_refined_cameras(run: SparseAGSTrainer, config_path: Path) -> None:
    _, pipeline, _, _ = eval_setup(config_path, test_mode="test")
    for dataset in (pipeline.datamanager.train_dataset, pipeline.datamanager.eval_dataset):
        assert dataset is not None
        torch.testing.assert_close(dataset.cameras.camera_to_worlds, refined_opengl(run), atol=1e-6, rtol=1e-6)
        K = run.pipeline.model.cameras().K.detach()
        assert not torch.equal(K, run.pipeline.model.initial_cameras().K), "focal lengths were refined"
        torch.testing.assert_close(dataset.cameras.get_intrinsics_matrices(), K)
    assert isinstance(pipeline, SparseAGSPipeline)
    torch.testing.assert_close(
        pipeline.model.camera_optimizer(torch.arange(5)), torch.eye(4)[:3].expand(5, 3, 4), atol=1e-6, rtol=0.0
    )


def test_ns_export_gaussian_splat(run: SparseAGSTrainer, config_path: Path, tmp_path: Path) -> None:
    ExportGaussianSplat(load_config=config_path, output_dir=tmp_path / "splat").main()
    vertices = PlyData.read(str(tmp_path / "splat" / "splat.ply"))["vertex"]
    model = run.pipeline.model
    positions = np.stack([vertices[axis] for axis in "xyz"], axis=1)
    np.testing.assert_allclose(np.sort(positions, 0), np.sort(model.means.detach().numpy(), 0), atol=1e-6)
    rest = [p.name for p in vertices.properties if p.name.startswith("f_rest_")]
    assert len(rest) == 3 * ((model.config.sh_degree + 1) ** 2 - 1)


def test_ns_export_cameras(run: SparseAGSTrainer, config_path: Path, tmp_path: Path) -> None:
    ExportCameraPoses(load_config=config_path, output_dir=tmp_path / "cameras").main()
    for name in ("transforms_train.json", "transforms_eval.json"):
        frames = json.loads((tmp_path / "cameras" / name).read_text())
        exported = torch.tensor([frame["transform"] for frame in frames])
        torch.testing.assert_close(exported, refined_opengl(run), atol=1e-5, rtol=1e-5)


def test_ns_eval(run: SparseAGSTrainer, config_path: Path, tmp_path: Path) -> None:
    ComputePSNR(load_config=config_path, output_path=tmp_path / "eval.json").main()
    results = json.loads((tmp_path / "eval.json").read_text())["results"]
    model = run.pipeline.model
    model.eval()
    rendered = torch.stack(
        [
            model.get_outputs_for_camera(run.pipeline.datamanager.eval_dataset.cameras[i : i + 1])["rgb"]
            for i in range(5)
        ]
    )
    given = psnr(rendered, over_white(model.views.images, model.views.masks)).mean()
    summary = json.loads((run.outputs_dir / "summary.json").read_text())
    # The trainer's own dataset still has the given poses: through the refined ones the fit must be better.
    assert results["psnr"] > given
    assert set(results) >= {"psnr", "ssim", summary["perceptual_error"]}


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ns-render needs ffmpeg on the PATH")
def test_ns_render_interpolate(config_path: Path, tmp_path: Path) -> None:
    RenderInterpolated(load_config=config_path, output_path=tmp_path / "video.mp4", interpolation_steps=2).main()
    assert (tmp_path / "video.mp4").stat().st_size > 1000


def test_ns_viewer_serves_on_this_machine_only(config_path: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-c", "from nerfstudio.scripts.viewer.run_viewer import entrypoint; entrypoint()"),
        *("--load-config", str(config_path), "--viewer.websocket-port", str(port)),
        *("--viewer.websocket-host", "127.0.0.1"),
    ]
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            assert "<!doctype html>" in fetch(printed_address(tmp_path / "log", process), process).lower()
            with pytest.raises(HTTPError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=5)
        finally:
            process.terminate()
            process.wait(timeout=30)
    assert "Traceback" not in (tmp_path / "log").read_text()


def printed_address(log: Path, process: subprocess.Popen, seconds: float = 120) -> str:
    end = time.monotonic() + seconds
    while (found := re.search(r"http://127\S+", log.read_text())) is None:
        assert process.poll() is None, "the viewer ended"
        assert time.monotonic() < end, "no address was printed"
        time.sleep(0.3)
    return found[0]


def fetch(url: str, process: subprocess.Popen, seconds: float = 120) -> str:
    end = time.monotonic() + seconds
    while True:
        try:
            return urllib.request.urlopen(url, timeout=5).read().decode()
        except OSError:
            assert process.poll() is None, "the viewer ended"
            assert time.monotonic() < end, "the viewer never answered"
            time.sleep(0.3)
