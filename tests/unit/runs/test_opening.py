"""Opening a run's folder: everything comes back as it was trained, from any path that means the run."""

from __future__ import annotations

import io
import json
import pickle
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sparseags_ns.formats.transforms_json import read_transforms_json
from sparseags_ns.geometry import se3
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


def change_checkpoint(folder: Path, step: int = 59, **changed: object) -> None:
    """Write a checkpoint like the run's own with other content; None leaves a key out."""
    files = folder / "nerfstudio_models"
    content = {**torch.load(files / "step-000000059.ckpt"), "step": step, **changed}
    content = {key: value for key, value in content.items() if value is not None}
    torch.save(content, files / f"step-{step:09d}.ckpt")


def test_cameras_and_splat_come_from_one_save(
    make_run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A process killed between a checkpoint and its outputs leaves the outputs of the save before."""
    folder = make_run()
    views = torch.load(folder / "nerfstudio_models" / "step-000000059.ckpt")["views"]
    elsewhere = views["T_camera_world"] @ se3.exp(torch.tensor([0.0, 0, 0, 0, 1, 0]))
    change_checkpoint(folder, 119, views={**views, "T_camera_world": elsewhere})
    run = open_run(folder)
    assert "is written anew from the checkpoint of step 120 (it was of step 60)" in capsys.readouterr().err
    torch.testing.assert_close(run.refined.T_camera_world, elsewhere)
    assert run.steps_done == run.outcome.steps_done == 120
    frames = read_transforms_json(folder / "sparseags" / "transforms.json")
    written = torch.stack([frame.T_camera_world for frame in frames]).float()
    torch.testing.assert_close(written, elsewhere, atol=1e-5, rtol=0)
    open_run(folder)
    assert "written anew" not in capsys.readouterr().err


@pytest.mark.parametrize("lost", ["summary.json", "transforms.json", "history.json"])
def test_outputs_that_are_lost_are_made_from_the_checkpoint(make_run: Callable[..., Path], lost: str) -> None:
    folder = make_run()
    (folder / "sparseags" / lost).unlink()
    assert open_run(folder).outcome.steps_done == 60 and (folder / "sparseags" / lost).is_file()


def test_a_run_before_0_4_0_opens_and_cameras_of_another_save_are_told(
    make_run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run()
    change_checkpoint(folder, 119, views=None)
    assert open_run(folder).steps_done == 120
    assert "cameras of step 60, splat of step 120" in capsys.readouterr().err


@pytest.mark.parametrize(
    "path, removed, complaint",
    [
        ("nowhere", "", "no such run: .*nowhere"),
        ("..", "", r"is no run: expected a folder that holds config\.yml.*the latest run inside it is .*now"),
        ("nerfstudio_models", "", "is no run"),
        ("", "nerfstudio_models/step-000000059.ckpt", "holds no checkpoint"),
        ("", "sparseags/images/001.png", r"001\.png cannot be read"),
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
    whole = checkpoint.read_bytes()
    pipeline = torch.load(checkpoint)["pipeline"]
    del pipeline["_model.K_initial"]
    change_checkpoint(folder, pipeline=pipeline)
    with pytest.raises(RunError, match=r"no checkpoint of this version.*K_initial"):
        open_run(folder)
    for content in (b"", b"PK half a file", whole[: len(whole) // 2]):
        checkpoint.write_bytes(content)
        with pytest.raises(RunError, match=r"step-000000059\.ckpt of \d+ bytes cannot be read"):
            open_run(folder)
    with zipfile.ZipFile(checkpoint, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1 << 20))
    with pytest.raises(RunError, match="is compressed, and could take any amount of memory"):
        open_run(folder)
    place = whole.index(torch.load(io.BytesIO(whole))["views"]["T_camera_world"].numpy().tobytes()) + 7
    checkpoint.write_bytes(whole[:place] + bytes([whole[place] ^ 64]) + whole[place + 1 :])
    with pytest.raises(RunError, match=r"step-000000059\.ckpt is damaged: the checksum of its part .* is wrong"):
        open_run(folder)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickled_checkpoint_runs_no_code(make_run: Callable[..., Path], tmp_path: Path, zipped: bool) -> None:
    folder = make_run()
    checkpoint, trace = folder / "nerfstudio_models" / "step-000000059.ckpt", tmp_path / "trace"
    content = {"step": 59, "pipeline": _Evil(trace)}
    torch.save(content, checkpoint) if zipped else checkpoint.write_bytes(pickle.dumps(content))
    with pytest.raises(RunError, match=r"step-000000059\.ckpt"):
        open_run(folder)
    assert not trace.exists()


class _Evil:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.trace,)


def test_a_damaged_checkpoint_is_told_and_the_one_before_is_opened(
    make_run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run()
    for name in ("step-000000119.ckpt", "step-late.ckpt", ".DS_Store"):
        (folder / "nerfstudio_models" / name).write_bytes(b"no archive")
    assert open_run(folder).steps_done == 60
    assert re.search(r"a newer one cannot be read.*step-000000119\.ckpt", capsys.readouterr().err)


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
    change_checkpoint(folder, views=None)
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
    change_checkpoint(folder, views=None)
    (folder / "sparseags" / "summary.json").write_text('{"version": 2}')
    with pytest.raises(RunError, match="no record of a run"):
        open_run(folder)
