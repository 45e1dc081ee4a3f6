"""Regularity of a splat: fit of its silhouettes, Gaussians beside the object, needles.

Frames: the splat's `world`; the true `world`, in which the true cameras are known. Shares lie between 0 and 1.

- Alpha IoU: sum of min(rendered alpha, mask) over sum of max, over the valid pixels; 1 is a perfect fit.
- Outside the hull: share of the splat whose centres lie outside the visual hull of the true silhouettes, each grown by
  `HULL_SLACK` of the photograph's longer side. A centre that a photograph does not see is not outside for it.
- Needles: share of the splat in Gaussians whose largest standard deviation is over `NEEDLE_RATIO` times the middle one.
  Flat ones (two large, one small) are how surfaces are made and do not count.

"Share of the splat" weighs each Gaussian by opacity; `outside_hull_area` by opacity times the product of the two
largest standard deviations, which is what it covers in a photograph.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.evaluation.held_out import HeldOut
from sparseags_ns.geometry.alignment import Similarity
from sparseags_ns.geometry.cameras import Cameras, project
from sparseags_ns.optimization.seeding import dilate, sample_maps
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views

NEEDLE_RATIO = 10.0
HULL_SLACK = 0.015


@dataclass(frozen=True)
class Silhouettes:
    """Masks of the object with their cameras."""

    masks: Float[Tensor, "views height width"]
    valid: Float[Tensor, "views height width"]
    """1 where the photograph covers the pixel, 0 elsewhere."""
    cameras: Cameras


@dataclass(frozen=True)
class Regularity:
    """Figures of one splat; IoUs are means over the views."""

    input_iou: float
    """Alpha IoU in the input photographs, from the splat's own cameras."""
    novel_iou: float | None
    """Alpha IoU in the held-out photographs, from their true cameras; None if they have no silhouettes."""
    outside_hull: float
    outside_hull_area: float
    needles: float

    def summary(self) -> dict[str, float | None]:
        """Figures by name."""
        return asdict(self)


@torch.no_grad()
def measure_regularity(
    gaussians: Gaussians, views: Views, true: Cameras, held_out: HeldOut | None, splat_to_truth: Similarity
) -> Regularity:
    """Figures of a splat.

    The hull is that of the held-out silhouettes, because masks of input views may be faulty, or that of the input
    views' masks if there are none.

    Args:
        gaussians: splat, in its own world.
        views: input photographs, with the splat's cameras.
        true: true cameras of the input photographs.
        held_out: held-out photographs, if the scene has some.
        splat_to_truth: maps the splat's world to the true one: `PoseErrors.alignment` of the splat's cameras.
    """
    shown = Silhouettes(views.masks, views.valid, views.cameras)
    kept = None if held_out is None else held_silhouettes(held_out)
    truth = Silhouettes(views.masks, views.valid, true) if kept is None else kept
    means = splat_to_truth.apply_to_points(gaussians.means.double())
    outside = outside_hull(means, truth)
    opacity = gaussians.opacities.double()
    area = gaussians.scales.double().topk(2, dim=-1).values.prod(-1)
    return Regularity(
        input_iou=float(rendered_iou(gaussians, shown).mean()),
        novel_iou=None if kept is None else float(rendered_iou(gaussians, _moved(kept, splat_to_truth)).mean()),
        outside_hull=_share(opacity, outside),
        outside_hull_area=_share(opacity * area, outside),
        needles=_share(opacity, are_needles(gaussians.scales)),
    )


def held_silhouettes(held_out: HeldOut) -> Silhouettes | None:
    """Silhouettes of held-out photographs; None if they have none."""
    return None if held_out.masks is None else Silhouettes(held_out.masks, held_out.valid, held_out.cameras)


def rendered_iou(gaussians: Gaussians, silhouettes: Silhouettes) -> Float[Tensor, " views"]:
    """Alpha IoU of each view, rendered from the silhouettes' cameras."""
    flat = replace(gaussians, colors=torch.zeros_like(gaussians.means))  # Only alpha is used.
    cameras = silhouettes.cameras.to(gaussians.means)
    alpha = rasterize(flat, cameras, gaussians.means.new_zeros(3)).alpha
    return alpha_iou(alpha, silhouettes.masks.to(alpha), silhouettes.valid.to(alpha))


def alpha_iou(
    rendered: Float[Tensor, "views height width"],
    masks: Float[Tensor, "views height width"],
    valid: Float[Tensor, "views height width"],
) -> Float[Tensor, " views"]:
    """Soft intersection over union of each view; 1 where both are empty."""
    both = (torch.minimum(rendered, masks) * valid).sum((1, 2))
    either = (torch.maximum(rendered, masks) * valid).sum((1, 2))
    return torch.where(either > 0, both / either.clamp_min(1e-12), torch.ones_like(both))


def outside_hull(points: Float[Tensor, "points 3"], silhouettes: Silhouettes) -> Bool[Tensor, " points"]:
    """Whether any view rules out a point of the silhouettes' world."""
    slack_px = max(1, round(HULL_SLACK * max(silhouettes.masks.shape[1:])))
    maps = torch.stack([dilate(silhouettes.masks, slack_px), silhouettes.valid], dim=-1)
    pixels, depth = project(silhouettes.cameras.to(points), points)
    values, inside = sample_maps(maps.to(pixels), pixels)
    seen = inside & (depth > 0) & (values[..., 1] > 0.5)
    return (seen & (values[..., 0] < 0.5)).any(0)


def are_needles(scales: Float[Tensor, "gaussians 3"]) -> Bool[Tensor, " gaussians"]:
    """Whether the largest standard deviation is over `NEEDLE_RATIO` times the middle one."""
    ordered = scales.sort(dim=-1, descending=True).values
    return ordered[:, 0] > NEEDLE_RATIO * ordered[:, 1]


def _share(weights: Float[Tensor, " gaussians"], chosen: Bool[Tensor, " gaussians"]) -> float:
    """Share of the weight in the chosen Gaussians; 0 if there is no weight."""
    return float((weights * chosen).sum() / weights.sum().clamp_min(1e-12))


def _moved(silhouettes: Silhouettes, splat_to_truth: Similarity) -> Silhouettes:
    """The silhouettes with their cameras in the splat's world."""
    cameras = silhouettes.cameras
    poses = splat_to_truth.inverse().apply_to_poses(cameras.T_camera_world)
    return replace(silhouettes, cameras=cameras.with_poses(poses))
