"""The id-pose suite: its messages without weights, its true poses, and a run with an untrained prior."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import torch

from benchmarks import id_pose
from benchmarks.id_pose import metrics, share_within, suite, true_poses
from sparseags_ns.geometry import se3


def options(folder: Path, random_prior: bool = False) -> argparse.Namespace:
    return argparse.Namespace(plots=folder, id_pose_weights="auto", random_prior=random_prior)


def test_without_weights_nothing_is_measured_and_that_is_reported(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("find_base", "find_six_dof"):
        monkeypatch.setattr(f"sparseags_ns.pose_init.id_pose.id_pose.{name}", lambda: None)
    assert suite(options(tmp_path)).run(quick=True) == []
    assert "nothing is measured: poses cannot be estimated by id-pose: no Zero123 weights" in capsys.readouterr().err


def test_without_scenes_nothing_is_measured_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(id_pose, "FOLDER", tmp_path / "nowhere")
    assert suite(options(tmp_path)).run(quick=False) == []
    assert "is absent" in capsys.readouterr().err


def test_true_cameras_look_at_the_object_from_one_distance(shared_data: Path) -> None:
    scene = shared_data / "omni3d" / "dinosaur_002"
    poses = true_poses(scene, ["001", "011", "065", "077"])
    centers = se3.inverse(poses)[:, :3, 3]
    assert torch.allclose(centers.norm(dim=-1), torch.tensor(4.0311).double(), atol=1e-3)
    shown = poses[:, :3, 3]
    assert (shown[:, 2] > 0).all() and (shown[:, :2].norm(dim=-1) < 0.05).all(), "the origin is in the middle"
    # Cameras that stand upright see the world's up, z, upwards in the picture.
    assert (poses[:, 1, 2] < -0.9).all()


def test_shares_count_all_pairs_of_all_scenes() -> None:
    errors = [torch.tensor([1.0, 20.0]), torch.tensor([16.0, 40.0])]
    assert share_within(errors, 15) == 0.25 and share_within(errors, 30) == 0.75
    found = {metric.name: (metric.value, metric.better) for metric in metrics(errors, "all")}
    assert found == {"all/R@15": (0.25, "higher"), "all/R@30": (0.75, "higher")}


@pytest.mark.slow
def test_a_random_prior_runs_and_yields_no_figures(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert suite(options(tmp_path, random_prior=True)).run(quick=True) == []
    said = capsys.readouterr().out
    assert "of 12 pairs in 1 scenes" in said and "these figures mean nothing" in said
