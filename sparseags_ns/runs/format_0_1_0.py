"""Records and settings of runs of sparseags_ns 0.1.0, in the present form (runs/record.py, config.yml)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_KEYS = {
    "pose_turned_deg": "rotation_deg",
    "turned_deg": "rotation_deg",
    "turned_by_deg": "rotated_by_deg",
    "placed": "registered",
    "settled": "pose_repair",
}
_ACTIONS = {"keep": "reject", "replace": "re-search", "place": "register"}
_PHASES = {"starts and outlier search": "start selection and outlier repair"}
_KINDS = {"glance": "quick"}
_SETTINGS = {"hold": "fix_cameras"}
_VALUES = {("outlier_rule", "relocation"): "leave-one-out"}
"""Values of settings that have another name now."""
_COLUMNS = {"steps": "step"} | {key: key for key in ("pixels", "errors", "turned_deg", "moved_percent", "trusted")}
"""Columns of a history, and the key of each in the rows of a checkpoint."""


def converted(content: Mapping[str, Any], names: Sequence[str] | None = None) -> dict[str, Any]:
    """The three parts of a record in the present form; what is in that form already is returned as it is.

    Args:
        content: the parts `summary`, `history` and `searches`, or the state that a checkpoint of 0.1.0 holds.
        names: of the views, which such a state does not name.

    Raises:
        KeyError, TypeError, AttributeError: it is neither.
    """
    if "summary" not in content:  # The parts as 0.1.0 would have written them at a checkpoint.
        history, names = content.get("history", {}), list(names or ())
        columns = {key: [row[old] for row in history.get("rows", ())] for key, old in _COLUMNS.items()}
        content = {
            "summary": {"num_steps": content.get("num_steps", 1)}
            | {key: content[key] for key in ("settled", "seconds")},
            "history": {"views": names, "events": history.get("events", ()), **columns},
            "searches": {"views": names, "searches": content.get("searches", ())},
        }
    if "version" in content["summary"]:
        return dict(content)
    summary, history, searches = (_renamed(content.get(part)) for part in ("summary", "history", "searches"))
    perceptual = summary.get("perceptual_error")
    for view in summary.get("views", ()):
        view["posed"] = view.get("posed", True)
        view.pop("by_hand", None)  # It repeats the events of the history.
        for when in ("before", "after"):
            view[f"perceptual_{when}"] = view.pop(f"{perceptual}_{when}")
    summary["seconds"] = {_PHASES.get(phase, phase): seconds for phase, seconds in summary["seconds"].items()}
    repair, events = summary.get("pose_repair"), (history or {}).get("events", ())
    for decision in [*(() if repair is None else repair["decisions"]), *events]:
        decision["action"] = _ACTIONS.get(decision["action"], decision["action"])
        decision.pop("by", None)
    for phase in (history or {}).get("phases", ()):
        phase["name"] = _PHASES.get(phase["name"], phase["name"])
    if searches is not None:
        searches["searches"] = [_search(one) for one in searches["searches"]]
    return {"summary": {"version": 1, **summary}, "history": history, "searches": searches}


def converted_config(config: dict[str, Any]) -> dict[str, Any]:
    """The plain content of a config.yml with the present names of settings and of their values."""
    renamed = {_SETTINGS.get(name, name): value for name, value in config.items()}
    return {
        name: converted_config(value) if isinstance(value, dict) else _VALUES.get((name, str(value)), value)
        for name, value in renamed.items()
    }


def _renamed(value: Any) -> Any:
    """The value with the present names of keys; a copy."""
    if isinstance(value, Mapping):
        return {_KEYS.get(key, key): _renamed(one) for key, one in value.items()}
    return [_renamed(one) for one in value] if isinstance(value, list | tuple) else value


def _search(search: dict[str, Any]) -> dict[str, Any]:
    """A search with its lists beside each other in place of nested ones."""
    nested = {"cameras": "camera", "hypotheses": "hypothesis", "finalists": "finalist"}
    flat = {key: value for key, value in search.items() if key not in nested}
    for group, prefix in nested.items():
        flat |= {f"{prefix}_{key}": values for key, values in search[group].items()}
    return flat | {"kind": _KINDS.get(search["kind"], search["kind"])}
