"""Where the viewer listens, and the page that browsers load, without requests to the web.

There is no password: whoever reaches the viewer can look and press buttons. So it listens on this machine only, unless
a host is named.

viser's page reports every visit to Google, its server hands out any file of the machine to a request for a path above
its folder, and nerfstudio's title bar loads a logo from the web; none of them has an option. So, before nerfstudio
starts a server, viser's server class is patched to serve a copy of its folder: the copy's page loads nothing from
elsewhere, and paths that lead out of the folder do not exist. Browsers can be made to wait until the page is complete.
This is the one place where another package is patched at run time. A fork of viser or a proxy in front of it would cost
more upkeep.
"""

from __future__ import annotations

import base64
import getpass
import re
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import viser
from nerfstudio.configs.base_config import ViewerConfig
from viser.infra import WebsockServer
from viser.theme import TitlebarConfig, TitlebarImage

from sparseags_ns.console import announce, is_verbose, warn

LOCAL = "127.0.0.1"
EVERYWHERE = ("0.0.0.0", "::", "")
BRAND_COLOR = (255, 211, 105)
"""Colour of what is shown without a status of its own, sRGB, 0 to 255."""

_TRACKER = re.compile(
    r"<script\b(?:(?!</script>).)*?(?:googletagmanager|gtag\()(?:(?!</script>).)*?</script>", re.DOTALL
)
_REMOTE = re.compile(r"<script\b[^>]*\bsrc=[\"']https?:[^>]*>\s*</script>", re.DOTALL)


class Folder:
    """A folder of files to serve; paths that lead out of it do not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __truediv__(self, name: str) -> Path:
        """A file inside, or a path that does not exist; the only operation that viser's server uses."""
        wanted = self.path / name
        safe = wanted.resolve().is_relative_to(self.path.resolve()) and wanted.is_file()
        return wanted if safe else self.path / "nothing"


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


def serve_own_page() -> None:
    """Make all of viser's servers serve the copy from now on; a second call changes nothing."""
    original = WebsockServer.start
    if getattr(original, "serves_own_page", False):
        return

    def start(self: WebsockServer) -> None:
        root = self._http_server_root
        if root is not None:
            self._http_server_root = copy_without_the_web(root)  # type: ignore[assignment]
        original(self)
        self._verbose &= is_verbose()  # viser prints a line for each connection.
        if not _BROWSERS_ENTER.is_set():
            assert self._ws_server is not None
            # The server's thread waits. What is sent meanwhile is kept, and of the same kind only the last.
            self._ws_server.get_loop().call_soon_threadsafe(_BROWSERS_ENTER.wait)

    start.serves_own_page = True  # type: ignore[attr-defined]
    WebsockServer.start = start  # type: ignore[method-assign]


_COPIES: list[tempfile.TemporaryDirectory[str]] = []


def copy_without_the_web(root: Path) -> Folder:
    """A temporary copy of viser's folder whose page loads nothing from elsewhere; removed when the process ends."""
    copy = tempfile.TemporaryDirectory(prefix="sparseags-viewer-")
    _COPIES.append(copy)
    folder = Path(shutil.copytree(root, copy.name, dirs_exist_ok=True))
    page = folder / "index.html"
    page.write_text(own_page(page.read_text(encoding="utf-8")), encoding="utf-8")
    return Folder(folder)


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
    if host in EVERYWHERE:
        where = f"http://{socket.gethostname()}:{port}"
        warn(f"{what}: {where}, open to the whole network", "whoever reaches it can look and press buttons")
        return
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # A container's user may have no name.
        user = "USER"
    tunnel = f"ssh -N -L {port}:{host}:{port} {user}@{socket.gethostname()}"
    announce(f"{what}: http://{host}:{port}", f"from elsewhere: {tunnel}, then open it there")
