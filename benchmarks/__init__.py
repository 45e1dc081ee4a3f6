"""Suites of figures that must not get worse, each compared with a committed baseline.

    python -m benchmarks                        # all suites: table, plots, non-zero exit outside a tolerance
    python -m benchmarks rasterizer --quick     # one suite, its short form
    python -m benchmarks rasterizer --update    # accept today's figures as the baseline

A suite is a module in this package with `run(quick) -> list[Metric]` and `plot(metrics, folder) -> list[Path]`; add
its name to `SUITES` in `__main__`.
"""
