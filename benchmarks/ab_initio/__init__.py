"""Cameras from photographs alone, measured on samples whose truth is known: how often right, how honest, how fast.

    python -m benchmarks ab-initio                       # all lines; hours; goes on where it was interrupted
    python -m benchmarks ab-initio --quick               # a handful of cases
    python -m benchmarks ab-initio --lines shuffled-8 --seeds 0      # a part
    python -m benchmarks ab-initio --whole-runs 0.25     # also the whole optimisation, on a quarter of the scenes
    python -m benchmarks ab-initio --finished            # the report of what is there so far

options     the command's own options
cases       the lines: ways in which photographs are taken, and bad inputs; their scenes
jobs        one case: its key, its photographs, its record of figures
report      successes and their interval, calibration, tables, the reliability plot
suite       the interface of the registry of benchmarks
"""
