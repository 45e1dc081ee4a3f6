"""The id-pose initialiser on photographs taken far apart: shares of pairs with rotation errors below 15 and 30 degrees.

Scenes: the three of ../shared/data/omni3d, four views each, with exact poses. The measure is ID-Pose's (arXiv
2306.17140), over all ordered pairs of a scene's views, so that it needs no true pose of a first view; the vanilla
prior, which cannot see the elevation of the first camera, is measured with the initialiser's own guess.

The weights are those that the initialiser finds on this machine, or named ones. Without any, the suite reports that and
measures nothing. `--random-prior` takes a tiny prior with random weights instead, to check that the suite runs: its
figures have no meaning, and are neither compared nor kept.

Frames: `poses/*.npy` are OpenGL camera-to-world in a world whose z is up.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.accuracy.scenes import SHARED
from benchmarks.metric import Metric
from benchmarks.zero123_models import TINY, write_folder
from sparseags_ns.geometry.cameras import opencv_from_opengl
from sparseags_ns.geometry.pose_errors import pairwise_rotation_errors_deg
from sparseags_ns.guidance.networks import build
from sparseags_ns.pose_init.base import PoseInitError, PoseRequest
from sparseags_ns.pose_init.estimation import choose_initialiser
from sparseags_ns.pose_init.id_pose.id_pose import IdPose
from sparseags_ns.pose_init.id_pose.search import SearchSettings
from sparseags_ns.preprocess.store import Store

FOLDER = SHARED / "omni3d"
THRESHOLDS_DEG = (15.0, 30.0)
TOLERANCE = 0.05


class IdPoseSuite:
    """The suite with its options."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options

    def run(self, quick: bool) -> list[Metric]:
        """Shares over all scenes, over the first one only if `quick`; empty where there are no weights or no scenes."""
        scenes = sorted(folder for folder in FOLDER.glob("*") if (folder / "poses").is_dir())
        if not scenes:
            print(f"id_pose: nothing is measured: {FOLDER} is absent", file=sys.stderr)
            return []
        scenes = scenes[:1] if quick else scenes
        if self.options.random_prior:
            with tempfile.TemporaryDirectory() as folder:
                _report(_random(scenes, Path(folder)))
            print("id_pose: the prior is a tiny one with random weights: these figures mean nothing")
            return []
        kept = self.options.plots / "id_pose"
        try:
            found = [_errors(_initialiser(scene, self.options.id_pose_weights, Store(kept)), scene) for scene in scenes]
        except PoseInitError as error:
            print(f"id_pose: nothing is measured: {error}", file=sys.stderr)
            return []
        _report(found)
        return metrics(found, "quick" if quick else "all")

    def plot(self, metrics: list[Metric], folder: Path) -> list[Path]:
        """No plot: the table shows all figures."""
        return []


def suite(options: argparse.Namespace) -> IdPoseSuite:
    """The suite, for the registry of benchmarks."""
    return IdPoseSuite(options)


def true_poses(scene: Path, names: Sequence[str]) -> Float[Tensor, "views 4 4"]:
    """`T_camera_world` of a scene's views."""
    stored = [torch.from_numpy(np.load(scene / "poses" / f"{name}.npy")).double() for name in names]
    return opencv_from_opengl(torch.stack(stored)[:, :3])


def share_within(errors: Sequence[Float[Tensor, " pairs"]], threshold_deg: float) -> float:
    """Share of all scenes' pairs whose rotation error is below the threshold."""
    return float((torch.cat(list(errors)) < threshold_deg).double().mean())


def metrics(errors: Sequence[Float[Tensor, " pairs"]], name: str) -> list[Metric]:
    """One figure for each threshold."""
    shares = {degrees: share_within(errors, degrees) for degrees in THRESHOLDS_DEG}
    return [
        Metric(f"{name}/R@{degrees:.0f}", share, TOLERANCE, better="higher", shown=f"{share:.1%}")
        for degrees, share in shares.items()
    ]


def _photo_files(scene: Path) -> list[Path]:
    return sorted((scene / "images").glob("*.png"))


def _initialiser(scene: Path, weights: str, store: Store) -> IdPose:
    """The initialiser of a scene.

    Raises:
        PoseInitError: there are no weights on this machine.
    """
    initialiser = choose_initialiser("id-pose", PoseRequest(_photo_files(scene), scene, store, weights))
    assert isinstance(initialiser, IdPose)
    return initialiser


def _errors(initialiser: IdPose, scene: Path) -> Float[Tensor, " pairs"]:
    """Rotation errors of the ordered pairs of a scene's views, degrees."""
    photo_files = _photo_files(scene)
    frames = initialiser.estimate(photo_files).frames
    predicted = torch.stack([frame.T_camera_world for frame in frames if frame is not None])
    errors = pairwise_rotation_errors_deg(predicted, true_poses(scene, [path.stem for path in photo_files]))
    return errors[~torch.eye(len(errors), dtype=torch.bool)]


def _random(scenes: Sequence[Path], folder: Path) -> list[Float[Tensor, " pairs"]]:
    """Errors of a tiny prior with random weights and a short search."""
    torch.manual_seed(0)
    write_folder(build(TINY), folder / "prior", "clip_camera_projection")
    found = []
    for scene in scenes:
        initialiser = _initialiser(scene, str(folder / "prior"), Store(folder / "kept"))
        little = SearchSettings(azimuths=4, elevations_deg=(15.0,), samples=1, nudged=2, nudges=1, steps=2)
        found.append(_errors(replace(initialiser, settings=little), scene))
    return found


def _report(errors: Sequence[Float[Tensor, " pairs"]]) -> None:
    shares = ", ".join(f"R@{degrees:.0f} {share_within(errors, degrees):.1%}" for degrees in THRESHOLDS_DEG)
    print(f"id_pose: {shares} of {sum(map(len, errors))} pairs in {len(errors)} scenes")
