"""`sparseags train`: from photographs to a splat and refined cameras; the short form of `ns-train sparseags`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from tyro.conf import Positional, arg

from sparseags_ns.console import announce
from sparseags_ns.storage import require_place


class NoPhotographsError(ValueError):
    """A path that does not exist."""


@dataclass
class Train:
    """Make a splat and refined cameras from photographs: the short form of ns-train sparseags.

    All other flags are nerfstudio's and are passed on, as they are or after `--`, behind PHOTOS:
    sparseags train PHOTOS --pipeline.model.num-gaussians 3000. `ns-train sparseags --help` lists them.
    """

    photos: Annotated[Positional[Path], arg(metavar="PHOTOS")]
    """Folder of the photographs, or a video; with the poses and masks that there are (docs/photographs.md)."""
    output_dir: Annotated[Path, arg(aliases=("-o",))] = Path("outputs")
    """The run goes into a new folder inside it, PHOTOS/METHOD/TIME."""
    name: str | None = None
    """Name that takes the place of PHOTOS in that path."""
    poses: Path | None = None
    """Initial poses: a cameras.json, a transforms.json or the folder of a COLMAP model."""
    pose_init: str | None = None
    """Source of the initial poses: auto, files, dust3r, features, ab-initio or id-pose (docs/pose_init.md)."""
    pose_init_uncertain: Literal["refuse", "allow"] | None = None
    """Whether to train on poses of which the initialiser is not sure; refuse if left out."""
    pose_init_alternative: int | None = None
    """Which of the arrangements that `sparseags prepare` lists is used; 1, the best, if left out."""
    time_budget: float | None = None
    """Seconds that ab-initio may take to arrange the photographs, about, and the same for the outlier search; their
    usual length if left out."""
    pose_init_match_on: Annotated[Literal["auto", "everything", "object"] | None, arg(aliases=("--match-on",))] = None
    """Which part of the photographs features matches: everything, or the object alone where it has moved before its
    background; auto if left out."""
    masks: str | None = None
    """Where masks come from: auto, given, rembg, background, or none for whole photographs."""
    steps: int | None = None
    """Optimisation steps; the method's number if left out."""
    seed: int | None = None
    """Seed of all that is random in the optimisation; 0 if left out."""
    viewer: bool = True
    """Show the training in the web viewer, and serve it until Ctrl-C when the run is done."""
    method: Literal["sparseags", "sparseags-paper"] = "sparseags"
    """sparseags-paper has the authors' schedule and constants."""

    PASSES_ON: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.steps is not None and self.steps < 0:
            raise ValueError(f"steps must not be negative, is {self.steps}")

    def run(self, passed_on: Sequence[str] = ()) -> Path:
        """Train, with more flags of nerfstudio passed on; returns the run's folder."""
        if not self.photos.expanduser().exists():
            raise NoPhotographsError(f"no such folder or video: {self.photos}")
        require_place(self.output_dir, folder=True)
        announce(f"training on {self.photos}", "loading nerfstudio takes some seconds")
        from sparseags_ns.method_configs.sparseags import METHODS
        from sparseags_ns.plugin.commands import config_of_arguments, train

        arguments = [*self.arguments(), *passed_on]
        config = config_of_arguments(METHODS[self.method].config, arguments, "sparseags train PHOTOS")
        train(config)
        return config.get_base_dir()

    def arguments(self) -> list[str]:
        """The arguments of `ns-train METHOD` that say the same."""
        given = {
            "--data": self.photos.expanduser(),
            "--output-dir": self.output_dir.expanduser(),
            "--experiment-name": self.name,
            "--max-num-iterations": self.steps,
            "--pipeline.datamanager.dataparser.poses": self.poses,
            "--pipeline.datamanager.dataparser.pose-init": self.pose_init,
            "--pipeline.datamanager.dataparser.pose-init-uncertain": self.pose_init_uncertain,
            "--pipeline.datamanager.dataparser.pose-init-alternative": self.pose_init_alternative,
            "--pipeline.datamanager.dataparser.pose-init-time-budget": self.time_budget,
            "--pipeline.model.outlier-time-budget": self.time_budget,
            "--pipeline.datamanager.dataparser.pose-init-match-on": self.pose_init_match_on,
            "--pipeline.datamanager.dataparser.masks": self.masks,
            "--pipeline.model.seed": self.seed,
            "--vis": None if self.viewer else "tensorboard",
            "--viewer.quit-on-train-completion": None if self.viewer else True,
        }
        return [str(word) for flag, value in given.items() if value is not None for word in (flag, value)]
