"""One case: cameras found from the photographs alone, refined with the splat, both compared with the reference.

Units: degrees; s (see geometry/pose_errors.py) for centres.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import statistics
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from benchmarks.accuracy.jobs import code_version, in_normal_frame
from benchmarks.photos.subsets import WORK, How, Subset
from sparseags_ns.formats.frame import Frame
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.geometry.pose_errors import PoseErrors, pose_errors
from sparseags_ns.metrics.images import psnr
from sparseags_ns.optimization.reconstruct import Reconstruction, reconstruct
from sparseags_ns.optimization.settings import SPARSEAGS
from sparseags_ns.outliers.pose_repair import PoseRepair, repair_poses
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.runs.contact_sheet import contact_sheet, save_image
from sparseags_ns.runs.record import RunRecord
from sparseags_ns.scene.reading import ReadingOptions, ReadScene, read_scene
from sparseags_ns.views import Views

RECORD_VERSION = 2
"""Version of the records' fields; raising it discards older records."""
ROOMS = ("optimization", "pose_search", "outliers", "pose_init", "preprocess", "scene")
"""Rooms whose code the figures depend on."""


@dataclass(frozen=True)
class Case:
    """A subset of photographs, how they are stored, and the length of the reconstruction."""

    subset: Subset
    how: How = "as they are"
    resolution: int = 256
    steps: int | None = None
    """Length of the reconstruction; 0 for initial cameras only, None for the preset's."""

    @property
    def name(self) -> str:
        """Name in tables."""
        return f"{self.subset.scene}, {self.subset.count} {self.how}"

    @property
    def key(self) -> str:
        """Key that is equal for equal case and code."""
        identity = [RECORD_VERSION, asdict(self), [code_version(room) for room in ROOMS]]
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:24]


def run_case(case: Case) -> dict[str, Any]:
    """Run a case; returns the record without its key, ready for JSON."""
    torch.set_num_threads(1)
    started = time.monotonic()
    with contextlib.redirect_stderr(io.StringIO()):  # Announcements of the readers would break the table.
        folder, originals = case.subset.folder(case.how)
        for kept in (*case.subset.store.folder.glob("poses-*"), *case.subset.store.folder.glob("request-*")):
            kept.unlink()  # Cached poses; the time of the mapping is measured.
        options = ReadingOptions(
            masks="none",
            resolution=case.resolution,
            missing_poses="leave-out",
            fix_cameras="none" if case.how == "with poses, refined" else "auto",
            cache_dir=case.subset.store.folder,
        )
        scene = read_scene(folder, options)
        truth = case.subset.reference()
    record = {"case": case.name, "posed": int(scene.views.posed.sum()), "fixed": int(scene.views.fixed.sum())}
    true = [truth.get(originals[name]) for name in scene.views.names]
    known = torch.tensor([frame is not None for frame in true])
    record["before"] = _figures(scene.views.cameras, true, known & scene.views.posed)
    record["seconds_init"] = round(time.monotonic() - started, 1)
    record["cameras"] = _cameras(scene, originals)
    if case.steps == 0:
        return record
    began = time.monotonic()
    result, repair = _reconstruct(case, scene.views)
    record["seconds"] = round(time.monotonic() - began, 1)
    record["after"] = _figures(result.cameras, true, known & result.trusted)
    record["after_same"] = _figures(result.cameras, true, known & result.trusted & scene.views.posed)
    record["trusted"] = int(result.trusted.sum())
    record["pose_repair"] = None if repair is None else repair.record.to_json(scene.views.names)
    record["psnr"] = _contact_sheet(case, scene.views, result)
    return record


def same_cameras(one: Mapping[str, Any], other: Mapping[str, Any]) -> PoseErrors:
    """Differences of the initial cameras of two records, over the photographs that have a pose in both."""
    names = sorted(set(one) & set(other))
    return pose_errors(*(torch.tensor([cameras[name] for name in names]).double() for cameras in (one, other)))


def _reconstruct(case: Case, views: Views) -> tuple[Reconstruction, PoseRepair | None]:
    views = in_normal_frame(views, views.cameras)
    kept: list[PoseRepair] = []

    def repair(fit: Reconstruction) -> Reconstruction:
        kept.append(repair_poses(views, SPARSEAGS, fit))
        return kept[0].reconstruction

    return reconstruct(views, SPARSEAGS, steps=case.steps, repair_poses=repair), kept[0] if kept else None


def _figures(cameras: Cameras, true: list[Frame | None], judged: Bool[Tensor, " views"]) -> dict[str, float]:
    """Median and largest errors of the judged views."""
    index = judged.nonzero().flatten()
    frames = [frame for row in index.tolist() if (frame := true[row]) is not None]
    errors = pose_errors(cameras.T_camera_world[index], torch.stack([frame.T_camera_world for frame in frames]))
    rotation, center = errors.rotation_deg.tolist(), errors.center.tolist()
    return {
        "views": len(frames),
        "rotation_deg": statistics.median(rotation),
        "worst_rotation_deg": max(rotation),
        "center": statistics.median(center),
        "worst_center": max(center),
    }


def _cameras(scene: ReadScene, originals: Mapping[str, str]) -> dict[str, list[list[float]]]:
    """Initial `T_camera_world` by the photographs' original names."""
    poses: Float[Tensor, "views 4 4"] = scene.views.cameras.T_camera_world
    posed = scene.views.posed.tolist()
    return {originals[name]: poses[row].tolist() for row, name in enumerate(scene.views.names) if posed[row]}


def _contact_sheet(case: Case, views: Views, result: Reconstruction) -> float:
    """Save photographs above renders; returns the mean PSNR of the trusted views."""
    renders = rasterize(result.gaussians, result.cameras, torch.ones(3), sh_degree=result.sh_degree).rgb.clamp(0, 1)
    figures = [float(psnr(renders[i : i + 1], views.images[i : i + 1])) for i in range(len(views))]
    labels = [f"{name}  {figure:.1f} dB" for name, figure in zip(views.names, figures, strict=True)]
    statuses = RunRecord(views.names).statuses(result.trusted.tolist(), views.posed.tolist())
    sheet = contact_sheet(views.images, renders, labels, statuses)
    save_image(sheet, WORK / f"{case.name.replace(', ', '-').replace(' ', '_')}-{case.resolution}.png")
    return statistics.fmean(f for f, trusted in zip(figures, result.trusted.tolist(), strict=True) if trusted)
