"""How the kernels are compiled: the flags, and the line that announces a compilation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from numba.core import event

from sparseags_ns.numba_cache import cache_folder, compiler

_NAME = "kernels"
_SOURCES = (*sorted(Path(__file__).parent.glob("*.py")), Path(__file__).parents[1] / "constants.py")

jit = compiler(
    _NAME,
    *_SOURCES,
    nogil=True,
    error_model="numpy",
    # Helpers that stay functions of their own are linked from wherever they were compiled last: a process that compiles
    # the kernels would round otherwise than the next, which loads them, and a run would not repeat.
    forceinline=True,
    # Sums may be reordered and products contracted (that is what lets LLVM vectorise them), but NaN and infinity keep
    # their meaning: the tests for broken Gaussians compare against them.
    fastmath={"contract", "reassoc", "arcp", "nsz", "afn"},
)
"""Decorator that compiles a kernel at its first call and keeps the machine code on disk."""


def kernel_folder() -> Path | None:
    """Folder of the kernels' machine code; None if no folder can be written."""
    return cache_folder(_NAME, *_SOURCES)


class _CompileNotice(event.Listener):
    """Prints one line per process, on stderr, when kernels are being compiled."""

    def __init__(self) -> None:
        self._printed = False

    def on_start(self, event: Any) -> None:
        """Numba starts to compile a function, ours or another library's."""
        if self._printed or not event.data["dispatcher"].py_func.__module__.startswith(__package__ or "?"):
            return
        self._printed = True
        kept = "kept on disk for the next runs" if kernel_folder() else "no folder to keep them in can be written"
        print(
            f"sparseags: compiling the CPU rasterizer's kernels (5 to 20 seconds; {kept})", file=sys.stderr, flush=True
        )

    def on_end(self, event: Any) -> None:
        """Required by numba."""


event.register("numba:compile", _CompileNotice())
