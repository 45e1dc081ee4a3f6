"""Saves outlast the end of their process at any moment, and a loss of power right after them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from tests.faults import power_loss
from tests.faults.toy_saves import STEPS, begin, fault_of, save

REPO = Path(__file__).parents[2]


def test_a_process_killed_at_any_file_operation_leaves_one_whole_save() -> None:
    command = [sys.executable, "-m", "tests.faults.kill_saves"]  # a process of its own, without threads, can be forked
    result = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert re.search(r"a save has [4-9]\d file operations; killed before each of them: 0 faults", result.stdout)
    assert result.returncode == 0


def test_a_save_outlasts_a_loss_of_power() -> None:
    try:
        with mock.patch.object(os, "fsync"):
            assert power_loss.fault_after(0.0) is not None, "the disk forgets nothing, so that the test shows nothing"
        assert power_loss.fault_after(0.0) is None
    except power_loss.NoDiskError as error:
        pytest.skip(f"no disk image can be mounted: {error}")


def test_a_mixture_of_two_saves_is_seen(tmp_path: Path) -> None:
    """The check itself can fail."""
    begin(tmp_path / "run")
    cameras = (tmp_path / "run" / "sparseags" / "transforms.json").read_text()
    save(tmp_path / "run", STEPS[1])
    assert fault_of(tmp_path / "run") is None
    (tmp_path / "run" / "sparseags" / "transforms.json").write_text(cameras)
    assert fault_of(tmp_path / "run") == "splat of step 120, cameras of another"
