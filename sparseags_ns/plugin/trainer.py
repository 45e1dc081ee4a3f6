"""nerfstudio's trainer with outputs beside every checkpoint, a clean end on Ctrl-C and an exact resume.

It prints automatic choices, progress, and at the end a table of the views; nerfstudio's own messages are hidden.
"""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn, TextIO

import torch
from nerfstudio.configs.base_config import MachineConfig, ViewerConfig
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackLocation
from nerfstudio.engine.optimizers import Optimizers
from nerfstudio.engine.trainer import Trainer, TrainerConfig
from nerfstudio.utils import writer
from nerfstudio.viewer.viewer import Viewer
from rich.table import Table
from tyro.conf import Suppress

from sparseags_ns.console import Bar, PlainConsole, announce, is_verbose, printable, progress, warn
from sparseags_ns.plugin.pipeline import CheckpointError, SparseAGSPipeline, SparseAGSPipelineConfig
from sparseags_ns.plugin.quiet import other_packages_hidden, prints_hidden
from sparseags_ns.rasterizer.threads import torch_on_one_thread
from sparseags_ns.report.writing import report_at_end
from sparseags_ns.runs.checkpoint import latest_checkpoint, read_checkpoint
from sparseags_ns.runs.history import PhaseClock
from sparseags_ns.runs.outputs import FOLDER, RunState
from sparseags_ns.runs.record import OPTIMISATION_PHASE, RunRecord
from sparseags_ns.runs.saving import save_run
from sparseags_ns.signals import exit_by_signal, stop_signals_call
from sparseags_ns.storage import DISK_ERRORS, OutputError
from sparseags_ns.viewer.pacing import Pacer
from sparseags_ns.viewer.page import browsers_wait, local_unless_named
from sparseags_ns.viewer.preview import arrangement_preview
from sparseags_ns.viewer.request_queue import SearchInterruptedError


@dataclass
class SparseAGSMachineConfig(MachineConfig):
    """Devices. What is random is seeded by `pipeline.model.seed`, and by no setting of the machine."""

    seed: Suppress[int] = 42


@dataclass
class SparseAGSTrainerConfig(TrainerConfig):
    """nerfstudio's trainer config; `max_num_iterations` is the length of the run, resumed or not."""

    _target: type = field(default_factory=lambda: SparseAGSTrainer)
    pipeline: SparseAGSPipelineConfig = field(default_factory=SparseAGSPipelineConfig)
    """Photographs and model."""
    machine: SparseAGSMachineConfig = field(default_factory=SparseAGSMachineConfig)
    """Devices."""
    report: bool = True
    """Write sparseags/report.html into the run's folder when the run is done."""
    verbose: bool = False
    """Show nerfstudio's messages too: the config, tables of metrics, warnings of other packages. SPARSEAGS_VERBOSE=1 in
    the environment does the same."""

    @property
    def shows_all(self) -> bool:
        """Whether the messages of other packages are shown."""
        return self.verbose or is_verbose()

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a field. When ns-viewer replaces a run's viewer settings, keep it local unless a host was named."""
        replaced = name == "viewer" and "viewer" in vars(self) and isinstance(value, ViewerConfig)
        super().__setattr__(name, local_unless_named(value, sys.argv[1:]) if replaced else value)

    def set_timestamp(self) -> None:
        """Name the run's folder by the time, and number it where another run has begun within the same second."""
        named = self.timestamp != "{timestamp}"
        super().set_timestamp()
        time, number = self.timestamp, 1
        while not named:
            try:
                self.get_base_dir().mkdir(parents=True)
                return
            except FileExistsError:
                number += 1
                self.timestamp = f"{time}-{number}"

    def print_to_terminal(self) -> None:
        """Print the config, if all messages are shown."""
        if self.shows_all:
            super().print_to_terminal()

    def save_config(self) -> None:
        """Save the config with absolute paths, so that the ns- commands find the data from any folder."""
        self.output_dir = self.output_dir.absolute()
        manager = self.pipeline.datamanager
        manager.data = None if manager.data is None else manager.data.absolute()
        self.data = None if self.data is None else self.data.absolute()
        if Path(self.pipeline.model.guidance).exists():
            self.pipeline.model.guidance = str(Path(self.pipeline.model.guidance).absolute())
        try:
            with other_packages_hidden(self.verbose):
                super().save_config()
        except OSError as error:
            sys.exit(f"sparseags: error: cannot write the run's folder: {printable(str(error))}")


class SparseAGSTrainer(Trainer):
    """Trains a `SparseAGSPipeline`."""

    config: SparseAGSTrainerConfig  # type: ignore[assignment]
    pipeline: SparseAGSPipeline  # type: ignore[assignment]

    def __init__(self, config: SparseAGSTrainerConfig, local_rank: int = 0, world_size: int = 1) -> None:
        found, device = torch.cuda.is_available(), config.machine.device_type
        if device == "cuda" and not found:
            sys.exit(
                "sparseags: error: --machine.device-type is cuda, but torch finds no CUDA device; leave it out for cpu"
            )
        announce(f"device: {device}", f"torch finds {'a' if found else 'no'} CUDA device")
        if config.shows_all:
            config.logging.local_writer.enable = True
        with other_packages_hidden(config.verbose):
            super().__init__(config, local_rank, world_size)
        self._stop = False
        self._stopped_by: int | None = None
        self._clock = PhaseClock()
        self._reported = False
        self._pacer = Pacer()
        self._bar: Bar | None = None
        self._display = ExitStack()
        self._before_viewer = ExitStack()
        self._output: TextIO = sys.stdout
        self._record: RunRecord | None = None

    def setup(self, test_mode: Literal["test", "val", "inference"] = "val") -> None:
        """Set up; an error in the user's input ends the program with one sentence."""

        def interrupt(number: int) -> NoReturn:
            self._stopped_by = number
            raise KeyboardInterrupt

        try:
            with (
                stop_signals_call(interrupt),
                prints_hidden(self.config.verbose),
                self._clock.phase("preparation"),
                self._before_viewer,
            ):
                if self.config.is_viewer_enabled() and self.local_rank == 0:
                    self._before_viewer.enter_context(arrangement_preview(self.config.viewer))
                super().setup(test_mode)
        except ValueError as error:
            if type(error).__module__.startswith("sparseags_ns."):
                sys.exit(f"sparseags: error: {printable(str(error))}")
            raise
        except KeyboardInterrupt:
            announce("interrupted before the first step", "nothing was trained, nothing is lost")
            exit_by_signal(self._stopped_by or signal.SIGINT)
        self._clock.add(self.pipeline.model.record.seconds)
        self.callbacks.append(TrainingCallback([TrainingCallbackLocation.AFTER_TRAIN], self._print_result))

    def setup_optimizers(self) -> Optimizers:
        """Set up the optimizers; nerfstudio's viewer is made next, at the address where the preview has been."""
        self._before_viewer.close()
        self._before_viewer.enter_context(browsers_wait())
        return super().setup_optimizers()

    def train(self) -> None:
        """Train to `max_num_iterations`, counted from the first step of the first run."""
        whole = self.config.max_num_iterations
        # The base class runs `max_num_iterations` more steps; a resumed run only does what is left.
        self.config.max_num_iterations = max(whole - self._start_step, 0)
        self.step = self._start_step - 1
        try:
            with (
                prints_hidden(self.config.verbose) as self._output,
                stop_signals_call(self._stop_on_signal),
                self._clock.phase(OPTIMISATION_PHASE),
                torch_on_one_thread(),
                self._display,
            ):
                stages = [phase for phase in self.pipeline.model.record.phases if phase.pixels is not None]
                sizes = f"{len(stages)} stages, {stages[0].pixels} to {stages[-1].pixels} pixels"
                announce(f"optimisation: {self.config.max_num_iterations} steps", sizes)
                if not self.config.shows_all:  # nerfstudio's table of metrics shows the progress otherwise
                    self._bar = self._display.enter_context(progress("optimisation", whole, self._start_step))
                writer.GLOBAL_BUFFER.setdefault(
                    "step", self._start_step
                )  # nerfstudio sets it in a step, if one is left
                try:
                    super().train()
                except SearchInterruptedError:
                    self._after_train()
        except KeyboardInterrupt:
            announce("stopped at once", f"the last checkpoint is in {self.checkpoint_dir}")
            exit_by_signal(self._stopped_by or signal.SIGINT)
        except OSError as error:  # of nerfstudio's own files; ours say more (storage.py)
            if error.errno not in DISK_ERRORS:
                raise
            sys.exit(f"sparseags: error: {printable(str(error))}; the run's checkpoints are in {self.checkpoint_dir}")
        finally:
            self.config.max_num_iterations = whole
        if self._stopped_by is not None:
            exit_by_signal(self._stopped_by)

    def seconds(self) -> dict[str, float]:
        """Wall seconds of the run by phase, up to now."""
        return self._clock.seconds()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Show the work inside as a phase of its own, and count its seconds as that phase's."""
        with self._clock.phase(name), ExitStack() as display:
            if not self.config.shows_all:
                display.enter_context(progress(name))
            yield

    def _load_checkpoint(self) -> None:
        """Load what --load-dir or --load-checkpoint names, and print which step the run continues from.

        Raises:
            RunError: there is no checkpoint, or it is damaged.
            CheckpointError: it does not fit the photographs.
        """
        self._before_viewer.close()  # nerfstudio's viewer is made.
        folder, file, step = self.config.load_dir, self.config.load_checkpoint, self.config.load_step
        if folder is not None:
            file = latest_checkpoint(folder)
            file = file if step is None else file.with_name(f"step-{step:09d}.ckpt")
        if file is None:
            return
        content = read_checkpoint(file)
        if not {"optimizers", "scalers"} <= set(content):
            raise CheckpointError(f"{file} holds no state of the optimizers, so no run can continue from it")
        self._start_step = content["step"] + 1
        try:
            self.pipeline.load_pipeline(content["pipeline"], content["step"])
            self.optimizers.load_optimizers(content["optimizers"])
            self.grad_scaler.load_state_dict(content["scalers"])
        except (RuntimeError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise CheckpointError(f"{file} does not fit the settings of this run, or is of another: {error}") from error
        announce(f"resumed: {self._start_step} of {self.config.max_num_iterations} steps are done", str(file))

    def _after_train(self) -> None:
        """Save, print the result and serve the viewer, if there is one."""
        self._display.close()
        self._bar = None
        super()._after_train()

    def _print_result(self, step: int) -> None:
        """Print the table of views and where the outputs are."""
        if self._record is not None:
            print_result(self._record, self.base_dir, self._output)
        if self._viewer_stays:
            announce("the viewer stays open", "Ctrl-C ends it; everything is saved")

    @property
    def stop_training(self) -> bool:
        """Whether training ends after the present step; a signal cannot be taken back."""
        return self._stop or self._stopped_by is not None

    @stop_training.setter
    def stop_training(self, stop: bool) -> None:
        self._stop = stop

    def _stop_on_signal(self, number: int) -> None:
        """First signal: finish the step, save, end; the viewer stays open after Ctrl-C. Second: end at once."""
        finished, stops = self.training_state == "completed", self._stopped_by is not None
        if finished and number == signal.SIGINT and not stops:
            sys.exit(0)  # The run is complete; only the viewer was still being served.
        if finished:
            exit_by_signal(number)
        if stops:
            raise KeyboardInterrupt
        self._stopped_by = number
        stays = number == signal.SIGINT and self._viewer_stays
        if not stays:
            self.config.viewer.quit_on_train_completion = True
        then = "the viewer stays open" if stays else "the run ends then"
        name = signal.Signals(number).name if number != signal.SIGINT else "Ctrl-C"
        announce(f"stopping after this step and saving; {then}", f"{name}; once more to stop at once")

    @property
    def _viewer_stays(self) -> bool:
        return isinstance(self.viewer_state, Viewer) and not self.config.viewer.quit_on_train_completion

    def _update_viewer_state(self, step: int) -> None:
        """Show this step in the progress bar and the viewer, which may take time from training (viewer/pacing.py)."""
        if self._bar is not None:
            self._bar.update(step + 1)
        if isinstance(self.viewer_state, Viewer):
            self._pacer.after_step(self.viewer_state, step)

    def save_checkpoint(self, step: int) -> None:
        """Save checkpoint and outputs as one: a process killed at any moment leaves this save or the one before.

        While training goes on, a save that fails is reported and left out; at the end of the run it is an error. The
        page about the run is written once, when all its steps are done.
        """
        model = self.pipeline.model
        try:
            self._save()
        except OutputError as error:
            last = max(self.checkpoint_dir.glob("step-*.ckpt"), default=None)
            before = f"the last save is {last}" if last is not None else "nothing was saved before"
            if self.training_state == "completed":
                sys.exit(f"sparseags: error: {printable(str(error))}; {before}")
            warn(f"step {model.steps_done} is not saved", f"{error}; {before}")
            return
        if self.config.report and not self._reported and model.steps_done >= model.run.num_steps:
            with torch.no_grad(), self._clock.phase("report"):
                report_at_end(self.base_dir, model.device)
            self._reported = True

    def _save(self) -> None:
        model = self.pipeline.model
        model.record.seconds = self.seconds()
        state = {
            "step": model.steps_done - 1,  # A stopped loop has already counted one further.
            "pipeline": self.pipeline.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.optimizers.items()},
            "schedulers": {},
            "scalers": self.grad_scaler.state_dict(),
        }
        with torch.no_grad(), self._clock.phase("outputs"):
            only_latest = self.config.save_only_latest_checkpoint
            self._record = save_run(self.base_dir, state, self._run_state(), model.perceptual, only_latest)

    def _run_state(self) -> RunState:
        model = self.pipeline.model
        return RunState(
            views=model.views.to(model.device),
            initial=model.initial_cameras(),
            refined=model.cameras(),
            trusted=model.trusted,
            gaussians=model.gaussians(),
            sh_degree=model.config.sh_degree,
            steps_done=model.steps_done,
            record=model.record,
            seconds=self.seconds,
        )

    @property
    def outputs_dir(self) -> Path:
        """Where refined cameras, summary and picture go."""
        return self.base_dir / FOLDER


def print_result(record: RunRecord, run: Path, output: TextIO) -> None:
    """Print the table of views (status, errors, rotation) and where the outputs of a run are.

    Args:
        record: with its outcome.
    """
    outcome = record.outcome
    assert outcome is not None
    views = outcome.views
    statuses = record.statuses([view.trusted for view in views], [view.posed for view in views])
    table = Table(title_justify="left", caption_justify="left")
    table.title = f"{sum(s.in_use for s in statuses)} of {len(views)} views in use, {outcome.gaussians} Gaussians"
    table.title += f", {outcome.steps_done} of {record.num_steps} steps in {sum(record.seconds.values()):.0f} s"
    table.caption = "error: squared, over the object's area; rotation: of the refined against the given camera"
    for column in ("view", "status", "error before", "error after", "rotation"):
        table.add_column(column, justify="left" if column in ("view", "status") else "right")
    for name, status, view in zip(record.names, statuses, views, strict=True):
        before, rotation = (f"{view.mse_before:.4f}", f"{view.rotation_deg:.1f} deg") if view.posed else ("-", "-")
        table.add_row(name, str(status), before, f"{view.mse_after:.4f}", rotation)
    console, outputs, quoted = PlainConsole(output), run / FOLDER, shlex.quote(str(run))
    console.print(table)
    places = {
        "Run": run,
        "Refined cameras": f"{outputs / 'transforms.json'}  (and cameras.json)",
        "Picture": outputs / "views.png",
        "Report": outputs / "report.html" if (outputs / "report.html").is_file() else None,
        "Splat as a file": f"sparseags export {quoted} splat",
        "In the viewer": f"sparseags view {quoted}",
    }
    for name, place in places.items():
        if place is not None:
            console.print(f"{name + ':':<18}{place}")
