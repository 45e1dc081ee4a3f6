"""Damaged scene files are read as they should be or refused by name; `mutants.py` reads a thousand of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import mutants
from tests.faults.mutants import BAD, Outcome, mutant, outcome_of, outcomes, read, table, write_scene
from tests.faults.valid_scenes import ValidScene, all_scenes

COUNT = 114
"""Six scenes for each of the 19 kinds of files."""


@pytest.mark.parametrize("scene", all_scenes(), ids=lambda scene: scene.kind)
def test_undamaged_scenes_are_read(tmp_path: Path, scene: ValidScene) -> None:
    write_scene(tmp_path / "scene", scene.files)
    assert read(tmp_path / "scene", scene.kind) is None


def test_damaged_scenes_are_read_as_they_should_be_or_refused_by_name() -> None:
    found = list(outcomes(seed=0, count=COUNT))
    assert [one.number for one in found] == list(range(COUNT))
    assert [one for one in found if one.outcome in BAD] == []
    counts = {name: sum(one.outcome == name for one in found) for name in ("read", "refused")}
    assert min(counts.values()) > COUNT // 8, "some damage does no harm, and some does"


def test_the_same_number_is_the_same_scene() -> None:
    assert mutant(3, 5) == mutant(3, 5) and mutant(3, 5) != mutant(4, 5)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (KeyError("fl_x"), "traceback"),
        (ValueError("of NumPy"), "traceback"),
        (RecursionError(), "traceback"),
        (MemoryError(), "memory"),
        ("focal length 1e300", "absurd"),
        (None, "read"),
    ],
)
def test_outcomes_are_told_apart(monkeypatch: pytest.MonkeyPatch, fault: object, outcome: str) -> None:
    def fake(folder: Path, kind: str) -> object:
        if isinstance(fault, Exception):
            raise fault
        return fault

    monkeypatch.setattr(mutants, "read", fake)
    assert outcome_of(0, 0).outcome == outcome


def test_errors_without_the_name_of_a_file_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from sparseags_ns.scene.finding import SceneError

    def fake(folder: Path, kind: str) -> None:
        raise SceneError(f"{folder / 'transforms.json'}: is bad" if kind == "named" else "something is bad")

    monkeypatch.setattr(mutants, "read", fake)
    assert outcome_of(0, 0).outcome == "unnamed"
    monkeypatch.setattr(mutants, "read", lambda folder, kind: fake(folder, "named"))
    assert outcome_of(0, 0).outcome == "refused"


def test_the_table_counts_all_outcomes() -> None:
    rows = table([Outcome(0, "PNG", "read"), Outcome(1, "PNG", "hang"), Outcome(2, "JPEG", "read")]).splitlines()
    assert [cell.strip() for cell in rows[-1].split("|")] == ["all", "2", "0", "0", "0", "0", "0", "1", "0"]
