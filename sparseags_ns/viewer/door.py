"""Who may enter the viewer, and how much a browser may ask of it.

The printed address ends in a key, another one in each process. viser's page connects to its own address, so its
websocket carries the key, too. Without it there is no page and no connection; only viser's own scripts, styles and
fonts are given out. A key in the path needs no cookie: browsers share cookies between all ports of a host.

A page from elsewhere in the same browser is refused even if it knows the key: `Host` must be a name of this server (a
page whose name was made to point here says another one), and `Origin` the same address. Names that a tunnel or a
reverse proxy puts in front are listed in the environment variable `SPARSEAGS_VIEWER_HOSTS`.

`Door` is the protocol of `websockets` for one connection. It takes few messages a second and only those which viser's
page may send (viewer/messages.py): a flood waits in the sender's own buffers, and of a moving camera only the newest
place counts.

Units: seconds, bytes.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.datastructures import Headers
from websockets.legacy.server import WebSocketServerProtocol
from websockets.protocol import State

from sparseags_ns.viewer.messages import is_camera, is_permitted

KEY = secrets.token_urlsafe(16)
"""The part of the address that a browser must know."""
HOSTS = "SPARSEAGS_VIEWER_HOSTS"
"""Environment variable: names of hosts, separated by commas, under which browsers may reach the viewer, too."""
EVERYWHERE = ("0.0.0.0", "::", "")

MAX_CLIENTS = 16
"""Largest number of browsers at a time."""
MAX_CONNECTIONS = 48
"""Largest number of connections at a time, those that fetch the page or are refused among them."""
MAX_MESSAGE = 2**16
"""Size of the largest message that a browser may send; viser's page stays below 1 kB here."""
MAX_TASKS = 64
"""Number of tasks in viser's thread pool above which no message is taken."""
REFUSAL = 0.2
"""Time that a refusal takes: whoever asks again and again costs training little."""
PERIOD, FULL_RATE = 0.05, 3
"""A browser's messages are taken this far apart while there are up to three of them, and further apart beyond."""

LIMITS: dict[str, Any] = {"max_size": MAX_MESSAGE, "max_queue": 4, "close_timeout": 2.0, "compression": None}
"""Options of `websockets`. Four messages are kept until their turn; the rest waits on the browser's side. Nothing is
compressed: pictures are already, and each browser's compressor would cost training time."""

NO_KEY = "This is a viewer of sparseags. It opens at the whole address that was printed, with the key at its end.\n"
FOREIGN = (
    "This request comes from another page, or names a host that this viewer does not know. Behind a tunnel or a proxy "
    f"of another name, list that name in the environment variable {HOSTS} when you start it.\n"
)
FULL = f"{MAX_CLIENTS} browsers look at this viewer already. Close one of them, then load this page again.\n"

Response = tuple[HTTPStatus, dict[str, str], bytes]


def address(host: str, port: int) -> str:
    """The address of a viewer, with the key.

    Args:
        host: where it listens.
    """
    name = socket.gethostname() if host in EVERYWHERE else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/{KEY}"


def is_name_of(name: str | None, host: str) -> bool:
    """Whether a viewer that listens at `host` may be reached under a name, or under a literal IP address.

    A literal address cannot be made to point elsewhere, so any of them will do where the network is let in.
    """
    if not name or name == host or name in _listed():
        return bool(name)
    local = host == "localhost" or (host not in EVERYWHERE and _is_loopback(host))
    try:
        return ip_address(name).is_loopback or not local
    except ValueError:
        return name == "localhost" or (not local and name == socket.gethostname().lower())


def comes_from_here(hosts: Sequence[str], origins: Sequence[str], host: str) -> bool:
    """Whether a request was made by a page of this server, or by no page.

    Args:
        hosts: the request's `Host` headers.
        origins: its `Origin` headers; none where no page asks.
        host: where the server listens.
    """
    if len(hosts) != 1 or len(origins) > 1 or "@" in hosts[0]:
        return False
    try:
        name = urlsplit(f"//{hosts[0]}").hostname
        origin = urlsplit(origins[0].lower() if origins else f"http://{hosts[0].lower()}")
    except ValueError:
        return False
    same = origin.netloc == hosts[0].lower() or origin.hostname in _listed()
    return is_name_of(name, host) and same


def _listed() -> list[str]:
    return os.environ.get(HOSTS, "").lower().replace(",", " ").split()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Folder:
    """A folder of files to serve; paths that lead out of it do not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __truediv__(self, name: str) -> Path:
        """A file inside, or a path that does not exist; the only operation that viser's server uses."""
        try:
            wanted = (self.path / name).resolve()
            safe = wanted.is_relative_to(self.path.resolve()) and wanted.is_file()
        except (ValueError, OSError):  # no name of a file
            safe = False
        return self.path / name if safe else self.path / "nothing"


class Door(WebSocketServerProtocol):
    """One connection to the viewer's server."""

    def __init__(
        self, *arguments: Any, at: str, page: bytes, files: Folder, tasks: Callable[[], int], **options: Any
    ) -> None:
        """Set up.

        Args:
            arguments, options: of `websockets`.
            at: the host where the server listens.
            page: the page that a browser with the key gets.
            files: what that page loads.
            tasks: tells how many tasks wait in viser's thread pool.
        """
        super().__init__(*arguments, **options)
        self._at, self._page, self._files, self._tasks = at, page, files, tasks
        self._next = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; beyond the largest number of connections, end at once."""
        super().connection_made(transport)
        if len(self.ws_server.websockets) > MAX_CONNECTIONS:
            self.transport.abort()

    async def process_request(self, path: str, request_headers: Headers) -> Response | None:
        """Refuse a request, answer it, or (None) let it become a websocket."""
        first, _, rest = path.partition("?")[0].lstrip("/").partition("/")
        knows_key = hmac.compare_digest(first.encode("utf-8", "surrogateescape"), KEY.encode())
        name = (rest if knows_key else f"{first}/{rest}").strip("/")
        enters = "Upgrade" in request_headers or not name
        refusal = self._refusal(request_headers, knows_key, enters, name)
        if refusal is not None:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.wait_closed(), REFUSAL)
            status, text = refusal
            return status, {"Content-Type": "text/plain; charset=utf-8"}, text.encode()
        if not enters:
            return await super().process_request(f"/{name}", request_headers)  # type: ignore[return-value]
        return None if "Upgrade" in request_headers else (HTTPStatus.OK, _PAGE_HEADERS, self._page)

    def _refusal(self, headers: Headers, knows_key: bool, enters: bool, name: str) -> tuple[HTTPStatus, str] | None:
        """Why a request is refused.

        Args:
            enters: whether it asks for the page or for a websocket, not for a file that the page loads.
        """
        if not comes_from_here(headers.get_all("Host"), headers.get_all("Origin"), self._at):
            return HTTPStatus.FORBIDDEN, FOREIGN
        if enters and knows_key:
            return (HTTPStatus.SERVICE_UNAVAILABLE, FULL) if self._clients() >= MAX_CLIENTS else None
        if enters or name == "index.html" or not (self._files / name).exists():
            return (HTTPStatus.NOT_FOUND if knows_key else HTTPStatus.FORBIDDEN), NO_KEY
        return None

    async def recv(self) -> str | bytes:
        """The next message, in its turn; messages that viser's page does not send are left out."""
        while True:
            await asyncio.sleep(max(self._next - time.monotonic(), 0.0))
            while self._tasks() > MAX_TASKS:
                await asyncio.sleep(PERIOD)
            message = await super().recv()
            while self.messages and is_camera(message) and is_camera(self.messages[0]):
                message = await super().recv()
            self._next = time.monotonic() + PERIOD * max(1.0, self._clients() / FULL_RATE)
            if is_permitted(message):
                return message

    def _clients(self) -> int:
        """The number of browsers whose websocket is open."""
        return sum(one.state is State.OPEN for one in self.ws_server.websockets)


_PAGE_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
