"""What the program says while it works: one line for each thing it chose by itself, and why.

Everything goes to the standard error stream, so that a command's own output can be piped. nerfstudio swallows the
standard library's logging; these lines appear in every command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

_CONSOLE = Console(stderr=True, soft_wrap=True)


def announce(what: str, why: str) -> None:
    """Say in one line what was chosen automatically, and why."""
    _CONSOLE.print(Text.assemble(("sparseags: ", "bold"), what, f" ({why})"))


def warn(what: str, why: str) -> None:
    """Say in one line what may spoil the result, and why."""
    _CONSOLE.print(Text.assemble(("sparseags: warning: ", "bold yellow"), what, f" ({why})"))


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar while long work goes on; the function that it gives is called once for each piece that is done."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, TimeRemainingColumn(), console=_CONSOLE, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)
