"""Where the given cameras came from: sentences, and drawings of arrangements."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from sparseags_ns.report.content import GivenCameras
from sparseags_ns.report.given_cameras import RADIUS, given_cameras
from sparseags_ns.report.sentences import Findings, statements
from sparseags_ns.runs.record import PoseInitRecord, RunRecord


def of_record(record: RunRecord, **changes: Any) -> GivenCameras:
    assert record.pose_init is not None
    given = given_cameras(replace(record, pose_init=replace(record.pose_init, **changes)))
    assert given is not None
    return given


def test_source_doubt_and_confidence_are_told(record: RunRecord) -> None:
    assert of_record(record).sentences == (
        "The cameras that the run began with were estimated by ab-initio, arrangement 1 of 2.",
        "ab-initio was not sure of its cameras: two different arrangements explain these photographs about equally "
        "well. The run went on because this was allowed.",
        "Confidence, 0 to 1: 0.72 in the median view, least 0.30 (001).",
        "No camera was found for 004.",
    )
    assert of_record(record).confidence == ("0.80", "0.30", "0.75", "0.70", "none")


def test_no_doubt_is_no_certainty(record: RunRecord) -> None:
    sentences = of_record(record, doubt=None, arrangements=()).sentences
    assert sentences[0] == "The cameras that the run began with were estimated by ab-initio."
    assert sentences[1] == "ab-initio reported no doubt about them."


def test_a_pose_file_is_named_and_nothing_else(record: RunRecord) -> None:
    given = given_cameras(replace(record, pose_init=PoseInitRecord("/photographs/transforms.json", estimated=False)))
    assert given is not None and given.confidence == () and given.arrangements == ()
    assert given.sentences == ("The cameras that the run began with were read from /photographs/transforms.json.",)


def test_a_record_that_does_not_tell_shows_nothing(record: RunRecord) -> None:
    assert given_cameras(replace(record, pose_init=None)) is None


def test_arrangements_are_drawn_from_above_with_azimuth_0_at_the_bottom(record: RunRecord) -> None:
    first, second = of_record(record).arrangements
    assert [one.in_use for one in (first, second)] == [True, False]
    assert (first.loss, second.loss) == ("the best", "1.12 times the loss of the best")
    assert second.option == "--pose-init-alternative 2"
    assert [camera.name for camera in first.cameras] == ["000", "001", "002", "003"], "004 has no camera"
    assert first.cameras[0].dot == (0.0, RADIUS) and first.cameras[1].dot[0] > 0, "+x is to the right"
    assert all(math.hypot(*camera.end) < math.hypot(*camera.dot) for camera in first.cameras), "they look inwards"
    assert [camera.name for camera in second.cameras if camera.elsewhere] == ["001", "002"]


def test_long_names_are_drawn_as_numbers(record: RunRecord) -> None:
    assert [camera.label for camera in of_record(record).arrangements[0].cameras] == ["000", "001", "002", "003"]
    given = given_cameras(replace(record, names=tuple(f"IMG_{name}" for name in record.names)))
    assert given is not None and given.numbered
    assert [camera.label for camera in given.arrangements[1].cameras] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    "changes, words",
    [
        ({}, "ab-initio was not sure of its cameras: two different arrangements"),
        (
            {"alternative": 2, "doubt": None},
            "began with arrangement 2 of 2, which was asked for; its loss is 1.12 times",
        ),
        ({"alternative": 2}, "about equally well. The run began with arrangement 2 of 2"),
    ],
)
def test_doubt_and_a_choice_are_said_in_short(
    findings: Findings, record: RunRecord, changes: dict[str, Any], words: str
) -> None:
    def said(found: Findings) -> str:
        return "\n".join(statement.text for statement in statements(found))

    assert record.pose_init is not None and words not in said(findings)
    init = replace(record.pose_init, **changes)
    assert words in said(replace(findings, record=replace(findings.record, pose_init=init)))
