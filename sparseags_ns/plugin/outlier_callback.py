"""The outlier search as a nerfstudio training callback; wiring only.

It runs before the first step of the fine stages, on a checkpoint of its own. A run that is stopped or killed meanwhile
resumes from there and comes to the same end: everything here is a pure function of the photographs, the given poses and
where the coarse stages ended. A later checkpoint holds what was decided.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackAttributes, TrainingCallbackLocation

from sparseags_ns.console import announce
from sparseags_ns.optimization.observer import observed_by
from sparseags_ns.optimization.schedule import coarse_end
from sparseags_ns.optimization.settings import Preset
from sparseags_ns.outliers.pose_repair import PoseRepair, repair_poses
from sparseags_ns.runs.record import POSE_REPAIR_PHASE
from sparseags_ns.runs.search_log import SearchLog
from sparseags_ns.viewer.request_queue import LockYielder, RequestQueue, Training

if TYPE_CHECKING:
    from sparseags_ns.plugin.model import SparseAGSModel

BY_HAND = "asked for in the viewer"
"""Name of the phase in which requests from the viewer are carried out, among the seconds of the run's record."""


@runtime_checkable
class Run(Protocol):
    """What is needed of the trainer (plugin/trainer.py), which lies downstream."""

    train_lock: Any  # threading.Lock, which is no type to be checked against.
    stop_training: bool

    def save_checkpoint(self, step: int) -> None:
        """Save where the run stands."""
        ...

    def phase(self, name: str) -> AbstractContextManager[None]:
        """Count the time inside as a phase's."""
        ...


def pose_repair_callback(
    model: SparseAGSModel, attributes: TrainingCallbackAttributes, desk: RequestQueue | None = None
) -> TrainingCallback:
    """The callback; it does nothing where the model's settings, and nobody at the desk, ask for anything."""
    trainer, optimizers = attributes.trainer, attributes.optimizers
    assert trainer is not None and optimizers is not None
    run = cast(Run, trainer)
    rates = {name: group["optimizer"].lr for name, group in optimizers.config.items()}
    preset = Preset(
        settings=model.config,
        learning_rates={name: rates[name] for name in model.gauss_params},
        betas=optimizers.config["means"]["optimizer"].betas,
        pose_optimizer="pose_adam",
        steps=trainer.config.max_num_iterations,
    )

    def goes_on() -> bool:
        return model.steps_done < preset.steps and trainer.training_state != "completed"

    desk = desk or RequestQueue(model)
    desk.training = Training(preset, optimizers.optimizers, goes_on)
    live, yielding = desk.live, LockYielder(run.train_lock, lambda: run.stop_training)

    def say(what: str) -> None:
        live.says(what)
        announce(what, "between the coarse and the fine stages")

    def before_step(step: int) -> None:
        if desk.has_work:
            with run.phase(BY_HAND), observed_by(yielding):
                desk.work()
        if step == coarse_end(model.config.stages, preset.steps) and model.config.repairs_poses:
            run.save_checkpoint(step)
            log = SearchLog(step)
            with run.phase(POSE_REPAIR_PHASE), live.doing(POSE_REPAIR_PHASE), observed_by(log, live, yielding):
                repaired = repair_poses(model.views.to(model.device), preset, model.reconstruction(), say=say)
            _announce(repaired, model.views.names)
            model.record.pose_repair = repaired.record
            model.record.searches += log.decided(repaired.reconstruction.cameras)
            model.go_on_from(repaired.reconstruction, optimizers.optimizers)

    return TrainingCallback([TrainingCallbackLocation.BEFORE_TRAIN_ITERATION], before_step)


def _announce(repair: PoseRepair, names: tuple[str, ...]) -> None:
    if len(repair.starts) > 1:
        others = ", ".join(
            f"{start.loss:.4g} at {start.pose_rate:g}, median view rotated by {start.rotation_deg:.1f} deg"
            for start in repair.starts
        )
        announce(
            f"start chosen: {repair.chosen.pose_rate:g} times the pose learning rate",
            f"it explains the photographs best for how far it turned the views (sum of errors: {others})",
        )
    for decision in repair.decisions:
        view = "all views" if decision.view is None else f"view {names[decision.view]}"
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in decision.numbers.items())
        announce(f"{view}: {decision.action}", f"{decision.why}{f' ({numbers})' if numbers else ''}")
