"""A run through nerfstudio's trainer: what it leaves behind, and that it learns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from sparseags_ns.evaluation.cameras import compare_pose_files
from sparseags_ns.formats.poses import read_poses
from sparseags_ns.plugin.trainer import SparseAGSTrainer, SparseAGSTrainerConfig
from sparseags_ns.sample import SampleConfig, make_sample
from sparseags_ns.scene.reading import ReadingOptions, read_scene

Start = Callable[[SparseAGSTrainerConfig], SparseAGSTrainer]
MakeConfig = Callable[..., SparseAGSTrainerConfig]


def test_outputs_stand_beside_the_checkpoint(run: SparseAGSTrainer) -> None:
    names = {path.name for path in run.outputs_dir.iterdir()}
    files = {"transforms.json", "cameras.json", "summary.json", "history.json", "searches.json", "views.png"}
    assert names == files | {"images"}
    assert [path.name for path in run.checkpoint_dir.iterdir()] == ["step-000000059.ckpt"]
    assert not list(run.base_dir.rglob("*.part"))


def test_both_camera_files_hold_the_refined_cameras(run: SparseAGSTrainer) -> None:
    refined = run.pipeline.model.cameras()
    for name in ("transforms.json", "cameras.json"):
        frames = read_poses(run.outputs_dir / name)
        assert [frame.stem for frame in frames] == [f"{i:03d}" for i in range(5)]
        poses = torch.stack([frame.T_camera_world for frame in frames]).float()
        torch.testing.assert_close(poses, refined.T_camera_world.detach(), atol=1e-5, rtol=1e-5)
        K = torch.stack([frame.K for frame in frames]).float()
        torch.testing.assert_close(K, refined.K, atol=1e-3, rtol=1e-5)


def test_the_output_folder_is_a_scene_of_its_own(run: SparseAGSTrainer) -> None:
    options = ReadingOptions(poses=run.outputs_dir / "transforms.json", resolution=64)
    views = read_scene(run.outputs_dir, options).views
    torch.testing.assert_close(views.masks, run.pipeline.model.views.masks, atol=1 / 255, rtol=0.0)


def test_summary_says_what_was_done(run: SparseAGSTrainer) -> None:
    summary = json.loads((run.outputs_dir / "summary.json").read_text())
    assert summary["steps_done"] == summary["num_steps"] == 60
    assert summary["device"].startswith(run.device) and summary["perceptual_error"] in ("lpips", "dssim")
    assert {"preparation", "optimisation", "outputs"} <= set(summary["seconds"])
    # The file rounds to hundredths, which may leave nothing of a short phase.
    assert all(seconds > 0 for seconds in run._clock.seconds().values()) and summary["seconds"]["optimisation"] > 0
    assert {"torch", "nerfstudio", "gsplat", "sparseags_ns"} <= set(summary["versions"])
    origin = summary["pose_init"]
    assert Path(origin["source"]).parent == run.config.pipeline.datamanager.data and origin["estimated"] is False
    for view in summary["views"]:
        assert view["trusted"] is True
        assert view["mse_after"] > 0 and view["perceptual_after"] > 0 and view["rotation_deg"] > 0
    assert sum(v["mse_after"] for v in summary["views"]) < sum(v["mse_before"] for v in summary["views"])


def test_views_png_shows_every_photograph_above_its_render(run: SparseAGSTrainer) -> None:
    with Image.open(run.outputs_dir / "views.png") as sheet:
        assert sheet.width > sheet.height and sheet.width / 5 > 190


def test_pose_errors_are_halved(tmp_path: Path, make_config: MakeConfig, start: Start) -> None:
    scene = tmp_path / "scene"
    make_sample(SampleConfig(seed=0, size=96, num_test_views=0, level="dust3r"), scene)
    config = make_config(scene, tmp_path, steps=200)
    config.pipeline.datamanager.dataparser.resolution = 96
    config.pipeline.model.num_gaussians = 1000
    trainer = start(config)
    trainer.train()
    true = scene / "gt" / "transforms.json"
    given = compare_pose_files(scene / "cameras.json", true).summary()
    refined = compare_pose_files(trainer.outputs_dir / "transforms.json", true).summary()
    for key in ("median_rotation_error_deg", "median_center_error"):
        assert refined[key] < 0.5 * given[key], (key, given, refined)


def test_every_parameter_moves(scene: Path, tmp_path: Path, make_config: MakeConfig, start: Start) -> None:
    trainer = start(make_config(scene, tmp_path, steps=8))
    model = trainer.pipeline.model
    poses = model.cameras().T_camera_world.detach().clone()
    trainer.train()
    assert (model.cameras().T_camera_world - poses).abs().amax((1, 2)).min() > 1e-4
    assert model.gauss_params["features_rest"].abs().max() > 0


def test_untrusted_views_stay_out(scene: Path, tmp_path: Path, make_config: MakeConfig, start: Start) -> None:
    trainer = start(make_config(scene, tmp_path, steps=5))
    model = trainer.pipeline.model
    model.trusted[2] = False
    trainer.train()
    moved = model.camera_optimizer.corrections.tangents.detach().abs().amax(1)
    assert moved[2] == 0 and (moved[[0, 1, 3, 4]] > 0).all()
    summary = json.loads((trainer.outputs_dir / "summary.json").read_text())
    assert [view["trusted"] for view in summary["views"]] == [True, True, False, True, True]
    assert [frame.trusted for frame in read_poses(trainer.outputs_dir / "cameras.json")][2] is False


def test_the_paper_preset_runs_and_densifies(
    scene: Path, tmp_path: Path, make_config: MakeConfig, start: Start
) -> None:
    config = make_config(scene, tmp_path, steps=12, paper=True)
    config.pipeline.model.warmup_length, config.pipeline.model.refine_every = 4, 5
    config.pipeline.model.densify_grad_thresh = 1e-5
    trainer = start(config)
    before = trainer.pipeline.model.num_points
    trainer.train()
    assert trainer.pipeline.model.num_points > before


def test_saved_config_finds_the_data_from_anywhere(run: SparseAGSTrainer) -> None:
    config = yaml.load((run.base_dir / "config.yml").read_text(), Loader=yaml.Loader)
    assert config.output_dir.is_absolute() and config.pipeline.datamanager.data.is_absolute()


def test_checkpoints_hold_no_photographs_and_no_networks(run: SparseAGSTrainer) -> None:
    (path,) = run.checkpoint_dir.glob("*.ckpt")
    state = torch.load(path, weights_only=True)["pipeline"]
    groups = {key.removeprefix("_model.").split(".")[0] for key in state}
    assert groups == {
        "gauss_params", "camera_optimizer", "T_camera_initial", "K_initial", "trusted", "device_indicator_param",
        "_extra_state",
    }  # fmt: skip


@pytest.mark.parametrize("problem", ["missing folder", "empty folder", "broken photograph"])
def test_bad_input_ends_in_one_sentence(
    problem: str, scene: Path, tmp_path: Path, make_config: MakeConfig, start: Start
) -> None:
    folder = tmp_path / "scene"
    if problem != "missing folder":
        folder.mkdir()
    if problem == "broken photograph":
        (folder / "images").mkdir()
        (folder / "cameras.json").write_text((scene / "cameras.json").read_text())
        for photograph in (scene / "images").iterdir():
            (folder / "images" / photograph.name).write_bytes(photograph.read_bytes()[:300])
    with pytest.raises(SystemExit) as exit_info:
        start(make_config(folder, tmp_path / "out"))
    message = str(exit_info.value.code)
    assert message.startswith("sparseags: error: ") and str(folder) in message and "\n" not in message


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA device")
def test_cuda_without_a_device_is_refused(scene: Path, tmp_path: Path, make_config: MakeConfig, start: Start) -> None:
    config = make_config(scene, tmp_path)
    config.machine.device_type = "cuda"
    with pytest.raises(SystemExit, match="finds no CUDA device; leave it out"):
        start(config)
