"""The first Gaussians of a scene: at a pose initialiser's points, in the visual hull of the masks, or in a ball.

Frame: `world`, normalised (origin where the optical axes meet, mean camera distance 1.85).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sparseags_ns.geometry.cameras import project
from sparseags_ns.optimization.parameters import deactivate
from sparseags_ns.optimization.settings import MIN_POINT_AGREEMENT, MIN_POINT_VIEWS, MIN_SEED_POINTS, JointSettings
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import PointCloud, Views


@dataclass(frozen=True)
class Seeds:
    """Positions and colours of the first Gaussians."""

    means: Float[Tensor, "points 3"]
    colors: Float[Tensor, "points 3"]
    """sRGB, 0 to 1."""
    origin: Literal["points", "hull", "ball"]
    why: str
    """Reason for the origin, announced where `auto` chose it."""


def seed_params(
    settings: JointSettings, views: Views, say: Callable[[str, str], None] | None = None
) -> nn.ParameterDict:
    """Parameters of the first Gaussians of a scene (optimization/parameters.py).

    Views are in the normalised world. `say` is called with what the Gaussians start from and why, if that was chosen
    automatically.

    Raises:
        ValueError: `seeding` is `points`, but too few points lie on the object.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    seeds = place_seeds(settings, views, generator)
    if say is not None and settings.seeding == "auto":
        say(f"Gaussians start from: {seeds.origin}", seeds.why)
    count, like = len(seeds.means), views.images
    gaussians = Gaussians(
        means=seeds.means.to(like),
        quats=F.normalize(torch.randn(count, 4, generator=generator), dim=-1).to(like),
        scales=torch.full((count, 3), settings.seed_scale).to(like),
        opacities=torch.full((count,), settings.seed_opacity).to(like),
        colors=seeds.colors.to(like),
    )
    return deactivate(gaussians, num_bases=(settings.sh_degree + 1) ** 2)


def place_seeds(settings: JointSettings, views: Views, generator: torch.Generator) -> Seeds:
    """Positions and colours of `num_gaussians` Gaussians.

    `auto` takes the views' points where enough of them lie on the object, else the ball.

    Raises:
        ValueError: `seeding` is `points`, but too few points lie on the object.
    """
    seeding, count, slack_px = settings.seeding, settings.num_gaussians, settings.hull_slack_px
    given = 0 if views.points is None else len(views.points)
    usable = object_points(views, slack_px) if seeding in ("auto", "points") else None
    found = f"{0 if usable is None else len(usable)} of the scene's {given} points lie on the object"
    if usable is not None and len(usable) >= MIN_SEED_POINTS:
        chosen = drawn(usable, count, settings.seed_scale, generator)
        return Seeds(chosen.positions, chosen.colors, "points", found)
    if seeding == "points":
        raise ValueError(
            f"{found}, and {MIN_SEED_POINTS} are needed to start from them: name a point cloud in transforms.json "
            "('ply_file_path'), in the world of its cameras, or choose another seeding"
        )
    why = "asked for" if seeding != "auto" else found if given else "the scene has no points"
    if seeding == "hull":
        means = visual_hull(views, count, slack_px=slack_px, generator=generator)
        return Seeds(means, colors_from_views(means, views), "hull", why)
    means = ball(count, settings.ball_radius, generator).to(views.images)
    return Seeds(means, torch.full_like(means, 0.5), "ball", why)


def object_points(views: Views, slack_px: int) -> PointCloud | None:
    """Points that lie on the object; initialisers match whole photographs and find the background too.

    Poses are rough, so a point stays if at least two trusted views see it within their masks, grown by `slack_px`, and
    at most a quarter of them rule it out.
    """
    if views.points is None:
        return None
    points = views.points.to(views.images)
    masks = dilate(views.masks, slack_px)
    pixels, depth = project(views.cameras, points.positions)
    values, inside = sample_maps(masks[..., None], pixels)
    shown = (inside & (depth > 0) & (values[..., 0] > 0.5))[views.trusted].sum(0) >= MIN_POINT_VIEWS
    return points[shown & (hull_votes(points.positions, masks, views) >= MIN_POINT_AGREEMENT)]


def drawn(points: PointCloud, count: int, spread: float, generator: torch.Generator) -> PointCloud:
    """`count` points drawn by confidence, without replacement; if there are fewer, all of them and copies.

    Copies are shifted by the standard deviation `spread`, in units of the points' world. The generator is on the CPU.
    """
    weights = points.confidence.cpu().double()
    weights = weights if bool((weights > 0).any()) else torch.ones_like(weights)
    own = min(count, int((weights > 0).sum()))
    chosen = torch.multinomial(weights, own, generator=generator)
    shift = torch.zeros(count, 3)
    if own < count:
        copied = torch.multinomial(weights, count - own, replacement=True, generator=generator)
        chosen = torch.cat([chosen, copied])
        shift[own:] = spread * torch.randn(count - own, 3, generator=generator)
    found = points[chosen.to(points.positions.device)]
    return replace(found, positions=found.positions + shift.to(found.positions))


def ball(count: int, radius: float, generator: torch.Generator) -> Float[Tensor, "points 3"]:
    """Points uniform in a ball around the origin (the authors' start: radius 0.3)."""
    directions = F.normalize(torch.randn(count, 3, generator=generator), dim=-1)
    # The volume within r grows as r^3, so the cube root of a uniform number has the right distribution of radii.
    return directions * radius * torch.rand(count, 1, generator=generator) ** (1 / 3)


def sample_maps(
    maps: Float[Tensor, "views height width channels"], pixels: Float[Tensor, "views points 2"]
) -> tuple[Float[Tensor, "views points channels"], Bool[Tensor, "views points"]]:
    """Value of the nearest pixel, and whether it lies inside the image (values outside are arbitrary)."""
    height, width = maps.shape[1:3]
    column, row = pixels.floor().long().unbind(-1)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    view = torch.arange(len(maps), device=maps.device)[:, None]
    return maps[view, row.clamp(0, height - 1), column.clamp(0, width - 1)], inside


def dilate(masks: Float[Tensor, "views height width"], radius_px: int) -> Float[Tensor, "views height width"]:
    """Masks grown by `radius_px` (a square neighbourhood)."""
    return F.max_pool2d(masks[:, None], 2 * radius_px + 1, stride=1, padding=radius_px)[:, 0]


def hull_votes(
    points: Float[Tensor, "points 3"], masks: Float[Tensor, "views height width"], views: Views
) -> Float[Tensor, " points"]:
    """Share of the trusted views that do not rule a point out.

    A point that a view does not see (behind it, outside the photograph, in its unknown region) is not ruled out.
    """
    pixels, depth = project(views.cameras, points)
    values, inside = sample_maps(torch.stack([masks, views.valid], dim=-1), pixels)
    seen = inside & (depth > 0) & (values[..., 1] > 0.5)
    return (~seen | (values[..., 0] > 0.5))[views.trusted].float().mean(0)


def visual_hull(
    views: Views, count: int, *, slack_px: int, generator: torch.Generator, candidates: int = 100_000
) -> Float[Tensor, "points 3"]:
    """Points inside the visual hull of the trusted masks, grown by `slack_px` because poses and masks are rough.

    Where fewer than `count` candidates lie inside (poses too wrong to agree), those that most views allow are taken.
    """
    cameras = views.cameras
    # The ball around the origin that the cameras' images cover, on average.
    half_px = cameras.K.new_tensor([cameras.width / 2, cameras.height / 2])
    half_angle_tan = (half_px / cameras.K[:, [0, 1], [0, 1]]).amax(-1)
    radius = float((half_angle_tan * cameras.centers.norm(dim=-1)).mean())
    points = ball(candidates, radius, generator).to(views.images)
    votes = hull_votes(points, dilate(views.masks, slack_px), views)
    inside = points[votes >= 1 - 1e-6]
    ranked = inside if len(inside) >= count else points[votes.argsort(descending=True, stable=True)]
    return ranked[:count]


def colors_from_views(points: Float[Tensor, "points 3"], views: Views) -> Float[Tensor, "points 3"]:
    """Mean colour of the object pixels that each point projects to in the trusted views; grey where there is none."""
    pixels, depth = project(views.cameras, points)
    maps = torch.cat([views.images, (views.masks * views.valid)[..., None]], dim=-1)
    values, inside = sample_maps(maps, pixels)
    weight = values[..., 3:] * (inside & (depth > 0) & views.trusted[:, None])[..., None]
    total = weight.sum(0)
    mean = (values[..., :3] * weight).sum(0) / total.clamp_min(1e-6)
    return torch.where(total > 0.5, mean, torch.full_like(mean, 0.5))
