"""What the program says of its own choices."""

from __future__ import annotations

import pytest

from sparseags_ns.console import announce, warn


def test_each_choice_is_one_line_on_the_error_stream(capsys: pytest.CaptureFixture[str]) -> None:
    announce("poses: " + "x" * 300, "why [red]not[/red]")
    warn("2 views", "few")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "sparseags: poses: " + "x" * 300 + " (why [red]not[/red])",
        "sparseags: warning: 2 views (few)",
    ]
