"""Pictures, the turntable, the chart and the plots: pure functions of small data."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.report import plots
from sparseags_ns.report.content import Tone
from sparseags_ns.report.pictures import difference_colors, in_order, straight_alpha, turntable, view_picture
from sparseags_ns.runs.opening import open_run
from sparseags_ns.runs.record import RunRecord

PLAIN: list[Tone] = ["plain"] * 5
TONES: list[Tone] = ["plain", "bad", "plain", "plain", "plain"]


def decoded(uri: str) -> Image.Image:
    head, _, body = uri.partition(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(body)))


def test_large_pictures_are_made_smaller() -> None:
    assert decoded(view_picture(torch.rand(400, 800, 3))).size == (384, 192)
    assert decoded(view_picture(torch.rand(20, 30, 3))).size == (30, 20)


def test_no_difference_is_white_and_a_large_one_dark() -> None:
    a, b = torch.zeros(1, 2, 3), torch.tensor([[[0.0, 0, 0], [0.9, 0.9, 0.9]]])
    colors = difference_colors(a, b)
    assert colors[0, 0].tolist() == [1, 1, 1] and colors[0, 1].max() < 0.3


def test_colours_behind_coverage_come_back_straight() -> None:
    alpha = torch.tensor([[0.5, 0.0]])
    rgba = straight_alpha(torch.tensor([[[0.4, 0.2, 0.0], [0.0, 0.0, 0.0]]]), alpha)
    torch.testing.assert_close(rgba[0, 0], torch.tensor([0.8, 0.4, 0.0, 0.5]))
    assert rgba[0, 1].tolist() == [0, 0, 0, 0]


def test_frames_all_round_keep_their_order() -> None:
    frames, loops = in_order(torch.tensor([350.0, 20.0, 50.0, 80.0]))
    assert loops and list(frames) == [0, 1, 2, 3] and frames[1] == pytest.approx(380.0)


def test_frames_that_swing_are_sorted_and_seen_once() -> None:
    frames, loops = in_order(torch.tensor([0.0, 30.0, 0.1, -30.0]))
    assert not loops and list(frames) == [3, 0, 1]


def test_the_turntable_has_every_frame_and_is_transparent_around_the_object(make_run: Callable[..., Path]) -> None:
    made = turntable(open_run(make_run(count=6)), frames=10, size=24)
    sheet = decoded(made.sprite)
    assert sheet.mode == "RGBA" and sheet.size == (made.columns * 24, 2 * 24)
    assert len(made.azimuths_deg) == 10 and made.loops and len(made.camera_azimuths_deg) == 6
    alpha = np.asarray(decoded(made.poster))[..., 3]
    assert alpha[0, 0] == 0 and alpha[12, 12] > 200


def test_the_plot_holds_both_cameras_of_each_view_around_the_middle(make_run: Callable[..., Path]) -> None:
    tones: list[Tone] = ["plain", "found", "bad", "plain"]
    scene = plots.camera_plot(open_run(make_run(count=4, untrusted=(2,))), tones, [True, True, True, False])
    assert [camera["tone"] for camera in scene["cameras"]] == tones
    assert scene["cameras"][3]["given"] is None and np.shape(scene["cameras"][0]["refined"]) == (5, 3)
    assert scene["cameras"][0]["given"] != scene["cameras"][0]["refined"]
    points = scene["points"]
    assert len(points["positions"]) == len(points["colors"]) == 3 * len(points["sizes"]) > 0
    assert np.abs(np.mean(np.reshape(points["positions"], (-1, 3)), axis=0)).max() < 0.2


def test_only_the_last_thorough_search_of_a_view_is_shown(record: RunRecord) -> None:
    (search,) = plots.search_plots(record)
    assert search["view"] == "001" and search["tried"] == 2560 and search["rotation_deg"] == 127.0
    assert search["start"] == [1.0, 0.0, 1.0] and len(search["others"]) == 4


def test_no_searches_are_nothing_to_show(record: RunRecord) -> None:
    assert plots.search_plots(replace(record, searches=[])) == ()


def test_the_chart_is_logarithmic_and_marks_the_search(record: RunRecord) -> None:
    made = plots.error_chart(record, TONES)
    assert made is not None
    assert [label for _, label in made.y_ticks] == ["0.001", "0.01", "0.1", "1"]
    assert made.curves[1].tone == "bad" and made.curves[0].points.split()[-1] == "1000,400"
    assert [band.width for band in made.bands] == [500.0, 0.0, 500.0]
    assert made.x_ticks[-1][1] == "60"


def test_an_error_of_zero_stays_on_the_chart(record: RunRecord) -> None:
    made = plots.error_chart(record, PLAIN)
    assert made is not None and made.curves[4].points.split()[-1] == "1000,400"


@pytest.mark.parametrize("rows", [0, 1])
def test_too_little_history_makes_no_chart(record: RunRecord, rows: int) -> None:
    assert plots.error_chart(replace(record, rows=record.rows[:rows]), PLAIN) is None
