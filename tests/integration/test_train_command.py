"""`sparseags train` and `sparseags view`: the whole way from the command line, and what they print."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sparseags_ns.cli import main
from sparseags_ns.console import VERBOSE
from sparseags_ns.method_configs.sparseags import sparseags
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


def test_a_run_is_restored_from_plain_data(run: SparseAGSTrainer) -> None:
    """With other class names in its config.yml, as another version would have them."""
    text = (run.base_dir / "config.yml").read_text()
    assert "sparseags_ns.plugin." in text
    moved = run.base_dir.parent / "earlier"
    moved.mkdir(exist_ok=True)
    (moved / "config.yml").write_text(text.replace("sparseags_ns.plugin.", "sparseags_ns.long_gone."))
    config = commands.config_of_run(moved, sparseags.config)
    assert config.pipeline.model == run.config.pipeline.model
    assert config.pipeline.datamanager.data == run.config.pipeline.datamanager.data
    assert config.pipeline.datamanager.dataparser.resolution == 64
    assert config.load_dir == moved / "nerfstudio_models"


def test_saved_settings_replace_defaults_as_far_as_they_are_known() -> None:
    saved = {
        "data": Path("/photographs"),
        "pipeline": {
            "datamanager": {"dataparser": {"fix_cameras": "all", "resolution": 128}},
            "model": {"outlier_rule": "off", "stages": [{"share": 1.0, "pixels": 16}], "no_longer": 1},
        },
    }
    config: Any = commands.with_settings(sparseags.config, saved)
    assert config.data == Path("/photographs")
    assert config.pipeline.datamanager.dataparser.fix_cameras == "all"
    assert config.pipeline.datamanager.dataparser.resolution == 128
    assert config.pipeline.model.outlier_rule == "off"
    assert [(stage.share, stage.pixels) for stage in config.pipeline.model.stages] == [(1.0, 16)]
    method: Any = sparseags.config
    assert method.pipeline.datamanager.dataparser.resolution == 256, "the method's own config is unchanged"


def test_view_serves_the_refined_cameras_of_a_run(
    run: SparseAGSTrainer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    served: list[Any] = []

    class Viewer:
        def __init__(self, config: Any, log: Path, data: Path, pipeline: Any, train_lock: Any) -> None:
            served.extend((config, pipeline))

        def init_scene(self, train_dataset: Any, train_state: str, eval_dataset: Any) -> None:
            served.append(train_dataset)

        def update_scene(self, step: int) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(commands, "Viewer", Viewer)
    main(["view", str(run.base_dir), "--port", "7123"])
    config, pipeline, dataset = served
    assert (config.websocket_host, config.websocket_port) == ("127.0.0.1", 7123)
    assert torch.equal(pipeline.model.means, run.pipeline.model.means)
    torch.testing.assert_close(
        dataset.cameras.get_intrinsics_matrices(), run.pipeline.model.cameras().K.detach(), atol=1e-4, rtol=1e-6
    )
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_view_refuses_what_is_no_run(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match=r"sparseags: error: .*(no such run|is no run)"):
        main(["view", str(tmp_path / name)])
