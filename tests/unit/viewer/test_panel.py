"""The panel on a real server: requests made by buttons, and repeated presses."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import viser
from viser import GuiEvent

from sparseags_ns.runs.record import RunRecord, ViewStatus
from sparseags_ns.viewer.panel import JUMP, LEAVE_OUT, NOTHING, OVERVIEW, SEARCH, Panel
from sparseags_ns.viewer.request_queue import Request, RequestQueue
from sparseags_ns.viewer.state import Headline, ViewRow

ROWS = (
    ViewRow("a", ViewStatus.TRUSTED, 0.01, 1.0, 0.1, 0.2),
    ViewRow("b", ViewStatus.UNTRUSTED, 0.05, 5.0, 30.0, 40.0),
)
SHOWN = (Headline("Refining at 64 px", "step 1 of 2", 50.0), 10, None, ROWS, RunRecord(("a", "b"), num_steps=2))


@pytest.fixture(scope="module")
def server() -> Iterator[viser.ViserServer]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    server = viser.ViserServer(host="127.0.0.1", port=port, verbose=False)
    yield server
    server.stop()


@pytest.fixture
def made(server: viser.ViserServer) -> tuple[Panel, RequestQueue, list[Any]]:
    """A panel, its request queue, and the jumps it asked for."""
    model, jumps = SimpleNamespace(views=SimpleNamespace(names=("a", "b"))), []
    requests = RequestQueue(model)  # type: ignore[arg-type]
    viewer: Any = SimpleNamespace(viser_server=server, stats_markdown=server.gui.add_markdown(""))
    panel = Panel(viewer, ("a", "b"), ["data:,"] * 2, requests, lambda client, view: jumps.append(view))
    return panel, requests, jumps


def press(panel: Panel, label: str) -> Any:
    """As viser does it when somebody presses a button of a group."""
    group = SimpleNamespace(value=label)
    panel._pressed(GuiEvent(SimpleNamespace(), 0, group))  # type: ignore[arg-type]
    return group


def test_presses_are_handed_in_for_the_chosen_view(made: tuple[Panel, RequestQueue, list[Any]]) -> None:
    panel, requests, jumps = made
    panel.select(1)
    assert panel.selected == 1
    for label in (SEARCH, LEAVE_OUT, JUMP, OVERVIEW):
        assert press(panel, label).value == NOTHING, "else the next press of the same button is not told"
    press(panel, NOTHING)
    asked = [requests._requests.get() for _ in range(requests._requests.qsize())]
    assert asked == [Request("search", 1), Request("leave out", 1)] and jumps == [1, None]
    assert requests.answers[0] == "View b: search, before the next step."


def test_what_has_not_changed_is_not_sent_again(
    made: tuple[Panel, RequestQueue, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, _, _ = made
    panel.refresh(*SHOWN)
    assert "untrusted" in panel._table.content and "Refining" in panel._header.content
    sent: list[str] = []
    kept = property(lambda handle: handle._content, lambda _, new: sent.append(new))
    monkeypatch.setattr(type(panel._table), "content", kept)
    panel.refresh(*SHOWN)
    assert sent == []
    panel.select(1)
    panel.refresh(*SHOWN)
    assert len(sent) == 1, "the row of the selected view is highlighted"
