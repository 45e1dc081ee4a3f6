"""Recipes to compare: presets of the method, and ablations as overrides of their fields.

A path leads from the preset to a field: `steps`, `settings.seeding`, `learning_rates.means`,
`settings.stages.2.pose_lr`; `*` means every entry. `settings.` may be left out.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from sparseags_ns.optimization.settings import PRESETS, Preset

ABLATIONS = Path(__file__).parent / "ablations.json"


@dataclass(frozen=True)
class Recipe:
    """A preset with its name, original or changed."""

    name: str
    preset: Preset

    def seeded(self, seed: int) -> Recipe:
        """The recipe with another seed of the method; the name stays, so that seeds are averaged."""
        return Recipe(self.name, replace(self.preset, settings=replace(self.preset.settings, seed=seed)))


def choose_recipes(presets: Sequence[str] | None, ablations: Sequence[Sequence[str]] | None) -> list[Recipe]:
    """The named presets, and the first of them with each ablation's changes.

    Raises:
        ValueError: there is no such preset, ablation or field.
    """
    names = list(presets or PRESETS)
    unknown = sorted(set(names) - set(PRESETS))
    if unknown:
        raise ValueError(f"no preset named {', '.join(unknown)}; there are {', '.join(PRESETS)}")
    recipes = [Recipe(name, PRESETS[name]) for name in names]
    for name, *changes in ablations or ():
        overrides = _parsed(changes) if changes else _committed(name)
        recipes.append(Recipe(f"{names[0]}+{name}", with_overrides(PRESETS[names[0]], overrides)))
    return recipes


def with_overrides(preset: Preset, overrides: Mapping[str, Any]) -> Preset:
    """The preset with some of its fields changed."""
    own = {field.name for field in fields(preset)}
    for path, value in overrides.items():
        keys = path.split(".")
        preset = _changed(preset, keys if keys[0] in own else ["settings", *keys], value, path)
    return preset


def _changed(value: Any, keys: Sequence[str], new: Any, path: str) -> Any:
    """The value with the part at the end of the keys replaced."""
    if not keys:
        return new
    key, *rest = keys
    if is_dataclass(value) and not isinstance(value, type):
        entries: dict[Any, Any] = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, dict):
        entries = dict(value)
    elif isinstance(value, (tuple, list)):
        entries = {str(index): entry for index, entry in enumerate(value)}
    else:
        raise ValueError(f"{path}: {value!r} has no parts, so there is no '{key}'")
    chosen = list(entries) if key == "*" else [key]
    if not set(chosen) <= set(entries):
        raise ValueError(f"{path}: no '{key}'; there are {', '.join(map(str, entries))}")
    changed = {each: _changed(entries[each], rest, new, path) for each in chosen}
    if isinstance(value, dict):
        return {**entries, **changed}
    if isinstance(value, (tuple, list)):
        return tuple({**entries, **changed}.values())
    return replace(value, **changed)  # pyright: ignore[reportArgumentType]


def _parsed(changes: Sequence[str]) -> dict[str, Any]:
    """Overrides of `path=value` pairs; values are Python literals, else text."""
    pairs = [change.partition("=") for change in changes]
    wrong = [change for change, (_, sign, _) in zip(changes, pairs, strict=True) if not sign]
    if wrong:
        raise ValueError(f"an ablation is NAME PATH=VALUE ..., got {wrong[0]!r}")
    return {path: _literal(text) for path, _, text in pairs}


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _committed(name: str) -> dict[str, Any]:
    known = json.loads(ABLATIONS.read_text())
    if name not in known:
        raise ValueError(f"no ablation named {name} in {ABLATIONS}; there are {', '.join(known) or 'none'}")
    return {path: tuple(value) if isinstance(value, list) else value for path, value in known[name].items()}
