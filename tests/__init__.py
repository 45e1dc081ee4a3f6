"""Tests; a package, so that none of another project's is taken in its place by `python -m tests.faults`."""
