"""Kills a process at every file operation of a save, and opens what is left: `python -m tests.faults.kill_saves`.

Prints the number of operations and what was wrong after which of them; the exit status is 1 if anything was.
"""

from __future__ import annotations

import io
import itertools
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.toy_saves import STEPS, begin, fault_of, save

OPERATIONS = ("rename", "replace", "unlink", "remove", "fsync", "mkdir", "open", "rmdir")
"""Functions of `os` before each of which the process may be killed."""

PATIENCE_S = 30


def kill_before(count: int) -> None:
    """Let this process kill itself before its file operation of that number; files are written in two halves."""
    left = itertools.count(count, -1)

    def die() -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def deadly(operation: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            die()
            return operation(*args, **kwargs)

        return call

    def write_bytes(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
            file.flush()
            die()
            return file.write(content[len(content) // 2 :])

    for name in OPERATIONS:
        setattr(os, name, deadly(getattr(os, name)))
    io.open = deadly(io.open)
    Path.write_bytes = write_bytes  # type: ignore[method-assign, assignment]


def faults() -> tuple[int, list[str]]:
    """The number of operations of a save, and what is wrong after a kill before each of them."""
    found: list[str] = []
    with tempfile.TemporaryDirectory() as place:
        first, folder = Path(place) / "first", Path(place) / "run"
        begin(first)
        for count in itertools.count():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(first, folder)
            child = os.fork()
            if child == 0:
                signal.alarm(PATIENCE_S)
                kill_before(count)
                save(folder, STEPS[1])
                os._exit(0)
            ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            fault = fault_of(folder)
            found += [] if fault is None else [f"before operation {count}: {fault}"]
            if ended == 0:
                return count, found
            if ended != -signal.SIGKILL:
                return count, [*found, f"operation {count}: exit status {ended}"]
    raise AssertionError  # the loop above does not end otherwise


if __name__ == "__main__":
    operations, wrong = faults()
    print(f"a save has {operations} file operations; killed before each of them: {len(wrong)} faults")
    print("\n".join(wrong))
    sys.exit(bool(wrong))
