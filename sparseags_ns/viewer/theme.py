"""The look of the page. nerfstudio's title bar loads its logo from the web, which a machine without one cannot, and
which tells the web that somebody is looking; ours is drawn here."""

from __future__ import annotations

import base64

import viser
from viser.theme import TitlebarConfig, TitlebarImage

_WORDMARK = """<svg xmlns="http://www.w3.org/2000/svg" width="190" height="40" viewBox="0 0 190 40">
<g fill="none" stroke="#ffd369" stroke-width="2.4" stroke-linejoin="round">
<path d="M6 20 L20 11 L20 29 Z"/><path d="M38 20 L24 11 L24 29 Z" opacity="0.55"/></g>
<circle cx="22" cy="20" r="3.4" fill="#ffd369"/>
<text x="48" y="26" font-family="Inter, Helvetica, Arial, sans-serif" font-size="19" font-weight="600"
fill="{color}">SparseAGS</text></svg>"""


def without_the_web(server: viser.ViserServer) -> None:
    """Replace nerfstudio's title bar; browsers that connect from now on never hear of the old one."""
    image = TitlebarImage(
        image_url_light=_wordmark("#1a1b1e"), image_url_dark=_wordmark("#f1f3f5"), image_alt="SparseAGS", href=None
    )
    server.gui.configure_theme(
        titlebar_content=TitlebarConfig(buttons=(), image=image),
        control_layout="collapsible",
        control_width="large",
        dark_mode=True,
        show_share_button=False,  # It would route the page through a server in the web.
        brand_color=(255, 211, 105),
    )


def _wordmark(color: str) -> str:
    drawing = _WORDMARK.format(color=color).encode("utf-8")
    return "data:image/svg+xml;base64," + base64.b64encode(drawing).decode("ascii")
