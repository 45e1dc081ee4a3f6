"""The accuracy benchmark: selection of jobs, their keys and records, tables and plots."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.accuracy import jobs, scenes, selection, suite, tables
from benchmarks.accuracy.jobs import Job, run_job
from benchmarks.accuracy.options import add_options
from benchmarks.accuracy.pool import run_jobs
from benchmarks.accuracy.recipes import ABLATIONS, Recipe, choose_recipes, with_overrides
from benchmarks.accuracy.scenes import Scene
from benchmarks.accuracy.store import Store
from sparseags_ns.optimization.settings import PRESETS

OURS = Recipe("sparseags", PRESETS["sparseags"])


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--update", action="store_true")
    add_options(parser)
    return parser.parse_args(arguments)


def record(
    key: str = "a", *, before: tuple[float, float] = (0.5, 4.0), after: tuple[float, float] = (1.0, 1.0), **other: Any
):
    """A record with R@5 and median rotation error before and after."""
    figures = {
        when: {"R@5": r5, "R@15": 1.0, "CC@0.1": 1.0, "median_rotation_error_deg": median, "median_focal_error": 0.03}
        for when, (r5, median) in (("before", before), ("after", after))
    }
    views = {when: {"rotation_deg": [1.0, 2.0], "center": [0.1, 0.0]} for when in ("before", "after")}
    scene = {"family": "sample", "name": key, "level": "dust3r", "views": 8, "size": 256}
    base = {"key": key, "scene": scene, "recipe": "sparseags", "poses": "refined", "seconds": 9.0, "cpu_seconds": 8.0}
    regularity = {"input_iou": 0.9, "novel_iou": None, "outside_hull": 0.02, "outside_hull_area": 0.1, "needles": 0.0}
    novel = {"psnr": 20.0, "ssim": 0.8}
    return {**base, **figures, "views": views, "novel": novel, "regularity": regularity, **other}


def test_overrides_reach_fields_entries_and_all_entries() -> None:
    changed = with_overrides(
        PRESETS["sparseags"],
        {
            "steps": 7,
            "learning_rates.means": 1.0,
            "seeding": "hull",
            "settings.stages.*.pose_lr": 0.5,
            "stages.1.pixels": 9,
        },
    )
    assert (changed.steps, changed.learning_rates["means"], changed.settings.seeding) == (7, 1.0, "hull")
    assert {stage.pose_lr for stage in changed.settings.stages} == {0.5}
    assert changed.settings.stages[1].pixels == 9 and changed.settings.stages[0].pixels != 9
    assert PRESETS["sparseags"].steps != 7 and PRESETS["sparseags"].settings.seeding != "hull"


@pytest.mark.parametrize("path", ["nonsense", "settings.stages.99.pose_lr", "learning_rates.nonsense", "steps.more"])
def test_an_override_of_nothing_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=rf"{path}: "):
        with_overrides(PRESETS["sparseags"], {path: 1})


def test_ablations_change_the_first_preset_and_are_named_after_it() -> None:
    recipes = choose_recipes(["sparseags-paper"], [["dark", "background_color=black", "num_gaussians=10"]])
    assert [recipe.name for recipe in recipes] == ["sparseags-paper", "sparseags-paper+dark"]
    assert recipes[1].preset.settings.background_color == "black" and recipes[1].preset.settings.num_gaussians == 10


def test_every_committed_ablation_fits_the_presets() -> None:
    names = list(json.loads(ABLATIONS.read_text()))
    assert len(choose_recipes(["sparseags"], [[name] for name in names])) == 1 + len(names)


def test_unknown_presets_and_ablations_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no preset named nonsense"):
        choose_recipes(["nonsense"], None)
    with pytest.raises(ValueError, match="no ablation named nonsense"):
        choose_recipes(None, [["nonsense"]])


def test_a_job_is_known_by_scene_settings_and_code_but_not_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(Scene("sample", "0", "dust3r"), OURS)
    other_settings = Recipe("sparseags", with_overrides(OURS.preset, {"seed": 5}))
    assert job.key == replace(job, recipe=Recipe("another name", OURS.preset)).key
    others = [
        replace(job, scene=Scene("sample", "1", "dust3r")),
        replace(job, recipe=other_settings),
        replace(job, poses="true"),
        replace(job, steps=9),
    ]
    assert len({job.key, *(other.key for other in others)}) == 5
    before = job.key
    monkeypatch.setattr(jobs, "code_version", lambda room: f"new {room}")
    assert job.key != before


def test_comments_and_docstrings_are_no_change_of_code(tmp_path: Path) -> None:
    texts = (
        '"""One."""\ndef f():\n    """Two."""\n    return 1\n',
        "def f():  # three\n    return 1\n",
        "def f():\n    return 2\n",
    )
    files = [tmp_path / f"{number}.py" for number in range(3)]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    a, b, c = map(jobs._bare_code, files)
    assert a == b != c


def test_finished_jobs_are_not_done_again(tmp_path: Path) -> None:
    job = Job(Scene("sample", "0", "dust3r"), OURS)
    Store(tmp_path / "done.jsonl").add(record(job.key))
    renamed = replace(job, recipe=Recipe("alias", OURS.preset))

    def work(_: Job) -> dict[str, Any]:
        raise AssertionError("there was nothing to do")

    found = run_jobs([job, renamed], Store(tmp_path / "done.jsonl"), work, 2)
    assert [entry["recipe"] for entry in found] == ["sparseags", "alias"]


def test_a_line_that_was_cut_off_is_passed_over_and_written_again(tmp_path: Path) -> None:
    file = tmp_path / "results" / "done.jsonl"
    Store(file).add(record("a"))
    with file.open("a") as stream:
        stream.write('{"key": "b", "sc')
    store = Store(file)
    assert set(store.records) == {"a"}
    store.add(record("b"))
    assert set(Store(file).records) == {"a", "b"}


def test_without_shared_data_only_samples_are_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (scenes, selection):
        monkeypatch.setattr(module, "SHARED", tmp_path)
    assert selection.absent_families(options()) == ["synthetic", "real"]
    chosen = selection.select_scenes(options())
    assert chosen and all(scene.is_sample for scene in chosen)


def test_the_whole_selection_has_every_family_level_and_number_of_views() -> None:
    chosen = [job for job in selection.select_jobs(options()) if job.scene.is_sample]
    ours = [job.scene for job in chosen if job.recipe.name == "sparseags"]
    assert {scene.views for scene in ours} == {3, 4, 6, 8, 12, 16}
    assert {scene.level for scene in ours if scene.family == "sample"} == {"dust3r", "raydiff"}
    for family in ("arc", "cut", "thin", "near_symmetric", "masks"):
        assert sum(scene.family == family for scene in ours) == 5
    assert not [job for job in chosen if job.recipe.name == "sparseags-paper"], "compared on shared data only"


def test_a_narrowed_selection_has_no_baseline() -> None:
    assert not selection.is_own(options()) and not selection.is_own(options("--quick"))
    assert selection.is_own(options("--levels", "dust3r")) and not selection.is_own(options())
    with pytest.raises(SystemExit, match="has no baseline"):
        suite.suite(options("--seeds", "1", "--update")).run(False)


@pytest.mark.parametrize(
    "views, pairs_lost, worse",
    [(8, 0, False), (8, 1, False), (8, 2, True), (3, 1, False), (3, 2, True), (8, -3, False)],
)
def test_worse_means_that_more_than_one_pair_of_views_was_lost(views: int, pairs_lost: int, worse: bool) -> None:
    pairs = views * (views - 1) / 2
    entry = record(before=(2 / pairs, 4.0), after=((2 - pairs_lost) / pairs, 9.0))
    entry["scene"]["views"] = views
    assert tables.made_worse(entry) == worse


def test_regularity_has_a_table_and_leaves_out_what_is_not_known() -> None:
    entries = [record("a"), record("b", regularity={**record()["regularity"], "input_iou": 0.7, "novel_iou": 0.6})]
    (row,) = [line for line in suite.report(entries).splitlines() if "80.0 ± 14.1" in line]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[3:] == ["2", "80.0 ± 14.1", "60.0 ± 0.0", "2.00 ± 0.00", "10.00 ± 0.00", "0.00 ± 0.00"]


def test_figures_are_means_over_scenes_and_count_what_got_worse() -> None:
    entries = [record("a"), record("b", after=(0.4, 5.0), novel=None)]
    found = {metric.name.split("/")[-1]: metric for metric in suite.metrics(entries, "all")}
    assert found["R@5"].value == pytest.approx(70.0) and found["rotation"].value == pytest.approx(3.0)
    assert found["psnr"].value == pytest.approx(20.0) and found["not_worse"].value == 50.0
    text = suite.report(entries)
    assert (
        "50.0 -> 70.0 ± 42.4" in text
        and "1 of 2 runs (50.0%)" in text
        and "1 (50%)" in text
        and "- sample b, dust3r" in text
    )
    assert "NAVI" in text and "The data differ" in text


def test_hard_samples_are_averaged_together_as_well() -> None:
    entries = [record(f, scene={**record()["scene"], "family": f}) for f in ("arc", "thin")]
    sizes = {group.scenes: len(group.records) for group in tables.groups(entries)}
    assert sizes == {"arc": 1, "thin": 1, "hard, all": 2}
    assert "of 2 runs" in suite.report(entries)


def test_novel_views_are_compared_scene_by_scene_with_frozen_and_true_poses() -> None:
    entries = [record(poses, poses=poses, scene=record()["scene"]) for poses in ("frozen", "refined", "true")]
    for entry, psnr in zip(entries, (15.0, 19.0, 20.0), strict=True):
        entry["novel"] = {"psnr": psnr, "ssim": 0.9}
    entries.append(record("alone"))
    assert [tables.gains(psnr) for psnr in tables.references(entries).values()] == [(4.0, -1.0)]
    report = suite.report(entries)
    assert "+4.00" in report and tables.groups(entries)[0].gains == ((4.0, -1.0),)
    assert "+4.00       | -1.00" in report.split("Made worse")[0]


def test_plots_are_drawn_of_every_recipe(tmp_path: Path) -> None:
    drawn = suite.plot_views([record("a"), record("b", recipe="sparseags+x")], tmp_path)
    assert [file.name for file in drawn] == ["accuracy-sparseags.png", "accuracy-sparseags+x.png"]
    assert all(file.stat().st_size > 1000 for file in drawn)


def test_a_job_measures_poses_and_novel_views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "CACHE", tmp_path)
    # Pose repair, which has tests of its own, would take minutes on fits of three steps.
    few = {"num_gaussians": 60, "settings.outlier_rule": "off", "settings.other_pose_rates": ()}
    recipe = Recipe("small", with_overrides(OURS.preset, few))
    job = Job(Scene("sample", "1", "dust3r", views=3, size=32), recipe, steps=3)
    done, again = run_job(job), run_job(job)
    assert done["after"] == again["after"]
    assert done["before"]["median_focal_error"] > 0 and len(done["views"]["after"]["rotation_deg"]) == 3
    assert done["novel"]["psnr"] > 5 and len(list(tmp_path.iterdir())) == 1
    assert 0 < done["regularity"]["novel_iou"] < 1 and 0 < done["regularity"]["input_iou"] < 1
    true, frozen = (run_job(replace(job, poses=poses)) for poses in ("true", "frozen"))
    assert true["after"]["median_rotation_error_deg"] < 1e-3 and true["after"]["median_focal_error"] < 1e-6
    kept = ("R@5", "median_rotation_error_deg", "median_center_error")
    assert [frozen["after"][name] for name in kept] == pytest.approx([done["before"][name] for name in kept], abs=1e-3)


def test_shared_scenes_bring_their_valid_regions_and_rough_cameras(shared_data: Path) -> None:
    loaded = scenes.load_scene(Scene("real", "dtu_scan37", "dust3r"), "")
    assert float(loaded.views.valid.min()) == 0.0 and loaded.held_out is not None and len(loaded.held_out) == 12
    moved = (loaded.views.cameras.centers - loaded.true.centers).norm(dim=-1)
    assert float(moved.min()) > 1e-3
    assert scenes.load_scene(Scene("real", "co3d_controller", "raydiff"), "").held_out is None
