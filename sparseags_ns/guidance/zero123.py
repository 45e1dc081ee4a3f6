"""Zero123, vanilla and 6-DoF, as a guidance: what it believes a render should look like, given each photograph.

Of N photographs the UNet is evaluated N + 1 times: without a photograph its prediction is the same for all of them, so
classifier-free guidance needs it once, where the authors' code computes it N times with the same result.

Images are 0 to 1, resized to squares of `image_size`; cameras' focal lengths count in image sides (embeddings.py).
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
    """How Zero123 is asked."""

    scale: float = 5.0
    """Classifier-free guidance (paper: 5)."""
    timesteps: Literal["annealed", "random"] = "annealed"
    """How t is chosen: falling with the run (paper), or uniform in its range."""
    noise: Literal["random", "inverted"] = "random"
    """The noise added: a new sample (paper), or the model's own inversion of the render (SDI)."""
    inversion_steps: int = 10
    """Steps of that inversion (Lukoianov et al. 2024: 10)."""
    max_batch: int = 16
    """Images in one pass of a network; more are split."""
    image_size: int = 256
    """Side of the images the model was trained on, pixels (paper: 256)."""


@dataclass(frozen=True)
class Conditions:
    """What is computed once of the photographs."""

    image_embeds: Float[Tensor, "views features"]
    """Of the CLIP encoder."""
    latents: Float[Tensor, "views channels rows columns"]
    """Of the VAE, not multiplied by its scaling factor."""

    def __len__(self) -> int:
        return len(self.latents)

    def __getitem__(self, index: Bool[Tensor, " views"] | Int[Tensor, " some"]) -> Conditions:
        index = index.to(self.latents.device)
        return Conditions(self.image_embeds[index], self.latents[index])


class Zero123:
    """A loaded model and how it is asked. Not a module: it never enters a checkpoint."""

    def __init__(self, networks: Networks, options: Zero123Options) -> None:
        self.networks = networks
        self.options = options

    @torch.no_grad()
    def condition(self, images: Float[Tensor, "views height width 3"]) -> Conditions:
        """Embeddings and latents of the photographs over white."""
        pixels = self._square(images)
        batches = pixels.split(self.options.max_batch)
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
        """Score-distillation loss of a render; see `sds.Guidance`.

        Raises:
            ValueError: no photograph is left to condition, or their number is not that of the cameras.
        """
        if not len(conditions) == len(cameras) > 0:
            raise ValueError(
                f"guidance needs one camera for each of one or more photographs, got {len(cameras)} cameras for "
                f"{len(conditions)} photographs"
            )
        latents = self.encode(rendered, generator)
        context = self.context(camera, conditions, cameras)
        moment = self._moment(choose_step(self.options.timesteps, ratio, self._steps, generator))
        if self.options.noise == "inverted":
            with torch.no_grad():
                path = [self._moment(round(moment.t * (k + 1) / self._path)) for k in range(self._path)]
                noise = inverted_noise(
                    latents.detach(), lambda z, t: self.predict(z, t, conditions, context, 1.0), path
                )
        else:
            noise = self._noise(latents, generator)
        return distill(latents, lambda z, t: self.predict(z, t, conditions, context, self.options.scale), moment, noise)

    def encode(
        self, rendered: Float[Tensor, "height width 3"], generator: torch.Generator
    ) -> Float[Tensor, "1 channels rows columns"]:
        """Scaled latents of a render, one sample of the VAE's posterior, float32; gradients flow."""
        posterior = self.networks.posterior(self._square(rendered[None]))
        mean, deviation = posterior.mean.float(), posterior.std.float()
        sample = mean + deviation * self._noise(mean, generator)
        return sample * self.networks.vae.config["scaling_factor"]

    @torch.no_grad()
    def context(self, camera: Cameras, conditions: Conditions, cameras: Cameras) -> Float[Tensor, "views 1 features"]:
        """The UNet's context for each photograph: the image's embedding and where the wanted view lies from it."""
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
        """Noise that each photograph predicts, with classifier-free guidance; float32."""
        views = conditions.latents
        if scale != 1.0:
            # The last row knows no photograph: zeros in place of its latents and of its context.
            views = torch.cat([views, torch.zeros_like(views[:1])])
            context = torch.cat([context, torch.zeros_like(context[:1])])
        inputs = torch.cat([noisy.to(views).expand(len(views), -1, -1, -1), views], dim=1)
        batches = zip(inputs.split(self.options.max_batch), context.split(self.options.max_batch), strict=True)
        step = torch.tensor(t, device=views.device)
        noise = torch.cat([self.networks.unet(x, step, encoder_hidden_states=c).sample for x, c in batches]).float()
        return noise if scale == 1.0 else classifier_free(noise[:-1], noise[-1:], scale)

    def _square(self, images: Float[Tensor, "views height width 3"]) -> Float[Tensor, "views 3 side side"]:
        """Images as the networks want them: channels first, one size, their dtype."""
        pixels = images.permute(0, 3, 1, 2).to(self.networks.device, torch.float32)
        size = (self.options.image_size, self.options.image_size)
        if tuple(pixels.shape[2:]) != size:
            shrinks = pixels.shape[2] > size[0]
            pixels = F.interpolate(pixels, size=size, mode="bilinear", align_corners=False, antialias=shrinks)
        return pixels.to(self.networks.dtype)

    def _clip_pixels(self, pixels: Float[Tensor, "views 3 side side"]) -> Float[Tensor, "views 3 small small"]:
        """Images as CLIP's own preprocessing makes them: bicubic, antialiased, normalised."""
        side: Any = self.networks.image_encoder.config.image_size
        resized = F.interpolate(pixels.float(), size=(side, side), mode="bicubic", align_corners=False, antialias=True)
        mean, std = (pixels.new_tensor(v, dtype=torch.float32)[:, None, None] for v in (CLIP_MEAN, CLIP_STD))
        return ((resized.clamp(0, 1) - mean) / std).to(pixels.dtype)

    def _noise(self, like: Tensor, generator: torch.Generator) -> Tensor:
        return torch.randn(like.shape, generator=generator).to(like.device)

    @property
    def _steps(self) -> int:
        return len(self.networks.alphas_cumprod)

    @property
    def _path(self) -> int:
        return self.options.inversion_steps

    def _moment(self, t: int) -> Moment:
        return Moment(t, float(self.networks.alphas_cumprod[t]))
