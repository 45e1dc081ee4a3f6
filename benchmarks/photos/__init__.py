"""Photographs without poses: initial cameras from features, then the whole reconstruction, against a reference.

subsets   subsets of photographs, as they are or renamed, made smaller and rotated
jobs      one case: cameras found, refined, and compared
suite     the cases, the table, the figures for the baseline

The reference is the initialiser's estimate from ALL photographs of a scene (fox: its own COLMAP poses), so every figure
contains the error of that estimate. Without ../shared/data/photos nothing is measured.
"""
