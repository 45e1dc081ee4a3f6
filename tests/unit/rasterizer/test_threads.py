"""Threads of the CPU kernels."""

from __future__ import annotations

import threading

import pytest
import torch

from sparseags_ns.rasterizer.threads import num_threads, run_chunks, torch_on_all_threads, torch_on_one_thread


@pytest.fixture(autouse=True)
def two_threads() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_kernels_follow_torch() -> None:
    assert num_threads() == 2


def test_torch_keeps_to_one_thread_while_the_kernels_keep_theirs() -> None:
    with torch_on_one_thread() as count:
        assert (count, num_threads(), torch.get_num_threads()) == (2, 2, 1)
        with torch_on_one_thread() as inner:
            assert (inner, num_threads()) == (2, 2)
        assert (num_threads(), torch.get_num_threads()) == (2, 1)
    assert (num_threads(), torch.get_num_threads()) == (2, 2)


def test_large_networks_get_all_threads_inside() -> None:
    with torch_on_one_thread():
        with torch_on_all_threads():
            assert (num_threads(), torch.get_num_threads()) == (2, 2)
        assert (num_threads(), torch.get_num_threads()) == (2, 1)


def test_torch_gets_its_threads_back_after_an_error() -> None:
    with pytest.raises(RuntimeError, match="inside"), torch_on_one_thread():
        raise RuntimeError("inside")
    assert (num_threads(), torch.get_num_threads()) == (2, 2)


def test_every_chunk_is_done_once_by_two_threads() -> None:
    done, workers, both = [], set(), threading.Barrier(2, timeout=10)

    def work(begin: int, end: int) -> None:
        if begin in (0, 3):
            both.wait()  # The first two chunks wait for each other: one thread alone would never pass.
        workers.add(threading.get_ident())
        done.append((begin, end))

    with torch_on_one_thread():
        run_chunks(10, 3, work)
    assert sorted(done) == [(0, 3), (3, 6), (6, 9), (9, 10)] and len(workers) == 2


def test_an_error_in_a_chunk_reaches_the_caller() -> None:
    def work(begin: int, _end: int) -> None:
        if begin == 4:
            raise ValueError("chunk 4")

    with pytest.raises(ValueError, match="chunk 4"):
        run_chunks(8, 1, work)
