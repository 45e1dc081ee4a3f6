"""`sparseags eval`: refined cameras, and the splat of a run, compared with the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.table import Table
from tyro.conf import Positional

from sparseags_ns.console import PlainConsole, announce
from sparseags_ns.evaluation.cameras import CameraErrors, compare_pose_files
from sparseags_ns.evaluation.held_out import NovelViewErrors, novel_view_errors, read_held_out
from sparseags_ns.metrics.images import perceptual_error
from sparseags_ns.pose_init.files import POSE_FILES
from sparseags_ns.runs.checkpoint import CHECKPOINTS
from sparseags_ns.runs.opening import CONFIG, OpenedRun, open_run
from sparseags_ns.runs.outputs import FOLDER
from sparseags_ns.storage import require_place, write_json

TRUE_CAMERAS = Path("gt") / "transforms.json"
RATES = ("R@5", "R@15", "CC@0.1")


class EvaluationError(ValueError):
    """Files that cannot be compared, or an output that must not be replaced."""


@dataclass
class Eval:
    """Compare refined cameras, and the novel views of a run, with the truth."""

    predicted: Positional[Path]
    """A run's folder (the one with config.yml), or a transforms.json or cameras.json."""
    truth: Positional[Path]
    """A scene with gt/transforms.json, or a transforms.json or cameras.json. Views are matched by the photographs'
    names; novel views need the scene's gt/transforms_test.json and test_images/."""
    given: Path | None = None
    """Cameras that the run began with; their errors are shown beside those of the refined ones."""
    output: Path | None = None
    """JSON file for all figures."""
    overwrite: bool = False
    """Replace the output file if it exists."""

    def run(self) -> None:
        """Compare, write the figures, print the tables."""
        output = None if self.output is None else require_place(self.output, folder=False)
        if output is not None and output.exists() and not self.overwrite:
            raise EvaluationError(f"{output} exists already: name another --output, or add --overwrite to replace it")
        # First, since it mends cameras of another save than the splat's.
        opened = open_run(self.predicted, "cuda" if torch.cuda.is_available() else "cpu") if self._is_run else None
        pose_file = predicted_file(self.predicted)
        expected_truth = f"a scene with {TRUE_CAMERAS}, a transforms.json or a cameras.json"
        true_file = _file_in(self.truth, (str(TRUE_CAMERAS),), expected_truth)
        errors = compare_pose_files(pose_file, true_file)
        given = None if self.given is None else compare_pose_files(predicted_file(self.given), true_file)
        novel = self._novel_views(true_file, errors, opened)
        if output is not None:
            write_json(output, report(pose_file, true_file, errors, given, novel))
        console = PlainConsole()
        console.print(camera_table({"refined": errors} if given is None else {"given": given, "refined": errors}))
        if novel is not None:
            console.print(novel_view_table(novel))

    @property
    def _is_run(self) -> bool:
        return (self.predicted / CONFIG).is_file() and (self.predicted / CHECKPOINTS).is_dir()

    def _novel_views(self, true_file: Path, errors: CameraErrors, opened: OpenedRun | None) -> NovelViewErrors | None:
        """Errors of the run's splat on the scene's held-out photographs, None where either is missing."""
        if opened is None:
            announce("novel views are not compared", f"{self.predicted} is no run's folder, so there is no splat")
            return None
        scene = true_file.parent.parent if true_file.parent.name == TRUE_CAMERAS.parent.name else true_file.parent
        held_out = read_held_out(scene)
        if held_out is None:
            return None
        splat, perceptual = opened.gaussians, perceptual_error()
        return novel_view_errors(splat, held_out, errors.poses.alignment, perceptual, sh_degree=opened.sh_degree)


def predicted_file(path: Path) -> Path:
    """The pose file at a path, or in the run's or other folder at that path."""
    names = (f"{FOLDER}/transforms.json", *POSE_FILES)
    return _file_in(path, names, "a run's folder, a transforms.json or a cameras.json")


def _file_in(path: Path, names: tuple[str, ...], expected: str) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise EvaluationError(f"no such file or folder: {path}; expected {expected}")
    for name in names:
        if (path / name).is_file():
            return path / name
    raise EvaluationError(f"{path} holds neither of {', '.join(names)}; expected {expected}")


def report(
    predicted: Path, truth: Path, errors: CameraErrors, given: CameraErrors | None, novel: NovelViewErrors | None
) -> dict[str, Any]:
    """The content of the output file."""
    content: dict[str, Any] = {
        "predicted": str(predicted),
        "truth": str(truth),
        "units": "rotation errors in degrees (of a view: the median over its pairs); centre errors after a similarity "
        "fit, in distances from the centroid of the true centres to the farthest of them; focal errors |log(f/f_true)|",
        "cameras": errors.summary(),
        "views": errors.views(),
    }
    if given is not None:
        content["given"] = {"cameras": given.summary(), "views": given.views()}
    if novel is not None:
        content["novel_views"] = {**novel.summary(), "perceptual": novel.perceptual_name, "views": novel.views()}
    return content


def camera_table(sets: dict[str, CameraErrors]) -> Table:
    """Errors of one or more sets of cameras of the same scene side by side: summary, then view by view."""
    table = Table(title="Cameras against the truth", title_justify="left")
    for column in ("", *sets):
        table.add_column(column, justify="right" if column else "left")
    summaries = [errors.summary() for errors in sets.values()]
    for rate in RATES:
        table.add_row(rate, *(f"{100 * summary[rate]:.1f} %" for summary in summaries))
    for label, key, view, unit in (
        ("median rotation error (pairs)", "median_rotation_error_deg", None, " deg"),
        ("median centre error", "median_center_error", None, " s"),
        ("worst rotation error (view)", "worst_rotation_error_deg", "worst_rotation_view", " deg"),
        ("worst centre error (view)", "worst_center_error", "worst_center_view", " s"),
    ):
        cells = (f"{summary[key]:.3f}{unit}" + (f" ({summary[view]})" if view else "") for summary in summaries)
        table.add_row(label, *cells)
    focals = [summary.get("median_focal_error") for summary in summaries]
    table.add_row("median focal error", *("-" if focal is None else f"{100 * focal:.2f} %" for focal in focals))
    table.add_section()
    for name in dict.fromkeys(name for errors in sets.values() for name in errors.names):
        cells = []
        for errors in sets.values():
            view = errors.names.index(name) if name in errors.names else None
            rotation, center = errors.poses.rotation_deg, errors.poses.center
            cells.append("-" if view is None else f"{float(rotation[view]):.3f} deg  {float(center[view]):.3f} s")
        table.add_row(f"view {name}", *cells)
    table.caption = "s: distance from the centroid of the true cameras to the farthest of them"
    return table


def novel_view_table(novel: NovelViewErrors) -> Table:
    """Errors on each held-out photograph, and their mean."""
    name = novel.perceptual_name
    table = Table(title="Novel views against held-out photographs, over white", title_justify="left")
    for column in ("", "PSNR", "SSIM", name.upper()):
        table.add_column(column, justify="right" if column else "left")
    for row in [*novel.views(), {"name": "mean", **novel.summary()}]:
        table.add_row(str(row["name"]), f"{row['psnr']:.2f} dB", f"{row['ssim']:.4f}", f"{row[name]:.4f}")
    if name != "lpips":
        table.caption = f"{name.upper()} stands in for LPIPS, whose weights are not on this machine"
    return table
