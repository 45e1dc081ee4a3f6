"""LDM checkpoints: every key is mapped, and what does not fit is refused.

The LDM names are laid out in conftest.py the way the LDM constructor appends its blocks, and compared with diffusers'
own converter: two descriptions that are independent of ours.
"""

from __future__ import annotations

import collections
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.zero123_models import TINY
from sparseags_ns.guidance.checkpoints import CheckpointError, apply_checkpoint, projection_of, read_state
from sparseags_ns.guidance.ldm_names import unet_name, vae_name
from sparseags_ns.guidance.networks import ZERO123_XL, Networks, build

MakeState = Callable[..., dict[str, Tensor]]


def assert_same_weights(first: Networks, second: Networks, parts: tuple[str, ...]) -> None:
    for part in parts:
        ours, theirs = first.modules()[part].state_dict(), second.modules()[part].state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture
def full() -> Networks:
    """Zero123-XL without weights."""
    return build(ZERO123_XL, "meta")


def test_every_unet_key_of_zero123_xl_has_its_place(full: Networks, make_ldm_state: MakeState) -> None:
    state = make_ldm_state(full, whole=False)
    keys = [name.removeprefix("model.diffusion_model.") for name in state if name.startswith("model.")]
    assert len(keys) == 686
    assert {unet_name(key, 2) for key in keys} == set(full.unet.state_dict())


def test_names_of_zero123_xl_are_those_of_diffusers_own_converter(full: Networks, make_ldm_state: MakeState) -> None:
    state = make_ldm_state(full)
    theirs = convert_ldm_unet_checkpoint(dict(state), dict(full.unet.config))
    prefix = "model.diffusion_model."
    ours = {unet_name(key.removeprefix(prefix), 2): value for key, value in state.items() if key.startswith(prefix)}
    assert {name: id(value) for name, value in theirs.items()} == {name: id(value) for name, value in ours.items()}
    theirs = convert_ldm_vae_checkpoint(dict(state), dict(full.vae.config))
    keys = [key.removeprefix("first_stage_model.") for key in state if key.startswith("first_stage_model.")]
    assert {vae_name(key, 4) for key in keys} == set(theirs) == set(full.vae.state_dict())


def test_a_whole_checkpoint_fills_every_network(tiny: Networks, make_ldm_state: MakeState) -> None:
    other = build(TINY)
    report = apply_checkpoint(make_ldm_state(tiny), other.modules(), 1)
    assert_same_weights(tiny, other, ("unet", "vae", "image_encoder", "projection"))
    assert report.used["unet"] == len(tiny.unet.state_dict()) and report.used["projection"] == 2
    assert report.ignored == {"model_ema": 1, "betas": 1, "logvar": 1, "cond_stage_model": 1}
    assert report.line().startswith(f"keys used: unet {len(tiny.unet.state_dict())}, projection 2, vae ")


def test_a_checkpoint_of_unet_and_projection_leaves_the_rest(tiny: Networks, make_ldm_state: MakeState) -> None:
    other, before = build(TINY), build(TINY)
    before.vae.load_state_dict(other.vae.state_dict())
    report = apply_checkpoint(make_ldm_state(tiny, whole=False), other.modules(), 1)
    assert_same_weights(tiny, other, ("unet", "projection"))
    assert_same_weights(before, other, ("vae",))
    assert set(report.used) == {"unet", "projection"}


@pytest.mark.parametrize(
    "lost",
    [
        "model.diffusion_model.input_blocks.1.0.in_layers.2.weight",
        "model.diffusion_model.output_blocks.0.0.skip_connection.weight",
        "model.diffusion_model.middle_block.1.proj_in.weight",
        "cc_projection.bias",
        "first_stage_model.encoder.mid.attn_1.q.weight",
        "cond_stage_model.model.visual.proj",
    ],
)
def test_a_checkpoint_with_a_hole_is_refused_and_nothing_loaded(
    lost: str, tiny: Networks, make_ldm_state: MakeState
) -> None:
    state = make_ldm_state(tiny)
    del state[lost]
    other, before = build(TINY), build(TINY)
    for part, module in other.modules().items():
        before.modules()[part].load_state_dict(module.state_dict())
    with pytest.raises(CheckpointError, match="by half only: 1 weights are missing"):
        apply_checkpoint(state, other.modules(), 1)
    assert_same_weights(before, other, tuple(before.modules()))


@pytest.mark.parametrize(
    "strange", ["input_blocks.9.0.in_layers.2.weight", "label_emb.0.0.weight", "input_blocks.1.0.in_layers.7.weight"]
)
def test_a_key_of_the_unet_without_a_place_is_refused(strange: str, tiny: Networks, make_ldm_state: MakeState) -> None:
    state = make_ldm_state(tiny) | {f"model.diffusion_model.{strange}": torch.zeros(1)}
    with pytest.raises(CheckpointError, match="1 have no place"):
        apply_checkpoint(state, tiny.modules(), 1)


def test_other_shapes_are_another_architecture(tiny: Networks, make_ldm_state: MakeState) -> None:
    state = make_ldm_state(tiny)
    state["model.diffusion_model.input_blocks.0.0.weight"] = torch.zeros(8, 4, 3, 3)
    with pytest.raises(CheckpointError, match=r"conv_in.weight is \(8, 4, 3, 3\).*another architecture"):
        apply_checkpoint(state, tiny.modules(), 1)


def test_the_projections_shape_is_the_checkpoints(tiny: Networks, make_ldm_state: MakeState) -> None:
    assert projection_of(make_ldm_state(tiny)).in_features == 16 + 18
    with pytest.raises(CheckpointError, match="cc_projection"):
        projection_of({"x": torch.zeros(1)})


class Callback:
    """An object as trainers leave it in their pickles."""

    exploded = False

    def __init__(self) -> None:
        self.best = 1

    def __setstate__(self, _: dict) -> None:
        Callback.exploded = True


@pytest.mark.parametrize("zipped", [True, False])
def test_pickles_are_read_without_running_their_objects(zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    content = {"state_dict": collections.OrderedDict(a=torch.ones(2)), "global_step": 3}
    if zipped:
        content["callbacks"] = {Callback: Callback()}  # pytorch lightning keys by class
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert torch.equal(read_state(path)["a"], torch.ones(2))
    assert not Callback.exploded


class MakesFolder:
    """An object that makes a folder when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_pickle_that_would_run_code_is_refused_and_runs_none(tmp_path: Path) -> None:
    path, made = tmp_path / "evil.ckpt", tmp_path / "made"
    torch.save({"state_dict": {"a": torch.ones(2)}, "x": MakesFolder(str(made))}, path)
    with pytest.raises(CheckpointError, match="without running code"):
        read_state(path)
    assert not made.exists()


def test_safetensors_and_bare_states_are_read(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "a.safetensors")
    torch.save({"a": torch.ones(2)}, tmp_path / "a.bin")
    for name in ("a.safetensors", "a.bin"):
        assert torch.equal(read_state(tmp_path / name)["a"], torch.ones(2))


def test_what_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.ckpt").write_text("no")
    torch.save({"state_dict": {}}, tmp_path / "empty.ckpt")
    for name, complaint in (
        ("absent.ckpt", "no checkpoint at"),
        ("text.ckpt", "weights_only"),
        ("empty.ckpt", "no tensors"),
    ):
        with pytest.raises(CheckpointError, match=complaint):
            read_state(tmp_path / name)
