"""Choice and announcement of the prior, on machines that are simulated: no network and no GPU is used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
import torch
from torch import Tensor

from benchmarks.zero123_models import write_folder
from sparseags_ns.guidance import choice
from sparseags_ns.guidance.checkpoints import CheckpointError
from sparseags_ns.guidance.choice import choose_guidance
from sparseags_ns.guidance.networks import Networks
from sparseags_ns.guidance.zero123 import Zero123Options

OPTIONS = Zero123Options(image_size=64)


@pytest.fixture
def folder(tiny: Networks, tmp_path: Path) -> Path:
    write_folder(tiny, tmp_path / "model", "cc_projection")
    return tmp_path / "model"


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without weights and without network."""

    def refuse(*_: object, **__: object) -> str:
        raise OSError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    monkeypatch.setattr(huggingface_hub, "list_repo_files", refuse)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)


def announced(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.strip()


def test_auto_on_a_cpu_is_off_and_announced_in_one_line(bare_machine: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert choose_guidance("auto", "cpu", OPTIONS) is None
    line = announced(capsys)
    assert line.count("\n") == 0 and "diffusion prior: off" in line and "no CUDA device" in line
    assert "--pipeline.model.guidance PATH" in line


def test_auto_without_weights_is_off_and_names_them(bare_machine: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert choose_guidance("auto", "cuda", OPTIONS) is None
    assert "no Zero123 weights on this machine: hf download ashawkey/zero123-xl-diffusers" in announced(capsys)


def test_auto_takes_a_complete_download_and_no_partial_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **how: str(folder))
    assert choice.find_base() == folder
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    assert choice.find_base() is None


def test_none_is_off(capsys: pytest.CaptureFixture[str]) -> None:
    assert choose_guidance("none", "cuda", OPTIONS) is None
    assert "diffusion prior: off (guidance is none)" in announced(capsys)


def test_a_folder_is_used_on_a_cpu_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    guidance = choose_guidance(str(folder), "cpu", OPTIONS)
    assert guidance is not None and guidance.networks.dtype == torch.float32
    assert not any(p.requires_grad for module in guidance.networks.modules().values() for p in module.parameters())
    assert f"diffusion prior: 6dof Zero123 (weights from {folder}, float32 on cpu)" in announced(capsys)


def test_precision_can_be_named(folder: Path) -> None:
    guidance = choose_guidance(str(folder), "cpu", OPTIONS, precision="bf16")
    assert guidance is not None and guidance.networks.dtype == torch.bfloat16


def test_a_checkpoint_with_a_base_reports_the_use_of_its_keys(
    folder: Path, tiny: Networks, capsys: pytest.CaptureFixture[str], make_ldm_state: Callable[..., dict[str, Tensor]]
) -> None:
    path = folder.parent / "six.ckpt"
    torch.save({"state_dict": make_ldm_state(tiny, whole=False)}, path)
    assert choose_guidance(str(path), "cpu", OPTIONS, base=str(folder)) is not None
    text = announced(capsys)
    assert "six.ckpt loaded (keys used: unet" in text and f"weights from {path} on {folder}" in text


def test_auto_prefers_the_authors_weights_where_both_exist(
    folder: Path, tiny: Networks, monkeypatch: pytest.MonkeyPatch, make_ldm_state: Callable[..., dict[str, Tensor]]
) -> None:
    (folder.parent / "checkpoints").mkdir()
    torch.save({"state_dict": make_ldm_state(tiny, whole=False)}, folder.parent / "checkpoints" / choice.SIX_DOF_FILE)
    monkeypatch.chdir(folder.parent)
    monkeypatch.setattr(choice, "find_base", lambda: folder)
    monkeypatch.setattr(choice, "_why_not", lambda device: None)
    assert choose_guidance("auto", "cpu", OPTIONS) is not None


def test_the_authors_weights_by_name_say_where_to_get_them(bare_machine: None) -> None:
    with pytest.raises(CheckpointError, match=r"zero123_6dof_23k.ckpt.*QitaoZhao/SparseAGS.*checkpoints/"):
        choose_guidance("zero123-6dof", "cpu", OPTIONS)


def test_a_hub_name_that_cannot_be_fetched_says_how_to_bring_it(bare_machine: None) -> None:
    for name in ("zero123", "somebody/zero123"):
        with pytest.raises(CheckpointError, match=r"could not be fetched.*hf download .* --local-dir DIR"):
            choose_guidance(name, "cpu", OPTIONS)


def test_a_hub_name_is_downloaded_and_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = ["model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.bin", "vae/m.fp16.safetensors"]
    files += ["unet/diffusion_pytorch_model.fp16_ema.safetensors", "vae/m.safetensors", "safety_checker/m.bin"]
    asked = {}
    monkeypatch.setattr(huggingface_hub, "list_repo_files", lambda name: files)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **how: asked.update(how) or str(folder))
    assert choose_guidance("somebody/zero123", "cpu", OPTIONS) is not None
    wanted = ["unet/config.json", "unet/diffusion_pytorch_model.bin", "vae/m.safetensors"]
    assert asked["allow_patterns"] == wanted
    assert choose_guidance("somebody/zero123", "cpu", OPTIONS, precision="bf16") is not None
    assert asked["allow_patterns"][-1] == "vae/m.fp16.safetensors"


def test_nonsense_is_refused_with_what_there_is(bare_machine: None) -> None:
    with pytest.raises(CheckpointError, match="guidance 'zero1234' is neither auto, none"):
        choose_guidance("zero1234", "cpu", OPTIONS)


def test_importing_the_prior_loads_neither_diffusers_nor_transformers() -> None:
    """A run without a prior, ns-export and ns-eval do not pay for them."""
    code = "import sys, sparseags_ns.optimization.prior; print({'diffusers', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
