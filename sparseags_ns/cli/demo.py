"""`sparseags demo`: the main job on a sample scene, judged against the sample's truth."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table
from tyro.conf import Positional

from sparseags_ns.evaluation import compare_pose_files
from sparseags_ns.geometry.pose_errors import PoseErrors


@dataclass
class Demo:
    """Make a sample scene, refine its rough cameras together with a splat, and compare with the truth."""

    directory: Positional[Path] = Path("demo")
    """Where sample, run and splat go."""
    seed: int = 0
    """Which object: any number gives another one."""
    level: Literal["exact", "dust3r", "raydiff", "outlier1", "outlier2"] = "dust3r"
    """How wrong the initial poses are, by the estimator whose accuracy they imitate."""
    steps: int | None = None
    """Optimisation steps; the method's default if left out."""

    def run(self) -> None:
        """Run the demo."""
        from sparseags_ns.sample import SampleConfig, make_sample

        started = time.monotonic()
        sample = self.directory / "sample"
        make_sample(SampleConfig(seed=self.seed, level=self.level), sample, overwrite=True)
        # nerfstudio takes ten seconds to import: the work starts before.
        from sparseags_ns.plugin.training import export_splat, train

        config = train(sample, self.directory / "runs", experiment="sample", steps=self.steps)
        run = config.get_base_dir()
        splat = export_splat(run / "config.yml", self.directory / "splat")
        given = compare_pose_files(sample / "cameras.json", sample / "gt" / "transforms.json").poses
        refined = compare_pose_files(run / "sparseags" / "transforms.json", sample / "gt" / "transforms.json").poses
        console = Console(soft_wrap=True)
        console.print(error_table(given, refined))
        _print_places(console, sample, run, splat)
        console.print(f"The whole job took {time.monotonic() - started:.0f} seconds.")


def error_table(given: PoseErrors, refined: PoseErrors) -> Table:
    """Pose errors before and after, against the truth."""
    table = Table(title="Cameras against the sample's truth", title_justify="left")
    for column in ("", "given", "refined", "refined / given"):
        table.add_column(column, justify="left" if not column else "right")
    before, after = given.summary(), refined.summary()
    for label, key, unit in (
        ("median rotation error (pairs)", "median_rotation_error_deg", " deg"),
        ("median centre error", "median_center_error", " s"),
    ):
        table.add_row(label, f"{before[key]:.3f}{unit}", f"{after[key]:.3f}{unit}", _ratio(before[key], after[key]))
    for label, of in (
        ("worst rotation error (view)", lambda errors: errors.rotation_deg.max()),
        ("worst centre error", lambda errors: errors.center.max()),
    ):
        a, b = float(of(given)), float(of(refined))
        table.add_row(label, f"{a:.3f}", f"{b:.3f}", _ratio(a, b))
    for key in ("R@5", "R@15", "CC@0.1"):
        table.add_row(key, f"{100 * before[key]:.0f} %", f"{100 * after[key]:.0f} %", "")
    table.caption = "s: distance from the middle of the true cameras to the farthest of them"
    return table


def _ratio(before: float, after: float) -> str:
    return f"{after / before:.2f}" if before > 1e-6 else "-"


def _print_places(console: Console, sample: Path, run: Path, splat: Path) -> None:
    outputs = run / "sparseags"
    untrusted = [v["name"] for v in json.loads((outputs / "summary.json").read_text())["views"] if not v["trusted"]]
    console.print(f"Photographs:      {sample / 'images'}")
    console.print(f"Splat:            {splat}")
    console.print(f"Refined cameras:  {outputs / 'transforms.json'}  (and cameras.json)")
    console.print(f"Picture:          {outputs / 'views.png'}")
    if (outputs / "report.html").is_file():
        console.print(f"Report:           {outputs / 'report.html'}  (open it in a browser)")
    console.print(f"Look at it:       ns-viewer --load-config {run / 'config.yml'}")
    if untrusted:
        console.print(f"Not trusted:      {', '.join(untrusted)}")
