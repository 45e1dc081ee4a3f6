"""A finished (or interrupted) run, read from its folder without nerfstudio.

The checkpoint holds Gaussians, cameras and trust; `sparseags/`, which is written with it, the photographs as they were
trained on (whole or cropped around the object; 8 bits for each colour), the cameras for other programs, and the record.
Outputs of another save than the latest checkpoint's, as a process that was killed may leave them, are written anew.
Neither the photographs that the run was made from nor the machine it ran on are needed.

A run may come from somebody else. Nothing in it is executed, no path in it is followed, and what is not as `ns-train`
writes it is refused by an error that names the file.

Frames: `world`, the run's normalised world (+y up, mean camera distance 1.85), the frame of everything in `sparseags/`;
`given`, the world of the poses that the run began with.
"""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import yaml
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from sparseags_ns.console import announce, warn
from sparseags_ns.formats.frame import Frame
from sparseags_ns.formats.json_entries import ROTATION_TOLERANCE, Entry, read_json, shortened
from sparseags_ns.formats.transforms_json import read_transforms_json
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import Similarity
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.metrics.images import perceptual_error
from sparseags_ns.optimization.parameters import activate
from sparseags_ns.rasterizer.constants import SH_DEGREE_MAX
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.checkpoint import VIEWS, RunError, digest, latest_checkpoint, read_checkpoint
from sparseags_ns.runs.format_0_1_0 import converted_config
from sparseags_ns.runs.outputs import FILES, FOLDER, VALID_FOLDER, RunState, anchored, write_run_outputs
from sparseags_ns.runs.plain_values import LARGEST, require_type
from sparseags_ns.runs.record import Outcome, RecordError, RunRecord
from sparseags_ns.storage import OutputError, all_at_once
from sparseags_ns.views import Views

CONFIG = "config.yml"
NORMALISATION = "dataparser_transforms.json"
_MODEL = "_model."
_PARAMETERS = "gauss_params."
_TENSORS = {
    "T_camera_initial": "views 4 4",
    "K_initial": "views 3 3",
    "trusted": "views",
    "gauss_params.means": "gaussians 3",
    "gauss_params.scales": "gaussians 3",
    "gauss_params.quats": "gaussians 4",
    "gauss_params.opacities": "gaussians 1",
    "gauss_params.features_dc": "gaussians 3",
    "gauss_params.features_rest": "gaussians bands 3",
}
"""The model's tensors in a checkpoint that a run is opened from, and their shapes."""
SHORTEST_FOCAL, LONGEST_FOCAL = 0.01, 1e4
"""Limits of a focal length in longer sides of a photograph, which may be a small crop; the latter also of the distance
of the principal point."""
MOST_NAME = 240
"""Limit of the bytes of a file's name, without its ending."""
MOST_PIXELS = 1 << 25
"""Limit of a run's photographs, which it works with as they are: many times what an optimisation can use."""
MOST_REPEATED = 1 << 16
"""Limit of the bytes of a tensor beyond those that its file holds."""
MOST_CONFIG = 1 << 16
"""Limit of the bytes and values in a config.yml, which has some thousands."""


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
    parameters: Mapping[str, Tensor]
    """What was learned of the Gaussians, as the checkpoint holds it (optimization/parameters.py)."""
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
    views = _read_views(outputs, content, state, checkpoint)
    initial = replace(views.cameras, T_camera_world=state["T_camera_initial"], K=state["K_initial"])
    _require_cameras(initial, checkpoint)
    parameters = {key.removeprefix(_PARAMETERS): value for key, value in state.items() if key.startswith(_PARAMETERS)}
    gaussians = activate(parameters)
    if not bool(gaussians.scales.isfinite().all()):
        raise RunError(f"{checkpoint} holds Gaussians of infinite size; train again")
    sh_degree = math.isqrt(gaussians.colors.shape[1]) - 1
    if VIEWS in content:
        saved = _saved_record(content, checkpoint, views.names)
        run = RunState(
            views=replace(views, cameras=initial),
            initial=initial,
            refined=views.cameras,
            trusted=views.trusted,
            gaussians=gaussians,
            sh_degree=sh_degree,
            steps_done=step + 1,
            record=saved,
            seconds=lambda: saved.seconds,
        )
        record, outcome = _matching_record(outputs, run, digest(checkpoint))
    else:
        record, outcome = _read_record(outputs, views.names)
        if outcome.steps_done != step + 1:
            warn(f"cameras of step {outcome.steps_done}, splat of step {step + 1}", f"{outputs} is of another save")
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
        parameters=parameters,
        gaussians=Gaussians(**{name: value.to(device) for name, value in vars(gaussians).items()}),
        sh_degree=sh_degree,
        steps_done=step + 1,
        normalisation=_read_normalisation(folder / NORMALISATION),
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


def _read_normalisation(path: Path) -> Similarity:
    """How the given world was normalised, from nerfstudio's file: p_world = scale * transform @ p_given."""
    entry = Entry(path, read_json(path))
    matrix, scale = entry.numbers("transform", 3, 4), entry.numbers("scale")
    if entry.rotation("transform", matrix[:, :3])[1] != 1.0 or not 1 / LARGEST <= scale <= LARGEST:
        raise entry.error(f"'transform' and 'scale' are no change of worlds: their scale is {float(scale):g}")
    return Similarity(scale, matrix[:, :3], scale * matrix[:, 3])


def _pipeline_state(content: dict[str, Any], path: Path) -> dict[str, Tensor]:
    """The model's tensors in a checkpoint that a run is made of, by their names without prefix."""
    state = content["pipeline"]
    missing = [key for key in _TENSORS if f"{_MODEL}{key}" not in state]
    if missing:
        raise RunError(
            f"{path} is no checkpoint of this version of sparseags: it lacks {', '.join(missing)}. Train again, or use "
            "the version that trained it"
        )
    found = {key: state[f"{_MODEL}{key}"] for key in _TENSORS}
    _require_tensors(found, _TENSORS, path)
    bases = found["gauss_params.features_rest"].shape[1] + 1
    if bases not in [(degree + 1) ** 2 for degree in range(SH_DEGREE_MAX + 1)]:
        raise RunError(f"{path} holds colours of {bases} spherical harmonics, which are of no degree; train again")
    if not 0 <= content["step"] < LARGEST:
        raise RunError(f"{path} cannot be of step {content['step']}; train again")
    return found


def _require_tensors(found: Mapping[str, Any], expected: Mapping[str, str], path: Path) -> None:
    """Raise a RunError unless all tensors are of the given shapes, whose words are sizes that agree, and finite."""
    sizes: dict[str, int] = {}
    for key, shape in expected.items():
        if not _fits(found[key], shape.split(), torch.bool if key == "trusted" else torch.float32, sizes):
            raise RunError(f"{path} cannot be used: '{key}' in it must be a tensor of {shape}, finite; train again")


def _fits(value: Any, shape: list[str], dtype: torch.dtype, sizes: dict[str, int]) -> bool:
    """Whether a value is a finite tensor of this shape; words that have no size yet get theirs."""
    if not isinstance(value, Tensor) or value.layout is not torch.strided or value.ndim != len(shape):
        return False
    for word, size in zip(shape, value.shape, strict=True):
        if size != (int(word) if word.isdigit() else sizes.setdefault(word, size)) or (size == 0 and word != "bands"):
            return False
    # A tensor can repeat a few numbers of a file as often as it likes.
    whole = value.numel() * value.element_size() <= value.untyped_storage().nbytes() + MOST_REPEATED
    return whole and value.dtype == dtype and bool((value.float().abs() <= LARGEST).all())


def _saved_record(content: dict[str, Any], path: Path, names: Sequence[str]) -> RunRecord:
    """The record in a checkpoint, which has no outcome."""
    try:
        record = RunRecord.from_json(content["pipeline"][f"{_MODEL}_extra_state"]["record"])
    except (RecordError, KeyError, TypeError, IndexError) as error:
        raise RunError(f"{path} holds no record of the run that can be read: {error}") from error
    if record.names != tuple(names):
        raise RunError(f"{path} holds a record of other views")
    return record


def _read_views(outputs: Path, content: dict[str, Any], state: dict[str, Tensor], checkpoint: Path) -> Views:
    """The photographs as trained on, with the refined cameras."""
    trusted, saved = state["trusted"], content.get(VIEWS)
    source = outputs / "transforms.json" if saved is None else checkpoint
    if saved is not None:
        try:
            names, unposed, T, K = (saved[key] for key in ("names", "unposed", "T_camera_world", "K"))
            require_type(names, list[str], "names")
            require_type(unposed, list[int], "unposed")
        except (KeyError, TypeError, IndexError) as error:
            raise RunError(f"{checkpoint} does not say what its views are: {error}; train again") from error
        _require_tensors({"T_camera_world": T, "K": K}, {"T_camera_world": "views 4 4", "K": "views 3 3"}, checkpoint)
    else:
        frames = _frames_of_0_3_0(outputs)
        names, unposed = [frame.name for frame in frames], ()
        T, K = (torch.stack([getattr(frame, key) for frame in frames]).float() for key in ("T_camera_world", "K"))
    if not len(names) == len(trusted) == len(T) or any(view >= len(names) for view in unposed):
        raise RunError(f"{outputs} has {len(names)} views, but {checkpoint} {len(trusted)}: they are of different runs")
    _require_file_names(names, source)
    paths = [outputs / "images" / f"{name}.png" for name in names]
    width, height = size = _size(paths[0])
    pixels = torch.stack([_read_image(path, "RGBA", size) for path in paths])
    valid = [outputs / VALID_FOLDER / f"{name}.png" for name in names]
    cameras = Cameras(T, K, width, height)
    _require_cameras(cameras, source)
    return Views(
        names=tuple(names),
        paths=tuple(paths),
        images=pixels[..., :3].contiguous(),
        masks=pixels[..., 3].contiguous(),
        valid=torch.stack([_read_image(p, "L", size) if p.is_file() else torch.ones(height, width) for p in valid]),
        cameras=cameras,
        trusted=trusted,
        unposed=tuple(unposed),
    )


def _require_file_names(names: Sequence[str], file: Path) -> None:
    """Raise a RunError unless names of views are those of files inside a folder: exports write a file for each."""
    for name in names:
        path, longest = Path(name), max(map(len, name.encode("utf-8", "surrogatepass").split(b"/")))
        elsewhere = path.anchor or ".." in path.parts or path.as_posix() != name or name == "."
        if elsewhere or "\0" in name or longest > MOST_NAME:
            raise RunError(f"{file} names a view {shortened(name)}, which is no name of a file in the run's folder")


def _require_cameras(cameras: Cameras, file: Path) -> None:
    """Raise a RunError for cameras that nothing can be photographed with."""
    K, R, side = cameras.K, cameras.T_camera_world[:, :3, :3], max(cameras.width, cameras.height)
    focal, center = torch.stack([K[:, 0, 0], K[:, 1, 1]]) / side, K[:, :2, 2] / side
    fixed = torch.cat([cameras.T_camera_world[:, 3], K[:, 2], K[:, 0, 1:2], K[:, 1, 0:1]], dim=1)
    right = [
        se3.orthogonality_error(R) < ROTATION_TOLERANCE,
        torch.det(R) > 0,
        fixed == torch.tensor([0.0, 0, 0, 1, 0, 0, 1, 0, 0]),
        (focal >= SHORTEST_FOCAL) & (focal <= LONGEST_FOCAL),
        center.abs() <= LONGEST_FOCAL,
    ]
    if not all(bool(one.all()) for one in right):
        raise RunError(f"{file} holds a camera that is none: its pose is no rotation, or its intrinsics are impossible")


def _frames_of_0_3_0(outputs: Path) -> list[Frame]:
    """The refined cameras of a run up to sparseags_ns 0.3.0, whose checkpoints do not hold them."""
    if not (outputs / "transforms.json").is_file():
        raise RunError(f"{outputs} holds no transforms.json; ns-train writes it at every checkpoint: train again")
    return read_transforms_json(outputs / "transforms.json")


def _matching_record(outputs: Path, run: RunState, checkpoint: str) -> tuple[RunRecord, Outcome]:
    """The record of the outputs; if they are not of the save with this checkpoint, they are first written anew."""
    try:
        record, outcome = _read_record(outputs, run.views.names)
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
    except (OutputError, OSError) as error:  # or a folder stands where a file is needed
        warn(f"{outputs} is left as it is, and not of this checkpoint", str(error))
        with TemporaryDirectory() as elsewhere:
            record = write_run_outputs(Path(elsewhere), run, perceptual_error(), checkpoint)
    assert record.outcome is not None
    return record, record.outcome


def _read_record(outputs: Path, names: Sequence[str]) -> tuple[RunRecord, Outcome]:
    """The run's record; without history or searches where those files are missing."""
    parts: dict[str, Any] = {"summary": read_json(outputs / "summary.json")}
    for part in ("history", "searches"):
        path = outputs / f"{part}.json"
        parts[part] = read_json(path) if path.is_file() else None
    try:
        record = RunRecord.from_json(parts)
    except RecordError as error:
        raise RunError(f"summary.json, history.json and searches.json in {outputs} do not fit: {error}") from error
    if record.outcome is None or record.names != tuple(names):
        raise RunError(f"{outputs / 'summary.json'} holds no outcome of these views; train again")
    return record, record.outcome


def _size(path: Path) -> tuple[int, int]:
    """Width and height of a photograph, without reading its pixels."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                width, height = image.size
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise RunError(f"the run's photograph {path} cannot be read: {error}; train again") from error
    if width * height > MOST_PIXELS:
        raise RunError(f"the run's photograph {path} has {width}x{height} pixels, more than any run works with")
    return width, height


def _read_image(path: Path, mode: str, size: tuple[int, int]) -> Float[Tensor, "height width *channels"]:
    if _size(path) != size:
        raise RunError(
            f"the run's photograph {path} is not of the size of the others, {size[0]}x{size[1]}; train again"
        )
    try:
        with Image.open(path) as image:
            return torch.from_numpy(np.array(image.convert(mode))).float() / 255
    except (OSError, ValueError, SyntaxError, struct.error) as error:
        raise RunError(f"the run's photograph {path} cannot be read: {error}; train again") from error


def _values(content: Any) -> Iterator[Any]:
    """The value and all that are in it."""
    yield content
    if isinstance(content, dict | list | tuple):
        for inner in content.values() if isinstance(content, dict) else content:
            yield from _values(inner)


class _PlainLoader(yaml.SafeLoader):
    """YAML's safe loader, extended to read Python's tags as plain data."""


def read_run_config(path: Path) -> dict[str, Any]:
    """The settings in a run's config.yml as plain dictionaries, with their present names.

    The file is YAML with Python objects. Here an object is the dictionary of its fields, an enum or any other call the
    list of its arguments, a class its dotted name; paths are paths. Nothing in the file is executed.

    Raises:
        RunError: the file cannot be read, or is no config.
    """
    if path.is_file() and path.stat().st_size > MOST_CONFIG:
        raise RunError(f"{path} has {path.stat().st_size} bytes, which no run's config has")
    try:
        config = yaml.load(path.read_text(encoding="utf-8"), Loader=_PlainLoader)
        if sum(1 for _ in islice(_values(config), MOST_CONFIG)) == MOST_CONFIG:  # as anchors in each other make them
            raise RunError(f"{path} holds more values than any run's config")
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise RunError(f"{path} cannot be read: {error}") from error
    except (TypeError, ValueError, AttributeError, LookupError) as error:  # of yaml's own constructors
        raise RunError(f"{path} cannot be read: it holds a value that is none ({error})") from error
    pipeline = config.get("pipeline") if isinstance(config, dict) else None
    if not isinstance(pipeline, dict) or not isinstance(pipeline.get("model", {}), dict):
        raise RunError(f"{path} is no run's config: expected the config.yml that ns-train writes into a run's folder")
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
