"""`sparseags eval` on a finished run: cameras against the sample's truth, and novel views."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sparseags_ns.cli.eval import Eval
from sparseags_ns.evaluation.cameras import compare_pose_files
from sparseags_ns.plugin.trainer import SparseAGSTrainer


def test_eval_of_a_run(run: SparseAGSTrainer, scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(run.base_dir, moved)
    Eval(moved, scene, given=scene / "cameras.json", output=tmp_path / "eval.json").run()
    written = json.loads((tmp_path / "eval.json").read_text())
    refined, given = written["cameras"], written["given"]["cameras"]
    truth = scene / "gt" / "transforms.json"
    assert refined == compare_pose_files(run.outputs_dir / "transforms.json", truth).summary()
    assert given == compare_pose_files(scene / "cameras.json", truth).summary()
    novel = written["novel_views"]
    assert len(novel["views"]) == 2 and novel[novel["perceptual"]] > 0
    # A white picture of these objects has about 10 dB.
    assert 12 < novel["psnr"] < 50 and 0.3 < novel["ssim"] < 1
    assert "Novel views" in capsys.readouterr().out
