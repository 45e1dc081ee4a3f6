"""Zero123, vanilla and 6-DoF, as a guidance: the change to a render that makes it likely given each photograph.

For N photographs the UNet is evaluated N + 1 times: the prediction without a photograph is the same for all of them, so
classifier-free guidance needs it once; the authors' code computes it N times with the same result.

Images are 0 to 1 and resized to squares of `image_size`; focal lengths are in image sides (embeddings.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.guidance.embeddings import embed
from sparseags_ns.guidance.networks import CLIP_MEAN, CLIP_STD, Networks
from sparseags_ns.guidance.sds import Moment, choose_step, classifier_free, distill, inverted_noise


@dataclass(frozen=True)
class Zero123Options:
    """Settings of an evaluation."""

    scale: float = 5.0
    """Scale of classifier-free guidance (paper: 5)."""
    timesteps: Literal["annealed", "random"] = "annealed"
    """Choice of the time step t: falling with the run (paper), or uniform in its range."""
    noise: Literal["random", "inverted"] = "random"
    """The noise added: a new sample (paper), or the model's own inversion of the render (SDI)."""
    inversion_steps: int = 10
    """Steps of that inversion (Lukoianov et al. 2024: 10)."""
    max_batch: int = 16
    """Images in one pass of a network; more are split."""
    image_size: int = 256
    """Side of the images that the model was trained on, pixels (paper: 256)."""


@dataclass(frozen=True)
class Conditions:
    """Encodings of the photographs, computed once."""

    image_embeds: Float[Tensor, "views features"]
    """Output of the CLIP encoder."""
    latents: Float[Tensor, "views channels rows columns"]
    """Output of the VAE's encoder, not multiplied by its scaling factor."""

    def __len__(self) -> int:
        return len(self.latents)

    def __getitem__(self, index: Bool[Tensor, " views"] | Int[Tensor, " some"]) -> Conditions:
        index = index.to(self.latents.device)
        return Conditions(self.image_embeds[index], self.latents[index])


class Zero123:
    """A loaded model with its settings. Not a module, so that it enters no checkpoint."""

    def __init__(self, networks: Networks, options: Zero123Options) -> None:
        self.networks = networks
        self.options = options

    @torch.no_grad()
    def condition(self, images: Float[Tensor, "views height width 3"]) -> Conditions:
        """Embeddings and latents of the photographs (over white, 0 to 1), computed once.

        The latents are the mode of the VAE's posterior, on which Zero123 was trained (`get_input` in its ddpm.py); the
        authors of SparseAGS draw one sample of it.
        """
        batches = self._square(images).split(self.options.max_batch)
        embeds = [self.networks.image_encoder(self._clip_pixels(batch)).image_embeds for batch in batches]
        latents = [self.networks.posterior(batch).mode() for batch in batches]
        return Conditions(torch.cat(embeds), torch.cat(latents))

    def __call__(
        self,
        rendered: Float[Tensor, "height width 3"],
        camera: Cameras,
        conditions: Conditions,
        cameras: Cameras,
        ratio: float,
        generator: torch.Generator,
    ) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Score-distillation loss of a render, differentiable in it, and diagnostics.

        Args:
            rendered: 0 to 1, over white or black.
            camera: one camera, of the render.
            conditions: encodings of the photographs that condition it.
            cameras: present cameras of those photographs.
            ratio: share of the run done.
            generator: source of all noise; on the CPU, so that a run is the same on every device.

        Raises:
            ValueError: there are no photographs, or their number is not that of the cameras.
        """
        if not len(conditions) == len(cameras) > 0:
            raise ValueError(
                f"guidance needs one camera for each of one or more photographs, got {len(cameras)} cameras for "
                f"{len(conditions)} photographs"
            )
        latents = self.encode(rendered, generator)
        context = self.context(camera, conditions, cameras)
        steps = len(self.networks.alphas_cumprod)
        moment = self._moment(choose_step(self.options.timesteps, ratio, steps, generator))
        if self.options.noise == "inverted":
            count = self.options.inversion_steps
            path = [self._moment(round(moment.t * (k + 1) / count)) for k in range(count)]
            noise = inverted_noise(latents.detach(), lambda z, t: self.predict(z, t, conditions, context, 1.0), path)
        else:
            noise = _noise(latents, generator)
        return distill(latents, lambda z, t: self.predict(z, t, conditions, context, self.options.scale), moment, noise)

    def encode(
        self, rendered: Float[Tensor, "height width 3"], generator: torch.Generator
    ) -> Float[Tensor, "1 channels rows columns"]:
        """Scaled latents of a render, one sample of the VAE's posterior, float32; differentiable."""
        posterior = self.networks.posterior(self._square(rendered[None]))
        mean, deviation = posterior.mean.float(), posterior.std.float()
        sample = mean + deviation * _noise(mean, generator)
        return sample * self.networks.vae.config["scaling_factor"]

    @torch.no_grad()
    def context(self, camera: Cameras, conditions: Conditions, cameras: Cameras) -> Float[Tensor, "views 1 features"]:
        """The UNet's context for each photograph: its embedding, mixed with the wanted camera relative to its own."""
        numbers = embed(self.networks.embedding, camera, cameras).to(conditions.image_embeds)
        return self.networks.projection(torch.cat([conditions.image_embeds, numbers], dim=-1))[:, None]

    @torch.no_grad()
    def predict(
        self,
        noisy: Float[Tensor, "1 channels rows columns"],
        t: int,
        conditions: Conditions,
        context: Float[Tensor, "views 1 features"],
        scale: float,
    ) -> Float[Tensor, "views channels rows columns"]:
        """Noise predicted from each photograph, with classifier-free guidance; float32."""
        views = conditions.latents
        if scale != 1.0:
            # The last row is unconditional: zeros in place of a photograph's latents and of its context.
            views = torch.cat([views, torch.zeros_like(views[:1])])
            context = torch.cat([context, torch.zeros_like(context[:1])])
        inputs = torch.cat([noisy.to(views).expand(len(views), -1, -1, -1), views], dim=1)
        batches = zip(inputs.split(self.options.max_batch), context.split(self.options.max_batch), strict=True)
        step = torch.tensor(t, device=views.device)
        noise = torch.cat([self.networks.unet(x, step, encoder_hidden_states=c).sample for x, c in batches]).float()
        return noise if scale == 1.0 else classifier_free(noise[:-1], noise[-1:], scale)

    def _square(self, images: Float[Tensor, "views height width 3"]) -> Float[Tensor, "views 3 side side"]:
        """Images in the networks' form: channels first, squares of `image_size`, the networks' dtype.

        Larger images are averaged over the new pixels' areas. At twice the size this is the authors' bilinear
        interpolation, which samples in the middle of four pixels; a wider filter would blur what the model sees.
        """
        pixels = images.permute(0, 3, 1, 2).to(self.networks.device, torch.float32)
        size = (self.options.image_size, self.options.image_size)
        if pixels.shape[2] > size[0]:
            pixels = F.interpolate(pixels, size=size, mode="area")
        elif pixels.shape[2] < size[0]:
            pixels = F.interpolate(pixels, size=size, mode="bilinear", align_corners=False)
        return pixels.to(self.networks.dtype)

    def _clip_pixels(self, pixels: Float[Tensor, "views 3 side side"]) -> Float[Tensor, "views 3 small small"]:
        """Images as CLIP's own preprocessing makes them: bicubic, antialiased, normalised."""
        side: Any = self.networks.image_encoder.config.image_size
        resized = F.interpolate(pixels.float(), size=(side, side), mode="bicubic", align_corners=False, antialias=True)
        mean, std = (pixels.new_tensor(v, dtype=torch.float32)[:, None, None] for v in (CLIP_MEAN, CLIP_STD))
        return ((resized.clamp(0, 1) - mean) / std).to(pixels.dtype)

    def _moment(self, t: int) -> Moment:
        return Moment(t, float(self.networks.alphas_cumprod[t]))


def _noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal noise, drawn on the CPU, so that it is the same on every device."""
    return torch.randn(like.shape, generator=generator).to(like.device)
