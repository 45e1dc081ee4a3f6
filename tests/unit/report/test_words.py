"""The report's words: verdicts, sentences, decisions, the command; each from the record alone."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any, get_args

import pytest
import torch

from sparseags_ns.report.command import changed_options, command
from sparseags_ns.report.content import percent
from sparseags_ns.report.decisions import ACTIONS, steps
from sparseags_ns.report.sentences import UNPROVEN, Findings, Gap, headline, statements, tones, verdicts, widest_gap
from sparseags_ns.runs.record import Action, Decision, Event, RunRecord


def all_text(findings: Findings) -> str:
    return "\n".join(statement.text for statement in statements(findings))


def with_views(findings: Findings, *views: int, **changes: Any) -> Findings:
    """The findings with something changed about some views."""
    changed = tuple(
        replace(one, **changes) if view in views else one for view, one in enumerate(findings.outcome.views)
    )
    return replace(findings, outcome=replace(findings.outcome, views=changed))


def with_repair(findings: Findings, **changes: Any) -> Findings:
    assert findings.record.pose_repair is not None
    repair = replace(findings.record.pose_repair, **changes)
    return replace(findings, record=replace(findings.record, pose_repair=repair))


def test_each_view_gets_its_verdict(findings: Findings) -> None:
    found = verdicts(findings)
    assert found == [("good", "trusted"), ("good", "corrected"), ("bad", "untrusted"), ("note", "high error")]
    assert tones(findings) == ["plain", "found", "bad", "note"]


def test_the_headline_names_untrusted_and_corrected_views(findings: Findings) -> None:
    assert headline(findings) == (
        "Three of four photographs agree on one object; 002 could not be trusted. "
        "The given camera of 001 was wrong and was corrected."
    )


def test_the_headline_of_a_clean_run_is_one_sentence(findings: Findings) -> None:
    clean = with_views(replace(findings, record=replace(findings.record, pose_repair=None)), 2, trusted=True)
    assert headline(clean) == "Four photographs agree on one object: all of their cameras are trusted."
    assert "agree on one scene" in headline(replace(clean, whole_photographs=True))


def test_the_worst_is_said_first_and_what_holds_always_last(findings: Findings) -> None:
    said = statements(findings)
    assert said[0].mark == "bad" and said[0].text.startswith("002 is untrusted")
    assert said[-1].text == UNPROVEN


def test_a_corrected_view_is_described_with_its_angle(findings: Findings) -> None:
    assert "001 was given a camera that is rotated by 127 degrees" in all_text(findings)


def test_a_view_that_refinement_corrected_is_described_as_one_that_was_wrong(findings: Findings) -> None:
    declared = with_repair(findings, decisions=(Decision("declare", 1, "rotated far", {"rotation_deg": 19.0}),))
    assert verdicts(declared)[1] == ("good", "corrected")
    text = all_text(declared)
    assert "The refinement found that one" in text and "A search found" not in text


def test_a_view_far_from_its_given_pose_is_noted_only_if_no_search_put_it_there(findings: Findings) -> None:
    outcome, names = findings.outcome, (*findings.record.names, "010", "011", "012")
    more = replace(outcome, views=(*outcome.views, *outcome.views[:1] * 3))
    found = replace(findings, outcome=more, record=replace(findings.record, names=names))
    text = all_text(with_views(found, 0, rotation_deg=40.0))
    assert "000 was rotated by 40 degrees" in text and "001 was rotated by" not in text


def test_a_registered_view_is_no_corrected_one(findings: Findings) -> None:
    registered = with_repair(findings, registered=(1,), decisions=(Decision("register", 1, "others agree", {}),))
    assert verdicts(registered)[1] == ("good", "registered")
    assert "began without a trusted pose" in all_text(registered)
    assert "corrected" not in headline(registered)


def test_a_view_that_went_back_to_its_given_pose_is_noted(findings: Findings) -> None:
    fallen = with_repair(findings, decisions=(Decision("fall back", 0, "it fits better there", {}),))
    assert verdicts(fallen)[0] == ("note", "back to given pose")
    assert "moved 000 far, and it went back" in all_text(fallen)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"gap": Gap(100.0, 180.0)}, "between azimuth 100 and 280 degrees"),
        ({"focal_factor": 0.85}, "changed by -15%"),
        ({"whole_photographs": True}, "no masks"),
        ({"prior": "zero123"}, "prior (zero123)"),
    ],
)
def test_what_may_mislead_is_said(findings: Findings, changes: dict[str, Any], words: str) -> None:
    assert words not in all_text(findings)
    assert words in all_text(replace(findings, **changes))


def test_a_view_without_a_given_pose_counts_nowhere_as_given(findings: Findings) -> None:
    text = all_text(with_views(findings, 0, posed=False, mse_before=0.0004, rotation_deg=0.0))
    assert "on 2 of 2 trusted photographs" in text and "000 was rotated" not in text


def test_an_unregistered_view_is_named_so(findings: Findings) -> None:
    assert "002 is unregistered: no pose was found" in all_text(with_views(findings, 2, posed=False))


def test_what_a_person_decided_is_said(findings: Findings) -> None:
    events = [Event(5, Decision("leave out", 2, "asked for", {})), Event(6, Decision("trust", 0, "asked for", {}))]
    asked = replace(findings, record=replace(findings.record, events=events))
    text = all_text(asked)
    assert "002 is left out by hand" in text and "000 is trusted because a person decided so" in text
    assert verdicts(asked)[2] == ("bad", "left out by hand") and verdicts(asked)[0] == ("note", "trusted by hand")


def test_an_unfinished_run_is_called_provisional(findings: Findings) -> None:
    early = replace(findings, outcome=replace(findings.outcome, steps_done=300))
    assert "Only 300 of 1,540 steps were done" in all_text(early)


def test_errors_are_shares_of_full_scale() -> None:
    assert percent(0.0004) == pytest.approx(2.0)


def test_the_widest_gap_counts_trusted_views_only() -> None:
    azimuths = torch.tensor([10.0, 350.0, 100.0, 190.0])
    assert widest_gap(azimuths, torch.tensor([True, True, True, False])) == Gap(100.0, 250.0)
    assert widest_gap(azimuths, torch.tensor([True, True, True, True])).ends_deg == pytest.approx(350.0)
    assert widest_gap(azimuths, torch.zeros(4, dtype=torch.bool)).width_deg == 360.0


def test_decisions_keep_their_order_and_their_numbers(findings: Findings) -> None:
    shown = steps(findings.record)
    assert [step.title for step in shown] == [
        "001 is suspected",
        "001 is left out until its pose is found",
        "The search ends",
        "001 is corrected",
    ]
    assert shown[1].numbers[0].label == "the others' error without it, over with it"
    assert shown[2].numbers[0].value == "none"
    assert shown[3].numbers[0].value == "127"


def test_every_action_is_described() -> None:
    assert set(ACTIONS) == set(get_args(Action))


def test_names_with_braces_are_shown_as_they_are() -> None:
    record = RunRecord(("{0}",), events=[Event(3, Decision("trust", 0, "because", {"x": 1.0}))])
    (step,) = steps(record)
    assert step.title == "By hand, at step 3: {0} is trusted" and step.numbers[0].label == "x"


def test_without_decisions_there_is_nothing_to_show() -> None:
    assert steps(RunRecord(("000",))) == ()


CONFIG = {
    "method_name": "sparseags",
    "max_num_iterations": 1540,
    "data": "/my photographs/toy",
    "pipeline": {
        "model": {"seed": 0, "other_pose_rates": [0.4, 0.05]},
        "datamanager": {"dataparser": {"resolution": 256}},
    },
}


def test_the_command_of_a_default_run_is_short() -> None:
    assert command(CONFIG) == "ns-train sparseags --data '/my photographs/toy'"


def test_changed_options_are_part_of_the_command() -> None:
    config = deepcopy(CONFIG)
    config["max_num_iterations"] = 150
    config["pipeline"]["model"]["outlier_rule"] = "off"
    config["pipeline"]["datamanager"]["dataparser"]["resolution"] = 128
    assert changed_options(config) == {
        "max-num-iterations": 150,
        "pipeline.datamanager.dataparser.resolution": 128,
        "pipeline.model.outlier-rule": "off",
    }


def test_the_authors_method_has_its_own_defaults() -> None:
    config = {**CONFIG, "method_name": "sparseags-paper", "max_num_iterations": 500}
    config["pipeline"] = {"model": {"refine_focal": "off", "guidance_weight": 1.0, "guidance": "none"}}
    assert changed_options(config) == {"pipeline.model.guidance": "none"}
