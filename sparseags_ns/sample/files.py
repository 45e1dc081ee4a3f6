"""A sample on disk: a tool's input at the top of the folder, the truth in `gt/`.

    images/000.png ...            photographs, RGBA with straight alpha
    cameras.json                  the rough initial cameras, in the authors' format; not if the sample is bare
    valid/000.png ...             known pixels of each photograph; only if some are unknown
    test_images/000.png ...       held-out photographs
    gt/transforms.json            true cameras of the photographs
    gt/transforms_test.json       true cameras of the held-out photographs
    gt/surface.npz                points and normals, even over the true surface; seen: number of photographs
    gt/truth.json                 errors of poses and masks, photographs of another object; for scoring only
    gt/sample.json                the settings that make this sample again; marks the folder as a sample

All file paths are relative to the sample's folder; both pose formats are in its world.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from sparseags_ns.formats.cameras_json import write_cameras_json
from sparseags_ns.formats.frame import Frame
from sparseags_ns.formats.json_entries import read_json
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras, project
from sparseags_ns.geometry.pose_errors import pose_errors, scene_scale
from sparseags_ns.sample.config import SampleConfig, SampleError
from sparseags_ns.sample.scene import Progress, Sample, render_sample
from sparseags_ns.storage import exchange, require_place, write_json, write_npz

MARK = Path("gt") / "sample.json"
_MAKER = "sparseags sample"
_WHEN_USED = ("capture", "shuffled", "turned", "aliens", "bare")
"""Settings written only where they are used: without them, samples are those of version 0.2.0 to the byte."""
_OWN = ("images", "valid", "test_images", "gt", "cameras.json")


def make_sample(
    config: SampleConfig, directory: Path, overwrite: bool = False, progress: Progress | None = None
) -> Sample:
    """Render a sample and write it into a folder.

    Args:
        directory: a new or an empty folder, or one that holds a sample.
        overwrite: allow to replace a sample in the folder; other files are never touched.

    Raises:
        SampleError: the folder holds something else.
    """
    _require_free(directory, overwrite)
    sample = render_sample(config, progress)
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".sample.", dir=directory) as temporary:
        new, old = Path(temporary, "new"), Path(temporary, "old")
        old.mkdir()
        _write(sample, config, new)
        for name in _OWN:
            if (new / name).exists():
                exchange(new / name, directory / name, old)
            else:
                with suppress(FileNotFoundError):
                    (directory / name).rename(old / name)
    return sample


def _write(sample: Sample, config: SampleConfig, directory: Path) -> None:
    """Write all files of a sample into a new folder."""
    write_json(directory / MARK, {"made_by": _MAKER, "object": sample.object_name, "config": _settings(config)})
    views = sample.views
    _save_all(directory / "images", torch.cat([views.images, views.masks[..., None]], dim=-1))
    _save_all(directory / "test_images", sample.test_images)
    if not bool((views.valid == 1).all()):
        _save_all(directory / "valid", views.valid)
    names = [f"images/{name}.png" for name in views.names]
    tests = [f"test_images/{view:03d}.png" for view in range(len(sample.test_cameras))]
    if not config.bare:
        write_cameras_json(directory / "cameras.json", _frames(views.cameras, names))
    write_transforms_json(directory / "gt" / "transforms.json", _frames(sample.true_cameras, names))
    write_transforms_json(directory / "gt" / "transforms_test.json", _frames(sample.test_cameras, tests))
    write_json(directory / "gt" / "truth.json", _truth(sample))
    surface = {
        "points": sample.surface_points.float().numpy(),
        "normals": sample.surface_normals.float().numpy(),
        "seen": sample.seen.to(torch.int16).numpy(),
    }
    write_npz(directory / "gt" / "surface.npz", surface, compressed=True)


def _require_free(directory: Path, overwrite: bool) -> None:
    """Refuse a folder that holds anything but a sample that may be replaced."""
    if directory.exists() and not directory.is_dir():
        raise SampleError(f"{directory} is a file; expected a folder to write the sample into")
    require_place(directory, folder=True)
    if not directory.exists() or not any(directory.iterdir()):
        return
    mark = directory / MARK
    if not mark.is_file() or read_json(mark).get("made_by") != _MAKER:
        raise SampleError(f"{directory} is not empty and holds no sample of ours ({MARK}): choose another folder")
    if not overwrite:
        raise SampleError(f"{directory} holds a sample already: choose another folder, or allow to overwrite it")


def _settings(config: SampleConfig) -> dict[str, Any]:
    """Settings that make the sample again."""
    given = asdict(config).items()
    return {name: value for name, value in given if name not in _WHEN_USED or value != getattr(SampleConfig, name)}


def _save_all(folder: Path, images: Float[Tensor, "images height width *channels"]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images.mul(255.0).round().to(torch.uint8).numpy()):
        Image.fromarray(image).save(folder / f"{number:03d}.png")


def _frames(cameras: Cameras, file_paths: Sequence[str]) -> list[Frame]:
    return [
        Frame(Path(path).stem, path, T, K, cameras.width, cameras.height)
        for path, T, K in zip(file_paths, cameras.T_camera_world, cameras.K, strict=True)
    ]


def _truth(sample: Sample) -> dict[str, Any]:
    """Mask faults, cuts and photographs of another object; errors of the initial poses, if the sample has such."""
    names, beyond = sample.views.names, _beyond_the_edge(sample)
    faults = {
        name: {"mask_fault": sample.mask_faults[i], "share_beyond_the_edge": float(beyond[i])}
        for i, name in enumerate(names)
    }
    truth = {"object": sample.object_name, "views": faults} if sample.config.bare else _truth_of_poses(sample, faults)
    return truth | ({"aliens": [names[view] for view in sample.aliens]} if sample.aliens else {})


def _truth_of_poses(sample: Sample, faults: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Errors of each initial pose beside the view's other faults, and the outliers."""
    names, rough, true = sample.views.names, sample.rough.cameras, sample.true_cameras
    errors = pose_errors(rough.T_camera_world, true.T_camera_world)
    rotation = se3.rotation_angle(rough.T_camera_world[:, :3, :3] @ true.T_camera_world[:, :3, :3].mT).rad2deg()
    scale = scene_scale(true.centers)
    moved = (rough.centers - true.centers).norm(dim=-1) / scale
    views = {
        name: {
            "rotation_error_deg": float(rotation[i]),
            "center_error": float(moved[i]),
            "center_error_aligned": float(errors.center[i]),
            "focal_factor": float(sample.rough.focal_factors[i]),
            **faults[name],
        }
        for i, name in enumerate(names)
    }
    kinds = {names[i]: {"type": o.kind, "angle_deg": o.angle_deg} for i, o in sample.rough.outliers.items()}
    return {
        "object": sample.object_name,
        "level": sample.config.level,
        "outliers": list(kinds),
        "outlier_kinds": kinds,
        "views": views,
        "scale_s": float(scale),
        "metrics": errors.summary(),
    }


def _beyond_the_edge(sample: Sample) -> Float[Tensor, " views"]:
    """Share of the object's surface points that fall outside each photograph or on its unknown pixels."""
    cameras, valid = sample.true_cameras, sample.views.valid
    pixels, _ = project(cameras, sample.surface_points)
    columns, rows = pixels.floor().long().unbind(-1)
    outside = (columns < 0) | (rows < 0) | (columns >= cameras.width) | (rows >= cameras.height)
    inside = (rows.clamp(0, cameras.height - 1), columns.clamp(0, cameras.width - 1))
    unknown = torch.stack([valid[view][inside[0][view], inside[1][view]] == 0 for view in range(len(cameras))])
    return (outside | unknown).double().mean(-1)
