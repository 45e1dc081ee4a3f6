"""Ends training runs at random moments, resumes them, and compares with a run that nothing has interrupted.

    python -m tests.faults.kill_runs --count 100

Every run is a process that is killed (SIGKILL), or ended by SIGTERM, SIGINT or SIGHUP, somewhere between its first step
and its end, and goes on from its last save; a run that had saved nothing begins anew. The final checkpoints must be
equal to the last bit. Exit status 1 if one is not.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sparseags_ns.method_configs.sparseags import sparseags
from sparseags_ns.runs.checkpoint import CHECKPOINTS, latest_checkpoint, read_checkpoint
from sparseags_ns.sample import SampleConfig, make_sample

STEPS, SAVE_EVERY = 60, 4
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def train(scene: Path, outputs: Path, name: str, resume: Path | None = None) -> None:
    """Train a short run in this process."""
    config: Any = deepcopy(sparseags.config)
    config.pipeline.datamanager.data = scene
    config.pipeline.datamanager.dataparser.resolution = 48
    model = config.pipeline.model
    model.num_gaussians, model.warmup_length, model.refine_every, model.densify_grad_thresh = 200, 3, 5, 1e-5
    model.other_pose_rates, model.outlier_rule, model.guidance = (), "off", "none"
    config.output_dir, config.experiment_name, config.timestamp = outputs, "run", name
    config.max_num_iterations, config.steps_per_save, config.load_dir = STEPS, SAVE_EVERY, resume
    config.vis, config.viewer.quit_on_train_completion, config.report = "tensorboard", True, False
    config.save_config()
    trainer = config.setup(local_rank=0, world_size=1)
    trainer.setup()
    trainer.train()


def in_child(work: Callable[[], None], log: Path, kill_with: int = 0, after_s: float = 0.0) -> tuple[int, float]:
    """Exit status of the work in a process that may be killed after some seconds of training, and those seconds."""
    child = os.fork()
    if child == 0:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        try:
            work()
        except (
            SystemExit
        ) as ended:  # It must not leave this function, or it would clean up what the parent still needs.
            os._exit(ended.code if isinstance(ended.code, int) else 1)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    while b"optimisation: " not in (log.read_bytes() if log.exists() else b""):
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break
        time.sleep(0.005)
    began = time.monotonic()
    if kill_with:
        time.sleep(after_s)
        os.kill(child, kill_with)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), time.monotonic() - began


def differences(one: object, other: object, name: str = "") -> list[str]:
    """Names of the entries of two checkpoints that differ; records of seconds are left out."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return [] if torch.equal(one, other) else [name]
    if isinstance(one, dict) and isinstance(other, dict):
        keys = (one.keys() | other.keys()) - {"seconds"}
        return [found for key in keys for found in differences(one.get(key), other.get(key), f"{name}/{key}")]
    return [] if one == other else [name]


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance, bad, resumed_runs = random.Random(options.seed), [], 0
    with tempfile.TemporaryDirectory() as place:
        scene, outputs = Path(place) / "scene", Path(place) / "outputs"
        torch.set_num_threads(1)  # A process with threads cannot be forked.
        status, _ = in_child(
            lambda: make_sample(SampleConfig(seed=3, size=48, num_views=5, level="dust3r"), scene) and None,
            Path(place) / "sample.log",
        )
        status, whole_s = in_child(lambda: train(scene, outputs, "whole"), Path(place) / "whole.log")
        assert status == 0, (Path(place) / "whole.log").read_text()
        whole = read_checkpoint(latest_checkpoint(outputs / "run" / "sparseags" / "whole"))
        for number in range(options.count):
            name, number_of_signal = f"{number:03d}", chance.choice(SIGNALS)
            first, after = outputs / "run" / "sparseags" / name, chance.uniform(0, whole_s)
            log = Path(place) / f"{name}.log"
            in_child(lambda n=name: train(scene, outputs, n), log, number_of_signal, after)
            saved = any((first / CHECKPOINTS).glob("*.ckpt"))
            resumed_runs += saved
            again = f"{name}-again"
            resume = first if saved else None
            status, _ = in_child(lambda n=again, r=resume: train(scene, outputs, n, r), log.with_name(f"{again}.log"))
            if status:
                bad.append(f"{name}: resuming ended with status {status}")
                print(log.with_name(f"{again}.log").read_text()[-2000:])
                continue
            last = read_checkpoint(latest_checkpoint(outputs / "run" / "sparseags" / again))
            wrong = differences(whole, last)
            bad += (
                [f"{name}: {signal.Signals(number_of_signal).name} after {after:.2f} s: {wrong[:4]}"] if wrong else []
            )
            print(f"\r{number + 1} of {options.count}, {len(bad)} differ", end="", file=sys.stderr, flush=True)
    print(f"\n{options.count} runs ended by signals, {resumed_runs} had saved: {options.count - len(bad)} end equal")
    print("\n".join(bad))
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
