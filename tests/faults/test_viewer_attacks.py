"""What a hostile page or client gets out of the viewer: real connections to a real server."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import viser
from nerfstudio.viewer import viewer as nerfstudio_viewer
from nerfstudio.viewer.control_panel import ControlPanel
from nerfstudio.viewer_legacy.server import viewer_utils
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sparseags_ns.viewer import door
from sparseags_ns.viewer.door import FOREIGN, FULL, HOSTS, KEY, MAX_CLIENTS, MAX_MESSAGE, NO_KEY, address
from sparseags_ns.viewer.messages import file_name
from sparseags_ns.viewer.page import serve_own_page
from tests.faults.hostile_browser import HostileBrowser, fetch, free_port, until


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A server with nerfstudio's panels, a photograph in the scene, and a button that counts its presses."""
    serve_own_page()
    run, data = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("data")
    port = free_port()
    server = viser.ViserServer(host="127.0.0.1", port=port, verbose=False)
    pressed: list[int] = []
    server.gui.add_button("Leave out").on_click(lambda _: pressed.append(1))
    server.scene.add_camera_frustum("/a", 1.0, 1.0, image=np.zeros((4, 4, 3), np.uint8))
    nothing = lambda *_: None  # noqa: E731
    control = ControlPanel(server, False, 10.0, nothing, nothing, nothing)
    populate: Any = nerfstudio_viewer.populate_render_tab  # type: ignore[attr-defined]  # as it is patched
    populate(server, run / "config.yml", data, control)
    yield SimpleNamespace(
        address=address("127.0.0.1", port), bare=f"http://127.0.0.1:{port}", port=port, server=server,
        pressed=pressed, control=control, run=run, data=data,
    )  # fmt: skip
    server.stop()


@pytest.fixture
def insider(served: SimpleNamespace) -> Iterator[HostileBrowser]:
    """A browser with the key, whose panel is there."""
    browser = HostileBrowser(served.address, origin=served.bare)
    browser.look()
    assert until(lambda: "Generate Command" in browser.elements and len(served.server.get_clients()) == 1)
    yield browser
    browser.close()
    assert until(lambda: not served.server.get_clients())


def test_the_printed_address_shows_the_page_and_connects(served: SimpleNamespace, insider: HostileBrowser) -> None:
    status, page = fetch(served.address)
    assert status == 200 and "<title>SparseAGS</title>" in page
    assert fetch(f"{served.address}?websocket={served.address}")[0] == 200, "as viser's page rewrites it"
    assert fetch(f"{served.address}/hdri/potsdamer_platz_1k.hdr")[0] == 200, "as viser's page may ask"
    assert until(lambda: insider.pictures > 0)
    insider.put("Leave out", value=True)
    assert until(lambda: served.pressed == [1])
    served.pressed.clear()


FOREIGNERS = [
    ("", None, None, NO_KEY),
    ("/wrong", None, None, NO_KEY),
    (f"/{KEY[:-1]}", None, None, NO_KEY),
    (f"/{KEY}", "http://evil.example", None, FOREIGN),
    (f"/{KEY}", "http://127.0.0.1:1", None, FOREIGN),
    (f"/{KEY}", "null", None, FOREIGN),
    (f"/{KEY}", None, "evil.example", FOREIGN),
    (f"/{KEY}", "http://evil.example", "evil.example", FOREIGN),
    (f"/{KEY}", None, "192.0.2.1", FOREIGN),
]


@pytest.mark.parametrize("path, origin, host, why", FOREIGNERS, ids=map(str, range(len(FOREIGNERS))))
def test_a_foreigner_reads_nothing(
    served: SimpleNamespace, path: str, origin: str | None, host: str | None, why: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        HostileBrowser(served.bare + path, origin, host)
    assert refused.value.response.status_code == 403 and refused.value.response.body == why.encode()
    asked = {name: value for name, value in (("Host", host), ("Origin", origin)) if value is not None}
    assert fetch(served.bare + path, **asked) == (403, why)
    assert not served.server.get_clients()


@pytest.mark.parametrize("hosts", [[], ["evil.example", "localhost"], ["a@localhost"], ["[::1"]])
def test_a_request_without_one_plain_host_is_foreign(hosts: list[str]) -> None:
    assert not door.comes_from_here(hosts, [], "127.0.0.1")
    assert door.comes_from_here(["[::1]:7007"], ["http://[::1]:7007"], "127.0.0.1")
    assert not door.comes_from_here(["localhost"], ["http://localhost"] * 2, "127.0.0.1")


@pytest.mark.parametrize("path", ["/index.html", "//", "/nobody", "/%2e%2e", "/" + "a" * 4000, "/a\x00b"])
def test_without_the_key_there_are_only_visers_own_files(served: SimpleNamespace, path: str) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as one:
        one.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost:9000\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: one.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 403 ") and answer.endswith(NO_KEY.encode())
    assert fetch(f"{served.bare}/logo.svg")[0] == 200


def test_a_proxy_that_is_named_may_pass_requests_on(served: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    proxied = {"Host": "viewer.example"}
    assert fetch(served.address, **proxied)[0] == 403
    monkeypatch.setenv(HOSTS, "other.example, Viewer.example")
    assert fetch(served.address, **proxied, Origin="https://viewer.example")[0] == 200
    assert fetch(served.address, Origin="https://viewer.example")[0] == 200, "a proxy that says its own target"
    assert fetch(served.address, **proxied, Origin="https://evil.example")[0] == 403
    assert fetch(served.bare, **proxied)[0] == 403


@pytest.mark.parametrize(
    "listens, name, known",
    [
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "::1", True),
        ("localhost", "127.0.0.1", True),
        ("127.0.0.1", "10.0.0.7", False),
        ("127.0.0.1", "here.example", False),
        ("0.0.0.0", "10.0.0.7", True),
        ("0.0.0.0", "here.example", True),
        ("::", "evil.example", False),
        ("10.0.0.7", "10.0.0.7", True),
        ("lan.example", "lan.example", True),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "", False),
    ],
)
def test_a_name_made_to_point_here_is_not_known(
    listens: str, name: str, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Here.example")
    assert door.is_name_of(name, listens) is known


def test_no_more_browsers_than_the_largest_number(served: SimpleNamespace) -> None:
    browsers = [HostileBrowser(served.address) for _ in range(MAX_CLIENTS)]
    try:
        with pytest.raises(InvalidStatus) as refused:
            HostileBrowser(served.address)
        assert refused.value.response.status_code == 503 and refused.value.response.body == FULL.encode()
        assert fetch(served.address) == (503, FULL)
    finally:
        for browser in browsers:
            browser.close()
    assert until(lambda: fetch(served.address)[0] == 200)


def test_connections_that_say_nothing_are_limited(served: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MAX_CONNECTIONS", 3)
    with contextlib.ExitStack() as stack:
        for _ in range(6):
            stack.enter_context(socket.create_connection(("127.0.0.1", served.port), timeout=5))
        sockets = served.server._websock_server._ws_server.websockets
        assert until(lambda: len(sockets) == 3)


@pytest.mark.parametrize("size, closed", [(MAX_MESSAGE + 1, True), (MAX_MESSAGE, False)])
def test_a_message_that_is_too_large_ends_the_connection(insider: HostileBrowser, size: int, closed: bool) -> None:
    insider.socket.send(b"\x00" * size)

    def ended() -> bool:
        try:
            insider.socket.ping().wait(0.05)
        except ConnectionClosed:
            return True
        return False

    assert until(ended, 3.0 if closed else 0.3) is closed
    assert not closed or insider.socket.close_code == 1009


def test_nobody_asks_for_more_pixels_than_the_panel_offers(served: SimpleNamespace, insider: HostileBrowser) -> None:
    for asked, becomes in ((16_000, 2048), (-5, 64), (128, 128)):
        insider.put("Max res", value=asked)
        assert until(lambda becomes=becomes: served.control.max_res == becomes)
    insider.put("Max res", value=16_000)
    assert until(lambda: insider.elements["Max res"]["value"] == 2048), "and the browser shows it"
    insider.put("Max res", value=1e308)
    insider.put("Max res", value="many")
    insider.put("Max res", max=16_000)
    insider.put("Max res", value=500, is_button=True)
    insider.put("Output type", value="nonsense")
    insider.put("Resolution", value=[1, 1_000_000])
    assert until(lambda: insider.elements["Resolution"]["value"] == [50, 10_000])
    assert served.control.max_res == 2048 and served.control.output_render == "not set"


def test_disabled_inputs_take_nothing(served: SimpleNamespace, insider: HostileBrowser) -> None:
    insider.put("Duration (sec)", value=9e7)
    insider.put("Max res", value=300)
    assert until(lambda: served.control.max_res == 300)
    handles = served.server.gui._gui_input_handle_from_id
    assert handles[insider.elements["Duration (sec)"]["id"]].value == 0.0


@pytest.mark.parametrize(
    "name, file",
    [
        ("../../../../tmp/evil", "evil"),
        ("/etc/cron.d/evil", "evil"),
        ("..\\evil", "evil"),
        ("a; rm -rf $HOME `x`\n", "a-rm-rf-HOME-x"),
        ("--load-config", "load-config"),
        ("..", "unnamed"),
        (".ssh", "ssh"),
        ("x" * 400, "x" * 100),
        ("Lampe über Tisch", "Lampe-über-Tisch"),
    ],
)
def test_a_render_is_written_inside_the_runs_folder_only(
    served: SimpleNamespace, insider: HostileBrowser, name: str, file: str
) -> None:
    assert file_name(name) == file
    before = set(served.data.parent.rglob("*"))
    insider.put("Render name", value=name)
    assert until(lambda: insider.elements["Render name"]["value"] == file)
    insider.put("Generate Command", value=True)
    written = served.run / "camera_paths" / f"{file}.json"
    assert until(written.is_file)
    assert until(lambda: bool(written.read_text())) and json.loads(written.read_text())["camera_path"] == []
    new = set(served.data.parent.rglob("*")) - before
    assert new <= {written, written.parent}
    written.unlink()


@pytest.mark.parametrize(
    "values",
    [
        {"wxyz": [0.0, 0.0, 0.0, 0.0]},
        {"wxyz": [1.0]},
        {"position": [float("nan"), 0.0, 0.0]},
        {"position": [float("inf"), 0.0, 0.0]},
        {"aspect": 1e9},
        {"aspect": 1e-9},
        {"fov": 4.0},
        {"up_direction": "up"},
    ],
)
def test_cameras_that_nobody_can_have_are_left_out(
    served: SimpleNamespace, insider: HostileBrowser, values: dict[str, object]
) -> None:
    (client,) = served.server.get_clients().values()
    insider.look(**values)
    insider.socket.send("no bytes")
    insider.send({"type": "ShareUrlRequest"})
    insider.send({"type": "FileTransferStart", "size_bytes": 10**12})
    insider.look(fov=0.5)
    assert until(lambda: client.camera.fov == 0.5)
    assert client.camera.aspect == 1.25 and np.isfinite(client.camera.position).all()
    assert served.server._share_tunnel is None


def test_an_error_in_one_browsers_work_does_not_stop_the_others(served: SimpleNamespace) -> None:
    with pytest.raises(ZeroDivisionError), served.server.atomic():
        raise ZeroDivisionError
    free = threading.Event()

    def work() -> None:
        with served.server.atomic():
            free.set()

    threading.Thread(target=work, daemon=True).start()
    assert free.wait(5)


def test_a_flood_is_taken_slowly_and_the_newest_camera_counts(served: SimpleNamespace, insider: HostileBrowser) -> None:
    (client,) = served.server.get_clients().values()
    taken: list[float] = []
    client.camera.on_update(lambda camera: taken.append(camera.fov))
    started = time.monotonic()
    for _ in range(100):
        insider.look(fov=0.3)
    insider.look(fov=0.9)
    assert until(lambda: taken[-1:] == [0.9])
    assert len(taken) <= 2 + (time.monotonic() - started) / door.PERIOD


def test_a_browser_that_is_gone_does_not_come_back(served: SimpleNamespace) -> None:
    for _ in range(20):
        browser = HostileBrowser(served.address)
        browser.look()
        browser.close()
    assert until(lambda: not served.server.get_clients())
    time.sleep(0.3)
    assert not served.server.get_clients()


def test_a_camera_that_moves_raises_nothing_inside_a_render(served: SimpleNamespace) -> None:
    """An exception in the loading of a kernel ends the thread that renders for a browser."""

    def interrupt(*_: object) -> None:
        raise AssertionError("traced")

    with viewer_utils.SetTrace(interrupt):
        assert file_name("a") == "a"
