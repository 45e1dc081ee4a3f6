"""Further faults of photographs, masks and pose files, each with its message.

Messages are compared with messages.snap, in which SCENE stands for the folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sparseags_ns.preprocess import photo_files
from sparseags_ns.scene.reading import ReadingOptions, read_scene

SIZE = 32

Spoil = Callable[[Path], ReadingOptions | None]


def edited(scene: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the content of transforms.json."""
    path = scene / "transforms.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def first_frame(scene: Path, **values: Any) -> None:
    edited(scene, lambda content: content["frames"][0].update(values))


def opaque(scene: Path) -> None:
    for path in (scene / "images").iterdir():
        Image.open(path).convert("RGB").save(path)


def mask_of_other_size(scene: Path) -> None:
    opaque(scene)
    (scene / "masks").mkdir()
    for name in ("000", "001", "002", "003"):
        side = SIZE // 2 if name == "002" else SIZE
        Image.fromarray(np.full((side, side), 255, np.uint8)).save(scene / f"masks/{name}.png")


def strange_pixels(scene: Path) -> ReadingOptions:
    Image.new("LAB", (SIZE, SIZE)).save(scene / "images/003.tif")
    (scene / "images/003.png").unlink()
    edited(scene, lambda content: content["frames"][3].update(file_path="images/003.tif"))
    return ReadingOptions(masks="none")


def not_json(scene: Path) -> None:
    (scene / "transforms.json").write_text("poses")


def no_frames(scene: Path) -> None:
    edited(scene, lambda content: content["frames"].clear())


def no_file(scene: Path) -> ReadingOptions:
    return ReadingOptions(poses=Path("better.json"))


def tiny(scene: Path) -> ReadingOptions:
    return ReadingOptions(resolution=8)


def no_points(scene: Path) -> None:
    (scene / "cloud.ply").write_text("points")
    edited(scene, lambda content: content.update(ply_file_path="cloud.ply"))


def points_of_nowhere(scene: Path) -> None:
    coordinates = "".join(f"property float {axis}\n" for axis in "xyz")
    header = f"ply\nformat ascii 1.0\nelement vertex 2\n{coordinates}end_header\n"
    (scene / "cloud.ply").write_text(f"{header}nan 0 0\nnan 0 0\n")
    edited(scene, lambda content: content.update(ply_file_path="cloud.ply"))


def one_photograph_twice(scene: Path) -> None:
    edited(scene, lambda content: content["frames"][1].update(file_path="./images/000.png"))


def with_text(text: str) -> Callable[[Path], None]:
    """A function that writes this text into transforms.json."""

    def spoil(scene: Path) -> None:
        (scene / "transforms.json").write_text(text)

    return spoil


def some_masks(scene: Path) -> ReadingOptions:
    opaque(scene)
    return ReadingOptions(masks="given")


def few_frames(scene: Path) -> ReadingOptions:
    (scene / "walk.mp4").write_bytes(b"")
    for path in (scene / "images").iterdir():
        path.unlink()
    return ReadingOptions(num_frames=1)


def no_rembg(scene: Path) -> ReadingOptions:
    opaque(scene)
    return ReadingOptions(masks="rembg")


CASES: dict[str, Spoil] = {
    "mask_size": mask_of_other_size,
    "pixels": strange_pixels,
    "distortion": lambda scene: first_frame(scene, k4=0.1),
    "valid_box": lambda scene: first_frame(scene, valid_box=[9, 2, 3]),
    "not_json": not_json,
    "no_frames": no_frames,
    "no_matrix": lambda scene: edited(scene, lambda content: content["frames"][1].pop("transform_matrix")),
    "no_rotation": lambda scene: first_frame(scene, transform_matrix=np.diag([2.0, 1.0, 1.0, 1.0]).tolist()),
    "nan": lambda scene: first_frame(scene, transform_matrix=[[float("nan")] * 4] * 4),
    "focal": lambda scene: first_frame(scene, fl_x=0.0),
    "no_pose_file": no_file,
    "resolution": tiny,
    "points": no_points,
    "points_nowhere": points_of_nowhere,
    "one_twice": one_photograph_twice,
    "no_object": with_text("[]"),
    "key_twice": with_text('{"frames": [], "frames": []}'),
    "no_known_keys": with_text('{"cameras": [], "version": 2}'),
    "masks_asked": some_masks,
    "few_frames": few_frames,
    "no_rembg": no_rembg,
}


@pytest.mark.parametrize("name", CASES)
def test_each_fault_has_its_message(
    scene: Path, name: str, monkeypatch: pytest.MonkeyPatch, snapshot: Callable[..., None]
) -> None:
    monkeypatch.setattr("sparseags_ns.preprocess.rembg_masks.find_spec", lambda package: None)
    options = CASES[name](scene) or ReadingOptions(resolution=SIZE)
    with pytest.raises(ValueError) as error:
        read_scene(scene, options)
    snapshot(str(error.value), name, SCENE=scene)


def test_a_photograph_of_too_many_pixels_is_refused(
    scene: Path, monkeypatch: pytest.MonkeyPatch, snapshot: Callable[..., None]
) -> None:
    monkeypatch.setenv(photo_files.MAX_MEGAPIXELS, "0.001")
    with pytest.raises(photo_files.PhotoError) as error:
        photo_files.read_pixels(scene / "images/000.png")
    snapshot(str(error.value), SCENE=scene)


def test_a_photograph_that_has_gone_is_refused(scene: Path, snapshot: Callable[..., None]) -> None:
    with pytest.raises(photo_files.PhotoError) as error:
        photo_files.read_pixels(scene / "images/gone.png")
    snapshot(str(error.value), SCENE=scene)
