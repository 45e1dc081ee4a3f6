"""The command that makes a run again, from its config: what differs from the method's defaults.

Only settings whose defaults are known without nerfstudio are compared: the length, the model's, how photographs are
read.
"""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sparseags_ns.optimization.prior import PriorSettings
from sparseags_ns.optimization.settings import PRESETS
from sparseags_ns.scene.reading import ReadingOptions

MODEL, PARSER = "pipeline.model", "pipeline.datamanager.dataparser"
PRIOR_BY_METHOD = ("guidance_weight", "guidance_every")
"""The authors' method has other defaults for these."""


def command(config: dict[str, Any]) -> str:
    """`ns-train METHOD --data DATA` and the options that were changed."""
    method = str(config.get("method_name", "sparseags"))
    # ns-train keeps the folder of the photographs in one of three places.
    places = (config, _inside(config, "pipeline.datamanager"), _inside(config, PARSER))
    data = next((place["data"] for place in places if place.get("data")), "DATA")
    parts = ["ns-train", method, "--data", str(data)]
    for option, value in changed_options(config).items():
        parts += [f"--{option}", " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)]
    return shlex.join(parts)


def changed_options(config: dict[str, Any]) -> dict[str, Any]:
    """Options by their names on the command line, with the run's values."""
    preset = PRESETS.get(str(config.get("method_name")), PRESETS["sparseags"])
    # Nested settings (the stages) have no short form on the command line.
    joint = {name: value for name, value in vars(preset.settings).items() if name != "stages"}
    hidden = () if preset is PRESETS["sparseags"] else PRIOR_BY_METHOD
    prior = {name: value for name, value in vars(PriorSettings()).items() if name not in hidden}
    changed = {}
    if config.get("max_num_iterations", preset.steps) != preset.steps:
        changed["max-num-iterations"] = config["max_num_iterations"]
    for prefix, defaults in ((PARSER, asdict(ReadingOptions())), (MODEL, joint | prior)):
        given = _inside(config, prefix)
        for name, default in defaults.items():
            if name in given and _comparable(given[name]) != _comparable(default):
                changed[f"{prefix}.{name.replace('_', '-')}"] = given[name]
    return changed


def _inside(config: dict[str, Any], path: str) -> dict[str, Any]:
    for name in path.split("."):
        inner = config.get(name)
        config = inner if isinstance(inner, dict) else {}
    return config


def _comparable(value: Any) -> Any:
    """Lists and tuples, paths and strings alike."""
    if isinstance(value, list | tuple):
        return tuple(map(_comparable, value))
    return str(value) if isinstance(value, Path) else value
