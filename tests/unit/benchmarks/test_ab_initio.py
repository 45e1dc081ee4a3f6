"""The ab-initio suite counts honestly, has enough scenes for each line, and repeats no finished case."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.ab_initio import suite
from benchmarks.ab_initio.cases import EASY, HARD, LINES, SEEDS, Case, quick_cases, select_cases
from benchmarks.ab_initio.jobs import case_key, figures, whole_key
from benchmarks.ab_initio.report import Calibration, is_right, plot_reliability, reliability, report, rows, wilson
from benchmarks.accuracy.store import Record, Store
from sparseags_ns.formats.frame import Frame, intrinsics_matrix
from sparseags_ns.geometry.cameras import orbit


def record(
    line: str, r5: float | None, *, r15: float = 1.0, doubt: str | None = None, refused: str | None = None, **more: Any
) -> Record:
    """A finished case; `r5` None for photographs without any truth."""
    rates = {"R@5": r5, "R@15": r15, "CC@0.1": 1.0, "median_rotation_error_deg": 0.5}
    said = {"doubt": doubt, "refused": refused, "losses": [0.002, 0.004], "ratio": 2.0, "left_out": []}
    base = {"line": line, "title": f"{line} house 0", "config": {"family": "house"}, "seconds": 40.0}
    base |= {"cpu_seconds": 70.0, "confidence": [0.9, 0.7], "alternatives": [], "whole": None}
    return base | said | {"figures": None if r5 is None else rates} | more


RIGHT = record("in-order", 1.0)
WRONG, DOUBTED = record("in-order", 0.5), record("four", 0.2, r15=0.3, doubt="two explain them")
REFUSED = record("same", None, refused="only 1 differs")
LIE = record("two-objects", None)


def test_wilsons_interval() -> None:
    assert wilson(19, 20) == pytest.approx((0.764, 0.991), abs=1e-3)
    assert wilson(0, 20) == pytest.approx((0.0, 0.161), abs=1e-3)
    assert wilson(0, 0) == (0.0, 1.0)


def test_cameras_are_right_only_with_all_pairs_near_and_no_photograph_of_another_object() -> None:
    assert is_right(RIGHT) and is_right(record("in-order", 0.95))
    assert not any(map(is_right, (WRONG, record("in-order", 1.0, r15=0.99), REFUSED, LIE)))
    assert not is_right(record("alien", 1.0, aliens_registered=1)) and is_right(record("alien", 1.0))


def test_a_refusal_tells_and_an_answer_to_a_bad_input_is_a_wrong_sure_one() -> None:
    assert Calibration.of([RIGHT, WRONG, DOUBTED, REFUSED, LIE]) == Calibration(3, 2, 4, 2)


def test_saying_so_is_success_for_bad_inputs_alone() -> None:
    found = {row.name: row.successes for row in rows([RIGHT, WRONG, DOUBTED, REFUSED, LIE])}
    assert found == {"in-order": 1, "four": 0, "same": 1, "two-objects": 0}


def test_report_has_a_row_for_each_line_with_hard_families_apart_and_lists_failures() -> None:
    thin = {**RIGHT, "config": {"family": "thin"}}
    done = {**RIGHT, "whole": {"figures": RIGHT["figures"]}}
    text = report([done, WRONG, {**DOUBTED, "alternatives": [RIGHT["figures"]]}, thin, LIE, REFUSED])
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]
    cells = {name: others for name, *others in table}
    assert cells["in-order"][:8] == ["2", "1", "1", "1", "9 to 91", "2", "1", "0"]
    assert cells["in-order"][-1] == "1 of 1" and cells["four"][7] == "1" and cells["two-objects"][8] == "-"
    assert cells["in-order, thin"][:3] == ["1", "1", "0"]
    assert "of which wrong 2 (50.0%, " in text and "of which reported as uncertain 2 (50.0%, " in text
    listed = [line for line in text.splitlines() if line.startswith("- ")]
    assert len(listed) == 3 and listed[0].endswith("SURE") and listed[1].endswith("two explain them")


def test_reliability_leaves_refusals_out(tmp_path: Path) -> None:
    bins = reliability([RIGHT, WRONG, REFUSED, record("four", 1.0, confidence=[0.1])])
    assert bins == [(pytest.approx(0.1), 1, 1), (pytest.approx(0.8), 1, 2)]
    assert plot_reliability([RIGHT, DOUBTED, REFUSED], tmp_path / "plot.png").stat().st_size > 0


def test_every_line_has_twenty_scenes_of_all_families_and_all_its_captures() -> None:
    cases = select_cases(None, SEEDS, 256, 0.25)
    for line in LINES:
        chosen = [case for case in cases if case.line == line.name]
        families = Counter(case.config.family for case in chosen)
        assert sum(families[family] for family in EASY) >= 20 and set(families) == {*EASY, *(() if line.bad else HARD)}
        assert len({(c.config.capture, c.config.num_views, c.config.arc_deg) for c in chosen}) == len(line.captures)
        assert sum(case.whole for case in chosen) == (0 if line.bad else round(len(chosen) / 4))
    assert len({case_key(case) for case in cases}) == len(cases)
    assert len({case.line for case in cases[: len(LINES)]}) == len(LINES), "an interrupted run has some of each"
    assert len(quick_cases(256)) == 4


def test_an_unknown_line_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no line named nonsense; there are in-order, four"):
        select_cases(["nonsense"], SEEDS, 256, 0.0)


def test_cameras_that_are_left_out_count_as_wrong_pairs() -> None:
    angles = torch.linspace(0, 270, 4, dtype=torch.float64)
    poses = orbit(angles, torch.full((4,), 20.0, dtype=torch.float64), 2.0)
    frames = [Frame(f"{i}", f"{i}.png", T, intrinsics_matrix(100, 100, 50, 50), 100, 100) for i, T in enumerate(poses)]
    truth = {frame.stem: frame for frame in frames}
    assert figures(frames, truth)["R@5"] == pytest.approx(1) and figures(frames, truth)["CC@0.1"] == pytest.approx(1)
    assert figures([*frames[:3], None], truth)["R@15"] == pytest.approx(0.5)
    assert figures([None] * 4, truth)["R@15"] == 0
    del truth["3"]  # A photograph of another object.
    assert figures(frames, truth)["R@15"] == pytest.approx(1)


def test_finished_cases_are_not_repeated_and_failed_ones_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "_in_process", lambda work, *arguments: work(*arguments))
    cases, ran = select_cases(["four"], [0], 256, 0.2), []

    def work(case: Case) -> Record:
        ran.append(case)
        if len(ran) == 2:
            raise RuntimeError("out of memory")
        return {**RIGHT, "key": case_key(case), "cameras": [{}]}

    def whole(case: Case, known: Record) -> Record:
        ran.append(case)
        return {"key": whole_key(case), "figures": known["figures"], "seconds": 9.0}

    file = tmp_path / "results.jsonl"
    suite.run_cases(cases, Store(file), 1, work, whole)
    assert len(ran) == 12 and len(suite.finished(cases, Store(file))) == 9
    suite.run_cases(cases, Store(file), 1, work, whole)
    assert ran[12:] == [ran[1]], "the case that failed, and nothing else"
    records = suite.finished(cases, Store(file))
    assert len(records) == 10 and sum(record["whole"] is not None for record in records) == 2
    other = select_cases(["four"], [0], 128, 0.0)
    assert suite.finished(other, Store(file)) == [], "another size is another case"


def test_a_change_of_the_code_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "_in_process", lambda work, *arguments: work(*arguments))
    cases = select_cases(["four"], [0], 256, 0.0)[:1]
    with pytest.raises(SystemExit, match="the code changed during the run"):
        suite.run_cases(cases, Store(tmp_path / "results.jsonl"), 1, lambda _: {**RIGHT, "key": "another"})


def test_pooled_figures_are_left_out_for_a_part_of_the_lines() -> None:
    names = {metric.name: metric.value for metric in suite.metrics([RIGHT, WRONG, LIE], "all", pooled=True)}
    assert names["all/in-order/success"] == 50 and names["all/two-objects/success"] == 0
    assert names["all/calibration/sure_and_right"] == pytest.approx(100 / 3)
    assert not any("calibration" in m.name for m in suite.metrics([RIGHT], "all", pooled=False))
