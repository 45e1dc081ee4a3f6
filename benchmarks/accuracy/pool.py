"""Jobs in parallel processes of one thread each, with a progress bar; finished jobs are not repeated."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.accuracy.jobs import Job
from benchmarks.accuracy.store import Record, Store

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def run_jobs(jobs: Sequence[Job], store: Store, work: Callable[[Job], Record], processes: int) -> list[Record]:
    """Records of the jobs, in their order; jobs that failed are reported and left out.

    Args:
        jobs: jobs to run.
        store: finished jobs.
        work: makes the record of a job without its key; a module's function, since it runs in other processes.
        processes: number of jobs at a time.
    """
    # Keys are taken from the code as it is now, which is what the processes are about to load; it may change later.
    keys = [job.key for job in jobs]
    pending = {key: job for key, job in zip(keys, jobs, strict=True) if key not in store.records}
    print(f"{len(jobs)} jobs, of which {len(jobs) - len(pending)} are done", file=sys.stderr)
    if pending:
        _run(pending, store, work, processes)
    found = [(job, store.records.get(key)) for key, job in zip(keys, jobs, strict=True)]
    # The recipe's name is no part of the key: two names may stand for the same settings.
    return [{**record, "recipe": job.recipe.name} for job, record in found if record is not None]


def _run(jobs: Mapping[str, Job], store: Store, work: Callable[[Job], Record], processes: int) -> None:
    os.environ.update({name: "1" for name in THREADS})  # Read when a new process loads torch.
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True, soft_wrap=True)
    executor = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        futures = {executor.submit(work, job): (key, job) for key, job in jobs.items()}
        with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
            task = bar.add_task("scenes", total=len(futures))
            for future in as_completed(futures):
                _collect(future, *futures[future], store, console)
                bar.advance(task)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _collect(future: Future[Record], key: str, job: Job, store: Store, console: Console) -> None:
    scene = job.scene
    title = f"{scene.group} {scene.name} {scene.level} {job.recipe.name} {job.poses}"
    try:
        record = {"key": key, **future.result()}
    except Exception as error:
        # One failure must not lose the other records; the job is tried again in the next run.
        console.print(f"[red]failed: {title}: {type(error).__name__}: {error}")
        return
    store.add(record)
    before, after = record["before"], record["after"]
    console.print(
        f"{title}: R@5 {100 * before['R@5']:.0f} -> {100 * after['R@5']:.0f}, median "
        f"{before['median_rotation_error_deg']:.2f} -> {after['median_rotation_error_deg']:.2f} deg, "
        f"{record['seconds']:.0f} s",
        highlight=False,
    )
