"""Names in diffusers and transformers of the weights of the original code (LDM, OpenAI CLIP). Pure.

The original UNet numbers its blocks straight through; diffusers groups them: with L layers to a resolution, block i of
the way down (after the first convolution) is layer (i - 1) mod (L + 1) of resolution (i - 1) div (L + 1), the last of
each being the downsampler; block i of the way up is layer i mod (L + 1) of resolution i div (L + 1).
"""

from __future__ import annotations

import re

from torch import Tensor

_UNET_FIXED = {
    "time_embed.0.": "time_embedding.linear_1.",
    "time_embed.2.": "time_embedding.linear_2.",
    "input_blocks.0.0.": "conv_in.",
    "out.0.": "conv_norm_out.",
    "out.2.": "conv_out.",
    "middle_block.0.": "mid_block.resnets.0.",
    "middle_block.1.": "mid_block.attentions.0.",
    "middle_block.2.": "mid_block.resnets.1.",
}

_RESNET = {
    "in_layers.0.": "norm1.",
    "in_layers.2.": "conv1.",
    "emb_layers.1.": "time_emb_proj.",
    "out_layers.0.": "norm2.",
    "out_layers.3.": "conv2.",
    "skip_connection.": "conv_shortcut.",
}

_VAE_FIXED = {
    "mid.block_1.": "mid_block.resnets.0.",
    "mid.block_2.": "mid_block.resnets.1.",
    "mid.attn_1.norm.": "mid_block.attentions.0.group_norm.",
    "mid.attn_1.q.": "mid_block.attentions.0.to_q.",
    "mid.attn_1.k.": "mid_block.attentions.0.to_k.",
    "mid.attn_1.v.": "mid_block.attentions.0.to_v.",
    "mid.attn_1.proj_out.": "mid_block.attentions.0.to_out.0.",
    "norm_out.": "conv_norm_out.",
    "conv_in.": "conv_in.",
    "conv_out.": "conv_out.",
}

_CLIP_FIXED = {
    "class_embedding": "vision_model.embeddings.class_embedding",
    "positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "ln_pre.weight": "vision_model.pre_layrnorm.weight",  # the spelling is transformers' own
    "ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "ln_post.weight": "vision_model.post_layernorm.weight",
    "ln_post.bias": "vision_model.post_layernorm.bias",
}

_CLIP_LAYER = {
    "ln_1.": "layer_norm1.",
    "ln_2.": "layer_norm2.",
    "mlp.c_fc.": "mlp.fc1.",
    "mlp.c_proj.": "mlp.fc2.",
    "attn.out_proj.": "self_attn.out_proj.",
}


def unet_name(name: str, layers_per_block: int) -> str | None:
    """Name of a UNet weight in diffusers; None if the architecture has no such weight."""
    fixed = _replaced(name, _UNET_FIXED)
    if fixed is not None:
        return _resnet(fixed) if ".resnets." in fixed else fixed
    match = re.fullmatch(r"(input|output)_blocks\.(\d+)\.(\d+)\.(.+)", name)
    if match is None:
        return None
    way, number, position, rest = match[1], int(match[2]), int(match[3]), match[4]
    block, layer = divmod(number - 1 if way == "input" else number, layers_per_block + 1)
    home = f"{'down' if way == 'input' else 'up'}_blocks.{block}."
    if rest.startswith("op."):
        return f"{home}downsamplers.0.conv.{rest.removeprefix('op.')}"
    if rest.startswith("conv."):
        return f"{home}upsamplers.0.conv.{rest.removeprefix('conv.')}"
    return _resnet(f"{home}resnets.{layer}.{rest}") if position == 0 else f"{home}attentions.{layer}.{rest}"


def vae_name(name: str, levels: int) -> str | None:
    """Name of a VAE weight in diffusers; None if the architecture has no such weight.

    The two codes count the decoder's resolutions, `levels` of them, from opposite ends.
    """
    if name.startswith(("quant_conv.", "post_quant_conv.")):
        return name
    half, _, rest = name.partition(".")
    if half not in ("encoder", "decoder"):
        return None
    fixed = _replaced(rest, _VAE_FIXED)
    if fixed is None:
        match = re.fullmatch(r"(down|up)\.(\d+)\.(block\.(\d+)|downsample|upsample)\.(.+)", rest)
        if match is None:
            return None
        level = int(match[2]) if half == "encoder" else levels - 1 - int(match[2])
        inside = f"resnets.{match[4]}" if match[4] is not None else f"{match[3]}rs.0"
        fixed = f"{match[1]}_blocks.{level}.{inside}.{match[5]}"
    return f"{half}.{fixed.replace('nin_shortcut.', 'conv_shortcut.')}"


def clip_entries(name: str, value: Tensor) -> dict[str, Tensor]:
    """A weight of OpenAI's image encoder as transformers stores it; empty if the architecture has no such weight.

    OpenAI keeps the three projections of an attention in one matrix, and the last projection transposed.
    """
    if name == "proj":
        return {"visual_projection.weight": value.T}
    if name in _CLIP_FIXED:
        return {_CLIP_FIXED[name]: value}
    match = re.fullmatch(r"transformer\.resblocks\.(\d+)\.(.+)", name)
    if match is None:
        return {}
    layer, rest = f"vision_model.encoder.layers.{match[1]}.", match[2]
    if rest in ("attn.in_proj_weight", "attn.in_proj_bias"):
        kind = rest.rpartition("_")[2]
        return {f"{layer}self_attn.{k}_proj.{kind}": part for k, part in zip("qkv", value.chunk(3), strict=True)}
    inside = _replaced(rest, _CLIP_LAYER)
    return {} if inside is None else {layer + inside: value}


def _replaced(name: str, table: dict[str, str]) -> str | None:
    """The name with its beginning replaced by the table; None if no entry fits."""
    return next((new + name.removeprefix(old) for old, new in table.items() if name.startswith(old)), None)


def _resnet(name: str) -> str | None:
    """`...resnets.0.in_layers.2.weight` with the inside renamed; None if a residual block has no such weight."""
    match = re.fullmatch(r"(.*\.resnets\.\d+\.)(.+)", name)
    inside = _replaced(match[2], _RESNET) if match else None
    return f"{match[1]}{inside}" if match and inside else None
