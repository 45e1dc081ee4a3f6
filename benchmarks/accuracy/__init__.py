"""Pose refinement measured on scenes whose truth is known.

    python -m benchmarks accuracy                # everything; hours; goes on where it was interrupted
    python -m benchmarks accuracy --quick        # under two minutes
    python -m benchmarks accuracy --families synthetic --levels dust3r --presets sparseags   # a part
    python -m benchmarks accuracy --families sample --ablation dark settings.background_color=black

options     the command's own options
scenes      scenes with known truth: ../shared/data where it is present, and rendered samples
recipes     presets, and ablations as overrides of their fields
jobs        one scene with one recipe: its key, its record
store       finished jobs on disk
pool        jobs in parallel processes, one thread each
selection   which jobs the options ask for
outliers    what the outlier search found, missed and falsely moved
regularity  silhouettes, Gaussians beside the object, needles
tables      means, spreads, published figures
plots       errors before against after, view by view
suite       the interface of the registry of benchmarks
"""
