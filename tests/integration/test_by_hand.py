"""What people ask for in the viewer, through a whole run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sparseags_ns.plugin.trainer import SparseAGSTrainer, SparseAGSTrainerConfig
from sparseags_ns.viewer.request_queue import Request

Start = Callable[[SparseAGSTrainerConfig], SparseAGSTrainer]
MakeConfig = Callable[..., SparseAGSTrainerConfig]


@pytest.fixture(scope="module")
def asked(scene: Path, tmp_path_factory: pytest.TempPathFactory, make_config: MakeConfig, start: Start) -> Path:
    """The outputs of a short run in which one view was searched and another left out."""
    trainer = start(make_config(scene, tmp_path_factory.mktemp("asked"), steps=16))
    trainer.pipeline.requests.ask(Request("search", 2))
    trainer.pipeline.requests.ask(Request("leave out", 1))
    trainer.train()
    return trainer.outputs_dir


def test_a_view_left_out_stays_out(asked: Path) -> None:
    views = json.loads((asked / "summary.json").read_text())["views"]
    assert [view["trusted"] for view in views] == [True, False, True, True, True]
    assert views[1]["status"] == "left out by hand" and views[0]["status"] == "trusted"
    history = json.loads((asked / "history.json").read_text())
    assert history["trusted"][-1] == [True, False, True, True, True] and history["steps"][-1] == 16
    assert [(event["action"], event["view"]) for event in history["events"]][-1] == ("leave out", "001")


def test_a_search_by_hand_is_told(asked: Path) -> None:
    (event, _) = json.loads((asked / "history.json").read_text())["events"]
    assert event["view"] == "002" and event["action"] in ("correct", "restore")
    (search,) = json.loads((asked / "searches.json").read_text())["searches"]
    assert search["by"] == "hand" and search["view"] == "002" and search["kind"] == "thorough"
    assert len(search["hypothesis_scores"]) == 200 and search["finalist_scores"]


def test_a_resumed_run_remembers(
    asked: Path, scene: Path, tmp_path: Path, make_config: MakeConfig, start: Start
) -> None:
    config = make_config(scene, tmp_path, steps=20)
    config.load_dir = asked.parent / "nerfstudio_models"
    resumed = start(config)
    resumed.train()
    model = resumed.pipeline.model
    assert model.trusted.tolist() == [True, False, True, True, True] and model.record.by_hand == {1: "leave out"}
    assert [row.step for row in model.record.rows] == list(range(1, 21)) and len(model.record.searches) == 1
