"""`sparseags demo`: training on a sample scene, compared with the sample's truth."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table
from tyro.conf import Positional

from sparseags_ns.evaluation.cameras import compare_pose_files
from sparseags_ns.geometry.pose_errors import PoseErrors


@dataclass
class Demo:
    """Make a sample scene, refine its rough cameras together with a splat, and compare with the truth."""

    directory: Positional[Path] = Path("demo")
    """Where sample, run and splat go."""
    seed: int = 0
    """Which object: any number gives another one."""
    level: Literal["exact", "dust3r", "raydiff", "outlier1", "outlier2"] = "dust3r"
    """How wrong the initial poses are, by the initialiser whose accuracy they imitate."""
    steps: int | None = None
    """Optimisation steps; the method's default if left out."""

    def run(self) -> None:
        """Make the sample, train, export the splat, print the comparison."""
        from sparseags_ns.sample import SampleConfig, make_sample

        started = time.monotonic()
        sample = self.directory / "sample"
        make_sample(SampleConfig(seed=self.seed, level=self.level), sample, overwrite=True)
        # nerfstudio takes seconds to import: the sample is made before.
        from sparseags_ns.cli.export import Splat
        from sparseags_ns.cli.train import Train
        from sparseags_ns.runs.opening import open_run

        run = Train(sample, self.directory / "runs", name="sample", steps=self.steps, viewer=False).run()
        splat = self.directory / "splat" / "splat.ply"
        Splat(output=splat, overwrite=True).write(open_run(run), splat)
        truth = sample / "gt" / "transforms.json"
        given = compare_pose_files(sample / "cameras.json", truth).poses
        refined = compare_pose_files(run / "sparseags" / "transforms.json", truth).poses
        console = Console(soft_wrap=True)
        console.print(error_table(given, refined))
        console.print(f"Sample:           {sample}")
        console.print(f"Splat:            {splat}")
        console.print(f"The whole job took {time.monotonic() - started:.0f} seconds.")


def error_table(given: PoseErrors, refined: PoseErrors) -> Table:
    """Pose errors of the given and the refined cameras."""
    table = Table(title="Cameras compared with the sample's truth", title_justify="left")
    for column in ("", "given", "refined", "refined / given"):
        table.add_column(column, justify="right" if column else "left")
    before, after = given.summary(), refined.summary()
    key_deg, key_s = "median_rotation_error_deg", "median_center_error"
    for label, unit, a, b in (
        ("median rotation error (pairs)", " deg", before[key_deg], after[key_deg]),
        ("median centre error", " s", before[key_s], after[key_s]),
        ("worst rotation error (view)", " deg", float(given.rotation_deg.max()), float(refined.rotation_deg.max())),
        ("worst centre error", " s", float(given.center.max()), float(refined.center.max())),
    ):
        table.add_row(label, f"{a:.3f}{unit}", f"{b:.3f}{unit}", f"{b / a:.2f}" if a > 1e-6 else "-")
    for key in ("R@5", "R@15", "CC@0.1"):
        table.add_row(key, f"{100 * before[key]:.0f} %", f"{100 * after[key]:.0f} %", "")
    table.caption = "s: distance from the centroid of the true cameras to the farthest of them"
    return table
