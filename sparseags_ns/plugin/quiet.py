"""Hides what nerfstudio, viser and other packages print during training, without touching what other methods show.

nerfstudio prints through one rich console and through `print`; viser prints through rich. Both are silenced for as long
as our trainer works, and not at all where `SPARSEAGS_VERBOSE` or the trainer's `verbose` asks for their messages.

nerfstudio takes a path like `a[/b]` for markup that closes nothing, and ends with an error as soon as it prints one,
even while it is silenced. From the import of this module on its console prints such a line as it is.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

from nerfstudio.utils.rich_utils import CONSOLE
from rich.console import Console
from rich.errors import MarkupError
from rich.text import Text

from sparseags_ns import __version__
from sparseags_ns.console import VERBOSE, announce, hide_package_warnings, is_verbose

METHODS = ("sparseags", "sparseags-paper")
"""Names of our methods, as ns-train has them."""
_STARTERS = ("ns-train", "train", "-c")
"""Names of the program under which nerfstudio's training starts; `-c` is Python's for code on the command line."""
_VERBOSE = (("--verbose", "True"), ("--verbose", "true"))


def _render_tolerantly(text: str, **options: Any) -> Text:
    """Make a `Text` of markup; of a text whose markup is wrong, as it is."""
    try:
        return Console.render_str(CONSOLE, text, **options)
    except MarkupError:
        return Console.render_str(CONSOLE, text, **{**options, "markup": False})


CONSOLE.render_str = _render_tolerantly  # pyright: ignore[reportAttributeAccessIssue]


def greet_ns_train(arguments: Sequence[str]) -> None:
    """Print our first line and hide other packages' for the whole process, if `ns-train` runs one of our methods.

    nerfstudio loads the entry points of all methods last, after everything that it imports itself: this is the first
    moment at which code of ours runs.

    Args:
        arguments: of the process, beginning with the program's name.
    """
    program, method = Path(arguments[0]).stem, arguments[1:2]
    if program not in _STARTERS or not method or method[0] not in METHODS or {"-h", "--help"} & set(arguments):
        return
    verbose = is_verbose() or any(pair in _VERBOSE for pair in pairwise(arguments))
    hidden = "" if verbose else "; messages of other packages are hidden: --verbose True shows them"
    announce(f"{method[0]} of sparseags_ns {__version__}", f"nerfstudio is loaded{hidden}")
    if verbose:
        os.environ[VERBOSE] = "1"
    else:
        CONSOLE.quiet = True
        hide_package_warnings()


@contextmanager
def other_packages_hidden(verbose: bool = False) -> Iterator[None]:
    """Hide nerfstudio's console and the warnings of other packages inside the block, unless they are wanted."""
    if verbose or is_verbose():
        yield
        return
    before, CONSOLE.quiet = CONSOLE.quiet, True
    try:
        with warnings.catch_warnings():
            hide_package_warnings()
            yield
    finally:
        CONSOLE.quiet = before


@contextmanager
def prints_hidden(verbose: bool = False) -> Iterator[TextIO]:
    """Hide other packages' messages and all that is printed to standard output; yields the stream it replaced."""
    output = sys.stdout
    with other_packages_hidden(verbose):
        if verbose or is_verbose():
            yield output
            return
        with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
            yield output
