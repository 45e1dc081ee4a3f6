"""Networks of a Zero123 model and their sizes.

A photograph goes to the CLIP encoder (its content) and, as VAE latents, into the UNet's extra input channels (its
details); the projection mixes the CLIP embedding with the camera's numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sparseags_ns.guidance.embeddings import NUMBERS, Embedding

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPVisionModelWithProjection

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
"""Mean and standard deviation of the pixels that CLIP was trained on, red, green, blue."""


@dataclass(frozen=True)
class Networks:
    """Frozen networks, all of one device and dtype."""

    unet: UNet2DConditionModel
    """Denoiser with 8 input channels: noisy latents, then the latents of the photograph."""
    vae: AutoencoderKL
    image_encoder: CLIPVisionModelWithProjection
    projection: nn.Linear
    """Maps CLIP embedding and camera numbers to the UNet's context."""
    alphas_cumprod: Float[Tensor, " steps"]
    """Share of the signal's variance left at each time step; float32, on the CPU."""
    embedding: Embedding

    def modules(self) -> dict[str, nn.Module]:
        """The networks by name."""
        return {name: getattr(self, name) for name in ("unet", "vae", "image_encoder", "projection")}

    def frozen(self, device: torch.device | str, dtype: torch.dtype) -> Networks:
        """Move the networks in place and switch their gradients off."""
        for module in self.modules().values():
            # Torch's own `to`: the one of diffusers warns of an empty list of layers to be kept in float32.
            nn.Module.to(module, device=torch.device(device), dtype=dtype).eval().requires_grad_(False)
        return self

    def posterior(self, images: Float[Tensor, "views 3 height width"]) -> Any:
        """The VAE's distribution of latents of images from 0 to 1 (diffusers' `DiagonalGaussianDistribution`)."""
        encoded: Any = self.vae.encode(2 * images - 1)
        return encoded.latent_dist

    @property
    def device(self) -> torch.device:
        """Device of the networks."""
        return self.projection.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the networks."""
        return self.projection.weight.dtype


@dataclass(frozen=True)
class Architecture:
    """Constructor arguments of all networks."""

    unet: dict[str, Any]
    vae: dict[str, Any]
    image_encoder: dict[str, Any]
    embedding: Embedding = "6dof"


SCHEDULER: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
"""Noise schedule of Zero123, as its `scheduler_config.json` files give it."""

ZERO123_XL = Architecture(
    unet={
        "sample_size": 32,
        "in_channels": 8,
        "out_channels": 4,
        "block_out_channels": (320, 640, 1280, 1280),
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        "layers_per_block": 2,
        "attention_head_dim": 8,
        "cross_attention_dim": 768,
    },
    vae={
        "sample_size": 256,
        "latent_channels": 4,
        "block_out_channels": (128, 256, 512, 512),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 2,
    },
    image_encoder={
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "image_size": 224,
        "patch_size": 14,
        "projection_dim": 768,
    },
)
"""Zero123-XL, as its `config.json` files give it: about 860 million parameters in the UNet, 84 in the VAE, 304 in the
image encoder."""


def build(architecture: Architecture, device: torch.device | str = "cpu") -> Networks:
    """Networks with random weights, drawn from torch's global generator; the device `meta` holds none."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    alphas = DDIMScheduler(**SCHEDULER).alphas_cumprod
    width = architecture.image_encoder["projection_dim"]
    with torch.device(device):
        return Networks(
            unet=UNet2DConditionModel(**architecture.unet),
            vae=AutoencoderKL(**architecture.vae),
            image_encoder=CLIPVisionModelWithProjection(CLIPVisionConfig(**architecture.image_encoder)),
            projection=nn.Linear(width + NUMBERS[architecture.embedding], architecture.unet["cross_attention_dim"]),
            alphas_cumprod=alphas,
            embedding=architecture.embedding,
        )
