"""Signals that end a program: Ctrl-C (SIGINT), `kill` (SIGTERM), and a terminal that was closed (SIGHUP)."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def stop_signals_call(handle: Callable[[int], object]) -> Iterator[None]:
    """Call a function with the number of each stop signal that arrives inside the block.

    A signal that the parent process had ignored stays ignored, as SIGHUP under nohup. Nothing changes in other threads
    than the main one, where Python handles signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    terminals = [stream for stream in (1, 2) if os.isatty(stream)]

    def call(number: int, _frame: FrameType | None) -> None:
        if number == getattr(signal, "SIGHUP", None):
            for stream in terminals:  # Each line that is printed to a closed terminal would be an error.
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        handle(number)

    changed = [number for number in STOP_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    previous = {number: signal.signal(number, call) for number in changed}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def exit_by_signal(number: int) -> NoReturn:
    """End the program as the signal itself would have, after the usual clean-up.

    A shell ends its loop over scenes only if a program dies of Ctrl-C; after a mere exit status it goes on with the
    next one. In the shell the status is 128 + number either way.
    """
    if os.name == "posix":
        atexit.register(_die, number)
    sys.exit(128 + number)


def _die(number: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
