"""Attacks on the viewer of a real run: what outsiders get, and what hostile clients that know the key cost.

    python -m tests.faults.viewer_attacks                # seven minutes; --seconds 660 for a longer look at memory

Trains on a small sample, in this process. Outsiders (no key, a wrong one, a page from elsewhere, a name made to point
here) fetch the page, read what they are sent, press buttons and write files, and so does a client with the key. Then 50
clients in another process, without the key and with it, move their cameras without a pause and come back where they are
refused. Last, one client looks around for as long as `--seconds` says. Prints a table; status 1 if any line is bad.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import tyro
from nerfstudio.viewer.viewer import Viewer
from websockets.exceptions import InvalidStatus

from sparseags_ns.method_configs.sparseags import sparseags
from sparseags_ns.optimization.settings import Stage
from sparseags_ns.plugin.trainer import SparseAGSTrainer, SparseAGSTrainerConfig
from sparseags_ns.sample import SampleConfig, make_sample
from sparseags_ns.viewer.door import MAX_CLIENTS, address
from sparseags_ns.viewer.updater import CPU_TRAINING_RESOLUTION
from tests.faults.hostile_browser import HostileBrowser, fetch, free_port, move, until

HOSTILE = 50
"""Number of clients that move their cameras at a time."""
ROUNDS = 4
"""Number of times that speed is measured, with and without them in turns."""
OUTSIDERS: dict[str, tuple[bool, str | None, str | None]] = {
    "no key": (False, None, None),
    "a page from elsewhere, no key": (False, "http://evil.example", None),
    "a page from elsewhere, with the key": (True, "http://evil.example", None),
    "another local server's page, with the key": (True, "http://127.0.0.1:1", None),
    "a name made to point here, with the key": (True, "http://evil.example", "evil.example"),
}
"""Whether an outsider knows the key, and what it says of its page and of the name under which it came."""


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    what: str
    value: str
    good: bool


def run_config(data: Path, folder: Path, port: int) -> SparseAGSTrainerConfig:
    """A run of equal, short steps that does not end by itself."""
    config = deepcopy(sparseags.config)
    assert isinstance(config, SparseAGSTrainerConfig)
    config.pipeline.datamanager.data = data
    config.pipeline.datamanager.dataparser.resolution = 64
    config.pipeline.model.stages = (Stage(1.0, 32, pose_lr=1e-3, sh_degree=0),)
    config.pipeline.model.other_pose_rates, config.pipeline.model.outlier_rule = (), "off"
    config.pipeline.model.num_gaussians = 500
    config.output_dir, config.experiment_name, config.timestamp = folder, "run", "now"
    config.max_num_iterations, config.steps_per_save = 10**6, 10**6
    config.viewer.websocket_port, config.viewer.quit_on_train_completion = port, True
    config.report = False
    return config


def use_all(browser: HostileBrowser, evil: Path) -> int:
    """Write a file, ask for a huge render, leave a view out, pause the run; the number of pictures that were read."""
    browser.look()
    if until(lambda: "Generate Command" in browser.elements, 15):
        browser.put("Render name", value=f"../../../../../../../..{evil}")
        time.sleep(0.5)
        browser.put("Generate Command", value=True)
        browser.put("Max res", value=16_000)
        browser.put("Pose", value="Leave out")
        browser.put("Pause Training", value=True)
        time.sleep(3)
        browser.put("Resume Training", value=True)
    browser.close()
    return browser.pictures


def intrude(where: str, bare: str, evil: Path) -> list[Row]:
    """What outsiders get to see."""
    rows = []
    for name, (knows, origin, host) in OUTSIDERS.items():
        target, pictures = where if knows else bare, 0
        headers = {key: value for key, value in (("Origin", origin), ("Host", host)) if value is not None}
        status, _ = fetch(target, **headers)
        with suppress(InvalidStatus):
            pictures = use_all(HostileBrowser(target, origin, host), evil)
        rows.append(Row(f"{name}: page, pictures", f"{status}, {pictures}", status == 403 and pictures == 0))
    return rows


@contextmanager
def crowd(trainer: SparseAGSTrainer, where: str, room: int) -> Iterator[None]:
    """Hostile clients in another process, once as many as there is room for are in."""
    command = [sys.executable, "-m", "tests.faults.hostile_browser", where, str(HOSTILE)]
    process, viewer = subprocess.Popen(command), trainer.viewer_state
    assert isinstance(viewer, Viewer)
    try:
        assert until(lambda: len(viewer.viser_server.get_clients()) >= room, 60)
        time.sleep(4)
        yield
    finally:
        process.kill()
        process.wait()
        until(lambda: not viewer.viser_server.get_clients(), 60)


def steps_a_second(trainer: SparseAGSTrainer, seconds: float) -> float:
    """Speed of the run in the next seconds."""
    before, since = trainer.pipeline.model.steps_done, time.monotonic()
    time.sleep(seconds)
    return (trainer.pipeline.model.steps_done - before) / (time.monotonic() - since)


def memory_mb() -> float:
    """Memory that this process holds, in megabytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def growth(where: str, seconds: float) -> float:
    """Megabytes a minute by which this process grows while one client looks around."""
    done = threading.Event()
    client = threading.Thread(target=move, args=(where, done.is_set), daemon=True)
    client.start()
    time.sleep(60)  # caches and the stacks of threads fill first
    before, since = memory_mb(), time.monotonic()
    time.sleep(seconds)
    grown = (memory_mb() - before) / (time.monotonic() - since) * 60
    done.set()
    client.join()
    return grown


def attack(trainer: SparseAGSTrainer, port: int, outside: Path, seconds: float) -> list[Row]:
    """All attacks, on a run whose first steps are done."""
    where, bare = address("127.0.0.1", port), f"http://127.0.0.1:{port}"
    model = trainer.pipeline.model
    until(lambda: model.steps_done > 30, 300)
    files = set(outside.rglob("*"))
    rows = intrude(where, bare, outside / "evil")
    written = set(outside.rglob("*")) - files
    events = [one for one in model.record.events if "asked for" in one.decision.why]
    rows.append(Row("outsiders: requests carried out", str(len(events)), not events and bool(model.trusted.all())))
    rows.append(Row("outsiders: files written", str(len(written)), not written))
    insiders = [use_all(HostileBrowser(where), outside / "evil")]
    written = set(outside.rglob("*")) - files - written
    folder = trainer.base_dir / "camera_paths"
    inside = all(one.is_relative_to(folder) for one in written)
    rows.append(Row("with the key: pictures, files written", f"{insiders[0]}, {len(written)}", inside))
    slider = trainer.viewer_state.control_panel._max_res  # type: ignore[union-attr]
    pixels, slider.value = slider.value, CPU_TRAINING_RESOLUTION
    rows.append(Row("with the key: pixels of a render", str(pixels), pixels <= 2048))
    for who, target, room in (("without the key", bare, 0), ("with the key", where, MAX_CLIENTS)):
        alone, crowded = [], []
        for _ in range(ROUNDS):
            alone.append(steps_a_second(trainer, 8))
            with crowd(trainer, target, room):
                crowded.append(steps_a_second(trainer, 8))
        ratio = median(many / one for many, one in zip(crowded, alone, strict=True))
        speeds = ", ".join(f"{one:.0f}/{many:.0f}" for one, many in zip(alone, crowded, strict=True))
        rows.append(Row(f"steps a second alone/{HOSTILE} clients {who}", f"{speeds}; {ratio:.2f}", ratio >= 0.5))
    grown = growth(where, seconds)
    rows.append(Row("megabytes a minute with one active client", f"{grown:.2f}", grown < 1))
    return rows


def main(seconds: float = 120.0) -> None:
    """Attack the viewer of a run, and print what came of it.

    Args:
        seconds: for which the growth of memory is measured.
    """
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        make_sample(SampleConfig(seed=5, size=64, num_views=5, num_test_views=0), folder / "sample", overwrite=True)
        config = run_config(folder / "sample", folder / "runs", port)
        config.save_config()
        trainer = config.setup(local_rank=0, world_size=1)
        trainer.setup()

        def work() -> None:
            try:
                rows.extend(attack(trainer, port, folder, seconds))
            finally:
                trainer.stop_training = True

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        trainer.train()
        thread.join()
    for row in rows:
        print(f"{'ok ' if row.good else 'BAD'} {row.what:55} {row.value}")
    sys.exit(not rows or not all(row.good for row in rows))


if __name__ == "__main__":
    tyro.cli(main)
