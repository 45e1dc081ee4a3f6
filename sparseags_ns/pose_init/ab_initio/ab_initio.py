"""The `ab-initio` initialiser: cameras of an object's photographs from nothing but the photographs and their masks.

No network, no weights, no matches: many arrangements of the photographs around the object are proposed, and joint fits
of Gaussians and poses decide between them (docs/ab_initio.md). It needs the object's masks, and three photographs that
differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from sparseags_ns.console import announce, progress
from sparseags_ns.formats.frame import Frame
from sparseags_ns.geometry.alignment import AlignmentError, normalizing_similarity
from sparseags_ns.optimization.observer import observed_by
from sparseags_ns.pose_init.ab_initio.arrangement import Arrangement
from sparseags_ns.pose_init.ab_initio.confidence import judge
from sparseags_ns.pose_init.ab_initio.crops import SIDE_PX, Crops
from sparseags_ns.pose_init.ab_initio.progress import SearchProgress
from sparseags_ns.pose_init.ab_initio.refinement import Refined, refine_all
from sparseags_ns.pose_init.ab_initio.search import ArrangementSearch, SearchSettings, within
from sparseags_ns.pose_init.base import Alternative, InitialPoses, PoseInitError, PoseRequest, stored_arrays
from sparseags_ns.pose_init.objects import ObjectImage, read_objects
from sparseags_ns.preprocess.mask_plan import Masks
from sparseags_ns.preprocess.photo_files import capture_time, listed, natural_order
from sparseags_ns.preprocess.store import Store, fingerprint

FOLDER = "ab_initio"
MIN_PHOTOGRAPHS = 3
FOCAL_GUESS = 1.7
"""Focal length where EXIF does not tell, in units of the photograph's longer side. Who has cut out objects has mostly
cropped them, too, and a crop's focal length is longer than the photograph's."""
SAME_PHOTOGRAPH = 0.02
"""Two photographs are copies of each other if their crops differ by less than this (root mean square of colour)."""


@dataclass(frozen=True)
class AbInitio:
    """Estimates cameras around an object by arranging its photographs."""

    name: ClassVar[str] = "ab-initio"
    automatic: ClassVar[bool] = True
    uses_masks: ClassVar[bool] = True

    store: Store = field(compare=False, repr=False)
    """Where climbs and results are kept."""
    scene: Path = field(compare=False, repr=False)
    """Folder that may hold `masks/`."""
    masks: str = ""
    """Fingerprint of the scene's masks, which the result depends on."""
    settings: SearchSettings = field(default_factory=SearchSettings)
    time_budget: float | None = None
    """Seconds within which the search shall end on idle cores; None for the settings' number of climbs."""
    part: tuple[tuple[int, tuple[float, ...]], ...] = ()
    """Numbers of photo files whose cameras are known, and their orientations (R_camera_world, row by row, +y up)."""
    mask_source: Masks = field(default="auto", compare=False, repr=False)
    """Where masks come from."""
    masks_drop: bool = field(default=False, compare=False, repr=False)
    """Whether given masks are white where photographs are to be left out."""

    @staticmethod
    def missing(request: PoseRequest) -> str | None:
        """See `PoseInit`."""
        if request.masks == "none":
            return "it looks at objects, and masks are switched off; leave masks = none out where there is one object"
        return None

    @staticmethod
    def create(request: PoseRequest) -> AbInitio:
        """See `PoseInit`."""
        masks = request.masks_fingerprint
        return AbInitio(
            request.store,
            request.scene,
            masks,
            time_budget=request.time_budget,
            mask_source=request.masks,
            masks_drop=request.masks_drop,
        )

    def starting_from(self, frames: Sequence[Frame | None]) -> AbInitio:
        """A copy that also starts from cameras that are known for some of the photographs."""
        placed = {number: frame.T_camera_world for number, frame in enumerate(frames) if frame is not None}
        if len(placed) < 2:
            return self
        poses = torch.stack(list(placed.values()))
        try:
            R = normalizing_similarity(poses).apply_to_poses(poses)[:, :3, :3]
        except AlignmentError:  # They look at no common place.
            return self
        return replace(self, part=tuple(zip(placed, map(tuple, R.flatten(1).tolist()), strict=True)))

    @property
    def details(self) -> str:
        """See `PoseInit`."""
        return "arranging the photographs around the object; no network, no weights"

    def estimate(self, photo_files: Sequence[Path]) -> InitialPoses:
        """Cameras of the photo files around the object, None for those that do not fit to the others.

        Raises:
            PoseInitError: there are no masks, or fewer than three different photographs.
        """
        check_number(len(photo_files))
        objects = read_objects(
            photo_files,
            self.scene,
            self.store,
            2 * SIDE_PX,
            reader=self.name,
            focal_guess=FOCAL_GUESS,
            masks=self.mask_source,
            masks_drop=self.masks_drop,
        )
        crops = Crops.of([found.photo for found in objects])
        check_different(crops, photo_files)
        guessed = sum(not found.focal_known for found in objects)
        if guessed:
            announce(
                f"focal length of {guessed} photographs: a first guess of {FOCAL_GUESS:g} longer sides, refined with "
                "the poses",
                "EXIF does not tell it",
            )
        key = fingerprint("ab-initio", repr(self), *(str(path.name) for path in photo_files), *photo_files)
        refined = self.solve(crops, capture_orders(photo_files), key)
        verdict = judge(refined, [path.name for path in photo_files])
        announce(f"ab-initio: {verdict.statement}", verdict.why)
        best, *others = refined
        return InitialPoses(
            tuple(frame if frame.trusted else None for frame in _frames(objects, best)),
            verdict.confidence,
            alternatives=tuple(Alternative(_frames(objects, other), other.loss / best.loss) for other in others),
            doubt=None if verdict.sure else verdict.statement,
            jointly_fitted=True,
        )

    def solve(self, crops: Crops, orders: Sequence[Sequence[int]], key: str) -> list[Refined]:
        """Refined arrangements that differ, best first; at least one.

        Args:
            crops: the photographs.
            orders: see `ArrangementSearch`.
            key: under which intermediate results are filed.

        Raises:
            PoseInitError: no arrangement is one of cameras around an object.
        """
        settings = self.settings
        if self.time_budget is not None:
            seconds = self.time_budget
            measured = stored_arrays(
                self.store,
                f"{FOLDER}/{key}-climbs.npz",
                lambda: {"climbs": np.array(within(self.settings, seconds, crops).climbs)},
            )
            settings = replace(settings, climbs=int(measured["climbs"]))
            announce(f"ab-initio: {settings.climbs} random starts", f"what fits into {seconds:g} s on this machine")
        with progress("ab-initio") as bar:

            def keep(name: str, compute: Callable[[], Arrangement]) -> Arrangement:
                shown.begin(name)
                arrays = stored_arrays(self.store, f"{FOLDER}/{key}-{name}.npz", lambda: vars(compute()))
                end = Arrangement(**{f.name: arrays[f.name] for f in fields(Arrangement)})
                shown.end(end)
                return end

            facing = crops.R_camera_facing.swapaxes(1, 2)
            part = {number: facing[number] @ np.array(R).reshape(3, 3) for number, R in self.part}
            search = ArrangementSearch(crops, settings, orders=orders, part=part, keep=keep)
            shown = SearchProgress(bar, crops, search)
            arrangements = search.run()
            shown.refine(arrangements)
            with observed_by(shown):
                refined = refine_all(crops, arrangements, shown.refined)
            if refined:
                shown.choose(refined[0])
        if not refined:
            raise PoseInitError(
                "ab-initio found no arrangement of the photographs: all seem to be taken from one side; take more from "
                "around the object, or give the poses in a file"
            )
        return refined


def check_number(photographs: int) -> None:
    """Raise a PoseInitError for too few photographs."""
    if photographs < MIN_PHOTOGRAPHS:
        raise PoseInitError(
            f"{photographs} photographs do not fix both a shape and its cameras: ab-initio needs {MIN_PHOTOGRAPHS} or "
            "more. Take more, give the poses in a file, or use pose-init = id-pose, which needs the prior's weights"
        )


def check_different(crops: Crops, photo_files: Sequence[Path]) -> None:
    """Raise a PoseInitError where fewer than three photographs differ."""
    rgb = crops.at(32).rgb
    copies: dict[int, list[int]] = {}
    for view in range(len(rgb)):
        same = (k for k in copies if float(((rgb[k] - rgb[view]) ** 2).mean()) ** 0.5 < SAME_PHOTOGRAPH)
        copies.setdefault(next(same, view), []).append(view)
    if len(copies) < MIN_PHOTOGRAPHS:
        alike = next(views for views in copies.values() if len(views) > 1)
        raise PoseInitError(
            f"only {len(copies)} of the {len(rgb)} photographs differ ({listed([photo_files[v].name for v in alike])} "
            f"show the object alike); ab-initio needs {MIN_PHOTOGRAPHS} taken from different sides"
        )


def capture_orders(photo_files: Sequence[Path]) -> list[list[int]]:
    """Orders in which the photographs may have been taken: by file name, and by EXIF's time where all have one."""
    orders = [natural_order([path.name for path in photo_files])]
    times = [capture_time(path) for path in photo_files]
    if all(time is not None for time in times) and len(set(times)) == len(times):
        by_time = sorted(range(len(times)), key=lambda view: str(times[view]))
        orders += [by_time] if by_time not in orders else []
    return orders


def _frames(objects: Sequence[ObjectImage], refined: Refined) -> tuple[Frame, ...]:
    """Cameras of the photographs, trusted where they fit to the others.

    A crop moves the principal point only, so the pose of a photograph is that of its crop.
    """
    frames = []
    for found, pose, fits in zip(objects, refined.T_camera_world, refined.fits.tolist(), strict=True):
        K = found.K.clone()
        K[[0, 1], [0, 1]] *= refined.focal_factor
        frames.append(Frame(found.path.stem, found.path.name, pose, K, *found.size, trusted=fits))
    return tuple(frames)
