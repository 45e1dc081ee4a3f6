"""A run's config.yml as plain dictionaries, without nerfstudio, whose import takes longer than most exports.

The file is YAML with Python objects. Here an object is the dictionary of its fields, an enum or any other call the list
of its arguments, a class its dotted name; paths are paths. Nothing in the file is executed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


class _PlainLoader(yaml.SafeLoader):
    """YAML's safe loader, which reads Python's tags too, as plain data."""


def read_run_config(path: Path) -> dict[str, Any]:
    """The fields of a run's config.

    Raises:
        ValueError: the file cannot be read, or is no config.
    """
    try:
        config = yaml.load(path.read_text(encoding="utf-8"), Loader=_PlainLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict) or "pipeline" not in config:
        raise ValueError(f"{path} is no run's config: expected the config.yml that ns-train writes into a run's folder")
    return config


def _plain(loader: _PlainLoader, suffix: str, node: yaml.Node) -> Any:
    """An object, a call or a name."""
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        values = loader.construct_sequence(node, deep=True)
        if suffix.startswith("object/apply:pathlib."):
            return Path(*map(str, values))
        return tuple(values) if suffix == "tuple" else values
    return suffix.partition(":")[2]


_PlainLoader.add_multi_constructor("tag:yaml.org,2002:python/", _plain)
