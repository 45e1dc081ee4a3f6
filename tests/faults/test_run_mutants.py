"""Damaged and foreign runs are shown, or refused by an error that names the file; the whole campaign is longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import run_mutants
from tests.faults.run_mutants import BAD, KINDS, Outcome, outcomes, table


def test_one_run_of_each_kind_of_damage_ends_well() -> None:
    found = list(outcomes(seed=1, count=len(KINDS)))
    assert [one.kind for one in found] == list(KINDS)
    assert not [one for one in found if one.outcome in BAD]
    assert {one.outcome for one in found} == {"shown", "refused"}


def test_the_campaign_sees_what_is_executed_and_what_is_written_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check itself can fail."""
    valid = tmp_path / "valid"
    (valid / "sparseags").mkdir(parents=True)
    (valid / "config.yml").write_text(run_mutants.CONFIG)
    for kind, change, use, outcome in (
        ("config", lambda path, rng, trace: trace.touch(), lambda run, out, outside: ("shown", ""), "executed"),
        (
            "config",
            lambda path, rng, trace: None,
            lambda run, out, outside: ((out / "depth.png").touch(), ("outside" if outside() else "shown", ""))[1],
            "outside",
        ),
        ("config", lambda path, rng, trace: None, lambda run, out, outside: ("refused", "something"), "unnamed"),
        ("config", lambda path, rng, trace: None, lambda run, out, outside: 1 / 0, "traceback"),
    ):
        monkeypatch.setattr(run_mutants, "KINDS", {kind: ("config.yml", (change,))})
        monkeypatch.setattr(run_mutants, "use", use)
        assert run_mutants.outcome_of(0, 0, valid).outcome == outcome


def test_the_table_counts_every_outcome_once() -> None:
    kinds = list(KINDS)
    rows = table([Outcome(0, kinds[0], "shown"), Outcome(1, kinds[0], "refused"), Outcome(2, kinds[1], "hang")])
    last = [int(cell) for cell in rows.splitlines()[-1].split("|")[1:]]
    assert sum(last) == 3 and last[0] == last[1] == 1
