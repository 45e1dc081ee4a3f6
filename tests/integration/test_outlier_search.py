"""The outlier search inside a nerfstudio run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from sparseags_ns.outliers.start_selection import start_cost
from sparseags_ns.plugin import outlier_callback as callback
from sparseags_ns.plugin.trainer import SparseAGSTrainer, SparseAGSTrainerConfig
from sparseags_ns.viewer.request_queue import LockYielder, SearchInterruptedError

Start = Callable[[SparseAGSTrainerConfig], SparseAGSTrainer]
MakeConfig = Callable[..., SparseAGSTrainerConfig]
STEPS, MOST_REPAIR = 40, 1.0


def repair_of(trainer: SparseAGSTrainer) -> dict[str, Any] | None:
    return trainer.pipeline.model.record.to_json()["summary"]["pose_repair"]


def poses_of(trainer: SparseAGSTrainer) -> torch.Tensor:
    return trainer.pipeline.model.cameras().T_camera_world.detach()


@pytest.fixture(scope="module")
def searched(
    scene: Path, tmp_path_factory: pytest.TempPathFactory, make_config: MakeConfig, start: Start
) -> SparseAGSTrainer:
    """A run with other starts and a short search."""
    trainer = start(
        with_budget(make_config(scene, tmp_path_factory.mktemp("searched"), steps=STEPS, repair_poses=True))
    )
    trainer.pipeline.model.record.most_repair = MOST_REPAIR
    trainer.train()
    return trainer


def with_budget(config: SparseAGSTrainerConfig) -> SparseAGSTrainerConfig:
    """The config with so much time that the clock ends no search; the number of its fits, `MOST_REPAIR`, does."""
    config.pipeline.model.outlier_time_budget = 3600.0
    return config


def test_the_decisions_stand_in_the_summary_with_their_numbers(searched: SparseAGSTrainer) -> None:
    repair = json.loads((searched.outputs_dir / "summary.json").read_text())["pose_repair"]
    assert [start["pose_rate"] for start in repair["starts"]] == [1.0, 0.4, 0.05]
    costs = [start_cost(start["loss"], start["rotation_deg"]) for start in repair["starts"]]
    assert repair["chosen_start"] == repair["starts"][costs.index(min(costs))]
    assert repair["decisions"][-1]["action"] in ("finish", "correct", "restore", "reject")
    assert all(decision["why"] for decision in repair["decisions"])


def test_a_run_stopped_during_the_search_resumes_to_the_same_end(
    searched: SparseAGSTrainer,
    scene: Path,
    tmp_path: Path,
    make_config: MakeConfig,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The time budget was turned into a number once, and the resumed run keeps to that."""
    stopped = start(with_budget(make_config(scene, tmp_path / "stopped", steps=STEPS, repair_poses=True)))
    stopped.pipeline.model.record.most_repair = MOST_REPAIR
    repair_poses = callback.repair_poses

    def stop_meanwhile(*args: object, **kwargs: object) -> object:
        stopped.stop_training = True
        return repair_poses(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(callback, "repair_poses", stop_meanwhile)
    stopped.train()
    monkeypatch.undo()
    steps_done = stopped.pipeline.model.steps_done
    assert 0 < steps_done < STEPS and stopped.pipeline.model.record.pose_repair is None

    config = with_budget(make_config(scene, tmp_path / "resumed", steps=STEPS, repair_poses=True))
    config.load_dir = stopped.checkpoint_dir
    resumed = start(config)
    resumed.train()
    assert resumed.pipeline.model.steps_done == STEPS
    assert resumed.pipeline.model.record.most_repair == MOST_REPAIR
    assert torch.equal(poses_of(resumed), poses_of(searched))
    assert torch.equal(resumed.pipeline.model.means, searched.pipeline.model.means)
    assert repair_of(resumed) == repair_of(searched) is not None


def test_a_resumed_run_does_not_search_again(
    searched: SparseAGSTrainer,
    scene: Path,
    tmp_path: Path,
    make_config: MakeConfig,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = make_config(scene, tmp_path, steps=STEPS, repair_poses=True)
    config.load_dir = searched.checkpoint_dir
    resumed = start(config)
    monkeypatch.setattr(callback, "repair_poses", lambda *_, **__: pytest.fail("searched again"))
    resumed.train()
    assert repair_of(resumed) == repair_of(searched) is not None


def test_an_interrupted_search_gives_the_lock_back(searched: SparseAGSTrainer) -> None:
    yielding = LockYielder(searched.train_lock, lambda: searched.stop_training)
    searched.stop_training = True
    try:
        with searched.train_lock, pytest.raises(SearchInterruptedError):
            yielding.pause()
    finally:
        searched.stop_training = False
    assert not searched.train_lock.locked()
