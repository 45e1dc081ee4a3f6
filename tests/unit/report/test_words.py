"""What the report says: verdicts, sentences, decisions, the command; each from numbers alone."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch

from sparseags_ns.report.command import changed_options, command
from sparseags_ns.report.coverage import Gap, widest_gap
from sparseags_ns.report.decisions import starts, steps
from sparseags_ns.report.sentences import UNPROVEN, Findings, headline, percent, statements, tone, verdicts


def findings(summary: dict[str, Any], **changes: Any) -> Findings:
    usual = {"gap": Gap(0.0, 60.0), "focal_factor": 0.98, "prior": "auto", "whole_photographs": False}
    return Findings(summary=summary, **(usual | changes))


def all_text(found: Findings) -> str:
    return "\n".join(statement.text for statement in statements(found))


def test_each_view_gets_its_verdict(summary: dict[str, Any]) -> None:
    assert verdicts(summary) == [
        ("good", "trusted"),
        ("good", "put right"),
        ("bad", "left out"),
        ("note", "fits worse"),
    ]
    assert [tone(*one) for one in verdicts(summary)] == ["plain", "right", "bad", "note"]


def test_the_headline_names_who_was_left_out_and_put_right(summary: dict[str, Any]) -> None:
    assert headline(summary) == (
        "Three of four photographs agree on one object; 002 could not be trusted. "
        "The camera of 001 was wrong and has been put right."
    )


def test_the_headline_of_a_clean_run_is_one_sentence(summary: dict[str, Any]) -> None:
    clean = deepcopy(summary)
    clean["settled"] = None
    for view in clean["views"]:
        view["trusted"] = True
    assert headline(clean) == "Four photographs agree on one object: all of their cameras are trusted."
    assert "agree on one scene" in headline(clean, whole_photographs=True)


def test_the_worst_is_said_first_and_what_holds_always_last(summary: dict[str, Any]) -> None:
    said = statements(findings(summary))
    assert said[0].mark == "bad" and said[0].text.startswith("002 was left out")
    assert said[-1].text == UNPROVEN


def test_a_corrected_view_is_told_with_its_angle(summary: dict[str, Any]) -> None:
    assert "001 was given a camera that is 127 degrees away" in all_text(findings(summary))


def test_a_view_that_refinement_put_right_is_told_as_one_that_was_wrong(summary: dict[str, Any]) -> None:
    declare = {"action": "declare", "view": "001", "why": "turned far", "numbers": {"rotation_deg": 19.0}}
    summary["settled"] = {**summary["settled"], "decisions": [declare]}
    assert verdicts(summary)[1] == ("good", "put right")
    text = all_text(findings(summary))
    assert "The refinement carried it to its place" in text and "search found" not in text


def test_a_view_far_from_its_given_pose_is_noted_only_if_no_search_put_it_there(summary: dict[str, Any]) -> None:
    summary["views"] += [{**summary["views"][0], "name": f"01{i}"} for i in range(3)]
    summary["views"][0]["rotation_deg"] = 40.0
    text = all_text(findings(summary))
    assert "000 was turned by 40 degrees" in text and "001 was turned by" not in text


def test_a_placed_view_is_no_corrected_one(summary: dict[str, Any]) -> None:
    place = {"action": "place", "view": "001", "why": "others agree", "numbers": {}}
    summary["settled"] = {**summary["settled"], "decisions": [place]}
    assert verdicts(summary)[1] == ("good", "place found")
    assert "began without a pose" in all_text(findings(summary))


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"gap": Gap(100.0, 180.0)}, "between azimuth 100 and 280 degrees"),
        ({"focal_factor": 0.85}, "changed by -15%"),
        ({"whole_photographs": True}, "no masks"),
        ({"prior": "zero123"}, "prior (zero123)"),
    ],
)
def test_what_may_mislead_is_said(summary: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    assert words not in all_text(findings(summary))
    assert words in all_text(findings(summary, **changes))


def test_a_view_without_a_given_pose_counts_nowhere_as_given(summary: dict[str, Any]) -> None:
    summary["views"][0] |= {"posed": False, "mse_before": 0.0004, "rotation_deg": 0.0}
    assert "on 2 of 2 trusted photographs" in all_text(findings(summary))
    assert "000 was turned" not in all_text(findings(summary))


def test_what_somebody_did_by_hand_is_said(summary: dict[str, Any]) -> None:
    summary["views"][2]["by_hand"], summary["views"][0]["by_hand"] = "left out", "trusted"
    text = all_text(findings(summary))
    assert "002 was left out by hand" in text and "000 is trusted because somebody said so" in text
    assert verdicts(summary)[2] == ("bad", "left out by hand")


def test_an_unfinished_run_is_called_provisional(summary: dict[str, Any]) -> None:
    summary["steps_done"] = 300
    assert "Only 300 of 1,540 steps were done" in all_text(findings(summary))


def test_errors_are_shares_of_full_scale() -> None:
    assert percent(0.0004) == pytest.approx(2.0)


def test_the_widest_gap_counts_trusted_views_only() -> None:
    azimuths = torch.tensor([10.0, 350.0, 100.0, 190.0])
    assert widest_gap(azimuths, torch.tensor([True, True, True, False])) == Gap(100.0, 250.0)
    assert widest_gap(azimuths, torch.tensor([True, True, True, True])).ends_deg == pytest.approx(350.0)
    assert widest_gap(azimuths, torch.zeros(4, dtype=torch.bool)).width_deg == 360.0


def test_decisions_keep_their_order_and_their_numbers(summary: dict[str, Any]) -> None:
    told = steps(summary["settled"])
    assert [step.title for step in told] == [
        "001 is suspected",
        "001 is left out until its place is found",
        "The search ends",
        "001 is put right",
    ]
    assert told[1].numbers[0].label == "the others' error without it, over with it"
    assert told[2].numbers[0].value == "none"
    assert told[3].numbers[0].value == "127"


def test_an_unknown_action_is_shown_as_it_stands() -> None:
    (step,) = steps({"decisions": [{"action": "{new} thing", "view": "{0}", "why": "because", "numbers": {"x": 1.0}}]})
    assert step.title == "{0}: {new} thing" and step.text == "Because." and step.numbers[0].label == "x"


def test_nothing_decided_is_nothing_told() -> None:
    assert steps(None) == () and starts(None) == () and starts({"starts": [{"pose_rate": 1.0, "loss": 1.0}]}) == ()


def test_the_chosen_start_is_marked(summary: dict[str, Any]) -> None:
    found = [(start.pose_rate, start.chosen, start.percent, start.turned) for start in starts(summary["settled"])]
    assert found == [(1.0, True, pytest.approx(62.5), "4.3°"), (0.4, False, 100.0, "")]


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
