"""Folders and files as they are published, filled with the tiny model, and what is wrong with those that fail."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.zero123_models import TINY, write_folder
from sparseags_ns.guidance.checkpoints import CheckpointError
from sparseags_ns.guidance.choice import choose_guidance
from sparseags_ns.guidance.loading import load_checkpoint, load_folder, weights_file
from sparseags_ns.guidance.networks import Networks, build
from sparseags_ns.guidance.zero123 import Zero123Options

LAYOUTS = ["clip_camera_projection", "cc_projection"]


def same(first: Networks, second: Networks) -> bool:
    pairs = zip(first.modules().values(), second.modules().values(), strict=True)
    return all(
        torch.equal(a, b)
        for ours, theirs in pairs
        for a, b in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
    )


@pytest.fixture
def folder(tiny: Networks, tmp_path: Path) -> Path:
    """The tiny model in layout (a)."""
    write_folder(tiny, tmp_path / "model", "clip_camera_projection")
    return tmp_path / "model"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_both_published_layouts_load_exactly(layout, tiny: Networks, tmp_path: Path) -> None:
    write_folder(tiny, tmp_path, layout)
    loaded = load_folder(tmp_path)
    assert same(tiny, loaded) and loaded.embedding == "6dof"
    torch.testing.assert_close(loaded.alphas_cumprod, tiny.alphas_cumprod)


def test_alphas_are_stable_diffusions(folder: Path) -> None:
    """beta from 0.00085 to 0.012, linear in its root: alpha_bar begins at 1 - 0.00085 and ends at 0.0047."""
    alphas = load_folder(folder).alphas_cumprod
    assert alphas[0].item() == pytest.approx(1 - 0.00085) and alphas[-1].item() == pytest.approx(0.00466, abs=1e-4)


def test_vanilla_and_stable_are_told_apart(tmp_path: Path) -> None:
    vanilla = replace(TINY, embedding="vanilla")
    for name, embedding in (("zero123-xl", "vanilla"), ("stable-zero123", "stable")):
        write_folder(build(vanilla), tmp_path / name, "cc_projection")
        assert load_folder(tmp_path / name).embedding == embedding


def test_halves_are_taken_where_wanted_and_else_where_there_is_nothing_else(tiny: Networks, tmp_path: Path) -> None:
    write_folder(tiny, tmp_path, "cc_projection")
    write_folder(tiny.frozen("cpu", torch.float16), tmp_path, "cc_projection", variant="fp16")
    unet = tmp_path / "unet"
    assert str(weights_file(unet, half=True)).endswith(".fp16.safetensors")
    assert str(weights_file(unet, half=False)).endswith("model.safetensors")
    (unet / "diffusion_pytorch_model.safetensors").unlink()
    assert load_folder(tmp_path, half=False).frozen("cpu", torch.float32).dtype == torch.float32
    assert same(tiny, load_folder(tmp_path, half=True).frozen("cpu", torch.float16))


def test_pickles_load_where_there_are_no_safetensors(folder: Path, tiny: Networks) -> None:
    """As `kxic/zero123-*` has them; the image encoder's name is transformers' own."""
    for part in ("unet", "vae", "image_encoder", "clip_camera_projection"):
        file = weights_file(folder / part, half=False)
        assert file is not None
        name = "pytorch_model.bin" if part == "image_encoder" else "diffusion_pytorch_model.bin"
        torch.save(load_file(file), file.with_name(name))
        file.unlink()
    assert same(tiny, load_folder(folder))


@pytest.mark.parametrize("part", ["unet", "vae", "image_encoder", "scheduler", "clip_camera_projection"])
def test_a_missing_part_is_named_with_the_place_to_get_it(part: str, folder: Path) -> None:
    shutil.rmtree(folder / part)
    with pytest.raises(CheckpointError, match=rf"has no .*{part}.*hf download ashawkey/zero123-xl-diffusers"):
        load_folder(folder)


@pytest.mark.parametrize("part", ["unet", "vae", "image_encoder", "clip_camera_projection"])
def test_missing_weights_are_named(part: str, folder: Path) -> None:
    file = weights_file(folder / part, half=False)
    assert file is not None
    file.unlink()
    with pytest.raises(CheckpointError, match=rf"{part} has no weights"):
        load_folder(folder)


@pytest.mark.parametrize("part", ["unet", "vae", "image_encoder"])
def test_a_network_filled_by_half_is_refused(part: str, folder: Path) -> None:
    file = weights_file(folder / part, half=False)
    assert file is not None
    state = load_file(file)
    lost = sorted(state)[-1]
    del state[lost]
    save_file(state, file, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=f"by half only: 1 weights are missing, among them {lost}"):
        load_folder(folder)


def test_a_projection_with_foreign_keys_is_refused(folder: Path) -> None:
    file = weights_file(folder / "clip_camera_projection", half=False)
    assert file is not None
    save_file({"other.weight": torch.zeros(2, 2)}, file)
    with pytest.raises(CheckpointError, match=r"must hold proj.weight and proj.bias, holds other.weight"):
        load_folder(folder)


def test_a_projection_of_other_numbers_is_refused(folder: Path) -> None:
    file = weights_file(folder / "clip_camera_projection", half=False)
    assert file is not None
    save_file({"proj.weight": torch.zeros(16, 16 + 7), "proj.bias": torch.zeros(16)}, file)
    with pytest.raises(CheckpointError, match="takes 7 numbers besides the image's 16; Zero123 takes 4"):
        load_folder(folder)


def test_a_model_that_predicts_no_noise_is_refused(folder: Path) -> None:
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"prediction_type": "v_prediction"}))
    with pytest.raises(CheckpointError, match="predicts v_prediction"):
        load_folder(folder)


def test_an_ldm_checkpoint_goes_on_top_of_a_folder(
    tmp_path: Path, make_ldm_state: Callable[..., dict[str, Tensor]]
) -> None:
    """6-DoF weights on a vanilla model: UNet and projection are the checkpoint's, the rest the folder's."""
    vanilla, six = replace(TINY, embedding="vanilla"), build(TINY)
    base = build(vanilla)
    write_folder(base, tmp_path / "base", "cc_projection")
    torch.save({"state_dict": make_ldm_state(six, whole=False)}, tmp_path / "six.ckpt")
    loaded, report = load_checkpoint(tmp_path / "six.ckpt", load_folder(tmp_path / "base"))
    assert loaded.embedding == "6dof" and set(report.used) == {"unet", "projection"}
    assert same(replace(six, vae=base.vae, image_encoder=base.image_encoder), loaded)


def only_attention(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The attention blocks (second modules of their blocks) and the projection: what the authors' loader reads."""
    attention = re.compile(r"model\.diffusion_model\.(((in|out)put_blocks\.\d+)|middle_block)\.1\.(norm|proj|trans)")
    return {key: value for key, value in state.items() if attention.match(key) or key.startswith("cc_projection.")}


def test_a_checkpoint_of_attention_blocks_goes_on_top_of_a_folder_with_a_warning(
    tmp_path: Path, make_ldm_state: Callable[..., dict[str, Tensor]], capsys: pytest.CaptureFixture[str]
) -> None:
    base, six = build(replace(TINY, embedding="vanilla")), build(TINY)
    write_folder(base, tmp_path / "base", "cc_projection")
    state = only_attention(make_ldm_state(six))
    torch.save({"state_dict": state}, tmp_path / "six.ckpt")
    chosen = choose_guidance(str(tmp_path / "six.ckpt"), "cpu", Zero123Options(), base=str(tmp_path / "base"))
    assert chosen is not None and chosen.networks.embedding == "6dof"
    loaded = chosen.networks.unet.state_dict()
    attention = [name for name in loaded if ".attentions." in name]
    assert 0 < len(attention) == len(state) - 2 < len(loaded)
    for name, value in loaded.items():
        assert torch.equal(value, (six if name in attention else base).unet.state_dict()[name]), name
    assert same(
        replace(six, unet=chosen.networks.unet, vae=base.vae, image_encoder=base.image_encoder), chosen.networks
    )
    printed = capsys.readouterr().err
    kept = len(loaded) - len(attention)
    assert f"keys used: unet {len(attention)}, projection 2" in printed
    assert f"warning: checkpoint six.ckpt is not whole: it lacks {kept} weights of its unet" in printed


def test_an_image_encoder_that_lacks_a_weight_takes_it_from_the_base(
    tmp_path: Path, make_ldm_state: Callable[..., dict[str, Tensor]]
) -> None:
    base, other = build(TINY), build(TINY)
    write_folder(base, tmp_path / "base", "cc_projection")
    state = make_ldm_state(other)
    del state["cond_stage_model.model.visual.ln_post.bias"]
    state["cond_stage_model.model.visual.unknown"] = torch.zeros(2)
    torch.save({"state_dict": state}, tmp_path / "other.ckpt")
    loaded, report = load_checkpoint(tmp_path / "other.ckpt", load_folder(tmp_path / "base"))
    assert report.kept == {"image_encoder": 1}
    lacking = "vision_model.post_layernorm.bias"
    for name, value in loaded.image_encoder.state_dict().items():
        assert torch.equal(value, (base if name == lacking else other).image_encoder.state_dict()[name])


@pytest.mark.parametrize("lost", ["middle_block.1.proj_in.weight", "cc_projection.bias"])
def test_what_makes_a_checkpoint_six_dof_must_be_in_it(
    lost: str, tmp_path: Path, make_ldm_state: Callable[..., dict[str, Tensor]]
) -> None:
    write_folder(build(TINY), tmp_path / "base", "cc_projection")
    state = {key: value for key, value in make_ldm_state(build(TINY)).items() if not key.endswith(lost)}
    torch.save({"state_dict": state}, tmp_path / "six.ckpt")
    with pytest.raises(CheckpointError, match="by half only: 1 weights are missing"):
        load_checkpoint(tmp_path / "six.ckpt", load_folder(tmp_path / "base"))


def test_a_whole_ldm_checkpoint_needs_no_folder(
    tiny: Networks, tmp_path: Path, make_ldm_state: Callable[..., dict[str, Tensor]]
) -> None:
    torch.save({"state_dict": make_ldm_state(tiny)}, tmp_path / "whole.ckpt")
    loaded, _ = load_checkpoint(tmp_path / "whole.ckpt", None, TINY)
    assert same(tiny, loaded)


def test_a_bare_checkpoint_without_a_folder_says_what_it_lacks(
    tiny: Networks, tmp_path: Path, make_ldm_state: Callable[..., dict[str, Tensor]]
) -> None:
    torch.save({"state_dict": make_ldm_state(tiny, whole=False)}, tmp_path / "bare.ckpt")
    with pytest.raises(CheckpointError, match=r"no VAE or no image encoder.*guidance-base.*QitaoZhao/SparseAGS"):
        load_checkpoint(tmp_path / "bare.ckpt", None, TINY)
