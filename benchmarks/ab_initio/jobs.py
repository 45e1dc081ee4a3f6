"""One case: photographs are made, the initialiser arranges them, its answer is compared with the truth.

Rates are shares of all pairs (R) or views (CC) of the photographs that show the object; those that the answer leaves
out count as wrong. Units: degrees; losses as in pose_init/ab_initio/refinement.py, mean over the views.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.ab_initio.cases import EASY, Case
from benchmarks.accuracy.jobs import code_version, in_normal_frame
from benchmarks.accuracy.scenes import REPO
from benchmarks.accuracy.store import Record
from sparseags_ns.evaluation.cameras import CameraErrors, focal_ratio, frames_by_photograph
from sparseags_ns.formats.frame import Frame
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.geometry.alignment import AlignmentError
from sparseags_ns.geometry.pose_errors import pose_errors
from sparseags_ns.optimization.reconstruct import Reconstruction, reconstruct
from sparseags_ns.optimization.settings import SPARSEAGS
from sparseags_ns.outliers.pose_repair import repair_poses
from sparseags_ns.pose_init.ab_initio.ab_initio import AbInitio
from sparseags_ns.pose_init.ab_initio.refinement import Refined
from sparseags_ns.pose_init.base import InitialPoses, PoseInitError
from sparseags_ns.preprocess.photo_files import list_photo_files
from sparseags_ns.preprocess.store import Store
from sparseags_ns.sample import make_sample
from sparseags_ns.scene.reading import ReadingOptions, read_scene

RECORD_VERSION = 1
"""Version of the records' fields; raising it discards older records."""
WORK = REPO / "outputs" / "benchmarks" / "ab_initio"
"""Folder of the photographs that were made."""
ROOMS = ("pose_init/ab_initio", "optimization", "pose_search", "sample")
"""Rooms whose code the answers depend on."""


@dataclass(frozen=True)
class _Recorded(AbInitio):
    """The initialiser, which also tells what it decided between."""

    found: list[Refined] = field(default_factory=list, compare=False, repr=False)

    def solve(self, *args: Any, **kwargs: Any) -> list[Refined]:
        self.found[:] = super().solve(*args, **kwargs)
        return list(self.found)


def case_key(case: Case) -> str:
    """Key that is equal for equal case and code."""
    identity = [RECORD_VERSION, asdict(replace(case, whole=False)), [code_version(room) for room in ROOMS]]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:24]


def whole_key(case: Case) -> str:
    """Key of the record of the case's whole run."""
    return f"{case_key(case)}-whole-{code_version('outliers')}"


def run_case(case: Case) -> Record:
    """Run the initialiser on a case's photographs; returns the record with the key of the code that ran."""
    key = case_key(case)
    with contextlib.redirect_stderr(io.StringIO()):  # Announcements would break the table.
        folder = photographs(case)
    files = list_photo_files(folder / "images")
    record: Record = {"key": key, "line": case.line, "title": case.title, "config": asdict(case.config)}
    record |= {"photographs": len(files), "refused": None, "doubt": None, "figures": None}
    with tempfile.TemporaryDirectory() as cache, contextlib.redirect_stderr(io.StringIO()):
        # The cache is new, so that the time of the search is measured.
        initialiser, initial = _Recorded(store=Store(Path(cache)), scene=folder), None
        began, cpu = time.monotonic(), time.process_time()
        try:
            initial = initialiser.estimate(files)
        except PoseInitError as error:
            record["refused"] = str(error)
        record |= {"seconds": round(time.monotonic() - began, 1)}
        record |= {"cpu_seconds": round(time.process_time() - cpu, 1)}
    if initial is not None:
        record |= _answer(case, folder, initial, initialiser.found)
    return record


def run_whole(case: Case, record: Record) -> Record:
    """Optimise a case to the end from the cameras in its record, as ns-train does; returns a record with its key."""
    key = whole_key(case)
    with tempfile.TemporaryDirectory() as cache, contextlib.redirect_stderr(io.StringIO()):
        folder, poses = photographs(case), Path(cache) / "transforms.json"
        write_transforms_json(poses, [_frame(entry) for entry in record["cameras"] if entry])
        options = ReadingOptions(poses=poses, missing_poses="leave-out", cache_dir=Path(cache))
        views = read_scene(folder, options).views
        views = in_normal_frame(views, views.cameras)
        began = time.monotonic()

        def repair(fit: Reconstruction) -> Reconstruction:
            return repair_poses(views, SPARSEAGS, fit).reconstruction

        result = reconstruct(views, SPARSEAGS, repair_poses=repair)
        seconds = round(time.monotonic() - began, 1)
    rows = zip(views.names, result.cameras.T_camera_world, result.cameras.K, result.trusted.tolist(), strict=True)
    frames = [Frame(name, name, T, K, 1, 1) for name, T, K, trusted in rows if trusted]
    return {"key": key, "figures": figures(frames, _truth(folder)), "seconds": seconds}


def photographs(case: Case) -> Path:
    """Folder of the case's photographs (`images/`) and their truth (`gt/`), made first if needed."""
    identity = json.dumps([asdict(case.config), case.input, code_version("sample")], sort_keys=True)
    folder = WORK / hashlib.sha256(identity.encode()).hexdigest()[:20]
    if not folder.is_dir():
        WORK.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=WORK) as part:
            made = Path(part) / "scene"
            make_sample(case.config, made)
            _spoil(case, made, Path(part) / "other")
            made.rename(folder)
    return folder


def _spoil(case: Case, scene: Path, spare: Path) -> None:
    """Turn a sample into the case's input; `spare` is the place for another sample."""
    files = list_photo_files(scene / "images")
    if case.input == "two objects":
        config = case.config
        make_sample(replace(config, family=EASY[(EASY.index(config.family) + 1) % len(EASY)]), spare)
        for file in files[1::2]:
            shutil.copy(spare / "images" / file.name, file)
    for file in files[1:] if case.input == "same" else ():
        shutil.copy(files[0], file)
    for file in files[2:] if case.input == "two photographs" else ():
        file.unlink()


def _truth(folder: Path) -> dict[str, Frame]:
    """True cameras by name, without those of photographs of another object."""
    aliens = json.loads((folder / "gt" / "truth.json").read_text()).get("aliens", [])
    every = frames_by_photograph(folder / "gt" / "transforms.json")
    return {name: frame for name, frame in every.items() if name not in aliens}


def _answer(case: Case, folder: Path, initial: InitialPoses, found: Sequence[Refined]) -> Record:
    """What the initialiser said, and how it compares with the truth where there is one."""
    losses = [refined.loss for refined in found]
    answer: Record = {
        "doubt": initial.doubt,
        "confidence": initial.confidence.tolist(),
        "losses": losses,
        "ratio": losses[1] / losses[0] if len(losses) > 1 else None,
        "view_losses": found[0].losses.tolist(),
        "moved_deg": None if found[0].moved_deg is None else found[0].moved_deg.tolist(),
        "left_out": [i for i, frame in enumerate(initial.frames) if frame is None],
        "cameras": [None if frame is None else _entry(frame) for frame in initial.frames],
    }
    if case.input == "sample":
        truth = _truth(folder)
        answer["figures"] = figures(initial.frames, truth)
        answer["alternatives"] = [figures(other.frames, truth) for other in initial.alternatives]
        registered = {frame.stem for frame in initial.frames if frame is not None}
        answer["aliens_registered"] = len(registered - set(truth))
    return answer


def figures(frames: Sequence[Frame | None], truth: Mapping[str, Frame]) -> dict[str, Any]:
    """Errors of the cameras of photographs whose truth is known; those without a camera count as wrong in the rates."""
    known = [frame for frame in frames if frame is not None and frame.stem in truth]
    true, count, whole = [truth[frame.stem] for frame in known], len(known), len(truth)
    poses = (torch.stack([frame.T_camera_world for frame in side]) for side in (known, true) if count)
    try:
        errors = pose_errors(*poses) if count > 1 else None
    except AlignmentError:
        errors = None
    if errors is None:
        return {"R@5": 0.0, "R@15": 0.0, "CC@0.1": 0.0, "median_rotation_error_deg": 180.0}
    ratio = focal_ratio(*(torch.stack([frame.K for frame in side]) for side in (known, true)))
    summary = CameraErrors(tuple(frame.stem for frame in known), errors, ratio).summary()
    pairs = count * (count - 1) / (whole * (whole - 1))
    return (
        summary
        | {rate: summary[rate] * pairs for rate in ("R@5", "R@15")}
        | {"CC@0.1": summary["CC@0.1"] * count / whole}
    )


def _entry(frame: Frame) -> Record:
    """A camera, ready for JSON."""
    pose, K = frame.T_camera_world.tolist(), frame.K.tolist()
    return {"name": frame.file_path, "size": [frame.width, frame.height], "pose": pose, "K": K}


def _frame(entry: Record) -> Frame:
    pose, K = (torch.tensor(entry[name], dtype=torch.float64) for name in ("pose", "K"))
    return Frame(Path(entry["name"]).stem, f"images/{entry['name']}", pose, K, *entry["size"])
