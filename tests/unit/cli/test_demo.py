"""`sparseags demo` up to the training: which photographs and poses the training gets."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sparseags_ns.cli.demo import Demo, error_table
from sparseags_ns.cli.train import Train
from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.geometry.pose_errors import pose_errors


class StopError(Exception):
    """Raised where training would begin."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Train]:
    """The trainings that were asked for."""
    trainings: list[Train] = []

    def run(self: Train) -> None:
        trainings.append(self)
        raise StopError

    monkeypatch.setattr(Train, "run", run)
    return trainings


@pytest.mark.parametrize("level, pose_init, given", [("none", "ab-initio", False), ("raydiff", "files", True)])
def test_poses_are_given_only_where_a_level_is_asked_for(
    tmp_path: Path, asked: list[Train], level: str, pose_init: str, given: bool
) -> None:
    with pytest.raises(StopError):
        Demo(tmp_path, level=level, photographs=3, size=48).run()  # pyright: ignore[reportArgumentType]
    (train,) = asked
    assert train.pose_init == pose_init and train.photos == tmp_path / "sample"
    assert (tmp_path / "sample" / "cameras.json").is_file() == given
    assert (tmp_path / "sample" / "gt" / "transforms.json").is_file()


def test_the_table_compares_with_the_start_by_its_name() -> None:
    angles = torch.arange(4).double() * 70
    true = orbit(angles, torch.zeros_like(angles), 2.0)
    rough = orbit(angles + torch.tensor([0.0, 20.0, 0.0, 0.0]).double(), torch.zeros_like(angles), 2.0)
    table = error_table(pose_errors(rough, true), pose_errors(true, true), "ab-initio")
    assert [column.header for column in table.columns] == ["", "ab-initio", "refined", "refined / ab-initio"]
    rates = [list(column.cells)[-3:] for column in table.columns[:3]]
    assert rates == [["R@5", "R@15", "CC@0.1"], ["50 %", "50 %", rates[1][2]], ["100 %", "100 %", "100 %"]]
