"""Start selection and outlier repair as a nerfstudio training callback.

The callback works before the first step of the fine stages and saves a checkpoint first. A run that is stopped or
killed meanwhile resumes from that checkpoint and comes to the same result: repair is a pure function of the
photographs, the given poses and the state at the end of the coarse stages. Later checkpoints hold its decisions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackAttributes, TrainingCallbackLocation

from sparseags_ns.console import announce
from sparseags_ns.optimization.observer import observed_by
from sparseags_ns.optimization.schedule import coarse_end
from sparseags_ns.optimization.settings import Preset
from sparseags_ns.outliers.budget import Budget
from sparseags_ns.outliers.pose_repair import repair_poses
from sparseags_ns.pose_init.rearrangement import arrange_views
from sparseags_ns.runs.record import OPTIMISATION_PHASE, POSE_REPAIR_PHASE, PoseRepairRecord
from sparseags_ns.runs.search_log import SearchLog
from sparseags_ns.viewer.request_queue import LockYielder, RequestQueue, Training

if TYPE_CHECKING:
    from sparseags_ns.plugin.model import SparseAGSModel
    from sparseags_ns.plugin.trainer import SparseAGSTrainer

BY_HAND = "asked for in the viewer"
"""Phase, in the seconds of the run's record, in which requests from the viewer are carried out."""


def pose_repair_callback(
    model: SparseAGSModel, attributes: TrainingCallbackAttributes, requests: RequestQueue
) -> TrainingCallback:
    """The callback, which carries out requests from the viewer, and repairs poses at the end of the coarse stages."""
    trainer, optimizers = cast("SparseAGSTrainer", attributes.trainer), attributes.optimizers
    assert optimizers is not None
    rates = {name: group["optimizer"].lr for name, group in optimizers.config.items()}
    preset = Preset(
        settings=model.config,
        learning_rates={name: rates[name] for name in model.gauss_params},
        betas=optimizers.config["means"]["optimizer"].betas,
        pose_optimizer="pose_adam",
        steps=trainer.config.max_num_iterations,
    )

    def is_training() -> bool:
        return model.steps_done < preset.steps and trainer.training_state != "completed"

    requests.training = Training(preset, optimizers.optimizers, is_training)
    live, yielding = requests.live, LockYielder(trainer.train_lock, lambda: trainer.stop_training)

    def say(what: str) -> None:
        live.announce(what)
        announce(what, "between the coarse and the fine stages")

    def before_step(step: int) -> None:
        if requests.has_work:
            with trainer.phase(BY_HAND), observed_by(yielding):
                requests.work()
        if step == coarse_end(model.config.stages, preset.steps) and model.config.repairs_poses:
            budget = _budget(model, trainer)
            trainer.save_checkpoint(step)
            log = SearchLog(step)
            with trainer.phase(POSE_REPAIR_PHASE), live.doing(POSE_REPAIR_PHASE), observed_by(log, live, yielding):
                views, coarse = model.views.to(model.device), model.reconstruction()
                repaired = repair_poses(views, preset, coarse, arrange=arrange_views, budget=budget, say=say)
            _announce(repaired.record, model.views.names)
            model.record.pose_repair = repaired.record
            model.record.searches += log.decided(repaired.reconstruction.cameras)
            model.continue_from(repaired.reconstruction, optimizers.optimizers)

    return TrainingCallback([TrainingCallbackLocation.BEFORE_TRAIN_ITERATION], before_step)


def _budget(model: SparseAGSModel, trainer: SparseAGSTrainer) -> Budget:
    """The work that the time budget allows; a resumed run takes the number from its record, and so ends the same."""
    seconds, record = model.config.outlier_time_budget, model.record
    if seconds is None:
        return Budget()
    if record.most_repair is None:
        # The coarse stages cost what a reconstruction from scratch costs.
        record.most_repair = round(seconds / max(trainer.seconds()[OPTIMISATION_PHASE], 1e-3), 1)
    what = f"outlier search: at most {record.most_repair:g} reconstructions"
    announce(what, f"what fits into {seconds:g} s on this machine")
    return Budget(record.most_repair, seconds)


def _announce(repair: PoseRepairRecord, names: tuple[str, ...]) -> None:
    if len(repair.starts) > 1:
        others = ", ".join(
            f"{start.loss:.4g} at {start.pose_rate:g}, median view rotated by {start.rotation_deg:.1f} deg"
            for start in repair.starts
        )
        announce(
            f"start chosen: {repair.chosen_start.pose_rate:g} times the pose learning rate",
            f"lowest cost of errors and rotations; sums of errors: {others}",
        )
    for decision in repair.decisions:
        view = "all views" if decision.view is None else f"view {names[decision.view]}"
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in decision.numbers.items())
        announce(f"{view}: {decision.action}", f"{decision.why}{f' ({numbers})' if numbers else ''}")
