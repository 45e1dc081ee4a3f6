"""The diffusion prior's part of a step: render a novel view and pass the guidance's gradient on to the Gaussians.

A pure function of settings, seed and step, so that a resumed run repeats an uninterrupted one. Nothing here is a module
or part of a checkpoint. The prior moves Gaussians; it moves poses only with `guidance_moves_poses`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.console import warn
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.guidance.choice import Precision, choose_guidance
from sparseags_ns.guidance.sds import Guidance
from sparseags_ns.guidance.zero123 import Zero123Options
from sparseags_ns.optimization.novel_views import NovelView, sample_novel_view
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.threads import torch_on_all_threads
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views

SIZES_UNTIL = (0.3, 0.6)
"""Shares of the run at which renders change to the second and the third size (paper)."""


@dataclass
class PriorSettings:
    """The diffusion prior."""

    guidance: str = "auto"
    """auto (where a CUDA device and the weights are at hand), none, zero123-6dof, zero123, a folder in a diffusers
    layout, an LDM checkpoint, or a name on the model hub (docs/prior.md)."""
    guidance_base: str | None = None
    """Folder or hub name of a model that provides what a checkpoint lacks: VAE, image encoder, scheduler."""
    guidance_weight: float = 0.012
    """Weight of the prior's loss beside the sum of the trusted views' losses (paper: 1, beside a colour loss of 1e4 r
    for each). The photographs' losses are averaged over the views, so the prior's is divided by their number. The
    paper's ratio at half the run, times `guidance_every`."""
    guidance_every: int = 3
    """Steps between two evaluations of the prior (paper: 1); with 1,540 steps about as many as in the paper's 500."""
    guidance_warmup: float = 0.0
    """Share of the run before the prior is first evaluated (paper: 0)."""
    guidance_scale: float = 5.0
    """Classifier-free guidance (paper: 5)."""
    guidance_timesteps: Literal["annealed", "random"] = "annealed"
    """Noise level: falls with the run (paper), or random."""
    guidance_noise: Literal["random", "inverted"] = "random"
    """Noise: a new sample (paper), or the model's own inversion of the render (SDI)."""
    guidance_sizes: tuple[int, int, int] = (128, 256, 512)
    """Sides of the novel renders in the run's three parts, pixels (paper: 128, 256, 512)."""
    guidance_image_size: int = 256
    """Side of the images that the diffusion model sees, pixels (paper: 256)."""
    guidance_max_batch: int = 16
    """Images in one pass of a network; fewer need less memory."""
    guidance_precision: Precision = "auto"
    """Precision of the networks: auto is fp16 on CUDA and fp32 on the CPU."""
    guidance_moves_poses: bool = False
    """Every other time, render from a trusted photograph's own camera and let the gradient reach its pose (paper:
    no)."""


class PriorSettingsError(ValueError):
    """A setting of the prior that cannot be used."""


class Prior:
    """A guidance with the photographs that condition it."""

    def __init__(self, guidance: Guidance, views: Views, settings: PriorSettings, seed: int = 0) -> None:
        self._guidance, self._views, self._settings, self._seed = guidance, views, settings, seed

    def is_due(self, step: int, ratio: float) -> bool:
        """Whether the prior takes part in a step."""
        return ratio > self._settings.guidance_warmup and step % self._settings.guidance_every == 0

    def loss(
        self,
        gaussians: Gaussians,
        cameras: Cameras,
        trusted: Bool[Tensor, " views"],
        *,
        ratio: float,
        step: int,
        sh_degree: int | None = None,
    ) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Loss of one novel view as it stands beside the mean of the trusted views' losses, and diagnostics.

        It is weighted and divided by the number of trusted views.

        Args:
            gaussians: differentiable.
            cameras: cameras of all views, as refined so far.
            trusted: views that condition the prior.
            ratio: share of the run done.
            step: seed of all that is random, with the run's seed.
            sh_degree: bands to render with.
        """
        generator = torch.Generator().manual_seed((self._seed * 1_000_003 + step) ^ 0x5EED)
        side = render_side(ratio, self._settings.guidance_sizes)
        view, others = self._look(gaussians, cameras, trusted.nonzero().flatten(), side, generator)
        rendered = rasterize(gaussians, view.camera, view.background, sh_degree=sh_degree).rgb[0].clamp(0, 1)
        # The guidance's backward pass runs here, at its own scale and precision, so that its graph can be freed.
        image = rendered.detach().requires_grad_()
        sources = square_cameras(replace(cameras, T_camera_world=cameras.T_camera_world.detach())[others])
        camera = replace(view.camera, T_camera_world=view.camera.T_camera_world.detach(), K=view.camera.K.detach())
        with torch_on_all_threads():
            value, diagnostics = self._guidance(image, camera, self._conditions[others], sources, ratio, generator)
            (gradient,) = torch.autograd.grad(value, image)
        # A term with the value of the guidance's loss whose derivative by the render is the guidance's gradient.
        pull = (rendered * torch.nan_to_num(gradient, posinf=0.0, neginf=0.0)).sum()
        weight = self._settings.guidance_weight / int(trusted.sum())
        loss = weight * (value.detach() + pull - pull.detach())
        return loss, {f"guidance_{name}": number for name, number in diagnostics.items()}

    def _look(
        self, gaussians: Gaussians, cameras: Cameras, index: Tensor, side: int, generator: torch.Generator
    ) -> tuple[NovelView, Tensor]:
        """The view to render, and the indices of the views that condition it."""
        view = sample_novel_view(gaussians, cameras[index], side, generator)
        if not self._settings.guidance_moves_poses or len(index) < 2:
            return view, index
        own, chosen = torch.rand(2, generator=generator)
        if own < 0.5:
            return view, index
        position = int(chosen * len(index))
        camera = square_cameras(cameras[index[position : position + 1]]).resized(side, side)
        rest = torch.arange(len(index), device=index.device) != position
        return replace(view, camera=camera), index[rest]

    @cached_property
    def _conditions(self) -> Any:
        """Embeddings and latents of all photographs, over white; computed when first needed."""
        masks = self._views.masks[..., None]
        return self._guidance.condition(square_images(self._views.images * masks + (1 - masks)))


def build_prior(settings: PriorSettings, views: Views, device: torch.device | str, seed: int = 0) -> Prior | None:
    """The prior that the settings ask for, or None; announces in one line what was chosen and why.

    Raises:
        PriorSettingsError: a setting is out of range.
    """
    if settings.guidance_every < 1:
        raise PriorSettingsError(f"guidance-every is {settings.guidance_every}: it must be 1 step or more")
    options = Zero123Options(
        scale=settings.guidance_scale,
        timesteps=settings.guidance_timesteps,
        noise=settings.guidance_noise,
        max_batch=settings.guidance_max_batch,
        image_size=settings.guidance_image_size,
    )
    guidance = choose_guidance(
        settings.guidance, device, options, base=settings.guidance_base, precision=settings.guidance_precision
    )
    if guidance is None:
        return None
    if bool((views.masks > 0.5).all()):
        warn("the diffusion prior knows objects on white", "these photographs have no masks")
    return Prior(guidance, views, settings, seed)


def render_side(ratio: float, sizes: tuple[int, int, int]) -> int:
    """Side of the novel render at this share of the run, pixels."""
    return sizes[sum(ratio > until for until in SIZES_UNTIL)]


def square_images(images: Float[Tensor, "views height width 3"]) -> Float[Tensor, "views side side 3"]:
    """Images padded to squares with white, centred."""
    height, width = images.shape[1:3]
    side = max(height, width)
    left, top = (side - width) // 2, (side - height) // 2
    return F.pad(images, (0, 0, left, side - width - left, top, side - height - top), value=1.0)


def square_cameras(cameras: Cameras) -> Cameras:
    """Cameras of `square_images`: the principal point moves with the padding."""
    side = max(cameras.height, cameras.width)
    offset = cameras.K.new_zeros(3, 3)
    offset[0, 2], offset[1, 2] = (side - cameras.width) // 2, (side - cameras.height) // 2
    return replace(cameras, K=cameras.K + offset, width=side, height=side)
