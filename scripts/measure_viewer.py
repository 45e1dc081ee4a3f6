"""What an open viewer costs a training run: steps a second with and without a browser, in turns within one run.

    python scripts/measure_viewer.py --data SCENE --pixels 128

`closed`: nobody looks. `open`: headless Chromium shows the page on this machine, drawing it in software on the cores
that train. `client`: only the connection of a browser, as if it ran on another machine. Turns are short and many, and
each is compared with its neighbours, so that other load on the machine cancels out.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from pathlib import Path
from statistics import median

import msgspec
import tyro
from check_report import browser, open_page
from check_viewer import free_port
from websockets.sync.client import connect

from sparseags_ns.method_configs.sparseags import sparseags
from sparseags_ns.optimization.settings import Stage
from sparseags_ns.plugin.trainer import SparseAGSTrainer, SparseAGSTrainerConfig
from sparseags_ns.viewer.door import address

CAMERA = {
    "type": "ViewerCameraMessage",
    "wxyz": [1.0, 0.0, 0.0, 0.0],
    "position": [0.0, 10.0, -38.0],
    "fov": 0.8,
    "aspect": 1.25,
    "look_at": [0.0, 0.0, 0.0],
    "up_direction": [0.0, 1.0, 0.0],
}


@contextmanager
def page(browsing: str, port: int) -> Iterator[None]:
    """The page in a browser on this machine."""
    with open_page(browsing, (1280, 800, "dark")) as one:
        one.call("Page.navigate", url=address("127.0.0.1", port))
        time.sleep(8)
        yield


@contextmanager
def client(port: int) -> Iterator[None]:
    """A browser's connection without the browser."""
    with connect(address("127.0.0.1", port).replace("http", "ws", 1), max_size=None) as socket:
        socket.send(msgspec.msgpack.encode(CAMERA))

        def read() -> None:
            for _ in socket:
                pass

        threading.Thread(target=read, daemon=True).start()
        time.sleep(2)
        yield


def measure(trainer: SparseAGSTrainer, browsing: str, port: int, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Steps a second, by who looks."""
    rates: dict[str, list[float]] = {"closed": [], "client": [], "open": []}
    while trainer.pipeline.model.steps_done < 30:
        time.sleep(0.5)
    for _ in range(rounds):
        for who in rates:
            looking = {"closed": nullcontext(), "client": client(port), "open": page(browsing, port)}[who]
            with looking:
                before, since = trainer.pipeline.model.steps_done, time.monotonic()
                time.sleep(seconds)
                steps, taken = trainer.pipeline.model.steps_done - before, time.monotonic() - since
            rates[who].append(steps / taken)
            print(f"{who:>7}: {steps / taken:6.2f} steps a second", flush=True)
            time.sleep(1)
    return rates


def run_config(data: Path, folder: Path, pixels: int, port: int) -> SparseAGSTrainerConfig:
    """A run of equal steps that does not end by itself."""
    config = deepcopy(sparseags.config)
    assert isinstance(config, SparseAGSTrainerConfig)
    config.pipeline.datamanager.data = data
    config.pipeline.model.stages = (Stage(1.0, pixels, pose_lr=1e-3, sh_degree=2),)
    config.pipeline.model.other_pose_rates, config.pipeline.model.outlier_rule = (), "off"
    config.pipeline.model.num_gaussians = 3000
    config.output_dir, config.experiment_name, config.timestamp = folder, "run", "now"
    config.max_num_iterations, config.steps_per_save = 10**6, 10**6
    config.viewer.websocket_port, config.viewer.quit_on_train_completion = port, True
    config.logging.local_writer.enable = False
    return config


def main(
    data: Path, pixels: int = 128, rounds: int = 4, seconds: float = 12.0, chromium: str = "/usr/bin/chromium"
) -> None:
    """Measure.

    Args:
        data: photographs and poses.
        pixels: size at which steps compare the photographs.
        rounds: how often each has its turn.
        seconds: of a turn.
        chromium: the browser's executable.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, browser(chromium) as browsing:
        config = run_config(data, Path(folder), pixels, port)
        config.save_config()
        trainer = config.setup(local_rank=0, world_size=1)
        trainer.setup()
        rates: dict[str, list[float]] = {}

        def work() -> None:
            try:
                rates.update(measure(trainer, browsing, port, rounds, seconds))
            finally:
                trainer.stop_training = True

        threading.Thread(target=work, daemon=True).start()
        trainer.train()
    for who in ("client", "open"):
        ratio = median(one / alone for one, alone in zip(rates[who], rates["closed"], strict=True))
        print(f"{who}: {ratio:.2f} times the speed of a run that nobody looks at")


if __name__ == "__main__":
    tyro.cli(main)
