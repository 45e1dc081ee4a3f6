"""Runs kernels on several threads: plain Python threads, since the kernels release the GIL.

Reasons against numba's own parallel loops: they need a threading layer (workqueue aborts when two threads enter it, omp
needs a system library) and a second thread pool that competes with torch's, and they take twice the time to compile.
Here two callers at once share the threads.

The kernels use as many threads as torch (`torch.set_num_threads`, OMP_NUM_THREADS), except inside
`torch_on_one_thread`.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_fixed_count: int | None = None
_pool: ThreadPoolExecutor | None = None


def num_threads() -> int:
    """Number of threads that the kernels use."""
    return torch.get_num_threads() if _fixed_count is None else _fixed_count


@contextmanager
def torch_on_one_thread() -> Iterator[int]:
    """Context in which torch uses one thread and the kernels keep their number of threads, which is yielded.

    A joint step is many small torch operations between kernel calls. After each of them OpenMP's threads wait actively
    and take the cores from the kernels' threads: measured on two busy cores, five times the CPU time.
    """
    global _fixed_count
    outer, torch_count = _fixed_count, torch.get_num_threads()
    _fixed_count = num_threads()
    torch.set_num_threads(1)
    try:
        yield _fixed_count
    finally:
        _fixed_count = outer
        torch.set_num_threads(torch_count)


@contextmanager
def torch_on_all_threads() -> Iterator[None]:
    """Context in which torch uses as many threads as the kernels: for large networks inside `torch_on_one_thread`."""
    outer = torch.get_num_threads()
    torch.set_num_threads(num_threads())
    try:
        yield
    finally:
        torch.set_num_threads(outer)


def run_chunks(count: int, chunk: int, work: Callable[[int, int], None]) -> None:
    """Call work(begin, end) on chunks of the range 0 to count, on this thread and helper threads."""
    chunks = -(-count // chunk) if count > 0 else 0
    numbers = itertools.count()  # next() is atomic, so no two threads take the same chunk

    def drain() -> None:
        while (number := next(numbers)) < chunks:
            work(number * chunk, min(count, (number + 1) * chunk))

    helpers = min(num_threads(), chunks) - 1
    if helpers <= 0:
        return drain()
    futures = [_executor().submit(drain) for _ in range(helpers)]
    try:
        drain()
    finally:
        # A helper that the pool never started finds nothing left to do; one that runs must end before we return.
        running = [future for future in futures if not future.cancel()]
        for future in running:
            future.exception()
    for future in running:
        future.result()


def tasks_per_view(views: int) -> int:
    """Number of pieces into which the work on each view is divided, so that all threads stay busy until the end."""
    threads = num_threads()
    return 1 if threads == 1 else max(1, -(-8 * threads // max(views, 1)))


def _executor() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max_workers=max(1, os.cpu_count() or 1), thread_name_prefix="rasterizer")
        return _pool


def _forget_pool() -> None:
    """Drop the pool in a forked child, which inherits the pool's state but none of its threads."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
