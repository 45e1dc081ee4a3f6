"""`sparseags demo`: from photographs alone, and from given rough poses, to a comparison with the truth."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sparseags_ns.cli import main
from sparseags_ns.method_configs.sparseags import METHODS
from sparseags_ns.pose_init.ab_initio import refinement
from sparseags_ns.pose_init.ab_initio.ab_initio import AbInitio
from sparseags_ns.pose_init.ab_initio.arrangement import Effort
from sparseags_ns.pose_init.ab_initio.search import SearchSettings

QUICK = SearchSettings(
    explore=Effort(16, 20, 60),
    polish=Effort(16, 20, 60),
    decide=Effort(16, 20, 60),
    climbs=1,
    starts=2,
    ordered_climbs=1,
    polished=1,
    decided=1,
    rounds=1,
)
"""A search that finds nothing, to test what lies around it."""
SMALL = ("--steps", "12", "--size", "64", "--photographs", "4")
ACCURACY = re.compile(r"(?:R@|CC@)[\d.]+ +│ +(\d+) % │ +(\d+) %")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short searches and a small splat: wrong cameras would otherwise keep the outlier search busy for minutes."""
    create = AbInitio.create
    monkeypatch.setattr(AbInitio, "create", staticmethod(lambda request: replace(create(request), settings=QUICK)))
    monkeypatch.setattr(refinement, "PRESET", replace(refinement.PRESET, steps=4))
    config: Any = METHODS["sparseags"].config
    model, dataparser = config.pipeline.model, config.pipeline.datamanager.dataparser
    for place, name, value in (
        (model, "num_gaussians", 200),
        (model, "outlier_rule", "off"),
        (model, "other_pose_rates", ()),
        (dataparser, "resolution", 32),
        (config, "report", False),
    ):
        assert hasattr(place, name)
        monkeypatch.setattr(place, name, value)


def test_the_demo_starts_from_photographs_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    main(["demo", str(tmp_path), *SMALL, "--pose-init-uncertain", "allow"])
    printed = capfd.readouterr()
    given = [path.name for path in (tmp_path / "sample").iterdir()]
    assert sorted(given) == ["gt", "images", "sparseags", "test_images"], "no pose file"
    assert "poses: estimated by ab-initio" in printed.err
    assert "refined / ab-initio" in printed.out
    assert len(ACCURACY.findall(printed.out)) == 3
    assert (tmp_path / "splat" / "splat.ply").is_file()


def test_the_demo_starts_from_given_poses_where_asked_to(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    main(["demo", str(tmp_path), *SMALL, "--level", "raydiff"])
    printed = capfd.readouterr()
    assert (tmp_path / "sample" / "cameras.json").is_file()
    assert "ab-initio" not in printed.err + printed.out
    assert "refined / given" in printed.out
    assert len(ACCURACY.findall(printed.out)) == 3
