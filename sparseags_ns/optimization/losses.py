"""Loss of a joint step: every trusted view is rendered in one call and compared with its photograph. Pure.

Letters: I photograph (straight colour), M mask, V valid region, B background; a target over B is I M + B (1 - M).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.optimization.settings import JointSettings
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians, Raster
from sparseags_ns.views import Views


@dataclass(frozen=True)
class Targets:
    """Photographs of several views at one resolution, in the form that renders are compared with."""

    premultiplied: Float[Tensor, "views height width 3"]
    """I M."""
    alpha: Float[Tensor, "views height width"]
    """M."""
    valid: Float[Tensor, "views height width"]
    """1 where the photograph covers the pixel; the colour loss ignores the rest."""

    def over(self, background: Float[Tensor, "views 3"]) -> Float[Tensor, "views height width 3"]:
        """The photographs composited over one colour for each view."""
        return self.premultiplied + (1 - self.alpha)[..., None] * background[:, None, None, :]

    def __getitem__(self, index: Tensor) -> Targets:
        """A subset of the views."""
        return Targets(self.premultiplied[index], self.alpha[index], self.valid[index])


class TargetPyramid:
    """Targets of all views at the sizes of the stages, each computed once."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._targets: dict[int | None, Targets] = {}

    def at(self, pixels: int | None) -> Targets:
        """Targets whose longer side has this many pixels; None is the size of the photographs."""
        if pixels not in self._targets:
            self._targets[pixels] = make_targets(self._views, pixels)
        return self._targets[pixels]


def make_targets(views: Views, pixels: int | None = None) -> Targets:
    """Targets whose longer side has this many pixels, by area averages; never larger than the photographs."""
    full = list(views.images.shape[1:3])
    factor = 1.0 if pixels is None else min(pixels / max(full), 1.0)
    size = [max(round(side * factor), 1) for side in full]

    def reduce(maps: Float[Tensor, "views channels height width"]) -> Tensor:
        return maps if size == full else F.interpolate(maps, size=size, mode="area")

    # A pixel of which a part is unknown would mix known and unknown colour: it counts as unknown.
    valid = reduce(views.valid[:, None])[:, 0].ge(1 - 1e-6).to(views.images.dtype)
    # I M and M are averaged, never I alone: colour under alpha 0 is arbitrary and would bleed in.
    premultiplied = reduce((views.images * views.masks[..., None]).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    return Targets(premultiplied.contiguous(), reduce(views.masks[:, None])[:, 0].contiguous(), valid.contiguous())


def joint_loss(
    gaussians: Gaussians,
    cameras: Cameras,
    targets: Targets,
    background: Float[Tensor, "views 3"],
    settings: JointSettings,
    *,
    ramp: float = 1.0,
    sh_degree: int | None = None,
    absgrad: bool = False,
) -> tuple[dict[str, Float[Tensor, ""]], Raster]:
    """Weighted losses of one step, and the renders they come from.

    Args:
        gaussians: differentiable.
        cameras: cameras of the views in `targets`, at the photographs' working size; differentiable.
        targets: photographs, whose size is the size of the renders.
        ramp: factor on the weights of the colour and alpha terms.
        sh_degree: bands to evaluate if the Gaussians' colours are spherical harmonics.
        absgrad: whether absolute screen-space gradients are kept for densification.
    """
    height, width = targets.alpha.shape[1:]
    raster = rasterize(gaussians, cameras.resized(width, height), background, sh_degree=sh_degree, absgrad=absgrad)
    # Outside the photographs the target is empty (the crop fills it so): alpha counts a little there, colour does not.
    alpha_weights = targets.valid + settings.unknown_alpha_weight * (1 - targets.valid)
    losses = {
        "rgb": settings.rgb_weight * ramp * squared_error(raster.rgb, targets.over(background), targets.valid),
        "alpha": settings.alpha_weight * ramp * squared_error(raster.alpha, targets.alpha, alpha_weights),
    }
    if settings.opacity_weight > 0:
        losses["opacity"] = settings.opacity_weight * gaussians.opacities.mean()
    if settings.oversize_weight > 0:
        losses["oversize"] = settings.oversize_weight * oversize(gaussians.scales, settings.oversize_limit)
    if settings.needle_weight > 0:
        losses["needle"] = settings.needle_weight * needles(gaussians.scales, settings.needle_limit)
    return losses, raster


def squared_error(
    rendered: Float[Tensor, "views height width *channels"],
    target: Float[Tensor, "views height width *channels"],
    weights: Float[Tensor, "views height width"],
) -> Float[Tensor, ""]:
    """Squared error times the weight of its pixel, mean over all pixels, channels and views."""
    error = (rendered - target).square()
    return (error.mean(-1) * weights if error.ndim == 4 else error * weights).mean()


def oversize(scales: Float[Tensor, "gaussians 3"], limit: float) -> Float[Tensor, ""]:
    """Mean excess of each Gaussian's largest standard deviation over `limit`, world units."""
    return (scales.amax(-1) - limit).clamp_min(0).mean()


def needles(scales: Float[Tensor, "gaussians 3"], limit: float) -> Float[Tensor, ""]:
    """Mean excess of log(largest / middle standard deviation) over log(limit)."""
    ordered = scales.sort(dim=-1).values
    return (ordered[:, 2] / ordered[:, 1] / limit).log().clamp_min(0).mean()


def backgrounds(settings: JointSettings, count: int, step: int) -> Float[Tensor, "views 3"]:
    """Background colours of the views in a step, as the settings choose them."""
    if settings.background_color == "random":
        return random_backgrounds(count, settings.seed, step)
    return torch.full((count, 3), 1.0 if settings.background_color == "white" else 0.0)


def random_backgrounds(count: int, seed: int, step: int) -> Float[Tensor, "views 3"]:
    """A random colour for each view, equal whenever the same step of the same run is repeated."""
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(seed * 1_000_003 + step))
