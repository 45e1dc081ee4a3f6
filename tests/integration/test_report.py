"""The page about a run that was really trained, and when the trainer makes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparseags_ns.cli.report import Report
from sparseags_ns.plugin import trainer as trainer_module
from sparseags_ns.plugin.trainer import SparseAGSTrainer


@pytest.fixture
def asked(run: SparseAGSTrainer, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Runs of which the trainer asked for a page."""
    folders: list[Path] = []
    monkeypatch.setattr(trainer_module, "report_at_end", lambda folder, device: folders.append(folder))
    monkeypatch.setattr(run, "_reported", False)
    monkeypatch.setattr(run.config, "report", True)
    return folders


def test_the_command_makes_the_page_of_a_run(
    run: SparseAGSTrainer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "page.html"
    Report(run.base_dir, path).run()
    page = path.read_text(encoding="utf-8")
    assert "photographs agree on one object" in page and page.count("<article") == 5
    assert "Over the run" in page, "the history of a real run is shown"
    assert f"Report:  {path}" in capsys.readouterr().out


def test_a_finished_run_gets_its_page_once(run: SparseAGSTrainer, asked: list[Path]) -> None:
    run.save_checkpoint(0)
    run.save_checkpoint(0)
    assert asked == [run.base_dir]


def test_a_run_that_is_not_done_gets_no_page(
    run: SparseAGSTrainer, asked: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run.pipeline.model, "steps_done", 10)
    run.save_checkpoint(0)
    assert asked == []


def test_the_page_can_be_left_out(run: SparseAGSTrainer, asked: list[Path]) -> None:
    run.config.report = False
    run.save_checkpoint(0)
    assert asked == []
