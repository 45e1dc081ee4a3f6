"""The page that browsers load. viser's own tells Google of every visit, and its server reads any file of the machine to
whoever asks for one above its folder; neither has an option.

So before nerfstudio makes its server, viser's server class learns here to serve a copy of its folder whose page asks
nobody, and nothing outside it. This is the one place where foreign code is changed at run time; it changes what is
served, and nothing of how. The other ways (a patched viser, a proxy in front of it) would be worse to live with.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from viser.infra import WebsockServer

_TRACKER = re.compile(
    r"<script\b(?:(?!</script>).)*?(?:googletagmanager|gtag\()(?:(?!</script>).)*?</script>", re.DOTALL
)
_REMOTE = re.compile(r"<script\b[^>]*\bsrc=[\"']https?:[^>]*>\s*</script>", re.DOTALL)


class Folder:
    """A folder of files to be served, and nothing else: a path that leads out of it leads nowhere."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __truediv__(self, name: str) -> Path:
        """A file inside, or one that does not exist; all that viser's server asks of its folder."""
        wanted = self.path / name
        safe = wanted.resolve().is_relative_to(self.path.resolve()) and wanted.is_file()
        return wanted if safe else self.path / "nothing"


def serve_own_page() -> None:
    """From now on, viser's servers serve the copy. Calling it again changes nothing."""
    original = WebsockServer.start
    if getattr(original, "serves_own_page", False):
        return

    def start(self: WebsockServer) -> None:
        root = self._http_server_root
        if root is not None:
            self._http_server_root = copy_without_the_web(root)  # type: ignore[assignment]
        original(self)

    start.serves_own_page = True  # type: ignore[attr-defined]
    WebsockServer.start = start  # type: ignore[method-assign]


def copy_without_the_web(root: Path) -> Folder:
    """A copy of viser's folder whose page loads nothing from elsewhere; it goes with the process."""
    copy = tempfile.TemporaryDirectory(prefix="sparseags-viewer-")
    _COPIES.append(copy)
    folder = Path(copy.name)
    for path in root.rglob("*"):
        target = folder / path.relative_to(root)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        elif path == root / "index.html":
            target.write_text(own_page(path.read_text(encoding="utf-8")), encoding="utf-8")
        else:
            target.write_bytes(path.read_bytes())
    return Folder(folder)


_COPIES: list[tempfile.TemporaryDirectory[str]] = []


def own_page(page: str) -> str:
    """viser's page without scripts from elsewhere, under our name."""
    page = _REMOTE.sub("", _TRACKER.sub("", page))
    return page.replace("<title>Viser</title>", "<title>SparseAGS</title>")
