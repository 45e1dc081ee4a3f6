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
from sparseags_ns.pose_search.log import SearchLog
from sparseags_ns.viewer.request_queue import LockYielder, RequestQueue, Training

if TYPE_CHECKING:
    from sparseags_ns.plugin.model import SparseAGSModel

PHASE = "starts and outlier search"
"""Its wall time in summary.json."""

BY_HAND = "asked for in the viewer"
"""Wall time of that, in summary.json."""


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


def settling_callback(
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
        if step == coarse_end(model.config.stages, preset.steps) and model.settles:
            run.save_checkpoint(step)
            log = SearchLog(model.views.names, step)
            with run.phase(PHASE), live.doing(PHASE), observed_by(log, live, yielding):
                settled = repair_poses(model.views.to(model.device), preset, model.reconstruction(), say=say)
            _announce(settled, model.views.names)
            model.searches += log.decided(settled.reconstruction.cameras)
            model.go_on_from(settled.reconstruction, optimizers.optimizers, settled.to_json(model.views.names))

    return TrainingCallback([TrainingCallbackLocation.BEFORE_TRAIN_ITERATION], before_step)


def _announce(settled: PoseRepair, names: tuple[str, ...]) -> None:
    if len(settled.starts) > 1:
        others = ", ".join(
            f"{start.loss:.4g} at {start.pose_rate:g}, median view turned {start.rotation_deg:.1f} deg"
            for start in settled.starts
        )
        announce(
            f"start chosen: {settled.chosen.pose_rate:g} times the pose learning rate",
            f"it explains the photographs best for how far it turned the views (sum of errors: {others})",
        )
    for decision in settled.decisions:
        view = "all views" if decision.view is None else f"view {names[decision.view]}"
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in decision.numbers.items())
        announce(f"{view}: {decision.action}", f"{decision.why}{f' ({numbers})' if numbers else ''}")
