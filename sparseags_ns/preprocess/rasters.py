"""The photographs of a scene before their pixels are read: which way up they are, and which pixels their poses mean.

Sizes are (width, height) in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sparseags_ns.console import announce
from sparseags_ns.formats.frame import Frame
from sparseags_ns.preprocess.framing import belongs_upright, require_one_size
from sparseags_ns.preprocess.photographs import Header, listed, read_header
from sparseags_ns.scene.finding import PosedPhotograph


@dataclass(frozen=True)
class Raster:
    """A photograph whose pixels are not read yet."""

    path: Path
    frame: Frame
    header: Header
    upright: bool
    """Whether the EXIF rotation is applied."""

    @property
    def size(self) -> tuple[int, int]:
        """Size of the photograph, that way up."""
        return self.header.upright if self.upright else self.header.stored


def raster_of(photograph: PosedPhotograph) -> Raster:
    """The raster that a photograph's pose means.

    Raises:
        PhotographError: it has another shape than the photograph that the pose was made for.
    """
    header = read_header(photograph.path)
    upright = belongs_upright(photograph.path, header, photograph.frame)
    return Raster(photograph.path, photograph.frame, header, upright)


def check_intrinsics(rasters: Sequence[Raster]) -> None:
    """Make sure which pixels the intrinsics count, and say so where it is not plain."""
    sizeless = [raster for raster in rasters if raster.frame.width is None or raster.frame.height is None]
    if sizeless:
        require_one_size(
            [raster.size for raster in sizeless],
            [raster.path for raster in sizeless],
            "The pose file does not say the sizes that its intrinsics belong to, so all photographs must have one "
            "size: give the originals, or add the sizes to the pose file ('w' and 'h' in transforms.json, "
            "'image_size_crop' in cameras.json)",
        )
    scaled = [raster.path.name for raster in rasters if (raster.frame.width or raster.size[0]) != raster.size[0]]
    if scaled:
        announce(
            f"intrinsics of {len(scaled)} of {len(rasters)} photographs are scaled",
            f"the pose file was made for photographs of another size: {listed(scaled)}",
        )


def announce_turns(rasters: Sequence[Raster]) -> None:
    """Say which photographs are turned as their EXIF tags ask, and which are not although they ask."""
    kept = [raster.path.name for raster in rasters if not raster.upright]
    applied = [raster.path.name for raster in rasters if raster.upright and raster.header.turned]
    if kept:
        announce(f"EXIF rotation not applied: {listed(kept)}", "the pose file was made for the stored rasters")
    if applied:
        announce(f"EXIF rotation applied: {listed(applied)}", "the photographs ask for it")


def announce_framing(rasters: Sequence[Raster], size: tuple[int, int], recentred: bool) -> None:
    """Say how photographs of many sizes become pictures of one."""
    sizes = {raster.size for raster in rasters}
    given = ", ".join(f"{width}x{height}" for width, height in sorted(sizes))
    working = f"{size[0]}x{size[1]}"
    if not all(raster.frame.distortion.is_none for raster in rasters):
        announce("photographs are straightened", "the pose file gives a distortion of the lens")
    if recentred:
        announce(f"photographs are recentred on their masks at {working}", f"they are {given}")
    elif sizes == {size}:
        announce("photographs are used as they are", f"all are {working}, the working resolution")
    else:
        announce(f"whole photographs are scaled to {working}", f"they are {given}, and no masks are used")
