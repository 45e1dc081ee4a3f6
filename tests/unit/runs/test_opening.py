"""Opening a run's folder: everything comes back as it was trained, from any path that means the run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.opening import RunError, open_run
from sparseags_ns.views import Views


def test_a_run_comes_back_as_it_was_trained(
    make_run: Callable[..., Path], make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    folder = make_run(untrusted=(3,))
    run, views = open_run(folder), make_views(5)
    torch.testing.assert_close(run.refined.T_camera_world, views.cameras.T_camera_world, atol=1e-5, rtol=0)
    assert not torch.allclose(run.initial.T_camera_world, run.refined.T_camera_world, atol=1e-2)
    torch.testing.assert_close(run.gaussians.means, toy_gaussians.means)
    torch.testing.assert_close(run.gaussians.scales, toy_gaussians.scales)
    assert run.trusted.tolist() == [True, True, True, False, True]
    assert (run.sh_degree, run.steps_done, run.views.names) == (2, 60, views.names)
    torch.testing.assert_close(run.views.images, views.images, atol=0.6 / 255, rtol=0)
    torch.testing.assert_close(run.views.masks, views.masks, atol=0.6 / 255, rtol=0)
    assert bool((run.views.valid == 1).all()) and not run.whole_photographs
    assert run.record.num_steps == 60 and run.outcome.steps_done == 60


def test_the_config_is_read_as_plain_values(make_run: Callable[..., Path]) -> None:
    config = open_run(make_run()).config
    assert (
        config["data"] == Path("/photographs/toy")
        and config["_target"] == "sparseags_ns.plugin.trainer.SparseAGSTrainer"
    )
    assert config["pipeline"]["model"] == {"stages": ("coarse", "fine"), "num_gaussians": 60}


def test_a_config_cannot_run_code(make_run: Callable[..., Path], tmp_path: Path) -> None:
    folder, trace = make_run(), tmp_path / "trace"
    with (folder / "config.yml").open("a") as file:
        file.write(
            f"evil: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.PosixPath [{trace}]]"
        )
    open_run(folder)
    assert not trace.exists()


def test_valid_regions_come_back(make_run: Callable[..., Path]) -> None:
    from PIL import Image

    folder = make_run()
    plane = Image.new("L", (32, 32), 255)
    plane.paste(0, (0, 0, 32, 8))
    (folder / "sparseags" / "valid").mkdir()
    plane.save(folder / "sparseags" / "valid" / "002.png")
    valid = open_run(folder).views.valid
    assert bool((valid[2, :8] == 0).all()) and float(valid.sum()) == 5 * 32 * 32 - 8 * 32


@pytest.mark.parametrize("inside", ["", "config.yml", "sparseags"])
def test_folder_config_and_outputs_mean_the_run(make_run: Callable[..., Path], inside: str) -> None:
    folder = make_run()
    assert open_run(folder / inside).folder == folder


def test_a_moved_run_opens(make_run: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_run()
    shutil.move(folder, tmp_path / "elsewhere")
    assert len(open_run(tmp_path / "elsewhere").views) == 5


def test_the_latest_checkpoint_is_opened_and_older_cameras_are_told(
    make_run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run()
    checkpoints = folder / "nerfstudio_models"
    content = torch.load(checkpoints / "step-000000059.ckpt")
    torch.save({**content, "step": 119}, checkpoints / "step-000000119.ckpt")
    assert open_run(folder).steps_done == 120
    assert "cameras of step 60, splat of step 120" in capsys.readouterr().err


@pytest.mark.parametrize(
    "path, removed, complaint",
    [
        ("nowhere", "", "no such run: .*nowhere"),
        ("..", "", r"is no run: expected a folder that holds config\.yml.*the latest run inside it is .*now"),
        ("nerfstudio_models", "", "is no run"),
        ("", "nerfstudio_models/step-000000059.ckpt", "holds no checkpoint"),
        ("", "sparseags/transforms.json", r"holds no transforms\.json"),
        ("", "sparseags/images/001.png", r"001\.png cannot be read"),
        ("", "sparseags/summary.json", r"summary\.json.*cannot be read"),
    ],
)
def test_what_is_missing_is_said(make_run: Callable[..., Path], path: str, removed: str, complaint: str) -> None:
    folder = make_run()
    if removed:
        (folder / removed).unlink()
    with pytest.raises(ValueError, match=complaint):
        open_run(folder / path)


def test_a_damaged_or_foreign_checkpoint_is_refused(make_run: Callable[..., Path]) -> None:
    folder = make_run()
    checkpoint = folder / "nerfstudio_models" / "step-000000059.ckpt"
    content = torch.load(checkpoint)
    del content["pipeline"]["_model.K_initial"]
    torch.save(content, checkpoint)
    with pytest.raises(RunError, match=r"no checkpoint of this version.*K_initial"):
        open_run(folder)
    checkpoint.write_bytes(b"PK half a file")
    with pytest.raises(RunError, match="cannot be read"):
        open_run(folder)


def test_the_anchored_initial_cameras_differ_by_one_similarity(make_run: Callable[..., Path]) -> None:
    run = open_run(make_run())
    before = run.initial.T_camera_world[0] @ torch.linalg.inv(run.initial.T_camera_world[1])
    after = run.initial_anchored.T_camera_world[0] @ torch.linalg.inv(run.initial_anchored.T_camera_world[1])
    torch.testing.assert_close(before[:3, :3], after[:3, :3], atol=1e-5, rtol=0)


def test_opening_a_run_does_not_import_nerfstudio() -> None:
    modules = "sparseags_ns.runs.opening, sparseags_ns.export.turntable"
    code = f"import sys, {modules}; sys.exit('nerfstudio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_views_and_gaussians_go_to_the_device_asked_for(make_run: Callable[..., Path]) -> None:
    run = open_run(make_run(), device="cpu")
    assert {run.views.images.device.type, run.gaussians.means.device.type, run.refined.K.device.type} == {"cpu"}


def test_a_run_of_0_1_0_opens(make_run: Callable[..., Path]) -> None:
    folder = make_run(count=3)
    content = json.loads((Path(__file__).parent / "run_0_1_0.json").read_text())
    for part in ("summary", "history", "searches"):
        (folder / "sparseags" / f"{part}.json").write_text(json.dumps(content[part]))
    with (folder / "config.yml").open("a") as file:
        file.write("hold: all\n")
    run = open_run(folder)
    assert run.record.registered == {2} and run.outcome.views[1].rotation_deg > 0
    assert run.config["fix_cameras"] == "all" and "hold" not in run.config


def test_a_damaged_record_is_refused(make_run: Callable[..., Path]) -> None:
    folder = make_run()
    (folder / "sparseags" / "summary.json").write_text('{"version": 2}')
    with pytest.raises(RunError, match="no record of a run"):
        open_run(folder)
