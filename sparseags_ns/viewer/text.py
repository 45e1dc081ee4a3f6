"""The panel's text as MDX, which viser's browser side renders: header, table of views, curves, log. Pure functions.

MDX allows plain JSX elements: tables with thumbnails, and curves as SVG, which need no plotting library in the browser.
Text from outside (names of photographs) is inserted as a quoted string, never as markup.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from sparseags_ns.runs.record import Decision, Event, HistoryRow, Phase
from sparseags_ns.viewer.state import COLORS, Headline, ViewRow

PALETTE = (
    "#4dabf7", "#ffd43b", "#b197fc", "#63e6be", "#ffa94d", "#f783ac", "#a9e34b", "#66d9e8",
    "#e599f7", "#ffe8a3", "#91a7ff", "#8ce99a", "#ffc078", "#faa2c1", "#c0eb75", "#99e9f2",
)  # fmt: skip
"""Colours of the views' curves, in order; none is red, which marks untrusted views."""
RED = "#f05050"
GRAY = "#909296"
LEGEND = "Squared error over the object's area, by step. Colours: the frames of the photographs; red: not trusted."
WIDTH, HEIGHT = 340, 220
"""Size of the error curves, pixels."""


def quoted(text: str) -> str:
    """Text as a JSX string expression, in which nothing is parsed as markup."""
    return "{" + json.dumps(text).replace("\u2028", " ").replace("\u2029", " ") + "}"


def color_of(index: int, row: ViewRow) -> str:
    """Colour of a view's curve and frame."""
    return PALETTE[index % len(PALETTE)] if row.status.in_use else RED


def header(head: Headline, gaussians: int, answer: str | None) -> str:
    """Phase, progress, and the answer to the last request."""
    detail = f"{head.detail}; {gaussians:,} Gaussians"
    lines = [
        f'<div style={{{{fontSize:"1.05em",fontWeight:600}}}}>{quoted(head.title)}</div>',
        f'<div style={{{{color:"{GRAY}",fontSize:"0.82em"}}}}>{quoted(detail)}</div>',
    ]
    if answer:
        style = '{{borderLeft:"3px solid #ffd369",paddingLeft:"0.6em",marginTop:"0.5em",fontSize:"0.85em"}}'
        lines.append(f"<div style={style}>{quoted(answer)}</div>")
    return "<div>" + "".join(lines) + "</div>"


def table(rows: Sequence[ViewRow], thumbnails: Sequence[str], selected: int) -> str:
    """The table of views: thumbnail (data URI), name, error, motion, status; the selected row is highlighted."""
    head = "".join(
        f'<th style={{{{textAlign:"{side}",fontWeight:500,padding:"0 0.3em"}}}}>{quoted(title)}</th>'
        for title, side in (("", "left"), ("view", "left"), ("error", "right"), ("moved", "right"), ("", "left"))
    )
    body = "".join(_table_row(index, row, thumbnails[index], index == selected) for index, row in enumerate(rows))
    style = '{{width:"100%",borderCollapse:"collapse",fontSize:"0.82em",fontVariantNumeric:"tabular-nums"}}'
    return (
        f'<table style={style}><thead><tr style={{{{color:"{GRAY}"}}}}>{head}</tr></thead><tbody>{body}</tbody></table>'
    )


def _table_row(index: int, row: ViewRow, thumbnail: str, selected: bool) -> str:
    ground = "rgba(255,211,105,0.16)" if selected else "transparent"
    badge = "#{:02x}{:02x}{:02x}".format(*COLORS[row.status])
    error = quoted("-")
    if row.error is not None:
        loud = row.ratio is not None and row.ratio > 2.5
        weight = f'color:"{RED}",fontWeight:600' if loud else "fontWeight:400"
        error = f"<span style={{{{{weight}}}}}>{quoted(f'{row.error:.4f}')}</span>"
    moved = ""
    if row.rotation_deg is not None:
        decimals = 1 if row.rotation_deg < 10 else 0
        moved = f"{row.rotation_deg:.{decimals}f}°, {row.moved_percent:.0f} %"
    cells = [
        f'<img src="{thumbnail}" width="36" height="36" style={{{{display:"block",borderRadius:"4px",'
        f'margin:"2px 0",border:"2px solid {color_of(index, row)}"}}}}/>',
        quoted(row.name),
        error,
        quoted(moved),
        f'<span style={{{{color:"{badge}",fontWeight:600}}}}>{quoted(row.status)}</span>',
    ]
    sides = ("left", "left", "right", "right", "left")
    inside = "".join(
        f'<td style={{{{textAlign:"{side}",padding:"0 0.3em",overflowWrap:"anywhere"}}}}>{cell}</td>'
        for side, cell in zip(sides, cells, strict=True)
    )
    return f'<tr style={{{{background:"{ground}",borderTop:"1px solid rgba(144,146,150,0.25)"}}}}>{inside}</tr>'


def curve(history: Sequence[HistoryRow], rows: Sequence[ViewRow], phases: Sequence[Phase], num_steps: int) -> str:
    """Errors over the steps, on a logarithmic scale: one line for each view, red where it is not trusted."""
    errors = [max(error, 1e-6) for row in history for error in row.errors]
    if not errors:
        return f'<div style={{{{color:"{GRAY}"}}}}>{quoted("The first step has not been made.")}</div>'
    low, high = math.log10(min(errors)), math.log10(max(errors))
    low, high = math.floor(low * 10 - 0.5) / 10, math.ceil(high * 10 + 0.5) / 10

    def x(step: int) -> float:
        return 34 + (WIDTH - 42) * step / max(num_steps, 1)

    def y(error: float) -> float:
        return 8 + (HEIGHT - 32) * (high - math.log10(max(error, 1e-6))) / (high - low)

    parts = []
    for level in (10.0**power for power in range(math.ceil(low), math.floor(high) + 1)):
        parts.append(_line(34, y(level), WIDTH - 8, y(level), 0.25) + _label(30, y(level) + 3, f"{level:g}", "end"))
    for phase in phases:
        parts.append(_line(x(phase.from_step), 8, x(phase.from_step), HEIGHT - 24, 0.25))
        if phase.pixels is not None and x(phase.to_step) - x(phase.from_step) > 30:
            parts.append(_label((x(phase.from_step) + x(phase.to_step)) / 2, HEIGHT - 12, phase.name, "middle"))
    for view in sorted(range(len(rows)), key=lambda i: color_of(i, rows[i]) == RED):
        points = " ".join(f"{x(row.step):.1f},{y(row.errors[view]):.1f}" for row in history)
        width = 2.2 if color_of(view, rows[view]) == RED else 1.3
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{color_of(view, rows[view])}" strokeWidth="{width}" '
            f'strokeLinejoin="round"><title>{quoted(rows[view].name)}</title></polyline>'
        )
    return (
        f'<div><svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" role="img" aria-label="errors over steps">'
        + "".join(parts)
        + "</svg>"
        + f'<div style={{{{color:"{GRAY}",fontSize:"0.8em"}}}}>{quoted(LEGEND)}</div></div>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, opacity: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{GRAY}" strokeOpacity="{opacity}"/>'


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{GRAY}" fontSize="9" textAnchor="{anchor}">{quoted(text)}</text>'


def picture(source: str, caption: str) -> str:
    """A picture as wide as the panel, with a caption."""
    return (
        f'<div><img src="{source}" style={{{{width:"100%",borderRadius:"6px",imageRendering:"auto"}}}}/>'
        f'<div style={{{{color:"{GRAY}",fontSize:"0.8em"}}}}>{quoted(caption)}</div></div>'
    )


def log(events: Sequence[Event], decisions: Sequence[Decision], names: Sequence[str]) -> str:
    """Decisions, newest first: those made by hand, then those of outlier repair."""
    lines = [_decision(one.decision, "by hand, ", names) for one in reversed(events)]
    lines += [_decision(one, "", names) for one in reversed(decisions)]
    if not lines:
        return f'<div style={{{{color:"{GRAY}",fontSize:"0.85em"}}}}>{quoted("No decisions yet.")}</div>'
    items = "".join(f'<li style={{{{marginBottom:"0.3em"}}}}>{line}</li>' for line in lines)
    return f'<ul style={{{{fontSize:"0.82em",paddingLeft:"1.2em",margin:0}}}}>{items}</ul>'


def _decision(decision: Decision, who: str, names: Sequence[str]) -> str:
    view = "all views" if decision.view is None else f"view {names[decision.view]}"
    values = ", ".join(_figure(key, value) for key, value in decision.numbers.items() if math.isfinite(value))
    figures = f'<span style={{{{color:"{GRAY}"}}}}>{quoted(f" ({values})")}</span>' if values else ""
    return f"<b>{quoted(f'{who}{view}: {decision.action}')}</b>{quoted(f', {decision.why}')}{figures}"


def _figure(key: str, value: float) -> str:
    if key.endswith("_deg"):
        return f"{key.removesuffix('_deg').replace('_', ' ')} {value:.3g}°"
    return f"{key.replace('_', ' ')} {value:.3g}"
