"""`sparseags view`: look at a run in the browser, as ns-viewer does, from the run's folder alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


class NoRunError(ValueError):
    """A folder that holds no run."""


@dataclass
class View:
    """Open a finished (or interrupted) run in the web viewer."""

    folder: Positional[Path]
    """The run's folder, its config.yml, or the sparseags/ folder inside it."""
    host: str = "127.0.0.1"
    """Who may open it: 127.0.0.1 for this machine only, 0.0.0.0 for the whole network."""
    port: int | None = None
    """Where it listens; the first free one from 7007 if left out."""

    def run(self) -> None:
        """Serve until Ctrl-C."""
        config = config_of(self.folder)
        # nerfstudio takes ten seconds to import: what is wrong with the arguments is said before.
        from nerfstudio.scripts.viewer.run_viewer import RunViewer, ViewerConfigWithoutNumRays

        viewer = ViewerConfigWithoutNumRays(websocket_host=self.host, websocket_port=self.port)
        try:
            RunViewer(load_config=config, viewer=viewer).main()
        except KeyboardInterrupt:
            pass


def config_of(folder: Path) -> Path:
    """A run's config.yml.

    Raises:
        NoRunError: there is none.
    """
    for candidate in (folder, folder / "config.yml", folder.parent / "config.yml"):
        if candidate.name == "config.yml" and candidate.is_file():
            return candidate
    raise NoRunError(f"{folder} is no run: expected config.yml in it, as ns-train writes it")
