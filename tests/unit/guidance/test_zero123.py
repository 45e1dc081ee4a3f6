"""Zero123 with the tiny model and random weights: inputs of its networks, loss and gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import CLIPImageProcessor

from benchmarks.zero123_models import TINY
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.guidance.embeddings import embed
from sparseags_ns.guidance.networks import Networks, build
from sparseags_ns.guidance.zero123 import Conditions, Zero123, Zero123Options

MakeCameras = Callable[..., Cameras]
AZIMUTHS = [0.0, 100.0, 230.0]


def guidance_of(networks: Networks, **options: Any) -> Zero123:
    return Zero123(networks, Zero123Options(image_size=64, **options))


def images_of(count: int, size: int = 64) -> torch.Tensor:
    return torch.rand(count, size, size, 3, generator=torch.Generator().manual_seed(count))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Recorder(torch.nn.Module):
    """A UNet that records its inputs."""

    def __init__(self, unet: torch.nn.Module) -> None:
        super().__init__()
        self.unet, self.inputs, self.contexts, self.times = unet, [], [], []

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, encoder_hidden_states: torch.Tensor) -> Any:
        self.inputs.append(sample)
        self.contexts.append(encoder_hidden_states)
        self.times.append(int(timestep))
        return self.unet(sample, timestep, encoder_hidden_states=encoder_hidden_states)


def recording(networks: Networks) -> tuple[Networks, Recorder]:
    recorder = Recorder(networks.unet)
    return replace(networks, unet=recorder), recorder


@pytest.fixture
def scene(make_cameras: MakeCameras) -> tuple[torch.Tensor, Cameras, Cameras]:
    """Photographs, their cameras, and a wanted camera."""
    return images_of(3), make_cameras(AZIMUTHS), make_cameras([45.0], elevation=30.0)


def test_zero123_is_no_module_so_that_it_enters_no_checkpoint(tiny: Networks) -> None:
    assert not isinstance(guidance_of(tiny), torch.nn.Module)


def test_latents_of_photographs_are_not_scaled_and_those_of_the_render_are(tiny: Networks) -> None:
    guidance, image = guidance_of(tiny), images_of(1)
    posterior = tiny.posterior(image.permute(0, 3, 1, 2))
    torch.testing.assert_close(guidance.condition(image).latents, posterior.mode())
    mean = torch.stack([guidance.encode(image[0], seeded(s)) for s in range(300)]).mean(0)
    tolerance = 5 * float(posterior.std.max()) * 0.18215 / 300**0.5
    torch.testing.assert_close(mean, 0.18215 * posterior.mean, atol=tolerance, rtol=0)


def test_a_render_of_twice_the_size_is_averaged_as_the_authors_code_does(tiny: Networks) -> None:
    """Bilinear interpolation without a wider filter; so the gradient reaches all pixels of a block alike."""
    render = images_of(1, 128)[0].requires_grad_()
    guidance = guidance_of(tiny)
    posterior = tiny.posterior(
        torch.nn.functional.interpolate(render.permute(2, 0, 1)[None], (64, 64), mode="bilinear", align_corners=False)
    )
    theirs = (posterior.mean + posterior.std * torch.randn(posterior.mean.shape, generator=seeded())) * 0.18215
    ours = guidance.encode(render, seeded())
    torch.testing.assert_close(ours, theirs)
    (gradient,) = torch.autograd.grad(ours.square().sum(), render)
    (expected,) = torch.autograd.grad(theirs.square().sum(), render)
    torch.testing.assert_close(gradient, expected)
    blocks = gradient.reshape(64, 2, 64, 2, 3)
    torch.testing.assert_close(blocks, blocks.mean((1, 3), keepdim=True).expand_as(blocks))


@pytest.mark.parametrize("size", [32, 96, 128])
def test_renders_of_any_size_keep_their_mean_colour(tiny: Networks, size: int) -> None:
    image = images_of(1, size)
    square = guidance_of(tiny)._square(image)
    assert square.shape == (1, 3, 64, 64)
    torch.testing.assert_close(square.mean((2, 3)), image.mean((1, 2)), atol=0.01, rtol=0)


def test_unet_gets_the_noisy_render_with_each_photograph_and_once_without(tiny: Networks, scene) -> None:
    """There are N + 1 rows; the last has neither latents nor context (classifier-free guidance)."""
    images, cameras, camera = scene
    networks, recorder = recording(tiny)
    guidance = guidance_of(networks)
    conditions = guidance.condition(images)
    guidance(images[0], camera, conditions, cameras, 0.3, seeded())
    (inputs,), (contexts,) = recorder.inputs, recorder.contexts
    assert inputs.shape == (4, 8, 8, 8) and recorder.times == [700]
    assert all(torch.equal(inputs[0, :4], row) for row in inputs[:, :4])
    torch.testing.assert_close(inputs[:3, 4:], conditions.latents)
    assert not inputs[3, 4:].any() and not contexts[3].any()
    numbers = embed("6dof", camera, cameras)
    expected = tiny.projection(torch.cat([conditions.image_embeds, numbers], dim=-1))
    torch.testing.assert_close(contexts[:3, 0], expected)


def test_loss_is_the_formula_over_2n_separate_evaluations(tiny: Networks, scene) -> None:
    """The authors' 2 N evaluations, written out: without and with each photograph, scale 5, averaged, weighted."""
    images, cameras, camera = scene
    guidance = guidance_of(tiny)
    conditions = guidance.condition(images)
    image = images_of(1)[0].requires_grad_()
    loss, _ = guidance(image, camera, conditions, cameras, 0.4, seeded(7))
    generator = seeded(7)
    latents = guidance.encode(image, generator)
    noise = torch.randn(latents.shape, generator=generator)
    a = float(tiny.alphas_cumprod[600])
    noisy, predictions = a**0.5 * latents + (1 - a) ** 0.5 * noise, []
    context = guidance.context(camera, conditions, cameras)
    for view in range(3):
        known = torch.cat([noisy, conditions.latents[view : view + 1]], dim=1)
        unknown = torch.cat([noisy, torch.zeros_like(noisy)], dim=1)
        with_it = tiny.unet(known, 600, encoder_hidden_states=context[view : view + 1]).sample
        without = tiny.unet(unknown, 600, encoder_hidden_states=torch.zeros_like(context[:1])).sample
        predictions.append(without + 5 * (with_it - without))
    gradient = ((1 - a) * (torch.stack(predictions).mean(0) - noise)).detach()
    expected = 0.5 * (latents - (latents - gradient).detach()).square().sum()
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-4)
    ours, theirs = torch.autograd.grad(loss, image)[0], torch.autograd.grad(expected, image)[0]
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("max_batch", [1, 2, 3, 16])
def test_splitting_into_batches_changes_nothing(max_batch: int, tiny: Networks, scene) -> None:
    images, cameras, camera = scene
    networks, recorder = recording(tiny)
    whole, split = guidance_of(tiny), guidance_of(networks, max_batch=max_batch)
    conditions = split.condition(images)
    torch.testing.assert_close(conditions.latents, whole.condition(images).latents, atol=1e-5, rtol=1e-4)
    losses = [g(images[1], camera, conditions, cameras, 0.5, seeded())[0] for g in (whole, split)]
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-4, atol=1e-4)
    assert max(len(batch) for batch in recorder.inputs) <= max_batch


def test_dropped_views_do_not_condition(tiny: Networks, scene) -> None:
    images, cameras, camera = scene
    guidance = guidance_of(tiny)
    kept = torch.tensor([True, False, True])
    fewer = guidance.condition(images)[kept]
    alone = guidance.condition(images[kept])
    torch.testing.assert_close(fewer.latents, alone.latents, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(fewer.image_embeds, alone.image_embeds, atol=1e-5, rtol=1e-4)
    with pytest.raises(ValueError, match="3 cameras for 2 photographs"):
        guidance(images[0], camera, fewer, cameras, 0.5, seeded())
    with pytest.raises(ValueError, match="0 photographs"):
        guidance(images[0], camera, fewer[torch.tensor([False, False])], cameras[[]], 0.5, seeded())


def test_the_same_generator_gives_the_same_loss_and_another_does_not(tiny: Networks, scene) -> None:
    images, cameras, camera = scene
    guidance = guidance_of(tiny, timesteps="random")
    conditions = guidance.condition(images)
    losses = [guidance(images[0], camera, conditions, cameras, 0.5, seeded(s))[0].item() for s in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


def test_inverted_noise_follows_the_model_without_random_draws(tiny: Networks, scene) -> None:
    images, cameras, camera = scene
    networks, recorder = recording(tiny)
    guidance = guidance_of(networks, noise="inverted", inversion_steps=4)
    loss, _ = guidance(images[0], camera, guidance.condition(images), cameras, 0.6, seeded())
    assert torch.isfinite(loss) and recorder.times == [100, 200, 300, 400, 400]
    assert [len(batch) for batch in recorder.inputs] == [3, 3, 3, 3, 4]


def test_only_the_render_gets_a_gradient(tiny: Networks, scene) -> None:
    images, cameras, camera = scene
    guidance = guidance_of(tiny)
    image, poses = images[0].clone().requires_grad_(), cameras.T_camera_world.clone().requires_grad_()
    loss, _ = guidance(image, camera, guidance.condition(images), cameras.with_poses(poses), 0.5, seeded())
    to_image, to_poses = torch.autograd.grad(loss, [image, poses], allow_unused=True)
    assert to_image.abs().sum() > 0 and to_poses is None


def test_half_precision_agrees_with_single(tiny: Networks, scene) -> None:
    images, cameras, camera = scene
    half = build(TINY)
    for ours, theirs in zip(half.modules().values(), tiny.modules().values(), strict=True):
        ours.load_state_dict(theirs.state_dict())
    half.frozen("cpu", torch.bfloat16)
    gradients = []
    for networks in (tiny, half):
        guidance, image = guidance_of(networks), images[0].clone().requires_grad_()
        loss, _ = guidance(image, camera, guidance.condition(images), cameras, 0.5, seeded())
        gradients.append(torch.autograd.grad(loss, image)[0].flatten())
    assert gradients[1].dtype == torch.float32
    assert torch.cosine_similarity(*gradients, dim=0) > 0.9


@pytest.mark.parametrize("size", [64, 128, 40])
def test_renders_of_any_size_are_resized_to_the_models(size: int, tiny: Networks, scene) -> None:
    images, cameras, camera = scene
    guidance = guidance_of(tiny)
    image = images_of(1, size)[0].requires_grad_()
    loss, diagnostics = guidance(image, camera, guidance.condition(images), cameras, 0.5, seeded())
    assert torch.autograd.grad(loss, image)[0].shape == (size, size, 3)
    assert diagnostics["t"] == 500 and diagnostics["gradient"] > 0


def test_clip_gets_the_pixels_of_its_own_preprocessing(tiny: Networks) -> None:
    """transformers' CLIPImageProcessor on an image of bytes: bicubic, antialiased, normalised."""
    coarse = images_of(1).permute(0, 3, 1, 2)[..., :8, :8]
    image = torch.nn.functional.interpolate(coarse, size=(64, 64), mode="bicubic").clamp(0, 1).mul(255).round()
    side = {"height": 16, "width": 16}
    processor = CLIPImageProcessor(size=side, crop_size=side)
    theirs = processor(images=image[0].byte(), return_tensors="pt").pixel_values
    torch.testing.assert_close(guidance_of(tiny)._clip_pixels(image / 255), theirs, atol=0.03, rtol=0)


def test_conditions_pick_views_by_mask_or_index() -> None:
    conditions = Conditions(torch.arange(3.0)[:, None], torch.zeros(3, 4, 2, 2))
    assert conditions[torch.tensor([False, True, True])].image_embeds.flatten().tolist() == [1, 2]
    assert conditions[torch.tensor([2, 0])].image_embeds.flatten().tolist() == [2, 0]
