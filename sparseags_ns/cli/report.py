"""`sparseags report`: one HTML file about a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


@dataclass
class Report:
    """Write the HTML page about a run: what came out, what was decided and why, what to trust."""

    run_folder: Positional[Path]
    """The run's folder (the one with config.yml), its config.yml, or its sparseags/ folder."""
    output: Path | None = None
    """The HTML file; by default sparseags/report.html in the run's folder."""

    def run(self) -> None:
        """Write the page and print where it is."""
        import torch

        from sparseags_ns.report.writing import write_report

        path = write_report(self.run_folder, self.output, "cuda" if torch.cuda.is_available() else "cpu")
        print(f"Report:  {path}  ({path.stat().st_size / 1e6:.1f} MB; open it in a browser, it needs no network)")
