"""A job of the benchmark, one scene with one recipe: its key and its record of figures.

Units: degrees; s (see geometry/pose_errors.py) for centres; dB.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import io
import json
import time
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch

from benchmarks.accuracy.recipes import Recipe
from benchmarks.accuracy.regularity import measure_regularity
from benchmarks.accuracy.scenes import REPO, LoadedScene, Scene, load_scene
from sparseags_ns.evaluation.cameras import CameraErrors, focal_ratio
from sparseags_ns.evaluation.held_out import novel_view_errors
from sparseags_ns.geometry.alignment import normalizing_similarity
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.geometry.pose_errors import pose_errors
from sparseags_ns.metrics.images import PerceptualError, dssim
from sparseags_ns.optimization.reconstruct import Reconstruction, reconstruct
from sparseags_ns.outliers.pose_repair import PoseRepair, repair_poses
from sparseags_ns.views import Views

RECORD_VERSION = 5
"""Version of the records' fields; raising it discards older records."""

PRIOR = ("prior.py", "novel_views.py")
"""Files of `optimization/` that take no part in `reconstruct`."""

Poses = Literal["refined", "frozen", "true"]
"""refined: given poses, refined; frozen: given poses as they are; true: true poses and intrinsics as they are."""


@dataclass(frozen=True)
class Job:
    """A scene, a recipe, and the kind of poses to reconstruct it with."""

    scene: Scene
    recipe: Recipe
    poses: Poses = "refined"
    steps: int | None = None

    @property
    def repairs_poses(self) -> bool:
        """Whether other starts or the outlier search take part."""
        return self.poses == "refined" and self.recipe.preset.settings.repairs_poses

    @property
    def key(self) -> str:
        """Key that is equal for equal scene, settings and code; the recipe's name does not count."""
        identity = {
            "version": RECORD_VERSION,
            "scene": asdict(self.scene),
            "preset": asdict(self.recipe.preset),
            "poses": self.poses,
            "steps": self.steps,
            "optimization": code_version("optimization"),
            "outliers": [code_version(room) for room in ("pose_search", "outliers") if self.repairs_poses],
            "sample": code_version("sample") if self.scene.is_sample else "",
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:24]


@cache
def code_version(room: str) -> str:
    """Hash of a room's code; comments, docstrings and the diffusion prior do not count."""
    digest = hashlib.sha256()
    paths = sorted((REPO / "sparseags_ns" / room).rglob("*.py"))
    if not paths:
        raise FileNotFoundError(f"there is no room {room!r} in sparseags_ns")
    for path in paths:
        if path.name in PRIOR:
            continue
        digest.update(f"{path.relative_to(REPO)}\n{_bare_code(path)}\n".encode())
    return digest.hexdigest()[:16]


def _bare_code(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [s for s in body if not _is_text(s)]  # pyright: ignore[reportAttributeAccessIssue]
    return ast.dump(tree)


def _is_text(statement: ast.AST) -> bool:
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
        return False
    return isinstance(statement.value.value, str)


def run_job(job: Job) -> dict[str, Any]:
    """Reconstruct a scene and compare with the truth; returns the record without its key, ready for JSON."""
    torch.set_num_threads(1)
    with contextlib.redirect_stderr(io.StringIO()):  # Announcements of the readers would break the progress bar.
        scene = load_scene(job.scene, code_version("sample"))
    start = scene.true if job.poses == "true" else scene.views.cameras
    began, cpu = time.monotonic(), time.process_time()
    result, repair, repair_seconds = _reconstruct(job, in_normal_frame(scene.views, start))
    seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu
    before, after = (_errors(scene, cameras) for cameras in (start, result.cameras))
    return {
        "scene": asdict(job.scene),
        "recipe": job.recipe.name,
        "poses": job.poses,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "pose_repair_cpu_seconds": round(repair_seconds, 2),
        "method_seed": job.recipe.preset.settings.seed,
        "gaussians": len(result.gaussians.means),
        "before": before.summary(),
        "after": after.summary(),
        "views": {"before": _rounded(before), "after": _rounded(after)},
        "novel": _novel(scene, result, after),
        "regularity": _regularity(scene, result, after),
        "trusted": result.trusted.tolist(),
        "pose_repair": None if repair is None else repair.record.to_json(scene.views.names),
    }


def _reconstruct(job: Job, views: Views) -> tuple[Reconstruction, PoseRepair | None, float]:
    """Reconstruct as ns-train does; returns CPU seconds of start selection and outlier repair too.

    Frozen and true poses are neither refined nor searched.
    """
    if not job.repairs_poses:
        refine = job.poses == "refined"
        return reconstruct(views, job.recipe.preset, steps=job.steps, refine_poses=refine), None, 0.0
    kept: list[tuple[PoseRepair, float]] = []

    def repair_fit(fit: Reconstruction) -> Reconstruction:
        begun = time.process_time()
        steps = job.recipe.preset.steps if job.steps is None else job.steps
        repair = repair_poses(views, replace(job.recipe.preset, steps=steps), fit)
        kept.append((repair, time.process_time() - begun))
        return repair.reconstruction

    result = reconstruct(views, job.recipe.preset, steps=job.steps, repair_poses=repair_fit)
    repair, seconds = kept[0] if kept else (None, 0.0)
    return result, repair, seconds


def in_normal_frame(views: Views, cameras: Cameras) -> Views:
    """Views with these cameras, in float32 and in the normalised world, as `reconstruct` expects them."""
    points = views.points if cameras is views.cameras else None  # Points belong to the cameras they came with.
    posed = replace(views, cameras=cameras, points=points)
    return posed.moved(normalizing_similarity(cameras.T_camera_world)).to(torch.float32)


def _errors(scene: LoadedScene, cameras: Cameras) -> CameraErrors:
    poses = pose_errors(cameras.T_camera_world, scene.true.T_camera_world)
    return CameraErrors(scene.views.names, poses, focal_ratio(cameras.K, scene.true.K))


def _rounded(errors: CameraErrors) -> dict[str, list[float]]:
    columns = {"rotation_deg": errors.poses.rotation_deg, "center": errors.poses.center, "focal": errors.focal_ratio}
    return {name: [round(v, 5) for v in values.tolist()] for name, values in columns.items() if values is not None}


def _novel(scene: LoadedScene, result: Reconstruction, errors: CameraErrors) -> dict[str, float] | None:
    """PSNR and SSIM of the held-out views; None if there are none."""
    if scene.held_out is None:
        return None
    stand_in = PerceptualError("dssim", dssim)
    alignment = errors.poses.alignment
    novel = novel_view_errors(result.gaussians, scene.held_out, alignment, stand_in, sh_degree=result.sh_degree)
    return {"psnr": float(novel.psnr.mean()), "ssim": float(novel.ssim.mean())}


def _regularity(scene: LoadedScene, result: Reconstruction, errors: CameraErrors) -> dict[str, float | None]:
    """Figures of regularity by name, rounded."""
    views = replace(scene.views, cameras=result.cameras)
    found = measure_regularity(result.gaussians, views, scene.true, scene.held_out, errors.poses.alignment)
    return {name: None if value is None else round(value, 5) for name, value in found.summary().items()}
