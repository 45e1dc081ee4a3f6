"""Small valid scenes, one for each kind of file that is read, as contents of files by their paths in the scene."""

from __future__ import annotations

import io
import json
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from sparseags_ns.formats.cameras_json import write_cameras_json
from sparseags_ns.formats.colmap import SeenPoints, write_colmap
from sparseags_ns.formats.frame import Frame, intrinsics_matrix
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import orbit

SIZE, VIEWS, POINTS = 32, 4, 20

Files = dict[str, bytes]


@dataclass(frozen=True)
class ValidScene:
    """A scene that can be read, and the one of its files that is to be damaged."""

    kind: str
    target: str
    files: Files


def frames(ending: str = ".png") -> list[Frame]:
    """Cameras on a ring, which look at its middle."""
    K = intrinsics_matrix(40.0, 40.0, SIZE / 2, SIZE / 2)
    azimuths = torch.arange(VIEWS, dtype=torch.float64) * 360 / VIEWS
    poses = orbit(azimuths, torch.full_like(azimuths, 20.0), 2.0)
    return [Frame(f"{i:03d}", f"images/{i:03d}{ending}", T, K, SIZE, SIZE) for i, T in enumerate(poses)]


def pixels() -> np.ndarray:
    """Noise; its alpha is a disc in the middle."""
    rows, columns = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    inside = np.hypot(columns - SIZE / 2, rows - SIZE / 2) < SIZE / 3
    rgb = np.random.default_rng(0).integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)
    return np.dstack([rgb, np.where(inside, 255, 0).astype(np.uint8)])


def encoded(mode: str, kind: str) -> bytes:
    """The pixels as the content of an image file."""
    stream, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 1
    image = Image.fromarray(pixels())
    (image.getchannel("A") if mode == "mask" else image.convert(mode)).save(stream, kind, exif=exif)
    return stream.getvalue()


def photographs(mode: str = "RGBA", kind: str = "PNG", ending: str = ".png") -> Files:
    content = encoded(mode, kind)
    return {f"images/{i:03d}{ending}": content for i in range(VIEWS)}


def masks() -> Files:
    content = encoded("mask", "PNG")
    return {f"masks/{i:03d}.png": content for i in range(VIEWS)}


def written(write: Callable[[Path], Any]) -> Files:
    """The files that a function writes into a folder."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        found = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def transforms(**keys: Any) -> bytes:
    content = json.loads(written(lambda folder: write_transforms_json(folder / "t.json", frames()))["t.json"])
    return json.dumps(content | keys).encode()


def transforms_of_angles() -> bytes:
    """Intrinsics by a field of view, no sizes, masks by name."""
    content = json.loads(transforms())
    for frame in content["frames"]:
        for key in ("fl_x", "fl_y", "cx", "cy", "w", "h"):
            del frame[key]
        frame["mask_path"] = frame["file_path"].replace("images", "masks")
    return json.dumps({"camera_angle_x": 0.75, "k1": 0.01, **content}).encode()


def splat_cameras() -> bytes:
    rows = []
    for index, frame in enumerate(frames()):
        T = se3.inverse(frame.T_camera_world)
        pose = {"position": T[:3, 3].tolist(), "rotation": T[:3, :3].tolist()}
        rows.append({"id": index, "img_name": frame.name, "width": SIZE, "height": SIZE, "fx": 40.0, "fy": 40.0} | pose)
    return json.dumps(rows).encode()


def model(kind: Any) -> Files:
    generator = torch.Generator().manual_seed(0)
    positions = torch.rand(POINTS, 3, generator=generator).double() - 0.5
    places = torch.rand(VIEWS, POINTS, 2, generator=generator) * SIZE
    points = SeenPoints(positions, torch.rand(POINTS, 3), places, torch.ones(VIEWS, POINTS, dtype=torch.bool))
    return written(lambda folder: write_colmap(folder / "sparse/0", frames(), points, kind))


def poses_bounds() -> bytes:
    rows = []
    for frame in frames():
        T = se3.inverse(frame.T_camera_world).numpy()
        pose = np.stack([T[:3, 1], T[:3, 0], -T[:3, 2], T[:3, 3], [SIZE, SIZE, 40.0]], axis=1)
        rows.append([*pose.ravel(), 0.5, 4.0])
    stream = io.BytesIO()
    np.save(stream, np.array(rows))
    return stream.getvalue()


def points(kind: str) -> bytes:
    rows = [(*xyz, 200, 100, 50) for xyz in np.random.default_rng(0).uniform(-0.5, 0.5, (POINTS, 3)).tolist()]
    names = "".join(f"property float {axis}\n" for axis in "xyz")
    names += "".join(f"property uchar {colour}\n" for colour in ("red", "green", "blue"))
    head = f"ply\nformat {kind} 1.0\nelement vertex {POINTS}\n{names}end_header\n"
    lines = "".join(" ".join(f"{value:g}" for value in row) + "\n" for row in rows)
    body = lines.encode() if kind == "ascii" else b"".join(struct.pack("<3f3B", *row) for row in rows)
    return head.encode() + body


def video() -> bytes:
    def write(folder: Path) -> None:
        writer = cv2.VideoWriter(str(folder / "walk.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (SIZE, SIZE))
        for index in range(8):
            writer.write(np.roll(pixels()[..., :3], index, axis=1).copy())
        writer.release()

    return written(write)["walk.avi"]


def all_scenes() -> list[ValidScene]:
    """A scene for each kind of file."""
    rgba = photographs()
    json_scene = {**rgba, "transforms.json": transforms()}
    cameras = written(lambda folder: write_cameras_json(folder / "cameras.json", frames()))
    text, binary = {**rgba, **model("txt")}, {**rgba, **model("bin")}
    scenes = [
        ValidScene("transforms.json", "transforms.json", json_scene),
        ValidScene(
            "transforms.json of angles",
            "transforms.json",
            {**photographs("RGB"), **masks(), "transforms.json": transforms_of_angles()},
        ),
        ValidScene("cameras.json", "cameras.json", {**rgba, **cameras}),
        ValidScene("cameras.json of 3DGS", "cameras.json", {**rgba, "cameras.json": splat_cameras()}),
        ValidScene("poses_bounds.npy", "poses_bounds.npy", {**rgba, "poses_bounds.npy": poses_bounds()}),
        ValidScene("PNG", "images/001.png", json_scene),
        ValidScene("mask", "masks/001.png", {**json_scene, **photographs("RGB"), **masks()}),
        ValidScene("video", "walk.avi", {"walk.avi": video()}),
    ]
    for name in ("cameras", "images", "points3D"):
        scenes.append(ValidScene(f"{name}.txt", f"sparse/0/{name}.txt", text))
        scenes.append(ValidScene(f"{name}.bin", f"sparse/0/{name}.bin", binary))
    for kind in ("ascii", "binary_little_endian"):
        head = transforms(ply_file_path="points.ply")
        scenes.append(
            ValidScene(
                f"PLY, {kind.split('_')[0]}",
                "points.ply",
                {**rgba, "transforms.json": head, "points.ply": points(kind)},
            )
        )
    for kind, ending in (("JPEG", ".jpg"), ("WebP", ".webp"), ("TIFF", ".tif")):
        others = photographs("RGB", kind, ending)
        scenes.append(ValidScene(kind, f"images/001{ending}", {"transforms.json": transforms(), **masks(), **others}))
    return scenes
