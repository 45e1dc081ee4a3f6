"""Watches a training run in a real browser: frusta, renders, a search by button; no errors, nobody asked outside.

    python scripts/check_viewer.py --output /tmp/viewer

Trains on a sample with one wrong view (or on `--data`) with the viewer on, opens it in headless Chromium, uses it, and
leaves screenshots in the output folder, to be looked at. Exit status 0 where all is well. Takes two to four minutes on
two cores. Needs Chromium (Debian: chromium); speaks the DevTools protocol over `websockets`, which viser brings.
"""

from __future__ import annotations

import base64
import io
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tyro
from check_report import Page, browser, open_page
from PIL import Image

from sparseags_ns.runs.record import ViewStatus
from sparseags_ns.sample import SampleConfig, make_sample
from sparseags_ns.viewer.state import COLORS

SCREEN = (1280, 800, "dark")
SHARP = "Object.defineProperty(window, 'devicePixelRatio', {get: () => 3})"
"""viser draws coarsely where drawing is slow, as it is without a graphics card; this picture is to be shown around."""
VISERS_OWN = ("computeBoundingSphere(): Computed radius is NaN",)
"""What the page of an empty viser server says, too."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start_training(data: Path, folder: Path, port: int, steps: int) -> subprocess.Popen[bytes]:
    """`ns-train sparseags` with the viewer, in a process of its own; its words go to `train.log`."""
    command = [Path(sys.executable).with_name("ns-train"), "sparseags", "--data", data, "--output-dir", folder / "runs"]
    command += ["--experiment-name", "viewer", "--timestamp", "check", "--vis", "viewer"]
    command += ["--viewer.websocket-port", port, "--max-num-iterations", steps]
    # It is the viewer that is checked: a small splat, small photographs, one start.
    command += ["--pipeline.model.num-gaussians", 600, "--pipeline.model.other-pose-rates"]
    command += ["--pipeline.datamanager.dataparser.resolution", 96]
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    with (folder / "train.log").open("wb") as log:
        return subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, env=environment)


def wait_for(what: str, condition: Callable[[], bool], seconds: float) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.25)


def told(output: Path, log: str = "train.log") -> str:
    """All that a process has said."""
    return (output / log).read_text(errors="replace")


def text(page: Page) -> str:
    """All that can be read on the page."""
    return str(page.evaluate("document.body ? document.body.innerText : ''"))


def press(page: Page, label: str) -> None:
    """Press the button (or tab) with exactly this label."""
    found = page.evaluate(
        "(() => { const buttons = [...document.querySelectorAll('button')];"
        f" const node = buttons.find((one) => one.innerText.trim() === {label!r});"
        " if (node) node.click(); return !!node; })()"
    )
    if not found:
        raise RuntimeError(f"there is no button {label!r}")


def photograph(page: Page, path: Path) -> np.ndarray:
    """A screenshot, also as [height, width, 3] uint8."""
    shot = base64.b64decode(page.call("Page.captureScreenshot")["data"])
    path.write_bytes(shot)
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"))


def pixels_like(image: np.ndarray, color: tuple[int, int, int]) -> int:
    """How many pixels of the scene (not of the panel) are clearly of this hue; thin lines blend with what is behind."""
    scene = image[60:, : image.shape[1] - 420].astype(float)
    wanted, given = np.array(color, float) - np.mean(color), scene - scene.mean(-1, keepdims=True)
    strength = np.linalg.norm(given, axis=-1)
    cosine = (given @ wanted) / (np.linalg.norm(wanted) * strength.clip(1e-6))
    return int(((cosine > 0.95) & (strength > 30)).sum())


def shows_a_render(image: np.ndarray) -> bool:
    """Whether the middle of the scene holds a picture: many colours, not one background."""
    height, width = image.shape[0], image.shape[1] - 400
    middle = image[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3].reshape(-1, 3)
    return len(np.unique(middle // 16, axis=0)) > 40


def printed_address(output: Path, log: str = "train.log") -> str:
    """The viewer's address, as a process has said it."""
    return re.findall(r"viewer: (http\S+)", told(output, log))[-1]


def watch(page: Page, output: Path) -> list[str]:
    """Use the viewer while the run goes on; what is wrong with it."""
    found: list[str] = []
    page.call("Page.navigate", url=printed_address(output))
    wait_for("the panel", lambda: "SparseAGS" in text(page) and "Gaussians" in text(page), 90)
    wait_for("a render", lambda: shows_a_render(photograph(page, output / "1-start.png")), 90)
    green, shot = COLORS[ViewStatus.TRUSTED], output / "1-start.png"
    wait_for("frusta", lambda: pixels_like(photograph(page, shot), green) > 150, 60)
    press(page, "Search")
    wait_for("a search that was asked for", lambda: "Searching view" in text(page), 120)
    time.sleep(3)
    photograph(page, output / "2-search.png")
    wait_for("its answer", lambda: any(word in text(page) for word in ("keeps its pose", "was rotated by")), 180)
    photograph(page, output / "3-answer.png")
    for tab in ("Errors", "Compare", "Log", "Views"):
        press(page, tab)
        time.sleep(3)
        photograph(page, output / f"4-{tab.lower()}.png")
    press(page, "Leave out")
    wait_for("the view left out", lambda: "is left out from now on" in text(page), 120)
    red, shot = COLORS[ViewStatus.LEFT_OUT], output / "5-left-out.png"
    wait_for("its red frustum", lambda: pixels_like(photograph(page, shot), red) > 40, 30)
    press(page, "Pause Training")
    press(page, "Trust")
    wait_for("the view back while the run is paused", lambda: "is trusted from now on" in text(page), 120)
    wait_for("the word that it is paused", lambda: "paused" in text(page), 30)
    press(page, "Resume Training")
    press(page, "Jump to it")
    time.sleep(3)
    photograph(page, output / "6-jump.png")
    press(page, "Overview")
    return found


def to_the_end(page: Page, output: Path) -> None:
    """The run's own search, and how it ends."""
    wait_for("the run's own search", lambda: "searching" in text(page).lower() or "Finished" in text(page), 240)
    time.sleep(6)
    photograph(page, output / "7-own-search.png")
    wait_for("the end", lambda: "Finished" in text(page), 400)
    time.sleep(4)
    photograph(page, output / "8-finished.png")
    press(page, "Leave out")
    wait_for("an answer after the end", lambda: "it would have no effect" in text(page), 30)


def look_again(address: str, folder: Path, port: int) -> list[str]:
    """Open the finished run with `sparseags view`; what is wrong with that."""
    command = [Path(sys.executable).with_name("sparseags"), "view", folder / "runs/viewer/sparseags/check"]
    with (folder / "view.log").open("wb") as log:
        viewing = subprocess.Popen([*map(str, command), "--port", str(port)], stdout=log, stderr=log)
    try:
        # A page that connects while nerfstudio builds its own breaks inside viser; the address is told after that.
        wait_for("sparseags view", lambda: "viewer: http" in told(folder, "view.log"), 240)
        with open_page(address, SCREEN) as page:
            page.call("Page.addScriptToEvaluateOnNewDocument", source=SHARP)
            page.call("Page.navigate", url=printed_address(folder, "view.log"))
            wait_for("the finished run", lambda: "A finished run" in text(page), 120)
            wait_for("its render", lambda: shows_a_render(photograph(page, folder / "9-again.png")), 60)
            time.sleep(3)
            photograph(page, folder / "9-finished-run.png")
            press(page, "Search")
            answers = ("keeps its pose", "Nothing was changed")
            wait_for("a search that only tells", lambda: any(one in text(page) for one in answers), 240)
            photograph(page, folder / "9-again.png")
            return outside(page, port)
    except (TimeoutError, RuntimeError) as error:
        return [str(error)]
    finally:
        stop(viewing)


def stop(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does, then for good."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()


def outside(page: Page, port: int) -> list[str]:
    """What the page said and asked for that it should not have."""
    page.evaluate("1")  # What is still to be told is told with the answer.
    allowed = ("data:", "blob:", f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}")
    found = [f"asked for {url}" for url in sorted(set(page.requests)) if not url.startswith(allowed)]
    return found + [
        f"said {one}"
        for one in sorted(set(page.complaints))
        if "error" in one.lower() and not any(own in one for own in VISERS_OWN)
    ]


def main(output: Path, data: Path | None = None, steps: int = 600, chromium: str = "/usr/bin/chromium") -> None:
    """Check the viewer in a browser.

    Args:
        output: folder of the screenshots, the run and its log.
        data: photographs and poses; a sample with one wrong view if left out.
        steps: of the run.
        chromium: the browser's executable.
    """
    output.mkdir(parents=True, exist_ok=True)
    if data is None:
        data = output / "sample"
        sample = SampleConfig(seed=5, size=96, num_views=5, num_test_views=0, level="outlier1")
        make_sample(sample, data, overwrite=True)
    port = free_port()
    training = start_training(data, output, port, steps)
    try:
        wait_for("the viewer", lambda: training.poll() is not None or "viewer: http" in told(output), 240)
        if training.poll() is not None:
            sys.exit(f"the run ended before it began: {told(output)[-2000:]}")
        with browser(chromium) as address, open_page(address, SCREEN) as page:
            try:
                found = watch(page, output)
                to_the_end(page, output)
            except (TimeoutError, RuntimeError) as error:
                photograph(page, output / "failed.png")
                (output / "failed.txt").write_text(text(page))
                found = [str(error)]
            found += outside(page, port)
    finally:
        stop(training)
    if not found:
        with browser(chromium) as address:
            found = look_again(address, output, free_port())
    print("; ".join(found) or "all well")
    print(f"screenshots and train.log: {output}")
    sys.exit(bool(found))


if __name__ == "__main__":
    tyro.cli(main)
