"""A client of the viewer that says what it likes: for tests and for attacks (tests/faults/viewer_attacks.py).

`python -m tests.faults.hostile_browser ADDRESS COUNT` sends clients that move their cameras without a pause, for ever.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import msgspec
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect

CAMERA = {
    "type": "ViewerCameraMessage",
    "wxyz": [1.0, 0.0, 0.0, 0.0],
    "position": [0.0, 10.0, -38.0],
    "fov": 0.8,
    "aspect": 1.25,
    "look_at": [0.0, 0.0, 0.0],
    "up_direction": [0.0, 1.0, 0.0],
}
PICTURES = (b"CameraFrustumMessage", b"BackgroundImageMessage", b"ImageMessage", b"data:image")
"""What messages with photographs, renders and thumbnails contain."""


def fetch(address: str, **headers: str) -> tuple[int, str]:
    """The status and the text of an HTTP request."""
    try:
        with urlopen(Request(address, headers=headers), timeout=10) as answer:
            return answer.status, answer.read().decode("utf-8", "backslashreplace")
    except HTTPError as error:
        return error.code, error.read().decode("utf-8", "backslashreplace")


class HostileBrowser:
    """A connection that reads all it gets and sends any message.

    Args:
        address: of the page, as it is printed.
        origin: the page that asks, as it says itself.
        host: the name under which it reached the server, as it says itself.
        reads: whether it takes in what it is told, not only receives it.

    Raises:
        InvalidStatus: the server refuses.
    """

    def __init__(self, address: str, origin: str | None = None, host: str | None = None, reads: bool = True) -> None:
        url = urlsplit(address)
        there = socket.create_connection((url.hostname, url.port or 80), timeout=20)
        where = f"ws://{host or url.netloc}{url.path}"
        self.socket = connect(where, sock=there, origin=origin, max_size=None, compression=None)  # type: ignore
        self.elements: dict[str, dict[str, Any]] = {}
        """The panel's inputs by label, as they were last told."""
        self.pictures, self._reads = 0, reads
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        by_id: dict[str, dict[str, Any]] = {}
        try:
            for data in self.socket:
                assert isinstance(data, bytes)
                if not self._reads:
                    continue
                self.pictures += any(name in data for name in PICTURES)
                for message in msgspec.msgpack.decode(data):
                    if message["type"].startswith("GuiAdd") and "label" in message:
                        by_id[message["id"]] = message
                        self.elements.setdefault(message["label"], message)
                    elif message["type"] == "GuiUpdateMessage":
                        by_id.get(message["id"], {}).update(message["updates"])
        except ConnectionClosed:
            pass

    def look(self, **values: Any) -> None:
        """Send a camera, with other values than the usual ones."""
        self.send({**CAMERA, **values})

    def put(self, label: str, **updates: Any) -> None:
        """Set properties of an input; `value=True` presses a button."""
        self.send({"type": "GuiUpdateMessage", "id": self.elements[label]["id"], "updates": updates})

    def send(self, message: dict[str, Any]) -> None:
        """Send a message."""
        self.socket.send(msgspec.msgpack.encode(message))

    def close(self) -> None:
        """Leave."""
        self.socket.close()


def until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Wait for a condition; whether it came true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def move(where: str, stop: Callable[[], bool]) -> None:
    """Enter, or come back until there is room, and send cameras as fast as viser's page does."""
    angle = 0.0
    while not stop():
        try:
            browser = HostileBrowser(where, reads=False)
            while not stop():
                browser.look(position=[angle, 10.0, -38.0], fov=0.5 + angle % 1)
                angle += 0.01
                time.sleep(0.02)
        except (WebSocketException, OSError):
            time.sleep(0.5)


if __name__ == "__main__":
    for _ in range(int(sys.argv[2])):
        threading.Thread(target=move, args=(sys.argv[1], lambda: False)).start()
