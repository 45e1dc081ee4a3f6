"""A tiny Zero123 is trained: its loss falls, and its gradient reaches Gaussians.

The latents of the random VAE suffice, and its decoder is not needed. Photographs condition as in use; the model learns
renders of the same object from all around.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from benchmarks.zero123_models import TINY
from sparseags_ns.geometry.cameras import Cameras, orbit
from sparseags_ns.guidance.embeddings import embed
from sparseags_ns.guidance.networks import Networks, build
from sparseags_ns.guidance.zero123 import Zero123, Zero123Options
from sparseags_ns.optimization.novel_views import sample_novel_view
from sparseags_ns.optimization.prior import Prior, PriorSettings
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views

STEPS, BATCH = 80, 8


@dataclass(frozen=True)
class Trained:
    """A trained guidance and the losses of its training."""

    guidance: Zero123
    losses: Tensor


def red_ball() -> Gaussians:
    generator = torch.Generator().manual_seed(0)
    return Gaussians(
        means=(torch.rand(60, 3, generator=generator) - 0.5) * 0.5,
        quats=torch.randn(60, 4, generator=generator),
        scales=torch.full((60, 3), 0.04),
        opacities=torch.full((60,), 0.9),
        colors=torch.tensor([[0.9, 0.1, 0.1]]).repeat(60, 1),
    )


def around(count: int) -> Cameras:
    generator = torch.Generator().manual_seed(count)
    azimuths, elevations = torch.rand(2, count, generator=generator) * torch.tensor([[360.0], [80.0]])
    K = torch.tensor([[115.0, 0, 32], [0, 115, 32], [0, 0, 1]]).repeat(count, 1, 1)
    return Cameras(orbit(azimuths, elevations - 40, 1.85), K, 64, 64)


def photographs(cameras: Cameras) -> Tensor:
    return rasterize(red_ball(), cameras, torch.ones(3)).rgb.clamp(0, 1)


@torch.no_grad()
def normalize_latents(networks: Networks) -> None:
    """Normalise the random VAE like a trained one: scaled latents of mean 0 and deviation 1, and a narrow posterior."""
    last, cameras = networks.vae.quant_conv, around(20)
    assert last is not None and last.bias is not None
    mean = networks.posterior(photographs(cameras).permute(0, 3, 1, 2)).mean
    center, deviation = mean.mean((0, 2, 3)), mean.std((0, 2, 3)) * networks.vae.config["scaling_factor"]
    last.weight[:4] /= deviation[:, None, None, None]
    last.bias[:4] = (last.bias[:4] - center) / deviation
    last.weight[4:], last.bias[4:] = 0, -20


def training_losses(networks: Networks, guidance: Zero123) -> Tensor:
    """Denoising losses of ordinary diffusion training on novel views of the ball; changes UNet and projection."""
    generator, sources = torch.Generator().manual_seed(0), around(6)
    novel = [sample_novel_view(red_ball(), sources, 64, generator) for _ in range(16)]
    seen = [rasterize(red_ball(), view.camera, view.background).rgb for view in novel]
    latents = guidance.condition(torch.cat(seen).clamp(0, 1)).latents * networks.vae.config["scaling_factor"]
    conditions = guidance.condition(photographs(sources))
    numbers = torch.stack([embed(networks.embedding, view.camera, sources) for view in novel])
    trained = [*networks.unet.parameters(), *networks.projection.parameters()]
    optimizer = torch.optim.Adam([p.requires_grad_() for p in trained], lr=3e-3)
    losses = []
    for _ in range(STEPS):
        target = torch.randint(0, len(novel), (BATCH,), generator=generator)
        source = torch.randint(0, len(sources), (BATCH,), generator=generator)
        noise = torch.randn(BATCH, *latents.shape[1:], generator=generator)
        t = torch.randint(20, 981, (BATCH,), generator=generator)
        alpha_bar = networks.alphas_cumprod[t][:, None, None, None]
        noisy = alpha_bar**0.5 * latents[target] + (1 - alpha_bar) ** 0.5 * noise
        context = torch.cat([conditions.image_embeds[source], numbers[target, source]], dim=-1)
        inputs = torch.cat([noisy, conditions.latents[source]], dim=1)
        predicted = networks.unet(inputs, t, encoder_hidden_states=networks.projection(context)[:, None]).sample
        loss = (predicted - noise).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


@pytest.fixture(scope="module")
def trained() -> Trained:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        networks = build(TINY).frozen("cpu", torch.float32)
    normalize_latents(networks)
    guidance = Zero123(networks, Zero123Options(image_size=64, scale=1.0))
    losses = training_losses(networks, guidance)
    networks.frozen("cpu", torch.float32)
    return Trained(guidance, losses)


def test_the_loss_of_a_tiny_model_clearly_falls(trained: Trained) -> None:
    assert trained.losses[-20:].mean() < 0.6 * trained.losses[:5].mean()


def test_the_trained_model_moves_gaussians_through_unet_vae_and_rasterizer(trained: Trained) -> None:
    """Gradients are finite, and differ between blue Gaussians and the red ones of the training."""
    cameras, ball = around(4), red_ball()
    images = photographs(cameras)
    known = torch.ones(images.shape[:3])
    views = Views(tuple("abcd"), (), images, known, known, cameras, torch.ones(4, dtype=torch.bool))
    settings = PriorSettings(guidance_sizes=(64, 64, 64), guidance_every=1, guidance_weight=1.0)
    prior, gradients = Prior(trained.guidance, views, settings), []
    for colors in (ball.colors, ball.colors.flip(-1)):
        moving = replace(ball, means=ball.means.clone().requires_grad_(), colors=colors.clone().requires_grad_())
        loss, _ = prior.loss(moving, cameras, views.trusted, ratio=0.5, step=0)
        gradients.append(torch.autograd.grad(loss, [moving.means, moving.colors]))
    assert all(torch.isfinite(g).all() and g.abs().sum() > 0 for pair in gradients for g in pair)
    assert not torch.allclose(gradients[0][1], gradients[1][1])
