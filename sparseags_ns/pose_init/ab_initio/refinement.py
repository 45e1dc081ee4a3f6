"""Joint refinement of whole arrangements at 32 and 64 pixels, which decides between the best of them.

The short fits of the search draw round spots and keep the guessed focal length. Here the ordinary joint optimisation
takes over, with anisotropic Gaussians and one focal length that is refined.

Frame: `world`, normalised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import AlignmentError, normalizing_similarity
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.optimization.observer import observer
from sparseags_ns.optimization.reconstruct import reconstruct
from sparseags_ns.optimization.settings import SPARSEAGS, Stage
from sparseags_ns.pose_init.ab_initio.arrangement import Arrangement, view_differences
from sparseags_ns.pose_init.ab_initio.crops import SIDE_PX, Crops
from sparseags_ns.pose_init.ab_initio.search import DIFFERENT_DEG
from sparseags_ns.pose_search.losses import view_losses
from sparseags_ns.views import Views

COMPARED_PX = 64
"""Longer side at which refined arrangements are compared."""
_USUAL_VIEWS = 8
"""Fewer views are refined in as many more steps."""
_PLANES = "rgb", "mask", "valid"

PRESET = replace(
    SPARSEAGS,
    steps=500,
    settings=replace(
        SPARSEAGS.settings,
        stages=(
            Stage(share=0.4, pixels=32, pose_lr=4e-3, pose_lr_decay=0.5, smoothing_px=0.55),
            Stage(
                share=0.6,
                pixels=COMPARED_PX,
                pose_lr=4e-3,
                pose_lr_decay=0.2,
                precondition_poses=True,
                focal_lr=2e-3,
                split=True,
            ),
        ),
        num_gaussians=800,
        other_pose_rates=(),
        outlier_rule="off",
        seeding="ball",
        sh_degree=0,
    ),
)


STRANGER_RATIO, STRANGER_LOSS = 4.0, 0.008
"""A view does not fit to the others if its loss is this many times their median, and at least this much."""
MOST_STRANGERS = 0.34
"""Share of the views that may not fit to the others; with more of them, it is the arrangement that does not fit."""
_HOPELESS = 2.0
"""Arrangements with this many times the least loss of the search are not refined."""


@dataclass(frozen=True)
class Refined:
    """Cameras of an arrangement after joint refinement."""

    T_camera_world: Float[Tensor, "views 4 4"]
    focal_factor: float
    """Ratio of the refined focal length to the guessed one."""
    losses: Float[Tensor, " views"]
    """Squared error at COMPARED_PX over gray, over the object's area."""
    fits: Bool[Tensor, " views"]
    """Views that fit to the others; the others' poses mean nothing."""

    @property
    def loss(self) -> float:
        """Mean over the views that fit."""
        return float(self.losses[self.fits].mean())


def refine_all(crops: Crops, arrangements: Sequence[Arrangement], done: Callable[[], None]) -> list[Refined]:
    """Refine arrangements, best first, and find the views that fit to none of the others' places.

    Args:
        crops: the photographs.
        arrangements: of all views; those that cannot compete are left out.
        done: called once, after the last fit.

    Returns:
        Those that still differ, in the views that fit, best first; none if no scene can be made of any.
    """
    limit = _HOPELESS * arrangements[0].loss
    competing = [one for one in arrangements if one.loss <= limit]
    everyone = torch.ones(len(crops), dtype=torch.bool)
    refined = [refine(crops, one, everyone) for one in competing]
    best = min((one for one in refined if one is not None), key=lambda one: one.loss, default=None)
    if best is None:
        return []
    fits = best.losses < max(STRANGER_RATIO * float(best.losses.median()), STRANGER_LOSS)
    strangers = len(crops) - int(fits.sum())
    if 0 < strangers <= MOST_STRANGERS * len(crops):
        refined = [refine(crops, one, fits) for one in competing]
    done()
    kept: list[Refined] = []
    for one in sorted((one for one in refined if one is not None), key=lambda one: one.loss):
        if not any(_alike(one, other) for other in kept):
            kept.append(one)
    return kept


def refine(crops: Crops, arrangement: Arrangement, fits: Bool[Tensor, " views"]) -> Refined | None:
    """Refine the cameras of the views that fit; None if they look at no common place, so that no scene can be made."""
    poses = se3.pose(torch.from_numpy(arrangement.R).double(), torch.from_numpy(arrangement.t).double())
    rgb, mask, valid = (torch.stack([getattr(photo, name) for photo in crops.photos]) for name in _PLANES)
    names = tuple(str(view) for view in range(len(crops)))
    cameras = Cameras(poses, crops.K.double(), SIDE_PX, SIDE_PX)
    views = Views(names, tuple(map(Path, names)), rgb, mask, valid, cameras, trusted=fits)
    try:
        similarity = normalizing_similarity(poses[fits])
    except AlignmentError:
        return None
    views = views.moved(similarity).to(torch.float32)
    # A step costs as much as there are views, and few views leave more to be found.
    steps = round(PRESET.steps * max(1, _USUAL_VIEWS / int(fits.sum())))
    found = reconstruct(views, PRESET, steps=steps, progress=lambda *_: observer().pause())
    factor = float(found.cameras.K[0, 0, 0] / views.cameras.K[0, 0, 0])
    return Refined(found.cameras.T_camera_world.double(), factor, view_losses(found, views, COMPARED_PX), fits)


def _alike(one: Refined, other: Refined) -> bool:
    R = (refined.T_camera_world[one.fits, :3, :3].numpy() for refined in (one, other))
    return bool(view_differences(*R).max() <= DIFFERENT_DEG)
