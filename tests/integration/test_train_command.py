"""`sparseags train` and `sparseags view`: the whole way from the command line, and what they print."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sparseags_ns.cli import main
from sparseags_ns.console import VERBOSE
from sparseags_ns.geometry.cameras import opengl_from_opencv
from sparseags_ns.plugin import commands, quiet
from sparseags_ns.plugin.trainer import SparseAGSTrainer, SparseAGSTrainerConfig

SHORT = (
    *("--no-viewer", "--steps", "12", "--name", "run", "--pipeline.model.num-gaussians", "200"),
    *("--pipeline.datamanager.dataparser.resolution", "32", "--pipeline.model.outlier-rule", "off"),
    *("--pipeline.model.other-pose-rates", "--report", "False", "--timestamp"),
)


def test_train_prints_choices_and_a_table(scene: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    main(["train", str(scene), "-o", str(tmp_path), *SHORT, "now"])
    printed = capfd.readouterr()
    run = tmp_path / "run" / "sparseags" / "now"
    assert json.loads((run / "sparseags" / "summary.json").read_text())["steps_done"] == 12
    assert "5 of 5 views in use, " in printed.out and "12 of 12 steps" in printed.out
    assert f"sparseags view {run}" in printed.out
    for line in printed.err.splitlines():
        assert line.startswith("sparseags: ") and "\x1b" not in line, line


def test_verbose_shows_what_nerfstudio_prints(
    scene: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VERBOSE, "")  # to be set by the command, and restored after the test
    main(["train", str(scene), "-o", str(tmp_path), "--verbose", *SHORT, "now"])
    printed = capfd.readouterr().out
    for text in ("SparseAGSTrainerConfig(", "% Done", "Training Finished", "5 of 5 views in use"):
        assert text in printed, text


def test_a_path_that_rich_takes_for_wrong_markup_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    quiet.CONSOLE.print("[bold]Saving[/bold] config to: a[/b]/config.yml")
    quiet.CONSOLE.print("[bold]Done[/bold]")
    assert capsys.readouterr().out == "[bold]Saving[/bold] config to: a[/b]/config.yml\nDone\n"


def test_runs_that_begin_within_one_second_have_folders_of_their_own(
    tmp_path: Path, make_config: Callable[..., SparseAGSTrainerConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=lambda: datetime(2026, 1, 2, 3, 4, 5))
    monkeypatch.setattr("nerfstudio.configs.experiment_config.datetime", clock)
    configs = [make_config(tmp_path / "scene", tmp_path) for _ in range(3)]
    for config in configs:
        config.timestamp = "{timestamp}"
        config.set_timestamp()
    assert [config.get_base_dir().name for config in configs] == [
        "2026-01-02_030405",
        "2026-01-02_030405-2",
        "2026-01-02_030405-3",
    ]
    configs[0].set_timestamp()
    assert configs[0].timestamp == "2026-01-02_030405", "a name that is given stays"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `sparseags view` gives to nerfstudio's viewer, which ends at once: config, pipeline, data and dataset."""
    given: list[Any] = []

    class Viewer:
        def __init__(self, config: Any, log: Path, data: Path, pipeline: Any, train_lock: Any) -> None:
            given.extend((config, pipeline, data))

        def init_scene(self, train_dataset: Any, train_state: str, eval_dataset: Any) -> None:
            given.append(train_dataset)

        def update_scene(self, step: int) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(commands, "Viewer", Viewer)
    return given


def test_view_serves_the_refined_cameras_of_a_run(
    run: SparseAGSTrainer, served: list[Any], capfd: pytest.CaptureFixture[str]
) -> None:
    main(["view", str(run.base_dir), "--port", "7123"])
    config, pipeline, _, dataset = served
    assert (config.websocket_host, config.websocket_port) == ("127.0.0.1", 7123)
    assert torch.equal(pipeline.model.means, run.pipeline.model.means)
    torch.testing.assert_close(
        dataset.cameras.get_intrinsics_matrices(), run.pipeline.model.cameras().K.detach(), atol=1e-4, rtol=1e-6
    )
    assert capfd.readouterr().out == ""


def test_view_shows_a_moved_run_whose_photographs_are_gone(
    run: SparseAGSTrainer, served: list[Any], tmp_path: Path
) -> None:
    moved = tmp_path / "renamed run"
    shutil.copytree(run.base_dir, moved)
    text = (moved / "config.yml").read_text()
    gone = re.sub(r"(?<=\n)(\s*)(data|output_dir):.*(\n\1- .*)+", r"\1\2: /gone", text)
    assert gone.count("/gone") >= 2
    (moved / "config.yml").write_text(gone)
    main(["view", str(moved)])
    _, pipeline, data, dataset = served
    trained = run.pipeline.model
    cameras, shown = trained.cameras().detach(), pipeline.model.cameras().detach()
    assert data == moved and all(path.is_relative_to(moved) for path in dataset.views.paths)
    torch.testing.assert_close(shown.T_camera_world, cameras.T_camera_world, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        dataset.cameras.camera_to_worlds, opengl_from_opencv(cameras.T_camera_world)[:, :3], atol=1e-5, rtol=0
    )
    torch.testing.assert_close(pipeline.model.T_camera_initial, trained.T_camera_initial, atol=1e-5, rtol=0)
    for name, value in trained.gauss_params.items():
        assert torch.equal(pipeline.model.gauss_params[name], value)
    trained.eval()
    theirs, ours = (model.get_outputs_for_camera(dataset.cameras[1:2])["rgb"] for model in (trained, pipeline.model))
    assert torch.equal(theirs, ours)
    torch.testing.assert_close(dataset.views.images, trained.views.images.cpu(), atol=0.51 / 255, rtol=0)
    assert torch.equal(pipeline.model.trusted, trained.trusted)
    assert pipeline.model.steps_done == trained.steps_done
    assert pipeline.model.record.phases == trained.record.phases


def test_a_foreign_config_opens_no_door_and_loads_nothing(
    run: SparseAGSTrainer, served: list[Any], tmp_path: Path
) -> None:
    foreign, trace = tmp_path / "foreign", tmp_path / "trace"
    shutil.copytree(run.base_dir, foreign)
    text = (foreign / "config.yml").read_text()
    harmful = {"websocket_host": "0.0.0.0", "make_share_url": "true", "num_gaussians": "1000000000000"}
    for setting, value in harmful.items():
        text, changes = re.subn(rf"(?m)^(\s*){setting}: .*$", rf"\1{setting}: {value}", text)
        assert changes == 1
    text = re.sub(r"(?m)^(\s*)guidance: .*$", rf"\1guidance: {trace}", text)
    text += f"evil: !!python/object/apply:os.system ['touch {trace}']\n"
    text += f"worse: !!python/object/new:subprocess.Popen [[touch, {trace}]]\n"
    (foreign / "config.yml").write_text(text)
    main(["view", str(foreign)])
    config, pipeline, _, _ = served
    assert (config.websocket_host, config.make_share_url) == ("127.0.0.1", False)
    assert pipeline.model.config.guidance == "auto" and len(pipeline.model.means) == len(run.pipeline.model.means)
    assert not trace.exists()


def test_train_reads_no_config_by_the_loader_that_runs_code(tmp_path: Path) -> None:
    trace, config = tmp_path / "trace", tmp_path / "config.yml"
    config.write_text(f"!!python/object/apply:os.system ['touch {trace}']")
    with pytest.raises(SystemExit, match=r"config\.yml .*runs code.*ns-train"):
        main(["train", str(tmp_path), "--output-dir", str(tmp_path / "out"), "--load-config", str(config)])
    assert not trace.exists()


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_view_refuses_what_is_no_run(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match=r"sparseags: error: .*(no such run|is no run)"):
        main(["view", str(tmp_path / name)])
