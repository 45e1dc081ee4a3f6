"""The page in the browser while photographs are arranged: what it shows, when it is there, and that it costs no run."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import viser
from nerfstudio.configs.base_config import ViewerConfig
from nerfstudio.engine.optimizers import Optimizers
from nerfstudio.engine.trainer import Trainer
from websockets.sync.client import connect

from sparseags_ns.geometry.cameras import Cameras, orbit, orbit_angles
from sparseags_ns.optimization.observer import ArrangementState, observer
from sparseags_ns.plugin.trainer import SparseAGSTrainer
from sparseags_ns.runs.history import PhaseClock
from sparseags_ns.viewer import page as page_module
from sparseags_ns.viewer import preview as preview_module
from sparseags_ns.viewer.door import KEY
from sparseags_ns.viewer.page import browsers_wait, serve_own_page, set_title_bar
from sparseags_ns.viewer.preview import DOING, DONE, ArrangementPreview, arrangement_preview, stop
from sparseags_ns.viewer.scene import SCALE

PHOTOGRAPHS = torch.rand(4, 32, 32, 3, generator=torch.Generator().manual_seed(0))

NOT_SHOWN = "the search is not shown in the browser; it goes on all the same"


def state(views: tuple[int, ...] = (), azimuth_deg: float = 0.0, share: float = 0.5) -> ArrangementState:
    """A state whose arrangement places these views on a ring, 90 degrees apart."""
    count = len(views)
    poses = orbit(azimuth_deg + 90 * torch.arange(count).double(), torch.full((count,), 20.0).double(), 3.0)
    K = torch.tensor([[64.0, 0, 16], [0, 64, 16], [0, 0, 1]]).double().repeat(count, 1, 1)
    cameras = Cameras(poses, K, 32, 32) if views else None
    return ArrangementState("explore", 1, 9, share, 0.02 if views else None, PHOTOGRAPHS, views, cameras)


@pytest.fixture
def port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def settings(port: int) -> ViewerConfig:
    return ViewerConfig(websocket_host="127.0.0.1", websocket_port=port)


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The warnings that the page costs."""
    given: list[str] = []
    monkeypatch.setattr(preview_module, "warn", lambda what, why: given.append(f"{what} ({why})"))
    return given


@pytest.fixture
def shown(settings: ViewerConfig) -> Iterator[ArrangementPreview]:
    """The page, which is there from the first state on."""
    preview = ArrangementPreview(settings)
    yield preview
    preview.close()


def listens(port: int) -> bool:
    """Whether somebody listens on this port of this machine."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def azimuths_deg(preview: ArrangementPreview) -> list[float]:
    """Where the visible frusta stand around the object."""
    visible = [frustum.position for frustum in preview.frusta.values() if frustum.visible]
    return [round(float(angle)) for angle in orbit_angles(torch.tensor([list(place) for place in visible]))[0]]


def test_the_best_arrangement_is_shown_with_its_first_view_at_the_front(shown: ArrangementPreview) -> None:
    shown.on_arrangement(state())
    assert shown.server is None, "nothing to be shown yet"
    shown.on_arrangement(state((0, 2), 50.0))
    assert "explore, 1 of up to 9 climbs" in shown._text.content and DOING["explore"] in shown._text.content
    assert azimuths_deg(shown) == [0, 90] and list(shown.frusta) == [0, 2]
    shown.on_arrangement(state((0, 1, 2, 3), 110.0))
    assert [round(float(torch.tensor(one.position).norm()), 3) for one in shown.frusta.values()] == [1.85 * SCALE] * 4
    assert len(azimuths_deg(shown)) == 4 and shown._bar.value == 50
    shown.on_arrangement(state((0, 1, 3), share=1.0))
    assert len(azimuths_deg(shown)) == 3, "a view that fits to no place is hidden"
    assert "best mean loss 0.0200" in shown._text.content and DONE in shown._text.content


def test_one_line_says_where_to_look(shown: ArrangementPreview, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    shown.on_arrangement(state((0, 1)))
    shown.on_arrangement(state((0, 2)))
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "http" in line)
    assert f"the search can be watched, then the training: http://127.0.0.1:{port}/{KEY} " in line


@pytest.mark.parametrize("ending", [None, KeyboardInterrupt, ValueError])
def test_the_port_is_free_again_however_the_search_ends(
    settings: ViewerConfig, port: int, ending: type[BaseException] | None
) -> None:
    def search() -> None:
        with arrangement_preview(settings):
            assert not listens(port), "no arrangement, no page"
            observer().on_arrangement(state((0, 1)))
            with connect(f"ws://127.0.0.1:{port}/{KEY}", max_size=None) as browser:
                assert browser.recv(timeout=20)
                if ending is not None:
                    raise ending

    if ending is None:
        search()
    else:
        with pytest.raises(ending):
            search()
    assert not listens(port)
    observer().on_arrangement(state((0, 1)))
    assert not listens(port)


def test_an_open_port_is_found_once_for_both(port: int) -> None:
    settings = ViewerConfig(websocket_host="127.0.0.1", websocket_port_default=port)
    with arrangement_preview(settings):
        assert settings.websocket_port is None
        observer().on_arrangement(state((0, 1)))
        assert listens(port)
    assert settings.websocket_port == port, "nerfstudio's viewer takes the same"


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.1"])
def test_an_address_that_is_taken_or_elsewhere_costs_one_warning(port: int, warnings: list[str], host: str) -> None:
    """192.0.2.1 is nobody's (RFC 5737)."""
    with socket.create_server(("127.0.0.1", port)):
        with arrangement_preview(ViewerConfig(websocket_host=host, websocket_port=port)):
            observer().on_arrangement(state((0, 1)))
            observer().on_arrangement(state((0, 1)))
        assert len(warnings) == 1 and f"{NOT_SHOWN} (OSError: " in warnings[0]


def test_a_page_that_fails_costs_one_warning(
    shown: ArrangementPreview, port: int, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no frusta today")

    shown.on_arrangement(state((0, 1)))
    monkeypatch.setattr(preview_module, "placement", fail)
    shown.on_arrangement(state((0, 1)))
    shown.on_arrangement(state((0, 1, 2)))
    assert warnings == [f"{NOT_SHOWN} (RuntimeError: no frusta today)"]
    assert not listens(port)


def test_browsers_that_come_early_see_the_page_when_it_is_complete(port: int) -> None:
    serve_own_page()
    heard: list[bytes] = []

    def browse() -> None:
        with connect(f"ws://127.0.0.1:{port}/{KEY}", max_size=None, open_timeout=20) as browser:
            while b"SparseAGS" not in b"".join(heard):
                message = browser.recv(timeout=20)
                heard.append(message if isinstance(message, bytes) else message.encode())

    with browsers_wait():
        server = viser.ViserServer(host="127.0.0.1", port=port, verbose=False)
        browser = threading.Thread(target=browse, daemon=True)
        browser.start()
        server.gui.configure_theme(show_share_button=True, brand_color=(1, 2, 3))
        server.gui.add_markdown("SparseAGS")
        browser.join(timeout=0.5)
        assert browser.is_alive() and not heard
        set_title_bar(server)
    browser.join(timeout=20)
    themes = b"".join(heard).count(b"ThemeConfigurationMessage")
    stop(server)
    assert not browser.is_alive() and themes == 1
    assert not listens(port)


@contextmanager
def trainer_of(settings: ViewerConfig, vis: str, steps: Callable[[Any], None]) -> Iterator[SparseAGSTrainer]:
    """A trainer whose setup does nothing but these steps of nerfstudio's."""
    trainer = SparseAGSTrainer.__new__(SparseAGSTrainer)
    config = SimpleNamespace(verbose=False, viewer=settings, load_dir=None, load_checkpoint=None, load_step=None)
    config.is_viewer_enabled = lambda: vis == "viewer"
    state_of_run = SimpleNamespace(record=SimpleNamespace(seconds={}))
    trainer.__dict__.update(
        config=config,
        local_rank=0,
        _clock=PhaseClock(),
        _before_viewer=ExitStack(),
        callbacks=[],
        _start_step=0,
        _stopped_by=None,
    )
    trainer.__dict__["pipeline"] = SimpleNamespace(model=state_of_run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "setup", lambda self, test_mode: steps(self))
        patch.setattr(Trainer, "setup_optimizers", lambda self: Optimizers.__new__(Optimizers))
        patch.setattr(Trainer, "_load_checkpoint", lambda self: None)
        yield trainer


@pytest.mark.parametrize("vis", ["viewer", "tensorboard"])
def test_under_ns_train_the_page_makes_room_for_nerfstudios_viewer(settings: ViewerConfig, port: int, vis: str) -> None:
    seen: list[tuple[bool, bool]] = []

    def look() -> None:
        seen.append((listens(port), page_module._BROWSERS_ENTER.is_set()))

    def steps(trainer: Any) -> None:
        observer().on_arrangement(state((0, 1)))
        look()
        trainer.setup_optimizers()
        look()
        trainer._load_checkpoint()
        look()

    with trainer_of(settings, vis, steps) as trainer:
        trainer.setup()
    assert seen == [(vis == "viewer", True), (False, False), (False, True)]


def test_ctrl_c_while_photographs_are_arranged_leaves_no_page(
    settings: ViewerConfig, port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sparseags_ns.plugin.trainer.exit_by_signal", lambda number: sys.exit(128 + number))

    def steps(_: Any) -> None:
        observer().on_arrangement(state((0, 1)))
        assert listens(port)
        raise KeyboardInterrupt

    with trainer_of(settings, "viewer", steps) as trainer, pytest.raises(SystemExit) as end:
        trainer.setup()
    assert end.value.code == 130 and "nothing was trained" in capsys.readouterr().err and not listens(port)
    observer().on_arrangement(state((0, 1)))
    assert not listens(port)
