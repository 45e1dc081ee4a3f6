"""A finished (or interrupted) run, read from its folder without nerfstudio.

The checkpoint holds Gaussians, cameras and trust; `sparseags/`, which is written with it, the photographs as they were
trained on (whole or cropped around the object; 8 bits for each colour), the cameras for other programs, and the record.
Outputs of another save than the latest checkpoint's, as a process that was killed may leave them, are written anew.
Neither the photographs that the run was made from nor the machine it ran on are needed.

Frames: `world`, the run's normalised world (+y up, mean camera distance 1.85), the frame of everything in `sparseags/`;
`given`, the world of the poses that the run began with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import yaml
from jaxtyping import Bool, Float
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from sparseags_ns.console import announce, warn
from sparseags_ns.formats.frame import Frame
from sparseags_ns.formats.json_entries import Entry, read_json
from sparseags_ns.formats.transforms_json import read_transforms_json
from sparseags_ns.geometry.alignment import Similarity
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.metrics.images import perceptual_error
from sparseags_ns.optimization.parameters import activate
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.checkpoint import VIEWS, RunError, digest, latest_checkpoint, read_checkpoint
from sparseags_ns.runs.format_0_1_0 import converted_config
from sparseags_ns.runs.outputs import FILES, FOLDER, VALID_FOLDER, RunState, anchored, write_run_outputs
from sparseags_ns.runs.record import Outcome, RecordError, RunRecord
from sparseags_ns.storage import OutputError, all_at_once
from sparseags_ns.views import Views

CONFIG = "config.yml"
NORMALISATION = "dataparser_transforms.json"
_MODEL = "_model."


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
    content, outputs = read_checkpoint(checkpoint), folder / FOLDER
    state, step, config = _pipeline_state(content, checkpoint), content["step"], read_run_config(folder / CONFIG)
    views = _read_views(outputs, content, checkpoint)
    initial = replace(views.cameras, T_camera_world=state[f"{_MODEL}T_camera_initial"], K=state[f"{_MODEL}K_initial"])
    prefix = f"{_MODEL}gauss_params."
    gaussians = activate({key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)})
    sh_degree = math.isqrt(gaussians.colors.shape[1]) - 1
    if VIEWS in content:
        saved = state[f"{_MODEL}_extra_state"]["record"]
        run = RunState(
            views=replace(views, cameras=initial),
            initial=initial,
            refined=views.cameras,
            trusted=views.trusted,
            gaussians=gaussians,
            sh_degree=sh_degree,
            steps_done=step + 1,
            record=RunRecord.from_json(saved),
            seconds=lambda: saved["summary"]["seconds"],
        )
        record, outcome = _matching_record(outputs, run, digest(checkpoint))
    else:
        record, outcome = _read_record(outputs)
        if outcome.steps_done != step + 1:
            warn(f"cameras of step {outcome.steps_done}, splat of step {step + 1}", f"{outputs} is of another save")
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
        sh_degree=sh_degree,
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


def _pipeline_state(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """The tensors of the pipeline in a checkpoint."""
    state = content["pipeline"]
    needed = [f"{_MODEL}{key}" for key in ("T_camera_initial", "K_initial", "trusted", "gauss_params.means")]
    missing = [key for key in needed if key not in state]
    if missing:
        raise RunError(
            f"{path} is no checkpoint of this version of sparseags: it lacks {', '.join(missing)}. Train again, or use "
            "the version that trained it"
        )
    return state


def _read_views(outputs: Path, content: dict[str, Any], checkpoint: Path) -> Views:
    """The photographs as trained on, with the refined cameras."""
    trusted = content["pipeline"][f"{_MODEL}trusted"]
    if VIEWS in content:
        saved = content[VIEWS]
        names, unposed, T, K = (saved[key] for key in ("names", "unposed", "T_camera_world", "K"))
    else:
        frames = _frames_of_0_3_0(outputs)
        names, unposed = [frame.name for frame in frames], ()
        T, K = (torch.stack([getattr(frame, key) for frame in frames]).float() for key in ("T_camera_world", "K"))
    if len(names) != len(trusted):
        raise RunError(f"{outputs} has {len(names)} views, but {checkpoint} {len(trusted)}: they are of different runs")
    paths = [outputs / "images" / f"{name}.png" for name in names]
    pixels = torch.stack([_read_image(path, "RGBA") for path in paths])
    height, width = pixels.shape[1:3]
    valid = [outputs / VALID_FOLDER / f"{name}.png" for name in names]
    return Views(
        names=tuple(names),
        paths=tuple(paths),
        images=pixels[..., :3].contiguous(),
        masks=pixels[..., 3].contiguous(),
        valid=torch.stack([_read_image(p, "L") if p.is_file() else torch.ones(height, width) for p in valid]),
        cameras=Cameras(T, K, width, height),
        trusted=trusted,
        unposed=tuple(unposed),
    )


def _frames_of_0_3_0(outputs: Path) -> list[Frame]:
    """The refined cameras of a run up to sparseags_ns 0.3.0, whose checkpoints do not hold them."""
    if not (outputs / "transforms.json").is_file():
        raise RunError(f"{outputs} holds no transforms.json; ns-train writes it at every checkpoint: train again")
    return read_transforms_json(outputs / "transforms.json")


def _matching_record(outputs: Path, run: RunState, checkpoint: str) -> tuple[RunRecord, Outcome]:
    """The record of the outputs; if they are not of the save with this checkpoint, they are first written anew."""
    try:
        record, outcome = _read_record(outputs)
    except ValueError:
        outcome = None
    else:
        if outcome.checkpoint == checkpoint and all((outputs / name).is_file() for name in FILES):
            return record, outcome
    step = "unknown" if outcome is None else outcome.steps_done
    announce(f"{outputs} is written anew from the checkpoint of step {run.steps_done}", f"it was of step {step}")
    try:
        with all_at_once():
            record = write_run_outputs(outputs, run, perceptual_error(), checkpoint)
    except OutputError as error:
        warn(f"{outputs} is left as it is, and not of this checkpoint", str(error))
        with TemporaryDirectory() as elsewhere:
            record = write_run_outputs(Path(elsewhere), run, perceptual_error(), checkpoint)
    assert record.outcome is not None
    return record, record.outcome


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
