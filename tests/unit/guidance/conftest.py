"""The tiny model, its LDM checkpoint, and cameras around an object."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from benchmarks.zero123_models import TINY
from sparseags_ns.geometry.cameras import Cameras, orbit
from sparseags_ns.guidance.networks import Networks, build


@pytest.fixture(autouse=True)
def global_seed() -> Iterator[None]:
    """Random weights are drawn from torch's global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture
def tiny() -> Networks:
    """A new tiny model, frozen, on the CPU."""
    return build(TINY).frozen("cpu", torch.float32)


@pytest.fixture
def make_cameras() -> Callable[..., Cameras]:
    """Cameras on a sphere around the origin."""

    def make(azimuths: list[float], elevation: float = 10.0, size: int = 64) -> Cameras:
        count = len(azimuths)
        poses = orbit(torch.tensor(azimuths), torch.full((count,), elevation), 1.85)
        K = torch.tensor([[1.8 * size, 0, size / 2], [0, 1.8 * size, size / 2], [0, 0, 1]]).repeat(count, 1, 1)
        return Cameras(poses, K, size, size)

    return make


RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
VAE_ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}
CLIP_LAYER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}


def both_kinds(pairs: dict[str, str]) -> dict[str, str]:
    """LDM and diffusers names of weights and biases."""
    return {f"{old}.{kind}": f"{new}.{kind}" for old, new in pairs.items() for kind in ("weight", "bias")}


def unet_pairs(unet: nn.Module, levels: int, layers: int) -> dict[str, str]:
    """LDM name to diffusers name, laid out in the order in which the LDM constructor appends its blocks."""
    names = unet.state_dict().keys()
    pairs = both_kinds(
        {
            "time_embed.0": "time_embedding.linear_1",
            "time_embed.2": "time_embedding.linear_2",
            "input_blocks.0.0": "conv_in",
            "out.0": "conv_norm_out",
            "out.2": "conv_out",
        }
    )

    def add(old: str, new: str) -> bool:
        """A whole block; False if the model has none there."""
        inside = [name.removeprefix(f"{new}.") for name in names if name.startswith(f"{new}.")]
        renamed = both_kinds({f"{a}": b for a, b in RESNET.items()}) if ".resnets." in new else {}
        back = {b: a for a, b in renamed.items()}
        pairs.update({f"{old}.{back.get(name, name)}": f"{new}.{name}" for name in inside})
        return bool(inside)

    block = 1
    for level in range(levels):
        for layer in range(layers):
            add(f"input_blocks.{block}.0", f"down_blocks.{level}.resnets.{layer}")
            add(f"input_blocks.{block}.1", f"down_blocks.{level}.attentions.{layer}")
            block += 1
        if level < levels - 1:
            pairs |= both_kinds({f"input_blocks.{block}.0.op": f"down_blocks.{level}.downsamplers.0.conv"})
            block += 1
    add("middle_block.0", "mid_block.resnets.0")
    add("middle_block.1", "mid_block.attentions.0")
    add("middle_block.2", "mid_block.resnets.1")
    block = 0
    for level in range(levels):
        for layer in range(layers + 1):
            add(f"output_blocks.{block}.0", f"up_blocks.{level}.resnets.{layer}")
            attended = add(f"output_blocks.{block}.1", f"up_blocks.{level}.attentions.{layer}")
            if layer == layers and level < levels - 1:
                old = f"output_blocks.{block}.{1 + attended}.conv"
                pairs |= both_kinds({old: f"up_blocks.{level}.upsamplers.0.conv"})
            block += 1
    return {old: new for old, new in pairs.items() if new in names}


def vae_pairs(vae: nn.Module, levels: int, layers: int) -> dict[str, str]:
    """LDM name to diffusers name of the VAE."""
    names = vae.state_dict().keys()
    pairs = {name: name for name in names if name.split(".")[0] in ("quant_conv", "post_quant_conv")}
    resnet = {"norm1": "norm1", "conv1": "conv1", "norm2": "norm2", "conv2": "conv2", "nin_shortcut": "conv_shortcut"}
    for half, way, extra in (("encoder", "down", 0), ("decoder", "up", 1)):
        homes = {f"{half}.mid.block_{k + 1}": f"{half}.mid_block.resnets.{k}" for k in range(2)}
        for level in range(levels):
            ours = level if way == "down" else levels - 1 - level
            for layer in range(layers + extra):
                homes[f"{half}.{way}.{level}.block.{layer}"] = f"{half}.{way}_blocks.{ours}.resnets.{layer}"
            sampler = f"{half}.{way}.{level}.{way}sample.conv"
            pairs |= both_kinds({sampler: f"{half}.{way}_blocks.{ours}.{way}samplers.0.conv"})
        pairs |= both_kinds({f"{old}.{a}": f"{new}.{b}" for old, new in homes.items() for a, b in resnet.items()})
        attention = {f"{half}.mid.attn_1.{a}": f"{half}.mid_block.attentions.0.{b}" for a, b in VAE_ATTENTION.items()}
        outer = {f"{half}.{a}": f"{half}.{b}" for a, b in (("conv_in", "conv_in"), ("norm_out", "conv_norm_out"))}
        pairs |= both_kinds(attention | outer | {f"{half}.conv_out": f"{half}.conv_out"})
    return {old: new for old, new in pairs.items() if new in names}


def clip_state(encoder: nn.Module, layers: int) -> dict[str, Tensor]:
    """The image encoder as OpenAI stores it."""
    theirs = encoder.state_dict()
    embeddings = "vision_model.embeddings"
    state = {
        "class_embedding": theirs[f"{embeddings}.class_embedding"],
        "positional_embedding": theirs[f"{embeddings}.position_embedding.weight"],
        "conv1.weight": theirs[f"{embeddings}.patch_embedding.weight"],
        "proj": theirs["visual_projection.weight"].T,
    }
    for kind in ("weight", "bias"):
        state[f"ln_pre.{kind}"] = theirs[f"vision_model.pre_layrnorm.{kind}"]
        state[f"ln_post.{kind}"] = theirs[f"vision_model.post_layernorm.{kind}"]
        for layer in range(layers):
            old, new = f"transformer.resblocks.{layer}", f"vision_model.encoder.layers.{layer}"
            parts = [theirs[f"{new}.self_attn.{k}_proj.{kind}"] for k in "qkv"]
            state[f"{old}.attn.in_proj_{kind}"] = torch.cat(parts)
            state |= {f"{old}.{a}.{kind}": theirs[f"{new}.{b}.{kind}"] for a, b in CLIP_LAYER.items()}
    return state


def ldm_state(networks: Networks, *, whole: bool = True) -> dict[str, Tensor]:
    """A model as the original code saves it: with what it never reads, and without VAE and CLIP unless `whole`."""
    unet, vae = networks.unet, networks.vae
    layers, levels = unet.config["layers_per_block"], len(unet.config["block_out_channels"])
    weights = unet.state_dict()
    state = {f"model.diffusion_model.{a}": weights[b] for a, b in unet_pairs(unet, levels, layers).items()}
    state |= {f"cc_projection.{name}": value for name, value in networks.projection.state_dict().items()}
    state |= {"model_ema.decay": torch.tensor(0.99), "betas": torch.zeros(10), "logvar": torch.zeros(10)}
    if not whole:
        return state
    weights, levels = vae.state_dict(), len(vae.config["block_out_channels"])
    pairs = vae_pairs(vae, levels, vae.config["layers_per_block"])
    # LDM's attention in the VAE is made of 1x1 convolutions.
    state |= {
        f"first_stage_model.{a}": weights[b][..., None, None] if "attn" in a and weights[b].ndim == 2 else weights[b]
        for a, b in pairs.items()
    }
    clip = clip_state(networks.image_encoder, networks.image_encoder.config.num_hidden_layers)
    state |= {f"cond_stage_model.model.visual.{name}": value for name, value in clip.items()}
    return state | {"cond_stage_model.model.token_embedding.weight": torch.zeros(3, 2)}


@pytest.fixture
def make_ldm_state() -> Callable[..., dict[str, Tensor]]:
    """`ldm_state`, for the tests."""
    return ldm_state
