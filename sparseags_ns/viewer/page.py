"""Where the viewer listens, and the page that browsers load, without requests to the web.

The viewer listens on this machine only, unless a host is named, and lets nobody in who does not know the printed
address (viewer/door.py): whoever does can look and press buttons.

viser's page reports every visit to Google, its server hands out any file of the machine to a request for a path above
its folder, it asks nobody for a key and takes any value from anybody, and nerfstudio's title bar loads a logo from the
web; none of them has an option. So, before nerfstudio starts a server, viser is patched: its server opens through our
door and serves a page that loads nothing from elsewhere, and values from browsers stay within bounds. nerfstudio's
panel writes camera paths into the run's folder instead of the photographs'. Browsers can be made to wait until the page
is complete. This is the one place where other packages are patched at run time. A fork of viser or a proxy in front of
it would cost more upkeep.
"""

from __future__ import annotations

import base64
import getpass
import io
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import nerfstudio.viewer.viewer as nerfstudio_viewer
import viser
import websockets.server
from nerfstudio.configs.base_config import ViewerConfig
from nerfstudio.viewer_legacy.server import viewer_utils
from viser._gui_api import GuiApi
from viser._messages import GuiUpdateMessage
from viser.infra import WebsockMessageHandler, WebsockServer
from viser.theme import TitlebarConfig, TitlebarImage
from websockets.legacy.server import serve

from sparseags_ns.console import announce, is_verbose, warn
from sparseags_ns.viewer.door import EVERYWHERE, LIMITS, Door, Folder, address
from sparseags_ns.viewer.messages import bounded

LOCAL = "127.0.0.1"
BRAND_COLOR = (255, 211, 105)
"""Colour of what is shown without a status of its own, sRGB, 0 to 255."""

_TRACKER = re.compile(
    r"<script\b(?:(?!</script>).)*?(?:googletagmanager|gtag\()(?:(?!</script>).)*?</script>", re.DOTALL
)
_REMOTE = re.compile(r"<script\b[^>]*\bsrc=[\"']https?:[^>]*>\s*</script>", re.DOTALL)


_BROWSERS_ENTER = threading.Event()
_BROWSERS_ENTER.set()


@contextmanager
def browsers_wait() -> Iterator[None]:
    """Let browsers wait in front of servers that are started inside the block, until its end.

    A page that is open from before connects as soon as a server listens. While nerfstudio builds its own, the page
    would get a title bar with a logo from the web, and a share button, whose coming and going viser's page does not
    survive.
    """
    _BROWSERS_ENTER.clear()
    try:
        yield
    finally:
        _BROWSERS_ENTER.set()


_STARTING = threading.Lock()


def serve_own_page() -> None:
    """Patch viser and nerfstudio's panel from now on; a second call changes nothing."""
    original = WebsockServer.start
    if getattr(original, "serves_own_page", False):
        return

    def start(self: WebsockServer) -> None:
        root = self._http_server_root
        assert root is not None
        self._http_server_root = files = Folder(root)  # type: ignore[assignment]
        page = own_page((root / "index.html").read_text(encoding="utf-8")).encode("utf-8")
        tasks = self._thread_executor._work_queue.qsize
        door = partial(Door, at=self._host, page=page, files=files, tasks=tasks)
        # A message that is still in a queue after its browser has gone must not bring it back.
        self.on_client_disconnect(lambda client: client._incoming_handlers.clear())
        with _STARTING:
            websockets.server.serve = partial(serve, create_protocol=door, **LIMITS)  # type: ignore[attr-defined]
            try:
                original(self)
            finally:
                del websockets.server.serve  # type: ignore[attr-defined]
        self._verbose &= is_verbose()  # viser prints a line for each connection.
        if not _BROWSERS_ENTER.is_set():
            assert self._ws_server is not None
            # The server's thread waits. What is sent meanwhile is kept, and of the same kind only the last.
            self._ws_server.get_loop().call_soon_threadsafe(_BROWSERS_ENTER.wait)

    start.serves_own_page = True  # type: ignore[attr-defined]
    WebsockServer.start = start  # type: ignore[method-assign]
    _print_no_address()
    _release_after_errors()
    _bound_values()
    _write_into_the_run()
    # nerfstudio traces each line of a render, to raise an exception in any of them when the camera moves again. In the
    # loading of a compiled kernel it ends the browser's thread; and a kernel that is not cached compiles for minutes.
    viewer_utils.SetTrace = nullcontext  # type: ignore[assignment, misc]


def _print_no_address() -> None:
    """Keep viser from printing the address without its key."""
    original = viser.ViserServer.__init__

    def init(self: viser.ViserServer, *arguments: Any, **options: Any) -> None:
        with redirect_stdout(io.StringIO()):
            original(self, *arguments, **options)

    viser.ViserServer.__init__ = init  # type: ignore[method-assign]


def _release_after_errors() -> None:
    """Make viser's `atomic` release its lock after an error inside, so that no browser can stop the others' pages."""
    original = WebsockMessageHandler.atomic

    @contextmanager
    def atomic(self: WebsockMessageHandler) -> Iterator[None]:
        held = original(self)
        held.__enter__()
        try:
            yield
        finally:
            held.__exit__(None, None, None)

    WebsockMessageHandler.atomic = atomic  # type: ignore[method-assign, assignment]


def _bound_values() -> None:
    """Make elements of the panel take only what they offer (`bounded`), and nothing while they are disabled."""
    create, update = GuiApi._create_gui_input, GuiApi._handle_gui_updates

    def create_with_limits(self: GuiApi, value: Any, message: Any, is_button: bool = False) -> Any:
        handle = create(self, value, message, is_button)
        handle._impl.limits = message  # type: ignore[attr-defined]
        return handle

    def update_within_limits(self: GuiApi, client_id: Any, message: GuiUpdateMessage) -> None:
        handle = self._gui_input_handle_from_id.get(message.id)
        server = self._owner
        if handle is None or handle.disabled or not handle.visible:
            return
        if isinstance(server, viser.ViserServer) and client_id not in server.get_clients():
            return
        limits, asked = getattr(handle._impl, "limits", None), message.updates["value"]
        options = getattr(handle, "options", getattr(limits, "options", None))
        value = bounded(asked, handle.value, limits, options)
        if value is not None:
            update(self, client_id, GuiUpdateMessage(message.id, {"value": value}))
        if value != asked and not handle._impl.is_button:
            self._websock_interface.queue_message(GuiUpdateMessage(message.id, {"value": handle.value}))

    GuiApi._create_gui_input = create_with_limits  # type: ignore[method-assign]
    GuiApi._handle_gui_updates = update_within_limits  # type: ignore[method-assign]


def _write_into_the_run() -> None:
    """Make nerfstudio's panel keep camera paths in the run's folder, where config.yml is."""
    original = nerfstudio_viewer.populate_render_tab  # type: ignore[attr-defined]

    def populate(server: Any, config_path: Path, datapath: Path, *rest: Any) -> Any:
        return original(server, config_path, config_path.parent, *rest)

    nerfstudio_viewer.populate_render_tab = populate  # type: ignore[assignment]


def own_page(page: str) -> str:
    """viser's page without scripts from elsewhere, with this project's title."""
    page = _REMOTE.sub("", _TRACKER.sub("", page))
    return page.replace("<title>Viser</title>", "<title>SparseAGS</title>")


_WORDMARK = """<svg xmlns="http://www.w3.org/2000/svg" width="190" height="40" viewBox="0 0 190 40">
<g fill="none" stroke="#ffd369" stroke-width="2.4" stroke-linejoin="round">
<path d="M6 20 L20 11 L20 29 Z"/><path d="M38 20 L24 11 L24 29 Z" opacity="0.55"/></g>
<circle cx="22" cy="20" r="3.4" fill="#ffd369"/>
<text x="48" y="26" font-family="Inter, Helvetica, Arial, sans-serif" font-size="19" font-weight="600"
fill="{color}">SparseAGS</text></svg>"""


def set_title_bar(server: viser.ViserServer) -> None:
    """Replace nerfstudio's title bar for all browsers that connect from now on."""
    light, dark = _wordmark("#1a1b1e"), _wordmark("#f1f3f5")
    image = TitlebarImage(image_url_light=light, image_url_dark=dark, image_alt="SparseAGS", href=None)
    server.gui.configure_theme(
        titlebar_content=TitlebarConfig(buttons=(), image=image),
        control_layout="collapsible",
        control_width="large",
        dark_mode=True,
        show_share_button=False,  # Sharing would route the page through a server on the web.
        brand_color=BRAND_COLOR,
    )


def _wordmark(color: str) -> str:
    drawing = _WORDMARK.format(color=color).encode("utf-8")
    return "data:image/svg+xml;base64," + base64.b64encode(drawing).decode("ascii")


def local_unless_named(settings: ViewerConfig, arguments: Sequence[str]) -> ViewerConfig:
    """Viewer settings that listen on this machine only, unless the arguments name a host.

    ns-viewer replaces a run's settings by its own, whose default is the whole network; only the arguments show whether
    that was asked for.
    """
    named = any(one.replace("_", "-").startswith(("--viewer.websocket-host", "--host")) for one in arguments)
    if named or settings.websocket_host not in EVERYWHERE:
        return settings
    return replace(settings, websocket_host=LOCAL)


def announce_address(host: str, port: int, what: str = "viewer") -> None:
    """Print in one line how to open the viewer, from this machine and, by an ssh tunnel, from elsewhere.

    Args:
        what: what is to be seen there.
    """
    where = f"{what}: {address(host, port)}"
    if host in EVERYWHERE:
        warn(f"{where}, open to the whole network", "whoever has this address can look and press buttons")
        return
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # A container's user may have no name.
        user = "USER"
    tunnel = f"ssh -N -L {port}:{host}:{port} {user}@{socket.gethostname()}"
    announce(where, f"from elsewhere: {tunnel}, then open it there")
