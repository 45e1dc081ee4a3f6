"""The diffusion prior in a run: it takes part, it is asked about trusted views only, and nothing of it is left behind.

The model is a tiny one with random weights; resuming with it is tested in test_resume.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import tyro
from nerfstudio.scripts.exporter import ExportGaussianSplat
from nerfstudio.utils.eval_utils import eval_setup
from torch import Tensor

from sparseags_ns.method_configs.sparseags import sparseags, sparseags_paper
from sparseags_ns.optimization.prior import Prior
from sparseags_ns.plugin.pipeline import SparseAGSPipeline
from sparseags_ns.plugin.trainer import SparseAGSTrainer, SparseAGSTrainerConfig

Start = Callable[[SparseAGSTrainerConfig], SparseAGSTrainer]
MakeConfig = Callable[..., SparseAGSTrainerConfig]
STEPS = 10


@dataclass
class Guided:
    """A finished run with a prior whose model has been deleted since."""

    trainer: SparseAGSTrainer
    steps: list[tuple[dict[str, Tensor], dict[str, Any]]] = field(default_factory=list)
    """Losses and metrics of each step."""


@pytest.fixture(scope="module")
def guided(
    scene: Path, diffusion_model: Path, tmp_path_factory: pytest.TempPathFactory, make_config: MakeConfig, start: Start
) -> Guided:
    folder = tmp_path_factory.mktemp("guided")
    weights = Path(shutil.copytree(diffusion_model, folder / "weights"))
    run = Guided(start(make_config(scene, folder, steps=STEPS, prior=weights)))
    model = run.trainer.pipeline.model
    joint_step = model.joint_step

    def noting(step: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
        run.steps.append(joint_step(step))
        return run.steps[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "joint_step", noting)
        run.trainer.train()
    shutil.rmtree(weights)
    return run


@dataclass
class Recorder:
    """A guidance that notes which photographs it is given, by index."""

    asked: list[tuple[list[int], int]] = field(default_factory=list)

    def condition(self, images: Tensor) -> Tensor:
        return torch.arange(len(images))

    def __call__(self, rendered, camera, conditions, cameras, ratio, generator):
        self.asked.append((conditions.tolist(), len(cameras)))
        return rendered.square().sum(), {}


def test_the_losses_hold_the_prior_at_every_third_step(guided: Guided) -> None:
    asked = [step for step, (losses, _) in enumerate(guided.steps) if "guidance" in losses]
    assert len(guided.steps) == STEPS and asked == [0, 3, 6, 9]
    for losses, metrics in (guided.steps[step] for step in asked):
        assert torch.isfinite(losses["guidance"]) and losses["guidance"] > 0 and metrics["guidance_t"] > 0


def test_a_step_with_the_prior_is_the_joint_step_and_one_loss_more(
    scene: Path, diffusion_model: Path, tmp_path: Path, make_config: MakeConfig, start: Start
) -> None:
    model = start(make_config(scene, tmp_path, prior=diffusion_model)).pipeline.model
    losses, _ = model.joint_step(3)
    prior = losses.pop("guidance")
    others, _ = start(make_config(scene, tmp_path)).pipeline.model.joint_step(3)
    assert losses == others
    tangents = model.camera_optimizer.corrections.tangents
    moved = torch.autograd.grad(prior, [model.means, model.features_dc, tangents], allow_unused=True)
    assert moved[0] is not None and moved[0].abs().sum() > 0
    assert moved[1] is not None and moved[1].abs().sum() > 0
    assert moved[2] is None, "the prior moves no poses"


def test_views_that_the_search_drops_condition_no_more(
    scene: Path, tmp_path: Path, make_config: MakeConfig, start: Start
) -> None:
    trainer, recorder = start(make_config(scene, tmp_path)), Recorder()
    model = trainer.pipeline.model
    assert model.prior is None
    model.prior = Prior(recorder, model.views, model.config)
    model.joint_step(0)
    dropped = replace(model.reconstruction(), trusted=torch.tensor([True, True, False, True, True]))
    model.continue_from(dropped, trainer.optimizers.optimizers)
    model.joint_step(3)
    assert recorder.asked == [([0, 1, 2, 3, 4], 5), ([0, 1, 3, 4], 4)]


def test_nothing_of_the_prior_is_in_the_model_or_its_checkpoint(
    guided: Guided, scene: Path, tmp_path: Path, make_config: MakeConfig, start: Start
) -> None:
    (path,) = guided.trainer.checkpoint_dir.glob("*.ckpt")
    keys = torch.load(path, weights_only=True)["pipeline"].keys()
    plain = start(make_config(scene, tmp_path)).pipeline
    assert keys == plain.state_dict().keys()
    model = guided.trainer.pipeline.model
    assert [name for name, _ in model.named_modules()] == [name for name, _ in plain.model.named_modules()]


def test_a_run_is_evaluated_and_exported_without_its_diffusion_model(guided: Guided, tmp_path: Path) -> None:
    config = guided.trainer.base_dir / "config.yml"
    _, pipeline, _, step = eval_setup(config, test_mode="test")
    assert isinstance(pipeline, SparseAGSPipeline) and step == STEPS - 1
    assert "prior" not in vars(pipeline.model)
    torch.testing.assert_close(pipeline.model.means, guided.trainer.pipeline.model.means)
    ExportGaussianSplat(load_config=config, output_dir=tmp_path).main()
    assert (tmp_path / "splat.ply").stat().st_size > 1000


@pytest.mark.parametrize(
    "what, complaint", [("nowhere", "is neither auto, none, zero123-6dof"), ("empty", "is no diffusers folder|has no")]
)
def test_a_bad_model_ends_the_program_before_the_first_step_in_one_sentence(
    what: str, complaint: str, scene: Path, tmp_path: Path, make_config: MakeConfig, start: Start
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match=complaint) as exit_info:
        start(make_config(scene, tmp_path / "out", prior=tmp_path / what))
    message = str(exit_info.value.code)
    assert message.startswith("sparseags: error: ") and str(tmp_path / what) in message and "\n" not in message


def parse(method: Any, *arguments: str) -> Any:
    """The model's config as `ns-train` reads it from the command line."""
    kind = tyro.conf.SuppressFixed[tyro.conf.FlagConversionOff[SparseAGSTrainerConfig]]
    return tyro.cli(kind, default=deepcopy(method.config), args=list(arguments)).pipeline.model  # type: ignore


def test_the_prior_has_its_flags(capsys: pytest.CaptureFixture[str]) -> None:
    model = parse(
        sparseags,
        *("--pipeline.model.guidance", "FOLDER", "--pipeline.model.guidance-sizes", "32", "48", "64"),
        *("--pipeline.model.guidance-image-size", "64", "--pipeline.model.guidance-moves-poses", "True"),
        *("--pipeline.model.guidance-precision", "bf16", "--pipeline.model.num-gaussians", "7"),
    )
    assert (model.guidance, model.guidance_sizes, model.guidance_image_size) == ("FOLDER", (32, 48, 64), 64)
    assert (model.guidance_moves_poses, model.guidance_precision, model.num_gaussians) == (True, "bf16", 7)
    with pytest.raises(SystemExit):
        parse(sparseags, "--help")
    shown = capsys.readouterr().out
    assert "--pipeline.model.guidance-weight" in shown


def test_the_prior_is_automatic_and_the_papers_own_where_the_paper_is_asked_for() -> None:
    ours, papers = parse(sparseags), parse(sparseags_paper)
    assert ours.guidance == papers.guidance == "auto"
    assert (ours.guidance_weight, ours.guidance_every) == (0.012, 3)
    assert (papers.guidance_weight, papers.guidance_every) == (1.0, 1)
