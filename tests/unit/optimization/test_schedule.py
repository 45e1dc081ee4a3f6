"""The schedule of a run: stages, learning rates, colour bands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from sparseags_ns.optimization.corrections import CameraCorrections
from sparseags_ns.optimization.reconstruct import make_optimizers
from sparseags_ns.optimization.schedule import Run, coarse_end, exponential, stage_starts
from sparseags_ns.optimization.seeding import seed_params
from sparseags_ns.optimization.settings import SPARSEAGS_PAPER, JointSettings, Stage
from sparseags_ns.optimization.step import GradientDensification, begin_step
from sparseags_ns.views import Views

STAGES = (Stage(share=1, pixels=64, pose_lr=1e-2), Stage(share=3, pixels=None, pose_lr=1e-3, split=True))
RUN = Run(JointSettings(stages=STAGES, sh_degree=3, sh_degree_interval=10), 400)


def test_shares_divide_the_steps() -> None:
    assert stage_starts(STAGES, 400) == [0, 100, 400]


def test_shares_need_not_sum_to_one_and_rounding_loses_no_step() -> None:
    stages = tuple(Stage(share=1 / 3, pixels=None, pose_lr=0.1) for _ in range(3))
    assert stage_starts(stages, 500)[-1] == 500


def test_a_stage_begins_exactly_once() -> None:
    begins = [step for step in range(400) if RUN.moment(step).begins]
    assert begins == [0, 100]


def test_steps_past_the_end_stay_in_the_last_stage() -> None:
    moment = RUN.moment(1000)
    assert moment.index == 1 and not moment.begins and moment.run_ratio == 1.0


def test_pose_learning_rate_decays_inside_a_stage_and_starts_anew_in_the_next() -> None:
    rates = [RUN.moment(step).pose_lr for step in range(400)]
    assert rates[0] == 1e-2 and rates[100] == 1e-3
    assert rates[99] == pytest.approx(1e-2 * 0.1**0.99)
    assert all(later < earlier for earlier, later in pairwise(rates[:100]))


def test_run_ratio_is_the_share_done_after_the_step() -> None:
    assert RUN.moment(0).run_ratio == 1 / 400 and RUN.moment(399).run_ratio == 1.0


def test_colour_bands_wait_for_their_interval_and_their_stage() -> None:
    stages = (replace(STAGES[0], sh_degree=1), replace(STAGES[1], sh_degree=3))
    run = replace(RUN, settings=replace(RUN.settings, stages=stages, sh_degree=2))
    assert [run.sh_degree(step) for step in (9, 10, 99, 100, 399)] == [0, 1, 1, 2, 2]


def test_exponential_hits_both_ends() -> None:
    assert exponential(1.0, 0.02, 0.0) == 1.0 and exponential(1.0, 0.02, 1.0) == pytest.approx(0.02)


@pytest.mark.parametrize("stages", [(), (Stage(share=0, pixels=None, pose_lr=1.0),)])
def test_stages_without_a_positive_share_are_refused(stages: tuple[Stage, ...]) -> None:
    with pytest.raises(ValueError, match="positive shares"):
        stage_starts(stages, 10)


def test_coarse_stages_end_where_photographs_grow() -> None:
    assert coarse_end(STAGES, 400) == 100
    assert coarse_end(STAGES[:1], 400) is None
    assert coarse_end(STAGES[1:], 400) is None


def test_the_papers_means_learn_at_rates_times_the_scene_extent(make_views: Callable[..., Views]) -> None:
    """1e-3 to 2e-5 times 10, exponentially."""
    views, preset = make_views(2, 32), SPARSEAGS_PAPER
    settings = replace(preset.settings, num_gaussians=10)
    params = seed_params(settings, views)
    corrections = CameraCorrections(views.cameras, settings.refine_focal)
    optimizers = make_optimizers(preset, params, corrections)
    run, rates = Run(settings, preset.steps), []
    for step in (0, 249, 499):
        begin_step(step, run, params, corrections, views.trusted, optimizers, preset.learning_rates["means"])
        rates.append(optimizers["means"].param_groups[0]["lr"])
    assert rates == pytest.approx([1e-2 * 0.02 ** (1 / 500), 1e-2 * 0.02**0.5, 2e-4])
    assert optimizers["camera_opt"].param_groups[0]["lr"] == 2.5e-4


def test_the_papers_densification_splits_what_is_larger_than_a_hundredth_of_its_extent() -> None:
    pytest.importorskip("gsplat")
    assert GradientDensification(SPARSEAGS_PAPER.settings).state["scene_scale"] == 4.0
