"""`sparseags demo`: training on a sample scene, compared with the sample's truth."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from rich.table import Table
from tyro.conf import Positional

from sparseags_ns.console import PlainConsole
from sparseags_ns.evaluation.cameras import compare_pose_files, frames_by_photograph
from sparseags_ns.geometry.pose_errors import PoseErrors, pose_errors
from sparseags_ns.runs.opening import OpenedRun, open_run
from sparseags_ns.storage import require_place


@dataclass
class Demo:
    """Find cameras and a splat from photographs of a sample object alone, and compare with the truth.

    The photographs are named in the order of a walk around it, and nothing is told about poses or focal length.
    With --level the walk is left out, and training starts from given rough poses.
    """

    directory: Positional[Path] = Path("demo")
    """Where sample, run and splat go."""
    seed: int = 0
    """Which object: any number gives another one."""
    level: Literal["none", "exact", "dust3r", "raydiff", "outlier1", "outlier2"] = "none"
    """Initial poses that are given: none, or how wrong they are, by the initialiser whose accuracy they imitate."""
    steps: int | None = None
    """Optimisation steps; the method's default if left out."""
    photographs: int = 8
    """Number of photographs."""
    size: int = 256
    """Side of the photographs in pixels."""
    pose_init_uncertain: Literal["refuse", "allow"] = "refuse"
    """Whether to train on cameras of which ab-initio is not sure."""

    def run(self) -> None:
        """Make the sample, train, export the splat, print the comparison."""
        from sparseags_ns.sample import SampleConfig, make_sample

        require_place(self.directory, folder=True)
        started = time.monotonic()
        sample = self.directory / "sample"
        shape = SampleConfig(seed=self.seed, num_views=self.photographs, size=self.size)
        if self.level == "none":
            # Asked for by name, so that the demo does not depend on what else is installed.
            config, pose_init = replace(shape, capture="walk", bare=True), "ab-initio"
        else:
            config, pose_init = replace(shape, level=self.level), "files"
        make_sample(config, sample, overwrite=True)
        # nerfstudio takes seconds to import: the sample is made before.
        from sparseags_ns.cli.export import Splat
        from sparseags_ns.cli.train import Train

        train = Train(
            sample,
            self.directory / "runs",
            name="sample",
            pose_init=pose_init,
            pose_init_uncertain=self.pose_init_uncertain,
            steps=self.steps,
            viewer=False,
        )
        run = open_run(train.run())
        splat = self.directory / "splat" / "splat.ply"
        Splat(output=splat, overwrite=True).write(run, splat)
        truth = sample / "gt" / "transforms.json"
        refined = compare_pose_files(run.outputs / "transforms.json", truth).poses
        console = PlainConsole()
        console.print(error_table(start_errors(run, truth), refined, "given" if pose_init == "files" else pose_init))
        console.print(f"Sample:           {sample}")
        console.print(f"Splat:            {splat}")
        console.print(f"The whole job took {time.monotonic() - started:.0f} seconds.")


def start_errors(run: OpenedRun, truth: Path) -> PoseErrors:
    """Errors of the cameras that a run started from, of the views that had one."""
    true = frames_by_photograph(truth)
    posed = [k for k, view in enumerate(run.outcome.views) if view.posed]
    poses = torch.stack([true[run.views.names[k]].T_camera_world for k in posed])
    return pose_errors(run.initial.T_camera_world[posed].to(poses), poses)


def error_table(start: PoseErrors, refined: PoseErrors, start_name: str) -> Table:
    """Pose errors of the cameras at the start, under a name of theirs, and of the refined ones."""
    table = Table(title="Cameras compared with the sample's truth", title_justify="left")
    for column in ("", start_name, "refined", f"refined / {start_name}"):
        table.add_column(column, justify="right" if column else "left")
    before, after = start.summary(), refined.summary()
    key_deg, key_s = "median_rotation_error_deg", "median_center_error"
    for label, unit, a, b in (
        ("median rotation error (pairs)", " deg", before[key_deg], after[key_deg]),
        ("median centre error", " s", before[key_s], after[key_s]),
        ("worst rotation error (view)", " deg", float(start.rotation_deg.max()), float(refined.rotation_deg.max())),
        ("worst centre error", " s", float(start.center.max()), float(refined.center.max())),
    ):
        table.add_row(label, f"{a:.3f}{unit}", f"{b:.3f}{unit}", f"{b / a:.2f}" if a > 1e-6 else "-")
    for key in ("R@5", "R@15", "CC@0.1"):
        table.add_row(key, f"{100 * before[key]:.0f} %", f"{100 * after[key]:.0f} %", "")
    table.caption = "s: distance from the centroid of the true cameras to the farthest of them"
    return table
