"""Finished jobs on disk: one JSON object in each line, with its key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Store:
    """Records by key; an added record is written at once."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.records: dict[str, Record] = {}
        if file.is_file():
            for line in file.read_text(encoding="utf-8").splitlines():
                record = _parsed(line)
                if record is not None:
                    self.records[record["key"]] = record

    def add(self, record: Record) -> None:
        """Append a record to the file."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        # A killed run may have left half a line without its end.
        torn = self.file.is_file() and not self.file.read_bytes().endswith(b"\n") and self.file.stat().st_size > 0
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write(("\n" if torn else "") + json.dumps(record) + "\n")
        self.records[record["key"]] = record


def _parsed(line: str) -> Record | None:
    """Record of a line; None if the line is incomplete."""
    try:
        record = json.loads(line)
    except json.JSONDecodeError:
        return None
    return record if isinstance(record, dict) and "key" in record else None
