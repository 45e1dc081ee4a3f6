"""What the viewer's panel says of a run."""

from __future__ import annotations

import pytest

from sparseags_ns.runs.record import Decision, Event, HistoryRow, Phase, ViewStatus
from sparseags_ns.viewer import text as markup
from sparseags_ns.viewer.state import Headline, ViewRow, headline, view_rows

TRUSTED, UNTRUSTED = ViewStatus.TRUSTED, ViewStatus.UNTRUSTED
STATUSES = (TRUSTED, ViewStatus.CORRECTED, UNTRUSTED)
NAMES = ("000", "001", "002")
ROW = HistoryRow(120, 64, [0.01, 0.012, 0.05], [0.5, 12.0, 127.3], [1.0, 4.4, 80.0], [True, True, False])
PHASES = [Phase("32 px", 0, 100, 32), Phase("search", 100, 100, None), Phase("64 px", 100, 200, 64)]
HEAD = Headline("Refining at 64 px", "stage 2 of 2, step 120 of 200", 60.0)


def test_rows_show_status_and_latest_figures() -> None:
    rows = view_rows(NAMES, ROW, STATUSES)
    assert tuple(row.status for row in rows) == STATUSES
    assert [row.error for row in rows] == ROW.errors and rows[2].rotation_deg == 127.3
    assert "corrected" in markup.table(rows, ["data:,"] * 3, 1)


def test_errors_are_compared_with_the_trusted_views_only() -> None:
    rows = view_rows(NAMES, ROW, (TRUSTED, TRUSTED, UNTRUSTED))
    assert rows[2].ratio == pytest.approx(0.05 / 0.011)


def test_before_the_first_step_nothing_is_known() -> None:
    (row, *_) = view_rows(NAMES, None, (TRUSTED,) * 3)
    assert row == ViewRow("000", TRUSTED, None, None, None, None)
    assert "-" in markup.table([row], ["data:,"], 0)


@pytest.mark.parametrize(
    "mode, steps, doing, title",
    [
        ("training", 50, None, "Refining at 32 px"),
        ("training", 100, None, "Refining at 64 px"),
        ("paused", 150, None, "Refining at 64 px, paused"),
        ("training", 100, "searching view 002", "Searching view 002"),
        ("training", 100, "coarse stages once more", "Repairing the poses"),
        ("completed", 200, None, "Finished"),
        ("completed", 150, None, "Stopped"),
        ("opened", 200, None, "A finished run"),
        ("opened", 10, None, "An unfinished run"),
    ],
)
def test_headline_names_what_goes_on(mode: str, steps: int, doing: str | None, title: str) -> None:
    head = headline(mode, steps, 200, PHASES, doing)  # type: ignore[arg-type]
    assert head.title == title and head.percent == steps / 2 and f"step {steps} of 200" in head.detail


def test_names_of_photographs_are_never_markup() -> None:
    name = '<img src=x onerror="a()">{1+1}`|*_'
    rows = view_rows([name], HistoryRow(1, 16, [0.1], [0.0], [0.0], [True]), (TRUSTED,))
    for content in (
        markup.table(rows, ["data:,"], 0),
        markup.header(HEAD, 10, f"View {name} stays."),
        markup.curve([HistoryRow(1, 16, [0.1], [0.0], [0.0], [True])], rows, PHASES, 10),
        markup.log([Event(1, Decision("trust", 0, "asked", {}))], [], [name]),
    ):
        assert name not in content.replace(markup.quoted(name), "")
    assert markup.quoted('a"{') == '{"a\\"{"}'


def test_markup_is_well_formed() -> None:
    """Every element is closed: one that is not would blank the whole panel."""
    rows = view_rows(NAMES, ROW, STATUSES)
    decisions = [Decision("finish", None, "no view fits better", {"elsewhere": 0.97})]
    for content in (
        markup.table(rows, ["data:,"] * 3, 1),
        markup.header(HEAD, 1500, None),
        markup.curve([ROW, HistoryRow(200, 64, [0.01] * 3, [0.0] * 3, [0.0] * 3, [True] * 3)], rows, PHASES, 200),
        markup.picture("data:,", "view 000"),
        markup.log([], decisions, NAMES),
    ):
        assert "\n" not in content
        for element in ("div", "table", "tr", "td", "span", "svg", "polyline", "ul", "li", "b"):
            opened = content.count(f"<{element} ") + content.count(f"<{element}>")
            assert opened == content.count(f"</{element}>"), element


def test_outliers_are_red_and_drawn_last() -> None:
    rows = view_rows(NAMES, ROW, (UNTRUSTED, TRUSTED, TRUSTED))
    curve = markup.curve([ROW], rows, PHASES, 200)
    assert markup.color_of(0, rows[0]) == markup.RED != markup.color_of(1, rows[1])
    assert curve.rindex(f'stroke="{markup.RED}"') > curve.rindex(f'stroke="{markup.PALETTE[2]}"')


def test_a_curve_of_nothing_says_so() -> None:
    assert "has not been made" in markup.curve([], [], PHASES, 200)
