"""Where the viewer listens and what it serves."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import viser
from nerfstudio.configs.base_config import ViewerConfig
from viser._messages import ThemeConfigurationMessage
from viser.infra import WebsockServer
from viser.theme import TitlebarConfig, TitlebarImage

from sparseags_ns.method_configs.sparseags import sparseags
from sparseags_ns.plugin.trainer import SparseAGSTrainerConfig
from sparseags_ns.viewer import page as page_module
from sparseags_ns.viewer.door import KEY, Folder
from sparseags_ns.viewer.page import announce_address, local_unless_named, own_page, serve_own_page, set_title_bar

BUILD = Path(viser.__file__).parent / "client" / "build"


def test_the_page_asks_nobody() -> None:
    page = own_page((BUILD / "index.html").read_text())
    assert "googletagmanager" not in page and "gtag" not in page.replace("(gtag.js)", "")
    assert '<script type="module"' in page and "<title>SparseAGS</title>" in page


def test_nothing_outside_the_folder_is_served(tmp_path: Path) -> None:
    root, secret = tmp_path / "root", tmp_path / "secret"
    (root / "assets").mkdir(parents=True)
    (root / "assets" / "a.js").write_text("1")
    (root / "index.html").write_text("<title>Viser</title>")
    secret.write_text("secret")
    folder = Folder(root)
    assert (folder / "assets/a.js").read_text() == "1" and (folder / "index.html").exists()
    for name in ("../secret", "assets/../../secret", str(secret), "assets", "nobody", "a\0", "a" * 5000):
        assert not (folder / name).exists(), name


def test_asking_twice_changes_nothing() -> None:
    serve_own_page()
    once = WebsockServer.start
    serve_own_page()
    assert WebsockServer.start is once


@pytest.fixture(scope="module")
def server() -> Iterator[viser.ViserServer]:
    """A server as nerfstudio makes it."""
    serve_own_page()
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    server = viser.ViserServer(host="127.0.0.1", port=port, verbose=False)
    yield server
    server.stop()


def test_our_title_bar_replaces_nerfstudios(server: viser.ViserServer) -> None:
    """Both messages have one key, so a browser that connects later hears of the last one only."""
    web = "https://docs.nerf.studio/logo.png"
    logo = TitlebarImage(image_url_light=web, image_url_dark=web, image_alt="logo", href=None)
    server.gui.configure_theme(titlebar_content=TitlebarConfig(buttons=(), image=logo))
    set_title_bar(server)
    messages = server._websock_server._broadcast_buffer.message_from_id.values()
    (theme,) = (one for one in messages if isinstance(one, ThemeConfigurationMessage))
    assert theme.titlebar_content is not None and theme.titlebar_content["image"] is not None
    assert theme.titlebar_content["image"]["image_url_light"].startswith("data:image/svg")
    assert theme.titlebar_content["buttons"] == () and not theme.show_share_button


def test_the_server_serves_the_page_and_no_file_of_the_machine(server: viser.ViserServer) -> None:
    def get(path: str) -> bytes:
        with socket.create_connection(("127.0.0.1", server.get_port()), timeout=10) as one:
            one.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: one.recv(65536), b""))

    assert b"<title>SparseAGS</title>" in get(f"/{KEY}")
    assert b"404" in get(f"/{KEY}/nobody").splitlines()[0]
    assert b"403" in get("/../../../../../../../../../../etc/hosts").splitlines()[0]


@pytest.mark.parametrize(
    "arguments, host",
    [
        ([], "127.0.0.1"),
        (["--load-config", "config.yml"], "127.0.0.1"),
        (["--viewer.websocket-host", "0.0.0.0"], "0.0.0.0"),
        (["--viewer.websocket_host=0.0.0.0"], "0.0.0.0"),
    ],
)
def test_ns_viewer_listens_to_this_machine_unless_asked(
    arguments: list[str], host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ns-viewer loads a run's config and puts its own viewer settings in it."""
    config = sparseags.config
    assert isinstance(config, SparseAGSTrainerConfig)
    config = replace(config)
    monkeypatch.setattr("sys.argv", ["ns-viewer", *arguments])
    config.viewer = ViewerConfig()
    assert config.viewer.websocket_host == host
    assert local_unless_named(ViewerConfig(websocket_host="10.0.0.7"), []).websocket_host == "10.0.0.7"


def test_ns_train_listens_to_this_machine_unless_asked() -> None:
    assert sparseags.config.viewer.websocket_host == "127.0.0.1"
    asked = replace(sparseags.config, viewer=ViewerConfig(websocket_host="0.0.0.0"))
    assert asked.viewer.websocket_host == "0.0.0.0"


def test_one_line_says_how_to_open_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, str]] = []
    monkeypatch.setattr(page_module, "announce", lambda *words: said.append(words))
    monkeypatch.setattr(page_module, "warn", lambda *words: said.append(words))
    announce_address("127.0.0.1", 7007)
    announce_address("0.0.0.0", 7007)
    assert f"http://127.0.0.1:7007/{KEY}" in said[0][0] and "ssh -N -L 7007:127.0.0.1:7007" in said[0][1]
    assert KEY in said[1][0] and "whole network" in said[1][0] and "ssh" not in said[1][1]


def test_no_address_is_printed_without_its_key_and_no_folder_is_left(
    server: viser.ViserServer, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    other = viser.ViserServer(host="127.0.0.1", port=server.get_port() + 1, verbose=False)
    other.stop()
    assert "http" not in "".join(capfd.readouterr()) and not list(tmp_path.iterdir())
