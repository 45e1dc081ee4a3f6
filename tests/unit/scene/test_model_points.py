"""Which cameras of a COLMAP model are fixed, decided by where the photographs show its points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sparseags_ns.formats.colmap import SeenPoints, write_colmap
from sparseags_ns.formats.colmap_records import PointRecord, read_records, write_records
from sparseags_ns.formats.frame import Frame
from sparseags_ns.formats.projection import project_points
from sparseags_ns.geometry import se3
from sparseags_ns.scene.reading import ReadingOptions, read_scene

SIZE = 64
NAMES = ["000", "001", "002", "003"]


@pytest.fixture
def write_model(
    tmp_path: Path, save_photograph: Callable[..., None], make_frames: Callable[..., list[Frame]]
) -> Callable[..., Path]:
    """`write_model(rough, noise_px, error, photo_px)`: a scene whose cameras are right or rough, and whose points state
    an error; photographs and model have `photo_px` pixels.
    """

    def write(rough: bool = False, noise_px: float = 0.3, error: float = 1.0, photo_px: int = SIZE) -> Path:
        generator = torch.Generator().manual_seed(0)
        frames = make_frames(NAMES, "", photo_px, photo_px)
        positions = 0.4 * (torch.rand(120, 3, generator=generator, dtype=torch.float64) - 0.5)
        pixels = torch.stack([project_points(frame, positions) for frame in frames])
        pixels += noise_px * torch.randn(pixels.shape, generator=generator, dtype=torch.float64)
        if rough:
            wrong = 0.2 * torch.randn(len(frames), 6, generator=generator, dtype=torch.float64)
            moved = zip(frames, se3.exp(wrong), strict=True)
            frames = [Frame(f.name, f.file_path, T @ f.T_camera_world, f.K, f.width, f.height) for f, T in moved]
        seen = SeenPoints(positions, positions * 0, pixels, torch.ones(pixels.shape[:2], dtype=torch.bool))
        folder = tmp_path / "sparse/0"
        folder.mkdir(parents=True, exist_ok=True)
        write_colmap(folder, frames, seen, "bin")
        points = read_records(folder / "points3D.bin", PointRecord)
        points = [PointRecord(p.id, p.position, p.color, error, p.track) for p in points]
        write_records(folder / "points3D.bin", points)
        for name in NAMES:
            save_photograph(tmp_path / f"images/{name}.png", photo_px, photo_px)
        return tmp_path

    return write


def fixed(scene: Path) -> int:
    return int(read_scene(scene, ReadingOptions(resolution=SIZE)).views.fixed.sum())


@pytest.mark.parametrize("error", [1.0, 0.2, 0.0, -1.0, 50.0])
def test_only_what_the_observations_give_decides(write_model: Callable[..., Path], error: float) -> None:
    assert fixed(write_model(error=error)) == 4
    assert fixed(write_model(rough=True, error=error)) == 0


def test_errors_are_compared_in_working_pixels(write_model: Callable[..., Path]) -> None:
    assert fixed(write_model(noise_px=2.0)) == 0
    assert fixed(write_model(noise_px=2.0, photo_px=16 * SIZE)) == 4, "the disc fills two thirds of the photograph"


def test_why_cameras_are_refined_is_said(
    write_model: Callable[..., Path], capsys: pytest.CaptureFixture[str], snapshot: Callable[..., None]
) -> None:
    scene = write_model(rough=True)
    read_scene(scene, ReadingOptions(resolution=SIZE))
    snapshot(capsys.readouterr().err, SCENE=scene)
