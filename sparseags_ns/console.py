"""What every command prints while it works: automatic choices, warnings, progress.

Everything goes to the standard error stream, so that a command's own output can be piped. nerfstudio swallows the
standard library's logging; these lines appear in every command. In a terminal long work shows a bar; in a log file it
prints a plain line now and then, without control characters.

Whatever is printed, here or by a command, is plain text: brackets and colons in the names of files are no markup, and
control characters in them are shown as escapes.

Messages of other packages are hidden unless `SPARSEAGS_VERBOSE` is set in the environment.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

VERBOSE = "SPARSEAGS_VERBOSE"
"""Environment variable: anything but an empty string or 0 shows the messages of other packages."""
FIRST_LINE_S, SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 10.0, 60.0
"""In a log file: seconds until long work prints its first line, and at least and at most between two lines."""

_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """Text with escapes in place of control characters, and of bytes in a file's name that are not UTF-8."""
    return text.translate(_ESCAPES).encode("utf-8", "backslashreplace").decode("utf-8")


class PlainConsole(Console):
    """A console that takes strings, also those in tables, as plain text; what has a style is passed as rich's `Text`.

    Lines are not wrapped.
    """

    def __init__(self, file: IO[str] | None = None, stderr: bool = False) -> None:
        super().__init__(file=file, stderr=stderr, soft_wrap=True, markup=False, emoji=False, highlight=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Make a `Text` of a string, whose control characters become escapes."""
        return super().render_str(printable(text), **options)


_CONSOLE = PlainConsole(stderr=True)
_live: Progress | None = None
"""The bars in the terminal while there are any: only one such display can exist, so nested work adds to it."""
_said: set[str] | None = None
"""The lines of choices and warnings that were printed in a block `without_repeats`; None outside of one."""


def announce(what: str, why: str) -> None:
    """Print in one line what was chosen automatically, and why."""
    _print_once(f"{what} ({why})")


def warn(what: str, why: str) -> None:
    """Print in one line what may spoil the result, and why."""
    _print_once(f"{what} ({why})", "sparseags: warning: ", "bold yellow")


@contextmanager
def without_repeats() -> Iterator[None]:
    """Print each choice and each warning once in this block, as where several readers read the same photographs.

    Inside another such block, it is that one's lines that are not repeated.
    """
    global _said
    if _said is not None:
        yield
        return
    _said = set()
    try:
        yield
    finally:
        _said = None


def _print_once(line: str, mark: str = "sparseags: ", style: str = "bold") -> None:
    if _said is not None:
        if line in _said:
            return
        _said.add(line)
    _print(line, mark, style)


def _print(line: str, mark: str = "sparseags: ", style: str = "bold") -> None:
    _CONSOLE.print(Text.assemble((mark, style), printable(line)))


def is_verbose() -> bool:
    """Whether messages of other packages are shown."""
    return os.environ.get(VERBOSE, "") not in ("", "0")


def hide_package_warnings() -> None:
    """Hide FutureWarnings and DeprecationWarnings of other packages, and UserWarnings of nerfstudio, from now on.

    UserWarnings of all others stay: torch reports a GPU that it cannot use by one.
    """
    for category in (FutureWarning, DeprecationWarning):
        warnings.filterwarnings("ignore", category=category, module=r"(?!sparseags_ns\b)")
    warnings.filterwarnings("ignore", category=UserWarning, module=r"nerfstudio\b")


class Bar:
    """The progress of a piece of work. Calling it counts one more part as done."""

    def __init__(self, what: str, total: int | None, done: int = 0, live: Progress | None = None) -> None:
        self._what, self._total, self._done, self._doing = what, total, done, ""
        self._live = live
        self.task = TaskID(0) if live is None else live.add_task(what, total=total, completed=done)
        self._begun = time.monotonic()
        self._next_line = self._begun + FIRST_LINE_S
        self._measured: tuple[float, int] | None = None
        """Time and parts from which the speed is measured: the first update, then the last line."""
        self._updated = self._begun

    def __call__(self) -> None:
        """One more part is done."""
        self.update(self._done + 1)

    def update(self, done: int, total: int | None = None, doing: str = "") -> None:
        """`done` parts are done, of `total` or as many as were named before.

        Words that say how far the work is, `doing`, are shown in place of these numbers, which then only tell the time
        that is left: for work whose parts are counted as several where they take longer.
        """
        self._done, self._total, self._doing = done, self._total if total is None else total, doing
        if self._live is not None:
            words = f"{self._what}: {doing}" if doing else self._what
            self._live.update(self.task, completed=done, total=self._total, description=words, in_words=bool(doing))
            return
        now = time.monotonic()
        since, before = self._measured or (now, done)
        if not doing and done > before + 3 and 2 * (now - self._updated) > now - since:
            # This part took longer than the others together, as a step with a search does: it says nothing of the rest.
            self._measured = now, done
        self._updated = now
        if now >= self._next_line:
            self._print_line(now)
        if self._measured is None:  # The first part may include compilation, which says nothing of the others.
            self._measured = now, done

    def _print_line(self, now: float) -> None:
        seconds, left = now - self._begun, ""
        since, before = self._measured or (now, self._done)
        if self._total and self._done > before:
            left = f", about {(now - since) / (self._done - before) * (self._total - self._done):.0f} s left"
        parts = self._doing or (f"{self._done} of {self._total}" if self._total else str(self._done))
        _print(f"{self._what}: {parts} ({seconds:.0f} s{left})")
        self._next_line = now + min(max(SHORTEST_PAUSE_S, seconds / 10), LONGEST_PAUSE_S)
        if not self._doing:  # Parts of different lengths are measured over all of the work.
            self._measured = now, self._done


@contextmanager
def progress(what: str, total: int | None = None, done: int = 0) -> Iterator[Bar]:
    """Show how far long work is: a bar in a terminal, a plain line now and then in a log file.

    The total number of parts may become known later; `done` parts were done before.
    """
    if not _CONSOLE.is_terminal:
        yield Bar(what, total, done)
        return
    with _shared_display() as live:
        bar = Bar(what, total, done, live)
        try:
            yield bar
        finally:
            live.remove_task(bar.task)


class _PartsColumn(MofNCompleteColumn):
    """How many parts are done of how many; nothing for work that is not counted in parts, or says it in words."""

    def render(self, task: Task) -> Text:
        uncounted = task.total is None and task.completed == 0
        return Text() if uncounted or task.fields.get("in_words") else super().render(task)


@contextmanager
def _shared_display() -> Iterator[Progress]:
    """The display of all bars; the outermost block starts and ends it."""
    global _live
    if _live is not None:
        yield _live
        return
    columns = TextColumn("{task.description}", markup=False), BarColumn(), _PartsColumn(), TimeElapsedColumn()
    # The standard output stream belongs to the command: what is printed there must not move to this one.
    _live = Progress(*columns, TimeRemainingColumn(), console=_CONSOLE, transient=True, redirect_stdout=False)
    try:
        with _live:
            yield _live
    finally:
        _live = None
