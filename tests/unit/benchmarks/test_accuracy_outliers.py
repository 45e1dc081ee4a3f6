"""The accuracy benchmark's figures of the outlier search, and the samples that it makes for them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from benchmarks.accuracy import outliers, plots, scenes, selection, suite
from benchmarks.accuracy.options import add_options


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.set_defaults(quick=False)
    add_options(parser)
    return parser.parse_args(arguments)


def searched(before: list[float], after: list[float], corrected: list[str]) -> dict[str, Any]:
    views = {"before": {"rotation_deg": before}, "after": {"rotation_deg": after}}
    scene = {"family": "synthetic", "name": "cup_and_saucer", "level": "outlier1"}
    repair = {"corrected": corrected}
    return {
        "poses": "refined",
        "recipe": "sparseags",
        "scene": scene,
        "views": views,
        "pose_repair": repair,
        "cpu_seconds": 50.0,
        "pose_repair_cpu_seconds": 20.0,
    }


def test_outliers_are_counted_as_found_missed_and_falsely_moved() -> None:
    found = searched([120.0, 1.0, 2.0], [4.0, 1.0, 1.0], ["000"])
    missed = searched([1.0, 90.0, 2.0], [1.0, 88.0, 2.0], ["002"])
    counts = outliers.tally([found, missed])
    assert (counts.runs, counts.outliers, counts.found, counts.declared) == (2, 2, 1, 2)
    assert counts.false_corrections == 1 and counts.within == (1, 1, 1)
    assert (counts.cpu_seconds, counts.pose_repair_cpu_seconds) == (50, 20)
    table = outliers.outlier_table([found, missed])
    assert table is not None and table.count("cup_and_saucer") == 1 and "| 50 " in table
    assert outliers.outlier_table([found | {"pose_repair": None}]) is None


def test_a_pose_that_was_wrong_but_not_grossly_is_declared_rightly_only_if_it_gets_better() -> None:
    better = outliers.tally([searched([20.0, 1.0], [1.0, 1.0], ["000"])])
    no_better = outliers.tally([searched([20.0, 1.0], [25.0, 1.0], ["000"])])
    right = outliers.tally([searched([6.0, 1.0], [1.0, 1.0], ["000"])])
    assert (better.outliers, better.declared, better.false_corrections) == (0, 1, 0)
    assert no_better.false_corrections == right.false_corrections == 1


def test_outliers_are_drawn_where_there_are_some(tmp_path: Path) -> None:
    found = searched([120.0, 1.0, 2.0], [4.0, 1.0, 1.0], ["000"])
    clean = searched([2.0, 1.0, 2.0], [1.0, 1.0, 1.0], [])
    (picture,) = plots.plot_outliers([found, clean], tmp_path)
    assert picture.stat().st_size > 5000
    assert plots.plot_outliers([clean], tmp_path) == []


def test_samples_with_outliers_are_what_their_name_says() -> None:
    chosen = selection.select_scenes(options("--families", "wrong", "--seeds", "1"))
    assert [scene.family for scene in chosen] == list(scenes.WRONG)
    configs = {scene.family: scenes.sample_config(scene) for scene in chosen}
    assert (configs["wrong-4of16"].num_views, configs["wrong-4of16"].noise.outliers) == (16, 4)
    assert configs["wrong-symmetric"].family == "near_symmetric"
    assert configs["wrong-raydiff"].noise.outliers == 1 and configs["wrong-raydiff"].noise.rotation_deg == 2.9


def test_each_seed_of_the_method_makes_a_job_of_its_own_under_one_name() -> None:
    jobs = selection.select_jobs(options("--families", "wrong-3of8", "--seeds", "0", "--method-seeds", "0", "5"))
    assert [job.recipe.preset.settings.seed for job in jobs] == [0, 5]
    assert len({job.key for job in jobs}) == 2 and {job.recipe.name for job in jobs} == {"sparseags"}


def test_the_search_is_judged_at_all_levels_with_several_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_shared", lambda family, wanted: ["cat", "cup"])
    asked = options("--search")
    jobs = [(job.scene.name, job.scene.level, job.recipe.preset.settings.seed) for job in selection.select_jobs(asked)]
    assert jobs.count(("cup", "outlier2", 2)) == jobs.count(("cat", "raydiff", 0)) == 1
    assert len(jobs) == len(set(jobs)) == 2 * 4 * 3
    assert selection.selection_name(asked) == "search" and selection.selection_name(options()) == "all"
    assert selection.selection_name(options("--search", "--levels", "outlier1")) == "own"
    monkeypatch.setattr(selection, "_shared", lambda family, wanted: [])
    with pytest.raises(ValueError, match="absent"):
        selection.select_jobs(asked)


def test_what_the_search_found_is_compared_with_the_baseline() -> None:
    found = searched([120.0, 1.0, 2.0], [4.0, 1.0, 1.0], ["000"])
    half = searched([100.0, 90.0, 2.0], [12.0, 88.0, 2.0], ["000", "002"])
    figures = {metric.name: metric for metric in suite.outlier_metrics("search", [found, half])}
    assert all(metric.better == "higher" for metric in figures.values())
    shown = {name.removeprefix("search/synthetic/outlier1/outliers/"): m.shown for name, m in figures.items()}
    assert shown["found"] == shown["within_20_deg"] == "2 of 3" and shown["within_5_deg"] == "1 of 3"
    assert shown["none_wrongly_moved"] == "1 wrongly"
    assert figures["search/synthetic/outlier1/outliers/none_wrongly_moved"].value == 50.0
