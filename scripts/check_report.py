"""Opens a report in a real browser, offline: no console messages, no requests, nothing wider than the screen; pictures.

    python scripts/check_report.py RUN/sparseags/report.html --output /tmp/report

Screenshots of every section at desktop and phone size, light and dark, go to the output folder, to be looked
at. Exit status 0 where all is well. Needs Chromium (Debian: chromium); speaks the DevTools protocol over `websockets`,
which viser brings.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import tyro
from websockets.sync.client import ClientConnection, connect

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--disable-background-networking",
    "--proxy-server=127.0.0.1:9",  # nothing listens there: whatever is fetched fails, and is seen
)
SCREENS = {
    "desktop": (1280, 900, "light"),
    "dark": (1280, 900, "dark"),
    "phone": (390, 844, "light"),
    "phone-dark": (390, 844, "dark"),
}
NAMELESS = """
[...document.querySelectorAll("img:not([alt]), button, input, canvas, select")]
    .filter((node) => !(node.hasAttribute("aria-label") || node.textContent.trim() || node.closest("label")))
    .map((node) => node.outerHTML.slice(0, 90))
"""


@dataclass
class Page:
    """A tab, and what happened in it."""

    socket: ClientConnection
    session: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    _number: int = 0

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask the browser for something; what it says meanwhile is noted."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params, "sessionId": self.session}
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.recv(timeout=60))
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self._note(answer)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; promises are waited for."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']['text']}")
        return result["result"].get("value")

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Runtime.consoleAPICalled":
                said = " ".join(str(arg.get("value", arg.get("description", ""))) for arg in params["args"])
                self.complaints.append(f"console.{params['type']}: {said}")
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                self.complaints.append(details.get("exception", {}).get("description", details["text"]))
            case "Log.entryAdded":
                self.complaints.append(f"{params['entry']['level']}: {params['entry']['text']}")
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])


@contextmanager
def browser(executable: str) -> Iterator[str]:
    """A running browser; yields the address of its DevTools."""
    with tempfile.TemporaryDirectory() as profile:
        command = [executable, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port = Path(profile) / "DevToolsActivePort"
            for _ in range(300):
                if port.exists() and port.read_text().count("\n"):
                    break
                time.sleep(0.1)
            number = port.read_text().splitlines()[0]
            with urlopen(f"http://127.0.0.1:{number}/json/version", timeout=30) as answer:
                yield json.load(answer)["webSocketDebuggerUrl"]
        finally:
            process.terminate()
            process.wait(timeout=30)


@contextmanager
def open_page(address: str, screen: tuple[int, int, str]) -> Iterator[Page]:
    """A tab of its own with the size and the colours of a screen."""
    width, height, scheme = screen
    with connect(address, max_size=None) as socket:
        page = Page(socket, "")
        message = {"id": 0, "method": "Target.createTarget", "params": {"url": "about:blank"}}
        socket.send(json.dumps(message))
        target = _answer(socket, 0)["targetId"]
        message = {"id": 0, "method": "Target.attachToTarget", "params": {"targetId": target, "flatten": True}}
        socket.send(json.dumps(message))
        page.session = _answer(socket, 0)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        page.call("Emulation.setEmulatedMedia", features=features)
        phone = width < 600
        page.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )
        yield page
        page.call("Page.close")


def _answer(socket: ClientConnection, number: int) -> dict[str, Any]:
    while True:
        answer = json.loads(socket.recv(timeout=60))
        if answer.get("id") == number:
            return answer["result"]


def use(page: Page) -> None:
    """Touch everything that can be touched."""
    page.evaluate("document.querySelectorAll('details').forEach((node) => (node.open = true))")
    page.evaluate("document.querySelectorAll('button').forEach((node) => (node.click(), node.click()))")
    page.evaluate(
        "document.querySelector('[data-locate]').click(); document.querySelector('[data-mode=slider]').click()"
    )
    page.evaluate(
        "document.querySelectorAll('input[type=range]').forEach((node) => node.dispatchEvent(new Event('input')))"
    )
    for selector in ("canvas", "#chart svg"):
        page.evaluate(
            f"document.querySelectorAll('{selector}').forEach((node) => ['pointermove', 'pointerleave'].forEach("
            "(name) => node.dispatchEvent(new PointerEvent(name, {clientX: 200, clientY: 200, pointerId: 1}))))"
        )
    page.evaluate("new Promise((done) => setTimeout(done, 300))")


def photograph(page: Page, selector: str, path: Path) -> None:
    """A picture of one part of the page."""
    box = page.evaluate(
        f"(() => {{ const box = document.querySelector('{selector}').getBoundingClientRect(); return "
        "[0, box.top + scrollY - 12, innerWidth, box.height + 24]; })()"
    )
    clip = dict(zip(("x", "y", "width", "height"), box, strict=True)) | {"scale": 1}
    shot = page.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
    path.write_bytes(base64.b64decode(shot["data"]))


def check(address: str, report: Path, screen: str, output: Path) -> list[str]:
    """What is wrong with the report on one screen."""
    with open_page(address, SCREENS[screen]) as page:
        page.call("Page.navigate", url=report.resolve().as_uri())
        page.evaluate("new Promise((done) => setTimeout(done, 1500))")
        title = page.evaluate("document.title")
        width = page.evaluate("document.documentElement.scrollWidth")
        sections = page.evaluate("[...document.querySelectorAll('section')].map((node) => node.id)")
        for section in sections:
            photograph(page, f"#{section}", output / f"{screen}-{section}.png")
        use(page)
        page.evaluate("document.querySelector('[data-mode=difference]').click()")
        photograph(page, "#views", output / f"{screen}-difference.png")
        nameless = page.evaluate(NAMELESS)
    found = [f"said: {complaint}" for complaint in page.complaints]
    found += [
        f"asked for: {url}" for url in page.requests if not url.startswith("data:") and url != report.resolve().as_uri()
    ]
    found += [f"has no name: {node}" for node in nameless]
    if width > SCREENS[screen][0]:
        found.append(f"is {width} px wide on a screen of {SCREENS[screen][0]} px")
    if not title or not sections:
        found.append("has no title or no sections: did it open?")
    return found


def main(report: tyro.conf.Positional[Path], output: Path, chromium: str = "/usr/bin/chromium") -> None:
    """Check a report in a browser.

    Args:
        report: the HTML file.
        output: folder of the screenshots.
        chromium: the browser's executable.
    """
    output.mkdir(parents=True, exist_ok=True)
    failed = False
    with browser(chromium) as address:
        for screen in SCREENS:
            found = check(address, report, screen, output)
            failed = failed or bool(found)
            print(f"{screen}: {'; '.join(found) or 'all well'}")
    print(f"screenshots: {output}")
    sys.exit(failed)


if __name__ == "__main__":
    tyro.cli(main)
