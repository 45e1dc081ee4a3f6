"""The refined cameras with their photographs, as a scene that other programs read.

    transforms.json       nerfstudio and Blender-style readers; refers to points.ply for initialisation
    cameras.json          the authors' format
    images/NAME.png       the photographs that the cameras belong to, as trained on
    sparse/0/*.bin        COLMAP model: COLMAP, pycolmap, nerfstudio's colmap dataparser, gsplat's trainer, 3DGS
    sparse_text/0/*.txt   the COLMAP model as text
    points.ply            the points of the COLMAP model: centres of Gaussians that two or more photographs show
    export.json           the frame, and the views that were left out

Photographs are the run's working images (whole, or cropped around the object), to which the refined cameras belong.
Views that are not trusted are left out, because other programs would trust them, or kept on request, with `flag` 0 in
the JSON files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from sparseags_ns.export.destination import ExportError
from sparseags_ns.export.orientation import OrientedRun, warn_of_float32
from sparseags_ns.export.visible import Progress, seen_points
from sparseags_ns.formats.cameras_json import write_cameras_json
from sparseags_ns.formats.colmap import SeenPoints, write_colmap
from sparseags_ns.formats.frame import PHOTO_FOLDERS, Frame
from sparseags_ns.formats.json_entries import read_json
from sparseags_ns.formats.ply import point_columns, write_ply
from sparseags_ns.formats.poses import POINTS_KEY
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.metrics.images import over_white
from sparseags_ns.storage import write_json

Background = Literal["transparent", "white", "black", "photograph"]
POINTS_FILE = "points.ply"


def write_cameras(
    folder: Path,
    oriented: OrientedRun,
    *,
    background: Background = "transparent",
    untrusted: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write the scene into an existing folder; returns its part of `export.json`.

    Args:
        background: background of the exported photographs; `photograph` leaves the original one.
        untrusted: keep views that are not trusted.

    Raises:
        ExportError: no Gaussian is seen by two photographs.
    """
    kept = kept_views(oriented, untrusted)
    cameras = oriented.run.refined.detach()[kept]
    points = seen_points(oriented.run.gaussians, cameras, oriented.run.sh_degree, progress)
    if len(points) == 0:
        raise ExportError(
            f"the splat of {oriented.run.folder} shows nothing solid to two of its photographs, so there are no "
            "points to write: train it longer"
        )
    points = replace(points, positions=oriented.from_world.apply_to_points(points.positions.double()))
    _write_photographs(folder / "images", oriented, kept, background)
    write_pose_files(folder, _frames(oriented, kept), points, oriented.comment)
    names = oriented.run.views.names
    return {
        "views": [names[view] for view in kept],
        "left_out_as_untrusted": [name for view, name in enumerate(names) if view not in kept],
        "points": len(points),
        "images": f"working photographs, {cameras.width}x{cameras.height} pixels, background {background}",
        "points_errors": "rounding errors: the 2D points are projections of the points",
    }


def write_pose_files(
    folder: Path, frames: Sequence[Frame], points: SeenPoints, comment: str, stored: Sequence[Frame] | None = None
) -> None:
    """Write cameras and points in all formats; no `points.ply` where there are no points.

    Args:
        comment: first comment in the header of `points.ply`.
        stored: the same cameras for photographs as stored, for COLMAP, which applies no EXIF rotation; None where they
            are equal. Pixels of `points` are of these photographs.
    """
    write_cameras_json(folder / "cameras.json", frames)
    write_transforms_json(folder / "transforms.json", frames)
    if len(points) > 0:
        write_json(folder / "transforms.json", {POINTS_KEY: POINTS_FILE, **read_json(folder / "transforms.json")})
        write_ply(folder / POINTS_FILE, point_columns(points.positions, points.colors), [comment])
        warn_of_float32(points.positions, f"{POINTS_FILE} holds float64, but most programs read its points as float32")
    bare = [replace(frame, file_path=_colmap_name(frame)) for frame in stored or frames]
    write_colmap(folder / "sparse" / "0", bare, points, "bin")
    write_colmap(folder / "sparse_text" / "0", bare, points, "txt")


def _colmap_name(frame: Frame) -> str:
    """COLMAP's name of a photograph: its path below the folder of photographs, else the view's name with an ending."""
    *folders, file = Path(frame.file_path).parts
    last = max((index for index, folder in enumerate(folders) if folder in PHOTO_FOLDERS), default=None)
    name = f"{frame.name}{Path(file).suffix}"
    return name if last is None else Path(*folders[last + 1 :], file).as_posix()


def kept_views(oriented: OrientedRun, untrusted: bool) -> list[int]:
    """Indices of the views to write."""
    trusted = oriented.run.trusted.tolist()
    return [view for view, good in enumerate(trusted) if good or untrusted]


def _frames(oriented: OrientedRun, kept: Sequence[int]) -> list[Frame]:
    """Pose file entries of the refined cameras `kept`."""
    cameras, names = oriented.refined.to("cpu", torch.float64), oriented.run.views.names
    return [
        Frame(
            name=names[view],
            file_path=f"images/{names[view]}.png",
            T_camera_world=cameras.T_camera_world[view],
            K=cameras.K[view],
            width=cameras.width,
            height=cameras.height,
            trusted=bool(oriented.run.trusted[view]),
        )
        for view in kept
    ]


def _write_photographs(folder: Path, oriented: OrientedRun, kept: Sequence[int], background: Background) -> None:
    views = oriented.run.views
    for view in kept:
        (folder / views.names[view]).parent.mkdir(parents=True, exist_ok=True)
        pixels = _with_background(views.images[view], views.masks[view], background)
        array = (pixels.cpu().clamp(0, 1) * 255).round().byte().numpy()
        Image.fromarray(np.ascontiguousarray(array)).save(folder / f"{views.names[view]}.png")


def _with_background(
    rgb: Float[Tensor, "height width 3"], mask: Float[Tensor, "height width"], background: Background
) -> Float[Tensor, "height width channels"]:
    """A photograph with another background; RGBA only if it is to be transparent and its mask leaves anything out."""
    if background == "photograph" or bool((mask == 1).all()):
        return rgb
    if background == "transparent":
        return torch.cat([rgb, mask[..., None]], dim=-1)
    return over_white(rgb, mask) if background == "white" else rgb * mask[..., None]
