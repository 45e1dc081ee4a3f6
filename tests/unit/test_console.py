"""What commands print while they work: choices, warnings, progress."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import warnings

import pytest
from rich.table import Table

from sparseags_ns import console
from sparseags_ns.console import announce, hide_package_warnings, progress, warn


def test_each_choice_is_one_line_on_the_error_stream(capsys: pytest.CaptureFixture[str]) -> None:
    announce("poses: " + "x" * 300, "why [red]not[/red]")
    warn("2 views", "few")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "sparseags: poses: " + "x" * 300 + " (why [red]not[/red])",
        "sparseags: warning: 2 views (few)",
    ]


HOSTILE = (
    "[draft] shoes",
    "a[/b]",
    "[bold]",
    "[[x]]",
    "\\[red]",
    "a:smiley:b",
    "[link=http://x]",
    "[@click=quit]",
    "[on red",
    "%s {0}",
)
"""Names of files that rich, or a format, would take for something else than a name."""


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_files_are_printed_as_they_are(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    announce(name, name)
    warn(name, name)
    output = console.PlainConsole()
    output.print(f"Picture: {name}")
    table = Table(title=name, caption=name)
    table.add_column(name)
    table.add_row(name)
    output.print(table)
    captured = capsys.readouterr()
    assert captured.err.count(name) == 4
    assert captured.out.startswith(f"Picture: {name}\n") and captured.out.count(name) == 5


@pytest.mark.parametrize("name", HOSTILE)
def test_names_in_a_progress_bar_are_printed_as_they_are(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(console, "_CONSOLE", console.PlainConsole(stderr=True))
    with progress(name, 3) as bar:
        bar()
    assert name in capsys.readouterr().err


def test_control_characters_and_bytes_that_are_no_text_become_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a\x1b[31m\rb\udcff\x85é\u202fc"
    announce(name, "odd")
    console.PlainConsole().print(name)
    captured = capsys.readouterr()
    assert captured.out == "a\\x1b[31m\\x0db\\udcff\\x85é\u202fc\n"
    assert captured.err == f"sparseags: {captured.out.strip()} (odd)\n"


def test_a_log_file_gets_plain_lines_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with progress("optimisation", 200, done=20) as bar:
        now = 30.0  # compilation, which the estimate of the time left leaves out
        for done in range(21, 201):
            bar.update(done)
            now += 1.0
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == [
        "sparseags: optimisation: 21 of 200 (30 s)",
        "sparseags: optimisation: 31 of 200 (40 s, about 169 s left)",
    ]
    assert 10 < len(lines) < 20, "every 10 s at first; after 100 s, whenever a tenth of the time has gone by"
    assert not any("\x1b" in line or "\r" in line for line in lines)


def test_the_time_left_leaves_out_a_search_between_two_parts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with progress("optimisation", 40) as bar:
        for done in range(1, 41):
            now += 300.0 if done == 20 else 1.0
            bar.update(done)
    lines = capsys.readouterr().err.splitlines()
    assert "sparseags: optimisation: 20 of 40 (319 s)" in lines
    assert all(int(left) <= 40 for left in re.findall(r"about (\d+) s left", "\n".join(lines)))


def test_words_take_the_place_of_numbers_and_the_time_left_is_measured_over_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Parts that count as several took as many times as long."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with progress("search") as bar:
        for done, parts in [(0, 0), (1, 1), (2, 1), (12, 10), (22, 10)]:
            now += 3.0 * parts
            bar.update(done, 32, f"phase [{done}]")
    assert capsys.readouterr().err.splitlines() == [
        "sparseags: search: phase [2] (6 s, about 90 s left)",
        "sparseags: search: phase [12] (36 s, about 60 s left)",
        "sparseags: search: phase [22] (66 s, about 30 s left)",
    ]


def test_short_work_prints_nothing_into_a_log_file(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("optimisation") as bar:
        bar()
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_bars_that_nest_and_leave_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    terminal = console.PlainConsole(stderr=True)
    monkeypatch.setattr(console, "_CONSOLE", terminal)
    with progress("outer work", 10) as outer:
        outer.update(3)
        with progress("inner work") as inner:
            inner.update(1, 2)
            inner.update(17, 23, "in words")
            assert console._live is not None
            console._live.refresh()
            print("the command's own output")
    captured = capsys.readouterr()
    assert "outer work" in captured.err and "inner work: in words" in captured.err and "17/23" not in captured.err
    assert captured.out == "the command's own output\n"
    assert console._live is None


def test_warnings_of_other_packages_are_hidden_and_ours_are_not() -> None:
    def raised_in(module: str, category: type[Warning]) -> list[warnings.WarningMessage]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            hide_package_warnings()
            exec("import warnings; warnings.warn('old', category)", {"__name__": module, "category": category})
        return caught

    for category in (FutureWarning, DeprecationWarning):
        assert raised_in("torch.jit", category) == []
        assert len(raised_in("sparseags_ns.views", category)) == 1
    assert raised_in("nerfstudio.utils.writer", UserWarning) == []
    assert len(raised_in("torch.cuda", UserWarning)) == 1, "torch tells of an unusable GPU by a UserWarning"


@pytest.mark.parametrize("value, verbose", [("", False), ("0", False), ("1", True)])
def test_verbose_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, value: str, verbose: bool) -> None:
    monkeypatch.setenv(console.VERBOSE, value)
    assert console.is_verbose() == verbose


def test_the_console_imports_nothing_heavy() -> None:
    code = "import sys, sparseags_ns.console; print([m for m in ('torch', 'numpy', 'nerfstudio') if m in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output == "[]\n"
