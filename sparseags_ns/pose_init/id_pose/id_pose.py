"""The `id-pose` initialiser: poses by inverting the Zero123 prior (Cheng et al., ID-Pose, arXiv 2306.17140).

For two or more photographs of an object, which need not show the same sides of it: the model knows how objects look
from elsewhere, so it is asked from where each photograph would be least surprising. Model and photographs meet in
`id_pose_error.py`, the search is `id_pose_search.py`, cropping and lenses are `id_pose_pictures.py`.

The vanilla model is told differences of azimuth, elevation and distance only. It cannot say how high the reference, the
first photograph, stands: `reference_elevations_deg` does. The 6-DoF and the stable model see it, and are asked.

What was found of each photograph, and of each pair of them, is kept in the store: an interrupted search goes on there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import announce, progress
from sparseags_ns.guidance.choice import choose_guidance
from sparseags_ns.guidance.sources import BASE_NAMES, SIX_DOF_FILE, find_base, find_six_dof
from sparseags_ns.guidance.zero123 import Zero123, Zero123Options
from sparseags_ns.pose_init.base import InitialPoses, PoseInitError
from sparseags_ns.pose_init.id_pose.noise_error import RADIUS, Ask, NoiseError, Samples, spread
from sparseags_ns.pose_init.id_pose.object_images import photograph_camera, read_objects
from sparseags_ns.pose_init.id_pose.search import Candidates, grid, pair_errors, probe, refine, select
from sparseags_ns.preprocess.mask_ways import MASKS_FOLDER
from sparseags_ns.preprocess.store import Store, fingerprint

FOLDER = "id_pose"

_LEAST_CONFIDENCE = 0.01


@dataclass(frozen=True)
class IdPose:
    """Finds cameras around an object by asking a generative model."""

    store: Store = field(compare=False, repr=False)
    """Where intermediate results are kept."""
    scene: Path = field(compare=False, repr=False)
    """Folder that may hold masks."""
    weights: str
    """As of the option for the prior (`guidance.choice`)."""
    masks: str = ""
    """Fingerprint of the scene's masks, which the answer depends on."""
    azimuths: int = 12
    """Of the poses that are probed (ID-Pose: 8)."""
    elevations_deg: tuple[float, ...] = (-10.0, 15.0, 40.0, 65.0)
    """Of the poses that are probed."""
    reference_elevations_deg: tuple[float, ...] = (20.0, 0.0, 45.0)
    """Of the first photograph: the first where the model cannot tell, else the one that fits best."""
    samples: int = 8
    """Of noise, for each pose (ID-Pose: 16)."""
    times: tuple[float, float] = (0.2, 0.95)
    """Between which shares of the diffusion the noise lies."""
    nudged: int = 12
    """How many of the probed poses are moved a little, and that many steps (ID-Pose: half of them, 10 steps)."""
    nudges: int = 10
    kept: int = 5
    """How many poses of each photograph go on to the selection (ID-Pose: 5)."""
    steps: int = 300
    """Of the refinement, for each photograph besides the first (ID-Pose: 600)."""
    lr_deg: float = 2.0
    """Of nudges and refinement at their start."""
    seed: int = 0

    @staticmethod
    def of(scene: Path, weights: str, store: Store) -> IdPose:
        """The initialiser with a prior; `auto` is the 6-DoF one if its weights are here, else the vanilla one.

        Raises:
            PoseInitError: there are no weights on this machine.
        """
        if weights == "auto":
            if find_six_dof() is None and find_base() is None:
                raise PoseInitError(
                    f"poses cannot be estimated by id-pose: no Zero123 weights on this machine; hf download "
                    f"{BASE_NAMES[0]} (5 GB), and for the 6-DoF prior {SIX_DOF_FILE} too: see docs/prior.md"
                )
            weights = "zero123-6dof" if find_six_dof() is not None else "zero123"
        return IdPose(store, scene, weights, masks_fingerprint(scene))

    @property
    def name(self) -> str:
        return "id-pose"

    def place(self, photographs: Sequence[Path]) -> InitialPoses:
        """Cameras of all photographs around the object; the world's origin is in its middle, +y is up."""
        model = self._model()
        pictures = read_objects(photographs, self.scene, self.store, model.options.image_size)
        ask = NoiseError(model, torch.stack([picture.image for picture in pictures]))
        prints = [fingerprint("id-pose", repr(self), path) for path in photographs]
        poses, sure = self.estimate(ask, len(pictures), prints)
        mean_focal = sum(picture.relative_focal for picture in pictures) / len(pictures)
        frames = tuple(photograph_camera(one, pose, mean_focal) for one, pose in zip(pictures, poses, strict=True))
        return InitialPoses(frames, sure)

    def estimate(
        self, ask: Ask, count: int, prints: Sequence[str]
    ) -> tuple[Float[Tensor, "views 4"], Float[Tensor, " views"]]:
        """Poses and confidence of `count` photographs.

        Args:
            prints: of the photographs and of everything that matters besides, to file intermediate results under.
        """
        samples = spread(self.samples, *self.times, self.seed)
        reference, found = self._probe(ask, count, prints, samples)
        choice = self._select(ask, found, prints, samples)
        poses = torch.stack([reference, *(one.poses[k] for one, k in zip(found, choice, strict=True))])
        pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
        steps = self.steps * (count - 1)
        with progress("id-pose: refinement", steps) as step:
            poses = refine(
                ask,
                torch.arange(count),
                poses,
                torch.arange(count) > 0,
                pairs,
                self._moving_samples,
                steps=steps,
                lr_deg=self.lr_deg,
                batch=4,
                on_step=step,
            )
        return poses, confidence(found, choice)

    @property
    def _moving_samples(self) -> Samples:
        return spread(2, *self.times, self.seed)

    def _model(self) -> Zero123:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if device.type == "cpu":
            announce("id-pose works on the CPU", "no CUDA device; with a full-size model each photograph takes hours")
        model = choose_guidance(self.weights, device, Zero123Options())
        if model is None:
            raise PoseInitError(f"id-pose needs a prior, and its weights are '{self.weights}'")
        return model

    def _probe(
        self, ask: Ask, count: int, prints: Sequence[str], samples: Samples
    ) -> tuple[Float[Tensor, " 4"], list[Candidates]]:
        """The reference's pose, and what the others may have."""
        heights = self.reference_elevations_deg if ask.sees_elevation else self.reference_elevations_deg[:1]
        references = [torch.tensor([0.0, height, RADIUS, 0.0]) for height in heights]
        tried: list[list[Candidates]] = []
        with progress("id-pose: probing", len(references) * (count - 1)) as step:
            for reference, height in zip(references, heights, strict=True):
                found = []
                for other in range(1, count):
                    key = f"probe-{prints[0]}-{prints[other]}-{height:g}"
                    arrays = self._kept(key, lambda o=other, r=reference: vars(self._candidates(ask, o, r, samples)))
                    found.append(Candidates(arrays["poses"], arrays["errors"], float(arrays["typical"])))
                    step()
                tried.append(found)
        best = min(range(len(tried)), key=lambda k: sum(float(one.errors.min()) for one in tried[k]))
        return references[best], tried[best]

    def _candidates(self, ask: Ask, other: int, reference: Float[Tensor, " 4"], samples: Samples) -> Candidates:
        poses = grid(self.azimuths, self.elevations_deg)
        return probe(
            ask,
            other,
            reference,
            poses,
            samples,
            self._moving_samples,
            nudged=self.nudged,
            nudges=self.nudges,
            kept=self.kept,
            lr_deg=self.lr_deg,
        )

    def _select(self, ask: Ask, found: Sequence[Candidates], prints: Sequence[str], samples: Samples) -> list[int]:
        """Which candidate of each photograph goes on."""
        tables = {}
        pairs = list(combinations(range(len(found)), 2))
        with progress("id-pose: comparing candidates", len(pairs)) as step:
            for i, j in pairs:
                key = f"pair-{fingerprint(*prints)}-{prints[i + 1]}-{prints[j + 1]}"
                tables[i, j] = self._kept(key, lambda i=i, j=j: {"errors": _table(ask, found, i, j, samples)})["errors"]
                step()
        return select([one.errors for one in found], tables)

    def _kept(self, key: str, work: Callable[[], dict[str, Tensor | float]]) -> dict[str, Tensor]:
        """What the store holds under the key; found out first where it holds nothing."""
        file = self.store.folder / FOLDER / f"{key}.npz"
        if not file.is_file():
            path = self.store.new_file(f"{FOLDER}/{file.name}")
            part = path.with_name(path.name + ".part")
            with part.open("wb") as stream:
                np.savez(stream, **{name: np.asarray(value) for name, value in work().items()})
            part.replace(path)
        with np.load(file) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def masks_fingerprint(scene: Path) -> str:
    """Changes when the scene's folder of masks does."""
    folder = scene / MASKS_FOLDER
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    return fingerprint("masks", *files)


def confidence(found: Sequence[Candidates], choice: Sequence[int]) -> Float[Tensor, " views"]:
    """How much better than a wrong pose the chosen ones explain each photograph; the reference is as sure as the best.

    1 less the error as a share of the grid's median. It says nothing of mirror images and symmetries.
    """
    shares = [float(one.errors[k]) / one.typical for one, k in zip(found, choice, strict=True)]
    sure = [min(max(1 - share, _LEAST_CONFIDENCE), 1.0) for share in shares]
    return torch.tensor([max(sure), *sure])


def _table(ask: Ask, found: Sequence[Candidates], i: int, j: int, samples: Samples) -> Float[Tensor, "one other"]:
    """Errors of two photographs for all pairs of their candidates."""
    one, other = found[i].poses, found[j].poses
    first, second = one.repeat_interleave(len(other), 0), other.repeat(len(one), 1)
    return pair_errors(ask, (i + 1, j + 1), first, second, samples).view(len(one), len(other))
