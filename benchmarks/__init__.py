"""Suites of figures that must not get worse, each compared with a committed baseline.

    python -m benchmarks                        # all suites, long ones in short form: table, plots, exit code 1 outside
                                                # a tolerance; some minutes
    python -m benchmarks accuracy               # the whole of a long one; resumable; about an hour
    python -m benchmarks rasterizer --quick     # one suite, its short form
    python -m benchmarks rasterizer --update    # accept today's figures as the baseline

A suite is a module in this package with `run(quick) -> list[Metric]` and `plot(metrics, folder) -> list[Path]`; or,
where it takes options of its own, with `suite(options)` that returns an object with these two. Add it to `SUITES` in
`__main__`.
"""

import os

# Before torch is imported: OpenMP threads that spin while they wait would count in a benchmark on one thread.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
