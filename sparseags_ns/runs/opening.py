"""A finished (or interrupted) run, read from its folder without nerfstudio.

The checkpoint holds Gaussians, initial cameras and trust; `sparseags/`, which is written with it, the refined cameras,
the photographs as they were trained on (whole or cropped around the object; 8 bits for each colour), and the summary.
Neither the photographs that the run was made from nor the machine it ran on are needed.

Frames: `world`, the run's normalised world (+y up, mean camera distance 1.85), the frame of everything in `sparseags/`;
`given`, the world of the poses that the run began with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from jaxtyping import Bool, Float
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from sparseags_ns.console import warn
from sparseags_ns.formats.json_entries import Entry, read_json
from sparseags_ns.formats.transforms_json import read_transforms_json
from sparseags_ns.geometry.alignment import Similarity
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.optimization.parameters import activate
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.format_0_1_0 import converted_config
from sparseags_ns.runs.outputs import FOLDER, VALID_FOLDER, anchored
from sparseags_ns.runs.record import Outcome, RecordError, RunRecord
from sparseags_ns.views import Views

CHECKPOINTS = "nerfstudio_models"
CONFIG = "config.yml"
NORMALISATION = "dataparser_transforms.json"
_MODEL = "_model."


class RunError(ValueError):
    """A folder that is no run, or a run of which a part is missing or does not fit the rest."""


@dataclass(frozen=True)
class OpenedRun:
    """A run at its latest checkpoint; cameras and Gaussians in the run's world."""

    folder: Path
    """The run's folder, which holds config.yml."""
    checkpoint: Path
    config: dict[str, Any]
    """config.yml as plain dictionaries: `config["pipeline"]["model"]["num_gaussians"]`."""
    record: RunRecord
    """What the run did."""
    outcome: Outcome
    """What was measured at the last save."""
    views: Views
    """Photographs, masks and valid regions as trained on, with the initial cameras and the final trust; their paths are
    those in `sparseags/images/`."""
    initial: Cameras
    """Cameras as pose init gave them."""
    refined: Cameras
    trusted: Bool[Tensor, " views"]
    gaussians: Gaussians
    sh_degree: int
    steps_done: int
    normalisation: Similarity
    """Maps points of the given world to the run's world."""

    @property
    def outputs(self) -> Path:
        """The folder with the cameras, photographs and record that training wrote."""
        return self.folder / FOLDER

    @property
    def initial_anchored(self) -> Cameras:
        """The initial cameras, moved as one to where the refined ones see the object, for pictures that show both.

        The world may have drifted during the run, which is no error of the given poses.
        """
        return anchored(self.initial, self.refined, self.gaussians)

    @property
    def whole_photographs(self) -> bool:
        """Whether the run was of whole photographs, without an object's masks."""
        return bool((self.views.masks > 0.999).all())


def open_run(path: Path, device: torch.device | str = "cpu") -> OpenedRun:
    """Open the latest checkpoint of a run.

    Args:
        path: the run's folder, its config.yml, or its sparseags/ folder.

    Raises:
        RunError: there is no run, or a part of it is missing or does not fit the rest.
    """
    folder = run_folder(path)
    checkpoint = latest_checkpoint(folder)
    state, step = _read_checkpoint(checkpoint)
    config, outputs = read_run_config(folder / CONFIG), folder / FOLDER
    views = _read_views(outputs, state, checkpoint)
    initial = replace(views.cameras, T_camera_world=state[f"{_MODEL}T_camera_initial"], K=state[f"{_MODEL}K_initial"])
    record, outcome = _read_record(outputs)
    if outcome.steps_done != step + 1:
        warn(f"cameras of step {outcome.steps_done}, splat of step {step + 1}", f"{outputs} is of another save")
    prefix = f"{_MODEL}gauss_params."
    gaussians = activate({key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)})
    # How the given world was normalised, from nerfstudio's file: p_world = scale * transform @ p_given.
    normalisation = Entry(folder / NORMALISATION, read_json(folder / NORMALISATION))
    matrix, scale = normalisation.numbers("transform", 3, 4), normalisation.numbers("scale")
    return OpenedRun(
        folder=folder,
        checkpoint=checkpoint,
        config=config,
        record=record,
        outcome=outcome,
        views=replace(views, cameras=initial).to(device),
        initial=initial.to(device),
        refined=views.cameras.to(device),
        trusted=views.trusted.to(device),
        gaussians=Gaussians(**{name: value.to(device) for name, value in vars(gaussians).items()}),
        sh_degree=math.isqrt(gaussians.colors.shape[1]) - 1,
        steps_done=step + 1,
        normalisation=Similarity(scale, matrix[:, :3], scale * matrix[:, 3]),
    )


def run_folder(path: Path) -> Path:
    """The run's folder that a path means."""
    path = path.expanduser()
    if not path.exists():
        raise RunError(f"no such run: {path}; expected a run's folder, which holds {CONFIG}, or that file")
    for folder in (path, path.parent) if path.is_dir() else (path.parent,):
        if (folder / CONFIG).is_file() and path in (folder, folder / CONFIG, folder / FOLDER):
            return folder
    inside = sorted(path.glob(f"**/{CONFIG}"), key=lambda file: file.stat().st_mtime) if path.is_dir() else []
    hint = f"; the latest run inside it is {inside[-1].parent}" if inside else ""
    raise RunError(f"{path} is no run: expected a folder that holds {CONFIG}, as ns-train writes it{hint}")


def latest_checkpoint(folder: Path) -> Path:
    """The checkpoint of a run's last save."""
    checkpoints = sorted((folder / CHECKPOINTS).glob("step-*.ckpt"))
    if not checkpoints:
        raise RunError(f"{folder} holds no checkpoint: expected {CHECKPOINTS}/step-*.ckpt, as ns-train writes them")
    return checkpoints[-1]


def _read_checkpoint(path: Path) -> tuple[dict[str, Any], int]:
    """The tensors of the pipeline, and the last step that was done."""
    try:
        content = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
        state, step = content["pipeline"], int(content["step"])
    except (OSError, RuntimeError, KeyError, ValueError, EOFError) as error:
        raise RunError(f"the checkpoint {path} cannot be read ({error}); is it whole, and of ns-train?") from error
    needed = [f"{_MODEL}{key}" for key in ("T_camera_initial", "K_initial", "trusted", "gauss_params.means")]
    missing = [key for key in needed if key not in state]
    if missing:
        raise RunError(
            f"{path} is no checkpoint of this version of sparseags: it lacks {', '.join(missing)}. Train again, or use "
            "the version that trained it"
        )
    return {key: value.clone() if isinstance(value, Tensor) else value for key, value in state.items()}, step


def _read_views(outputs: Path, state: dict[str, Any], checkpoint: Path) -> Views:
    """The photographs as trained on, with the refined cameras of transforms.json."""
    if not (outputs / "transforms.json").is_file():
        raise RunError(f"{outputs} holds no transforms.json; ns-train writes it at every checkpoint: train again")
    frames = read_transforms_json(outputs / "transforms.json")
    trusted = state[f"{_MODEL}trusted"]
    if len(frames) != len(trusted):
        raise RunError(
            f"{outputs / 'transforms.json'} has {len(frames)} views, but {checkpoint} {len(trusted)}: they are of "
            "different runs"
        )
    paths = [outputs / "images" / f"{frame.name}.png" for frame in frames]
    pixels = torch.stack([_read_image(path, "RGBA") for path in paths])
    height, width = pixels.shape[1:3]
    valid = [outputs / VALID_FOLDER / f"{frame.name}.png" for frame in frames]
    return Views(
        names=tuple(frame.name for frame in frames),
        paths=tuple(paths),
        images=pixels[..., :3].contiguous(),
        masks=pixels[..., 3].contiguous(),
        valid=torch.stack([_read_image(p, "L") if p.is_file() else torch.ones(height, width) for p in valid]),
        cameras=Cameras(
            torch.stack([frame.T_camera_world for frame in frames]).float(),
            torch.stack([frame.K for frame in frames]).float(),
            width,
            height,
        ),
        trusted=trusted,
    )


def _read_record(outputs: Path) -> tuple[RunRecord, Outcome]:
    """The run's record; without history or searches where those files are missing."""
    parts: dict[str, Any] = {"summary": read_json(outputs / "summary.json")}
    for part in ("history", "searches"):
        path = outputs / f"{part}.json"
        parts[part] = read_json(path) if path.is_file() else None
    try:
        record = RunRecord.from_json(parts)
    except RecordError as error:
        raise RunError(f"{outputs} cannot be read: {error}") from error
    if record.outcome is None:
        raise RunError(f"{outputs / 'summary.json'} holds no outcome of the run; train again")
    return record, record.outcome


def _read_image(path: Path, mode: str) -> Float[Tensor, "height width *channels"]:
    try:
        with Image.open(path) as image:
            return torch.from_numpy(np.array(image.convert(mode))).float() / 255
    except (OSError, UnidentifiedImageError) as error:
        raise RunError(f"the run's photograph {path} cannot be read: {error}; train again") from error


class _PlainLoader(yaml.SafeLoader):
    """YAML's safe loader, extended to read Python's tags as plain data."""


def read_run_config(path: Path) -> dict[str, Any]:
    """The settings in a run's config.yml as plain dictionaries, with their present names.

    The file is YAML with Python objects. Here an object is the dictionary of its fields, an enum or any other call the
    list of its arguments, a class its dotted name; paths are paths. Nothing in the file is executed.

    Raises:
        ValueError: the file cannot be read, or is no config.
    """
    try:
        config = yaml.load(path.read_text(encoding="utf-8"), Loader=_PlainLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict) or "pipeline" not in config:
        raise ValueError(f"{path} is no run's config: expected the config.yml that ns-train writes into a run's folder")
    return converted_config(config)


def _plain(loader: _PlainLoader, suffix: str, node: yaml.Node) -> Any:
    """Plain data in place of a Python object, a call or a name."""
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        values = loader.construct_sequence(node, deep=True)
        if suffix.startswith("object/apply:pathlib."):
            return Path(*map(str, values))
        return tuple(values) if suffix == "tuple" else values
    return suffix.partition(":")[2]


_PlainLoader.add_multi_constructor("tag:yaml.org,2002:python/", _plain)
