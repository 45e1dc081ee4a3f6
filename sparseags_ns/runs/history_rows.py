"""What one step of the joint optimisation says about every view, for the run's history. Changes nothing.

Frame: the normalised world.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.geometry.motion import motion
from sparseags_ns.optimization.losses import Targets
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians, Raster
from sparseags_ns.runs.history import Row


def errors_over_white(
    rgb: Float[Tensor, "views height width 3"],
    alpha: Float[Tensor, "views height width"],
    background: Float[Tensor, "views 3"],
    targets: Targets,
) -> Float[Tensor, " views"]:
    """Squared error over the object's area of renders made over any background, as if all was over white.

    What is unknown of a photograph adds nothing; the area is the mask's share of the picture.
    """
    white = torch.ones_like(background)
    rendered = rgb + (1 - alpha)[..., None] * (white - background)[:, None, None, :]
    error = (rendered.clamp(0, 1) - targets.over(white)).square().mean(-1) * targets.valid
    return error.mean((1, 2)) / (targets.alpha * targets.valid).mean((1, 2)).clamp_min(1e-6)


@torch.no_grad()
def row_of_step(
    step: int,
    raster: Raster,
    background: Float[Tensor, "trusted 3"],
    gaussians: Gaussians,
    cameras: Cameras,
    given: Float[Tensor, "views 4 4"],
    trusted: Bool[Tensor, " views"],
    targets: Targets,
    sh_degree: int | None,
) -> Row:
    """All views at one step: the trusted ones as the step rendered them, the others rendered for this.

    Args:
        raster: of the trusted views, over `background`.
        cameras: refined, of all views, at the photographs' working size.
        given: their poses as pose init gave them.
        targets: of all views at the step's size.
    """
    height, width = targets.alpha.shape[1:]
    inside, outside = trusted.nonzero().flatten(), (~trusted).nonzero().flatten()
    errors = torch.zeros_like(targets.alpha[:, 0, 0])
    errors[inside] = errors_over_white(raster.rgb, raster.alpha, background, targets[inside])
    if len(outside) > 0:
        white = torch.ones(len(outside), 3).to(background)
        rest = rasterize(gaussians, cameras[outside].resized(width, height), white, sh_degree=sh_degree)
        errors[outside] = errors_over_white(rest.rgb, rest.alpha, white, targets[outside])
    moved = motion(given, cameras.T_camera_world, gaussians.center)
    return Row(
        step=step + 1,
        pixels=max(height, width),
        errors=errors.tolist(),
        rotation_deg=moved.rotation_deg.tolist(),
        moved_percent=moved.moved_percent.tolist(),
        trusted=trusted.tolist(),
    )
