"""The `id-pose` initialiser: poses by inverting the Zero123 prior (Cheng et al., ID-Pose, arXiv 2306.17140).

For two or more photographs of an object, which need not show the same sides of it: the model predicts the object's look
from other sides, so the poses are sought in which it predicts each photograph best from the others. The error is
defined in `noise_error.py`, the search over poses in `search.py`, crops and intrinsics in
`pose_init/objects.py`.

The vanilla model's embedding holds differences of azimuth, elevation and distance only. The elevation of the reference,
the first photograph, does not follow from it and is taken from `reference_elevations_deg`; with the 6-DoF and the
stable model, the best of these is found.

Candidates of each photograph, and errors of each pair of them, are kept in the store: an interrupted search goes on
there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations, permutations
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import announce, progress
from sparseags_ns.guidance.choice import choose_guidance, find_base, find_six_dof
from sparseags_ns.guidance.loading import BASE_NAMES, SIX_DOF_FILE
from sparseags_ns.guidance.zero123 import Zero123, Zero123Options
from sparseags_ns.pose_init.base import LEAST_CONFIDENCE, InitialPoses, PoseInitError, PoseRequest, stored_arrays
from sparseags_ns.pose_init.id_pose.noise_error import RADIUS, NoiseError, PoseError
from sparseags_ns.pose_init.id_pose.search import Candidates, SearchSettings, pair_errors, probe, refine, select
from sparseags_ns.pose_init.objects import photograph_camera, read_objects
from sparseags_ns.preprocess.store import Store, fingerprint

FOLDER = "id_pose"
LARGEST = 2 / 3
"""Share of the crops' side that the largest object takes (ID-Pose: two thirds, one scale for all photographs)."""


@dataclass(frozen=True)
class IdPose:
    """Estimates cameras around an object with a generative model."""

    name: ClassVar[str] = "id-pose"
    automatic: ClassVar[bool] = False
    uses_masks: ClassVar[bool] = True

    store: Store = field(compare=False, repr=False)
    """Where intermediate results are kept."""
    scene: Path = field(compare=False, repr=False)
    """Folder that may hold `masks/`."""
    weights: str
    """Weights of the prior, as `guidance.choice` takes them."""
    masks: str = ""
    """Fingerprint of the scene's masks, which the result depends on."""
    settings: SearchSettings = field(default_factory=SearchSettings)

    @staticmethod
    def missing(request: PoseRequest) -> str | None:
        """See `PoseInit`."""
        if request.weights != "auto" or find_six_dof() is not None or find_base() is not None:
            return None
        return (
            f"no Zero123 weights on this machine; hf download {BASE_NAMES[0]} (5 GB), and for the 6-DoF prior "
            f"{SIX_DOF_FILE} too: see docs/prior.md"
        )

    @staticmethod
    def create(request: PoseRequest) -> IdPose:
        """See `PoseInit`; `auto` is the 6-DoF prior if its weights are on this machine, else the vanilla one."""
        automatic = "zero123-6dof" if find_six_dof() is not None else "zero123"
        weights = automatic if request.weights == "auto" else request.weights
        return IdPose(request.store, request.scene, weights, request.masks_fingerprint)

    @property
    def details(self) -> str:
        """See `PoseInit`."""
        return "inverting the Zero123 prior"

    def estimate(self, photo_files: Sequence[Path]) -> InitialPoses:
        """Cameras of all photo files around the object; the world's origin is in its middle, +y is up."""
        model = self._model()
        side = model.options.image_size
        crops = read_objects(photo_files, self.scene, self.store, side, reader=self.name, largest=LARGEST)
        error = NoiseError(model, torch.stack([crop.image for crop in crops]))
        prints = [fingerprint("id-pose", repr(self), path) for path in photo_files]
        poses, confidence = self.search(error, prints)
        mean_focal = sum(crop.relative_focal for crop in crops) / len(crops)
        frames = tuple(photograph_camera(crop, pose, mean_focal) for crop, pose in zip(crops, poses, strict=True))
        return InitialPoses(frames, confidence)

    def search(
        self, error: PoseError, prints: Sequence[str]
    ) -> tuple[Float[Tensor, "views 4"], Float[Tensor, " views"]]:
        """Poses of the photographs and the confidence in them.

        Intermediate results are filed under `prints`, the fingerprint of each photograph and all settings.
        """
        reference, candidates = self._probe(error, prints)
        choice = self._select(error, candidates, prints)
        poses = torch.stack([reference, *(one.poses[k] for one, k in zip(candidates, choice, strict=True))])
        pairs = list(permutations(range(len(prints)), 2))
        steps, batch = self.settings.steps * (len(prints) - 1), self.settings.batch
        with progress("id-pose: refinement", steps) as step:
            photographs = torch.arange(len(prints))
            poses = refine(error, photographs, poses, pairs, self.settings, steps=steps, batch=batch, on_step=step)
        return poses, pose_confidence(candidates, choice)

    def _model(self) -> Zero123:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if device.type == "cpu":
            announce("id-pose works on the CPU", "no CUDA device; with a full-size model each photograph takes hours")
        model = choose_guidance(self.weights, device, Zero123Options())
        if model is None:
            raise PoseInitError(f"id-pose needs a prior, and its weights are '{self.weights}'")
        return model

    def _probe(self, error: PoseError, prints: Sequence[str]) -> tuple[Float[Tensor, " 4"], list[Candidates]]:
        """The reference's pose and the candidates of the other photographs."""
        elevations = self.settings.reference_elevations_deg[: None if error.depends_on_elevation else 1]
        references = [torch.tensor([0.0, elevation, RADIUS, 0.0]) for elevation in elevations]
        tried: list[list[Candidates]] = []
        with progress("id-pose: probing", len(references) * (len(prints) - 1)) as step:
            for reference, elevation in zip(references, elevations, strict=True):
                found = []
                for other in range(1, len(prints)):
                    name = f"{FOLDER}/probe-{prints[0]}-{prints[other]}-{elevation:g}.npz"
                    compute = partial(probe, error, other, reference, self.settings)
                    arrays = stored_arrays(self.store, name, lambda compute=compute: vars(compute()))
                    poses, errors = torch.from_numpy(arrays["poses"]), torch.from_numpy(arrays["errors"])
                    found.append(Candidates(poses, errors, float(arrays["typical"])))
                    step()
                tried.append(found)
        best = min(range(len(tried)), key=lambda k: sum(float(one.errors.min()) for one in tried[k]))
        return references[best], tried[best]

    def _select(self, error: PoseError, found: Sequence[Candidates], prints: Sequence[str]) -> list[int]:
        """Index of the selected candidate of each photograph besides the reference."""
        tables = {}
        pairs = list(combinations(range(len(found)), 2))
        samples = self.settings.noise(self.settings.samples)
        with progress("id-pose: comparing candidates", len(pairs)) as step:
            for i, j in pairs:
                # The candidates of a pair depend on the reference too, the first of all prints.
                name = f"{FOLDER}/pair-{fingerprint(*prints)}-{prints[i + 1]}-{prints[j + 1]}.npz"
                one, other = found[i].poses, found[j].poses
                every = one.repeat_interleave(len(other), 0), other.repeat(len(one), 1)
                compute = partial(pair_errors, error, (i + 1, j + 1), *every, samples)
                arrays = stored_arrays(self.store, name, lambda compute=compute: {"errors": compute()})
                tables[i, j] = torch.from_numpy(arrays["errors"]).view(len(one), len(other))
                step()
        return select([one.errors for one in found], tables)


def pose_confidence(candidates: Sequence[Candidates], choice: Sequence[int]) -> Float[Tensor, " views"]:
    """Confidence in each pose: 1 less its error as a share of a wrong pose's; the reference's is that of the best.

    It does not tell mirror images and symmetric poses apart.
    """
    shares = [float(one.errors[k]) / one.typical for one, k in zip(candidates, choice, strict=True)]
    confidence = [min(max(1 - share, LEAST_CONFIDENCE), 1.0) for share in shares]
    return torch.tensor([max(confidence), *confidence])
