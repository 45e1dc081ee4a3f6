"""Real and rendered scenes that others have made are read as their makers meant them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.formats.frame import Frame, intrinsics_matrix
from sparseags_ns.formats.transforms_json import read_transforms_json, write_transforms_json
from sparseags_ns.geometry.cameras import opencv_from_opengl
from sparseags_ns.scene.reading import ReadingOptions, read_scene
from sparseags_ns.views import Views

LEVELS = ("dust3r", "raydiff", "outlier1", "outlier2")


def read_views(folder: Path, **options: Any) -> Views:
    return read_scene(folder, ReadingOptions(**options)).views


def assert_pixel_for_pixel(views: Views) -> None:
    for path, image, mask in zip(views.paths, views.images, views.masks, strict=True):
        pixels = torch.from_numpy(np.array(Image.open(path), dtype=np.float32)) / 255
        assert torch.equal(image, pixels[..., :3]) and torch.equal(mask, pixels[..., 3])


def linked_scene(folder: Path, photographs: list[Path], frames: list[Frame]) -> Path:
    """A scene of some photographs that lie elsewhere."""
    (folder / "images").mkdir()
    for photograph in photographs:
        (folder / "images" / photograph.name).symlink_to(photograph)
    write_transforms_json(folder / "transforms.json", frames)
    return folder


@pytest.mark.parametrize(("name", "number"), [("toy", 4), ("butter", 6), ("jordan", 8), ("robot", 8), ("eagle", 8)])
def test_the_authors_crops_arrive_untouched_with_their_cameras(shared_data: Path, name: str, number: int) -> None:
    folder = shared_data / "sparseags_demo" / name
    views = read_views(folder)
    given = {
        Path(entry["filepath"]).stem: entry for entry in json.loads((folder / "cameras.json").read_text()).values()
    }
    assert len(views) == number and set(views.names) == set(given)
    assert_pixel_for_pixel(views)
    assert views.valid.min() == 1 and views.trusted.all()
    for view, K in zip(views.names, views.cameras.K, strict=True):
        assert torch.equal(K, intrinsics_matrix(*given[view]["focal_length"], *given[view]["principal_point"]))


@pytest.mark.parametrize("level", LEVELS)
def test_both_formats_of_a_rendered_scene_agree(shared_data: Path, level: str) -> None:
    folder = shared_data / "synthetic" / "cup_and_saucer"
    views = read_views(folder, poses=Path(f"init/{level}/cameras.json"))
    same = read_views(folder, poses=Path(f"init/{level}/transforms.json"))
    assert views.names == same.names == tuple(f"{i:03d}" for i in range(8))
    assert views.paths == same.paths == tuple(folder / f"images/{i:03d}.png" for i in range(8))
    assert torch.allclose(views.cameras.T_camera_world, same.cameras.T_camera_world, atol=1e-9)
    assert torch.equal(views.cameras.K, same.cameras.K)
    assert torch.equal(views.images, same.images)
    assert_pixel_for_pixel(views)


def test_valid_boxes_of_photographs_cut_by_their_edge_are_carried(shared_data: Path) -> None:
    folder = shared_data / "real" / "dtu_scan37"
    views = read_views(folder, poses=folder / "gt/transforms.json")
    frames = read_transforms_json(folder / "gt/transforms.json", folder)
    for frame, valid in zip(frames, views.valid, strict=True):
        left, top, right, bottom = frame.extra["source_valid_box"]
        assert valid.sum() == pytest.approx((right - left) * (bottom - top), rel=1e-5)
    assert_pixel_for_pixel(views)
    assert (views.masks * (views.valid == 0)).sum() < 1e-3 * views.masks.sum()


def test_the_same_photographs_at_twice_the_size_are_recentred_to_the_same_crops(shared_data: Path) -> None:
    folder = shared_data / "real" / "dtu_scan37"
    small = read_views(folder, poses=folder / "gt/transforms.json")
    large = read_views(folder, poses=folder / "gt/transforms_512.json")
    assert large.paths[0].parent.name == "images_512"
    assert large.images.shape == small.images.shape
    # Both were cropped around the object; by less than a pixel's width they found different boxes.
    assert torch.allclose(large.cameras.K, small.cameras.K, rtol=5e-3, atol=1.0)
    assert (large.masks - small.masks).abs().mean() < 0.02
    assert (large.valid - small.valid).abs().mean() < 0.02
    over_white = [v.images * v.masks[..., None] + 1 - v.masks[..., None] for v in (large, small)]
    assert (over_white[0] - over_white[1]).abs().mean() < 0.02


def test_the_real_sets_that_are_estimates_have_no_valid_box(shared_data: Path) -> None:
    views = read_views(shared_data / "real" / "co3d_controller", poses=Path("init/dust3r/cameras.json"))
    assert len(views) == 8 and views.valid.min() == 1
    assert_pixel_for_pixel(views)


def test_large_cut_out_renders_are_recentred(shared_data: Path, tmp_path: Path) -> None:
    photographs = sorted((shared_data / "omni3d/dinosaur_002/images").glob("*.png"))
    K = intrinsics_matrix(1000.0, 1000.0, 405.5, 405.5)
    poses = [np.load(p.parents[1] / "poses" / f"{p.stem}.npy").astype(np.float64) for p in photographs]
    frames = [
        Frame(p.stem, f"images/{p.name}", opencv_from_opengl(torch.from_numpy(T)), K, 811, 811)
        for p, T in zip(photographs, poses, strict=True)
    ]
    views = read_views(linked_scene(tmp_path, photographs, frames))
    assert views.images.shape == (4, 256, 256, 3)
    for mask, K_view in zip(views.masks, views.cameras.K, strict=True):
        rows, columns = torch.nonzero(mask > 0.5, as_tuple=True)
        extents = [int(side.max() - side.min()) + 1 for side in (rows, columns)]
        assert max(extents) == pytest.approx(0.8 * 256, abs=2)
        assert K_view[0, 0] == K_view[1, 1] > 400.0  # the crop is a bit larger than half of the render
    assert views.valid.min() == 1


def test_photographs_of_a_distorted_camera_are_straightened_whole(shared_data: Path, tmp_path: Path) -> None:
    fox = shared_data / "photos" / "fox"
    frames = read_transforms_json(fox / "transforms.json")[::6][:8]
    views = read_views(linked_scene(tmp_path, [fox / f.file_path for f in frames], frames), masks="none")
    assert views.images.shape == (8, 256, 144, 3)
    assert views.masks[views.valid > 0.01].min() > 0.999
    assert 0.97 < views.valid.mean() < 1
    scale = torch.tensor([[144 / 540], [256 / 960], [1.0]], dtype=torch.float64)
    assert torch.allclose(views.cameras.K[0], frames[0].K * scale)
    thumbnail = Image.open(fox / frames[0].file_path).resize((144, 256), Image.Resampling.BOX)
    drawn = torch.from_numpy(np.array(thumbnail, dtype=np.float32)) / 255
    middle = slice(108, 148), slice(52, 92)  # the lens bends the middle of the photograph by nothing
    assert (views.images[0] - drawn)[middle].abs().mean() < 0.01
