"""The GUI elements of the SparseAGS panel. Their content is computed in viewer/text.py and viewer/pictures.py.

Buttons only add requests (viewer/request_queue.py) or move the browser's camera.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import viser
from viser import GuiEvent

from sparseags_ns.viewer import pictures
from sparseags_ns.viewer import text as markup
from sparseags_ns.viewer.request_queue import Action, Request, RequestQueue
from sparseags_ns.viewer.state import Headline, ViewRow

if TYPE_CHECKING:
    from nerfstudio.viewer.viewer import Viewer

    from sparseags_ns.runs.record import RunRecord

JUMP, OVERVIEW = "Jump to it", "Overview"
SEARCH, TRUST, LEAVE_OUT = "Search", "Trust", "Leave out"
NOTHING = ""
"""Value of a button group between presses: viser reports a press only if the value changes."""
ACTIONS: dict[str, Action] = {SEARCH: "search", LEAVE_OUT: "leave out", TRUST: "trust"}
COMPARISONS = ("Flip", "Photograph", "Render", "Difference")
EVENTS = 30
"""Number of recorded events that the panel lists."""


class Panel:
    """The GUI elements; `refresh` updates them."""

    def __init__(
        self,
        viewer: Viewer,
        names: tuple[str, ...],
        thumbnails: list[str],
        requests: RequestQueue,
        jump: Callable[[viser.ClientHandle, int | None], None],
    ) -> None:
        """Set up.

        Args:
            thumbnails: pictures of the views as data URIs.
            jump: moves a browser's camera to a view, or to an overview (None).
        """
        self._names, self._thumbnails, self._requests, self._jump = names, thumbnails, requests, jump
        self.wants_comparison = True
        gui = viewer.viser_server.gui
        # Between nerfstudio's own header and its tabs.
        with gui.add_folder("SparseAGS", order=viewer.stats_markdown.order + 0.5):
            self._header = gui.add_markdown("")
            self._progress = gui.add_progress_bar(0.0)
            self._choice = gui.add_dropdown("View", options=list(names), initial_value=names[0])
            self._choice.on_update(self._chosen)
            for label, options in (("Look", (JUMP, OVERVIEW)), ("Pose", (SEARCH, TRUST, LEAVE_OUT))):
                group: viser.GuiButtonGroupHandle[Any] = gui.add_button_group(label, options)
                group.value = NOTHING
                group.on_click(self._pressed)
            tabs = gui.add_tab_group()
            with tabs.add_tab("Views"):
                self._table = gui.add_markdown("")
                self.ghosts = gui.add_checkbox("Given cameras", True, hint="Where cameras were before the refinement")
                self.hypotheses = gui.add_checkbox("Hypotheses", True, hint="Poses that a search has tried")
            with tabs.add_tab("Errors"):
                self._curve = gui.add_markdown("")
            with tabs.add_tab("Compare"):
                self._how = gui.add_dropdown("Show", COMPARISONS)
                self._how.on_update(self._chosen)
                self._picture = gui.add_markdown("")
            with tabs.add_tab("Log"):
                self._log = gui.add_markdown("")

    @property
    def selected(self) -> int:
        """The view that the buttons act on."""
        return self._names.index(self._choice.value)

    @property
    def how(self) -> pictures.Comparison:
        """Selected kind of comparison."""
        return cast(pictures.Comparison, self._how.value)

    def select(self, view: int) -> None:
        """Make a view the one that the buttons act on."""
        self._choice.value = self._names[view]

    def refresh(
        self, head: Headline, gaussians: int, answer: str | None, rows: Sequence[ViewRow], record: RunRecord
    ) -> None:
        """Update all elements; unchanged content is not sent again.

        Args:
            answer: to the last request, if there was one.
        """
        _put(self._header, markup.header(head, gaussians, answer))
        if abs(self._progress.value - head.percent) > 0.5 or head.percent == 100:
            self._progress.value = head.percent
        _put(self._table, markup.table(rows, self._thumbnails, self.selected))
        _put(self._curve, markup.curve(record.rows, rows, record.phases, record.num_steps))
        _put(self._log, markup.log(record.events[-EVENTS:], record.decisions, self._names))

    def show_comparison(self, source: str, caption: str) -> None:
        """Show the requested comparison."""
        _put(self._picture, markup.picture(source, caption))

    def _chosen(self, _: GuiEvent[Any]) -> None:
        self.wants_comparison = True

    def _pressed(self, event: GuiEvent[Any]) -> None:
        """Handle a press of any button."""
        pressed = event.target.value
        if pressed == NOTHING:
            return
        event.target.value = NOTHING
        if pressed in ACTIONS:
            self._requests.ask(Request(ACTIONS[pressed], self.selected))
        elif event.client is not None:
            self._jump(event.client, self.selected if pressed == JUMP else None)


def _put(handle: viser.GuiMarkdownHandle, content: str) -> None:
    """Send content to the browsers if it has changed."""
    if handle.content != content:
        handle.content = content
