"""Files that are damaged, or say what no file means, are refused by one sentence that names them."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sparseags_ns.formats.colmap import read_colmap, read_colmap_points
from sparseags_ns.formats.frame import PoseFileError
from sparseags_ns.formats.json_entries import read_json
from sparseags_ns.formats.ply import read_ply
from sparseags_ns.formats.poses import read_poses
from tests.faults.valid_scenes import POINTS, all_scenes, points

SCENES = {scene.kind: scene for scene in all_scenes()}


@pytest.fixture
def damaged(tmp_path: Path) -> Callable[..., Path]:
    """`damaged(kind, change)`: a valid scene in the folder, whose file of that kind was changed; the file's path."""

    def write(kind: str, change: Callable[[bytes], bytes]) -> Path:
        scene = SCENES[kind]
        for name, content in scene.files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(change(content) if name == scene.target else content)
        return tmp_path / scene.target

    return write


def in_first_frame(**values: Any) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        whole = json.loads(content)
        listed = whole if isinstance(whole, list) else whole.get("frames") or list(whole.values())
        listed[0].update(values)
        return json.dumps(whole).encode()

    return change


def with_words(old: str, new: str) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        assert old.encode() in content
        return content.replace(old.encode(), new.encode(), 1)

    return change


@pytest.mark.parametrize("text", ["[" * 2000 + "]" * 2000, '{"a":' * 2000 + "1" + "}" * 2000, "[" * 70 + "]" * 70])
def test_json_of_many_levels_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(PoseFileError, match=r"a\.json: has more than 64 lists and objects inside one another"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "9" * 400])
def test_an_integer_of_any_length_is_a_number(tmp_path: Path, damaged: Callable[..., Path], number: str) -> None:
    file = damaged("transforms.json", lambda content: content.replace(b"40.0", number.encode(), 1))
    with pytest.raises(PoseFileError, match=r"transforms\.json: view .*'fl_x' holds NaN or infinity: -?inf"):
        read_poses(file)


def test_an_object_of_many_keys_is_read_in_no_time(tmp_path: Path) -> None:
    """Each key was once compared with each other one: hours for these."""
    (tmp_path / "a.json").write_text(json.dumps({f"{i}": "" for i in range(60_000)}))
    begun = time.process_time()
    assert len(read_json(tmp_path / "a.json")) == 60_000 and time.process_time() - begun < 5


@pytest.mark.parametrize("path", ["x" * 5000 + ".png", "a/" * 400 + "b.png", "images/\0.png"])
@pytest.mark.parametrize(
    ("kind", "key"),
    [("transforms.json", "file_path"), ("cameras.json", "filepath"), ("cameras.json of 3DGS", "img_name")],
)
def test_a_path_that_no_file_has_is_refused(damaged: Callable[..., Path], kind: str, key: str, path: str) -> None:
    file = damaged(kind, in_first_frame(**{key: path}))
    with pytest.raises(PoseFileError, match=r"json: view .* is no path of a file") as error:
        read_poses(file)
    assert len(str(error.value)) < 500


def test_a_path_in_a_model_that_no_file_has_is_refused(damaged: Callable[..., Path]) -> None:
    file = damaged("images.txt", with_words("images/000.png", "a/" * 2500 + "000.png"))
    with pytest.raises(PoseFileError, match=r"images\.txt: .* is no path of a file"):
        read_colmap(file.parent)


@pytest.mark.parametrize("focal", [1e-6, 0.5, 1e6, 1e300])
@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("transforms.json", r"transforms\.json: view '000'"),
        ("cameras.json", r"cameras\.json: view '000'"),
        ("cameras.json of 3DGS", r"cameras\.json: view '000'"),
        ("cameras.txt", r"cameras\.txt: view '000'"),
        ("cameras.bin", r"cameras\.bin: view '000'"),
        ("poses_bounds.npy", r"poses_bounds\.npy: view '000'"),
    ],
)
def test_a_focal_length_that_no_photograph_has_is_refused(
    damaged: Callable[..., Path], kind: str, named: str, focal: float
) -> None:
    changes = {
        "transforms.json": in_first_frame(fl_x=focal, fl_y=focal),
        "cameras.json": in_first_frame(focal_length=[focal, focal]),
        "cameras.json of 3DGS": in_first_frame(fx=focal, fy=focal),
        "cameras.txt": with_words("40.0 40.0", f"{focal} {focal}"),
        "cameras.bin": lambda content: content.replace(struct.pack("<d", 40.0), struct.pack("<d", focal), 1),
        "poses_bounds.npy": lambda content: content.replace(struct.pack("<d", 40.0), struct.pack("<d", focal), 1),
    }
    file = damaged(kind, changes[kind])
    with pytest.raises(PoseFileError, match=rf"{named}: a focal length of .* cannot be meant|{named}.*shares of its"):
        read_poses(file.parent if "sparse" in str(file) else file)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"cx": 1e20}, "a principal point 1e\\+20 pixels from the photograph's middle along x cannot be meant"),
        ({"cy": -1e4}, "a principal point 10016 pixels"),
        ({"k1": 1e300}, "a lens distortion k1 of 1e\\+300 cannot be meant"),
        ({"w": 1e7, "h": 1e7}, "a photograph of 1e\\+07x1e\\+07 pixels cannot be meant"),
        ({"transform_matrix": [[1, 0, 0, 1e300], [0, 1, 0, 0], [0, 0, 1, 0]]}, "a position of 1e\\+300 in its pose"),
    ],
)
def test_a_camera_that_no_photograph_has_is_refused(
    damaged: Callable[..., Path], values: dict[str, Any], said: str
) -> None:
    file = damaged("transforms.json", in_first_frame(**values))
    with pytest.raises(PoseFileError, match=rf"transforms\.json: view '000': {said}"):
        read_poses(file)


def test_a_model_of_photographs_without_width_is_refused(damaged: Callable[..., Path]) -> None:
    file = damaged("cameras.txt", with_words("PINHOLE 32", "PINHOLE 0"))
    with pytest.raises(PoseFileError, match=r"cameras\.txt: view '000': a photograph of 0x32 pixels cannot be meant"):
        read_colmap(file.parent)


def test_a_pose_of_a_model_of_fewer_numbers_is_refused(damaged: Callable[..., Path]) -> None:
    def change(content: bytes) -> bytes:
        words = content.split(b" ")
        return b" ".join([*words[:3], *words[4:]])

    file = damaged("images.txt", change)
    with pytest.raises(PoseFileError, match=r"images\.txt: is cut off, damaged"):
        read_colmap(file.parent)


@pytest.mark.parametrize("value", ["1e300", "nan", "inf"])
def test_points_of_a_model_that_no_scene_has_are_left_out_and_named(damaged: Callable[..., Path], value: str) -> None:
    def change(content: bytes) -> bytes:
        number, _, *rest = content.split(b" ")
        return b" ".join([number, value.encode(), *rest])

    model = read_colmap_points(damaged("points3D.txt", change).parent)
    assert model is not None and len(model.positions) == POINTS - 1 and model.positions.isfinite().all()
    assert model.notes[0][0].startswith(f"left out: 1 of {POINTS} points of ")


@pytest.mark.parametrize("header", ["(4, 17000000000)", "(((", "(4, 17) ,"])
def test_an_array_that_states_more_numbers_than_it_has_is_refused(damaged: Callable[..., Path], header: str) -> None:
    def change(content: bytes) -> bytes:
        head = content[:128].replace(b"(4, 17)", header.encode())
        return head[: 128 if len(head) > 128 else None].rstrip(b" \n").ljust(127) + b"\n" + content[128:]

    with pytest.raises(PoseFileError, match=r"poses_bounds\.npy: is no array of numbers"):
        read_poses(damaged("poses_bounds.npy", change))


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian"])
def test_points_are_read_where_they_stand(tmp_path: Path, kind: str) -> None:
    content = points(kind).replace(b"element vertex", b"comment a\nelement camera 2\nproperty uchar id\nelement vertex")
    end = content.index(b"end_header\n") + len(b"end_header\n")
    (tmp_path / "a.ply").write_bytes(content[:end] + (b"7\n8\n" if kind == "ascii" else b"\x07\x08") + content[end:])
    columns = read_ply(tmp_path / "a.ply")
    expected = np.random.default_rng(0).uniform(-0.5, 0.5, (POINTS, 3))
    assert np.stack([columns[axis] for axis in "xyz"], axis=1) == pytest.approx(expected, abs=1e-5)
    assert set(columns["red"].tolist()) == {200}


def test_points_of_the_other_byte_order_are_read(tmp_path: Path) -> None:
    head = points("binary_big_endian").partition(b"end_header\n")[0] + b"end_header\n"
    body = b"".join(struct.pack(">3f3B", i, 2, 3, 4, 5, 6) for i in range(POINTS))
    (tmp_path / "a.ply").write_bytes(head + body)
    assert read_ply(tmp_path / "a.ply")["x"].tolist() == list(range(POINTS))


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian"])
def test_a_file_of_points_that_is_cut_off_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.ply").write_bytes(points(kind)[:-30])
    with pytest.raises(ValueError, match=f"it states {POINTS} points, and has 1[789]"):
        read_ply(tmp_path / "a.ply")


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian"])
@pytest.mark.parametrize("count", ["500000000", "99999999999999999999"])
def test_points_that_are_not_there_take_no_memory(
    tmp_path: Path, kind: str, count: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(np, "fromfile", None)
    (tmp_path / "a.ply").write_bytes(points(kind).replace(b"vertex 20", f"vertex {count}".encode()))
    with pytest.raises(ValueError, match=f"it states {count} points, and has {POINTS}"):
        read_ply(tmp_path / "a.ply")


@pytest.mark.parametrize("old", ["end_header", "ply", "vertex", "format"])
def test_a_header_that_is_none_is_refused(tmp_path: Path, old: str) -> None:
    (tmp_path / "a.ply").write_bytes(points("ascii").replace(old.encode(), b"other", 1))
    with pytest.raises((ValueError, LookupError)):
        read_ply(tmp_path / "a.ply")
