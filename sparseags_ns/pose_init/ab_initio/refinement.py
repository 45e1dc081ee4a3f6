"""Joint refinement of whole arrangements at 32 and 64 pixels, which decides between the best of them.

The short fits of the search draw round spots and keep the guessed focal length. Here the ordinary joint optimisation
takes over, with anisotropic Gaussians and one focal length that is refined.

Frame: `world`, normalised.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import AlignmentError
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.optimization.observer import observer
from sparseags_ns.optimization.reconstruct import reconstruct
from sparseags_ns.optimization.settings import SPARSEAGS, Preset, Stage
from sparseags_ns.pose_init.ab_initio.arrangement import Arrangement
from sparseags_ns.pose_init.ab_initio.crops import SIDE_PX, Crops
from sparseags_ns.pose_search.losses import view_losses
from sparseags_ns.views import Views

COMPARED_PX = 64
"""Longer side at which refined arrangements are compared."""

PRESET = replace(
    SPARSEAGS,
    steps=400,
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


@dataclass(frozen=True)
class Refined:
    """Cameras of an arrangement after joint refinement."""

    T_camera_world: Float[Tensor, "views 4 4"]
    focal_factor: float
    """Of the refined focal length over the guessed one."""
    losses: Float[Tensor, " views"]
    """Squared error at COMPARED_PX over gray, over the object's area."""

    @property
    def loss(self) -> float:
        """Sum over the views."""
        return float(self.losses.sum())


def refine(crops: Crops, arrangement: Arrangement, preset: Preset = PRESET) -> Refined | None:
    """Refine the cameras of an arrangement; None if they look at no common place, so that no scene can be made."""
    poses = se3.pose(torch.from_numpy(arrangement.R).double(), torch.from_numpy(arrangement.t).double())
    planes = (torch.stack([getattr(photo, name) for photo in crops.photos]) for name in ("rgb", "mask", "valid"))
    names = tuple(str(view) for view in range(len(crops)))
    cameras = Cameras(poses, crops.K.double(), SIDE_PX, SIDE_PX)
    trusted = torch.ones(len(crops), dtype=torch.bool)
    try:
        views = Views(names, tuple(map(Path, names)), *planes, cameras, trusted).normalized()
    except AlignmentError:
        return None
    found = reconstruct(views, preset, progress=lambda *_: observer().pause())
    factor = float(found.cameras.K[0, 0, 0] / views.cameras.K[0, 0, 0])
    return Refined(found.cameras.T_camera_world.double(), factor, view_losses(found, views, COMPARED_PX))
