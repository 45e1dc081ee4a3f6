"""`sparseags view`: a run in the web viewer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


@dataclass
class View:
    """Open a run in the web viewer.

    The run may be finished or interrupted, moved, of an earlier version, or from somebody else: what is shown is what
    its folder holds, and nothing in it is executed.
    """

    folder: Positional[Path]
    """The run's folder, its config.yml, or the sparseags/ folder inside it."""
    host: str = "127.0.0.1"
    """Who may open it: 127.0.0.1 for this machine only, 0.0.0.0 for the whole network."""
    port: int | None = None
    """Where it listens; the first free one from 7007 if left out."""

    def __post_init__(self) -> None:
        if self.port is not None and not 0 < self.port < 65536:
            raise ValueError(f"port must lie between 1 and 65535, is {self.port}")

    def run(self) -> None:
        """Serve until Ctrl-C."""
        from sparseags_ns.runs.checkpoint import RunError
        from sparseags_ns.runs.opening import CONFIG, open_run

        run = open_run(self.folder)  # before nerfstudio, which takes seconds to import
        name = str(run.config.get("method_name"))
        from sparseags_ns.method_configs.sparseags import METHODS
        from sparseags_ns.plugin.commands import serve_run

        if name not in METHODS:
            raise RunError(f"{run.folder / CONFIG} is of a run of {name}, not of {' or '.join(METHODS)}")
        try:
            serve_run(run, METHODS[name].config, self.host, self.port)
        except KeyboardInterrupt:
            pass
