"""Interrupting a run and going on with it."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from nerfstudio.utils import writer

from sparseags_ns.plugin.trainer import SparseAGSTrainer, SparseAGSTrainerConfig
from sparseags_ns.runs.opening import open_run

Start = Callable[[SparseAGSTrainerConfig], SparseAGSTrainer]
MakeConfig = Callable[..., SparseAGSTrainerConfig]
STEPS, STOP_AFTER = 24, 13


def everything(trainer: SparseAGSTrainer) -> dict[str, torch.Tensor]:
    model = trainer.pipeline.model
    state = {f"model.{name}": value for name, value in model.state_dict().items() if isinstance(value, torch.Tensor)}
    for group, optimizer in trainer.optimizers.optimizers.items():
        for name, value in optimizer.state[optimizer.param_groups[0]["params"][0]].items():
            state[f"{group}.{name}"] = torch.as_tensor(value)
    return {name: value.detach().clone() for name, value in state.items()}


def stop_after(trainer: SparseAGSTrainer, last: int, stop: Callable[[], None] | None = None) -> None:
    """Make the run end after a step, as Ctrl-C does, or by `stop`."""
    end_step = trainer.pipeline.model.end_step

    def end(step: int) -> None:
        end_step(step)
        if step == last:
            trainer.stop_training = stop is None
            if stop is not None:
                stop()

    callback = next(c for c in trainer.callbacks if c.func == end_step)
    callback.func = end


@pytest.mark.parametrize("paper, guided", [(False, False), (True, False), (False, True)])
def test_a_resumed_run_equals_an_unbroken_one(
    paper: bool, guided: bool, scene: Path, diffusion_model: Path, tmp_path: Path, make_config: MakeConfig, start: Start
) -> None:
    prior = diffusion_model if guided else None

    def config(folder: str) -> SparseAGSTrainerConfig:
        config = make_config(scene, tmp_path / folder, steps=STEPS, paper=paper, prior=prior)
        config.pipeline.model.warmup_length, config.pipeline.model.refine_every = 3, 5
        config.pipeline.model.densify_grad_thresh = 1e-5
        return config

    unbroken = start(config("unbroken"))
    unbroken.train()

    first = start(config("broken"))
    stop_after(first, STOP_AFTER)
    first.train()
    (checkpoint,) = first.checkpoint_dir.glob("*.ckpt")
    assert checkpoint.name == f"step-{STOP_AFTER:09d}.ckpt"
    assert json.loads((first.outputs_dir / "summary.json").read_text())["steps_done"] == STOP_AFTER + 1

    again = config("resumed")
    again.load_dir = first.checkpoint_dir
    resumed = start(again)
    loaded, saved = everything(resumed), everything(first)
    assert all(torch.equal(loaded[name], saved[name]) for name in saved)
    resumed.train()

    expected, actual = everything(unbroken), everything(resumed)
    assert expected.keys() == actual.keys()
    for name in expected:
        torch.testing.assert_close(actual[name], expected[name], atol=0, rtol=0, msg=lambda m, n=name: f"{n}: {m}")
    camera = unbroken.pipeline.datamanager.eval_dataset.cameras[0:1]
    for trainer in (unbroken, resumed):
        trainer.pipeline.eval()
    renders = [t.pipeline.model.get_outputs_for_camera(camera)["rgb"] for t in (unbroken, resumed)]
    assert torch.equal(*renders)
    seconds = [json.loads((t.outputs_dir / "summary.json").read_text())["seconds"] for t in (first, resumed)]
    assert seconds[1]["optimisation"] > seconds[0]["optimisation"]


def test_a_finished_run_resumed_does_nothing_more(
    run: SparseAGSTrainer,
    scene: Path,
    tmp_path: Path,
    make_config: MakeConfig,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(writer.GLOBAL_BUFFER, "step")  # as in a new process
    config = make_config(scene, tmp_path)
    config.load_dir = run.base_dir  # the run itself, or the folder of its checkpoints
    resumed = start(config)
    resumed.train()
    assert resumed.pipeline.model.steps_done == 60
    assert torch.equal(resumed.pipeline.model.means, run.pipeline.model.means)
    assert resumed.pipeline.model.record.pose_init == run.pipeline.model.record.pose_init is not None


def test_a_folder_without_checkpoints_is_refused(
    scene: Path, tmp_path: Path, make_config: MakeConfig, start: Start
) -> None:
    config = make_config(scene, tmp_path / "out")
    config.load_dir = tmp_path
    with pytest.raises(SystemExit, match=r"holds no checkpoint: expected nerfstudio_models/step-\*\.ckpt"):
        start(config)


def test_a_checkpoint_of_other_photographs_is_refused(
    run: SparseAGSTrainer, scene: Path, tmp_path: Path, make_config: MakeConfig, start: Start
) -> None:
    fewer = tmp_path / "scene"
    (fewer / "images").mkdir(parents=True)
    cameras = json.loads((scene / "cameras.json").read_text())
    del cameras["004"]
    (fewer / "cameras.json").write_text(json.dumps(cameras))
    for name in cameras:
        (fewer / "images" / f"{name}.png").write_bytes((scene / "images" / f"{name}.png").read_bytes())
    config = make_config(fewer, tmp_path / "out")
    config.load_dir = run.checkpoint_dir
    with pytest.raises(SystemExit, match="trained on 5 photographs, but the data folder holds 4"):
        start(config)


def test_a_terminated_run_saves_and_ends_by_the_signal(
    scene: Path, tmp_path: Path, make_config: MakeConfig, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(number: int) -> NoReturn:
        raise SystemExit(128 + number)

    monkeypatch.setattr("sparseags_ns.plugin.trainer.exit_by_signal", leave)
    trainer = start(make_config(scene, tmp_path))
    stop_after(trainer, 7, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(SystemExit, match=str(128 + signal.SIGTERM)):
        trainer.train()
    assert [path.name for path in trainer.checkpoint_dir.iterdir()] == ["step-000000007.ckpt"]
    assert open_run(trainer.base_dir).outcome.steps_done == 8


def test_a_full_disk_leaves_out_a_save_and_is_an_error_only_at_the_end(
    scene: Path,
    tmp_path: Path,
    make_config: MakeConfig,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = make_config(scene, tmp_path, steps=16)
    config.steps_per_save = 4
    trainer, fsync = start(config), os.fsync

    def full(descriptor: int) -> None:
        if trainer.pipeline.model.steps_done > 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SystemExit, match=r"cannot write .*step-000000015\.ckpt: No space left on device; it needs \d"):
        trainer.train()
    assert "warning: step 9 is not saved (cannot write" in capsys.readouterr().err
    assert open_run(trainer.base_dir).steps_done == 5
    assert not list(trainer.base_dir.rglob("*.part"))


def test_ctrl_c_leaves_a_checkpoint_and_outputs(scene: Path, tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-c", "from nerfstudio.scripts.train import entrypoint; entrypoint()"),
        *("sparseags", "--data", str(scene), "--output-dir", str(tmp_path), "--timestamp", "now"),
        *("--vis", "tensorboard", "--max-num-iterations", "100000", "--pipeline.model.num-gaussians", "300"),
        *("--pipeline.datamanager.dataparser.resolution", "32", "--steps-per-save", "100000"),
    ]
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for(lambda: " of 100000 (" in (tmp_path / "log").read_text(), process)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == -signal.SIGINT  # which shells show as 130, and which ends their loops
        finally:
            process.kill()
    text = (tmp_path / "log").read_text()
    assert "stopping after this step and saving" in text and "Traceback" not in text
    base = tmp_path / scene.name / "sparseags" / "now"
    done = json.loads((base / "sparseags" / "summary.json").read_text())["steps_done"]
    assert 0 < done < 100_000
    assert [path.name for path in (base / "nerfstudio_models").iterdir()] == [f"step-{done - 1:09d}.ckpt"]
    ours = text[text.index("sparseags: ") :]  # nerfstudio imports itself first, with warnings that come before our code
    assert "5 of 5 views in use" in ours and f"Run:              {base}" in ours
    for noise in ("\x1b", "Warning", "SparseAGSTrainerConfig(", "% Done", "Saving", "Training Finished"):
        assert noise not in ours, noise


def wait_for(condition: Callable[[], bool], process: subprocess.Popen, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the process ended too early"
        assert time.monotonic() < end, "nothing happened in time"
        time.sleep(0.1)
