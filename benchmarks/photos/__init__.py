"""Photographs without poses: initial cameras from features, then the whole reconstruction, against a reference.

subsets   which photographs, and the same ones renamed, made smaller and turned
jobs      one case: cameras found, refined, and compared
suite     the cases, the table, the figures for the baseline

The reference is what the initialiser says of ALL photographs of a scene (fox: its own COLMAP poses), so an error of
its own is in every figure. ../shared/data/photos is needed; where it is absent, nothing is measured.
"""
