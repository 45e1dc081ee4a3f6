"""Photographs that one camera setting took are recognised."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sparseags_ns.formats.frame import Frame, intrinsics_matrix
from sparseags_ns.preprocess.photo import Photo
from sparseags_ns.preprocess.photo_files import PhotoFile
from sparseags_ns.preprocess.posed_photo_files import PosedPhotoFile, shared_focal_scales

SIZE = (640, 480)
FOCALS = (480.0, 470.0, 500.0, 490.0)


def posed(
    focal: float, center: tuple[float, float] = (320.0, 240.0), size: tuple[int, int] = (640, 480)
) -> PosedPhotoFile:
    frame = Frame("a", "a.png", torch.eye(4).double(), intrinsics_matrix(focal, focal, *center), *size)
    return PosedPhotoFile(PhotoFile(Path("a.png"), size, size, orientation=1, has_alpha=True), frame)


def photo(of: PosedPhotoFile, enlarged: float) -> Photo:
    plane = torch.ones(4, 4)
    K = torch.tensor([enlarged, enlarged, 1.0]).double()[:, None] * of.frame.K
    return Photo(rgb=torch.ones(4, 4, 3), mask=plane, valid=plane, K=K)


def test_photographs_of_one_size_and_one_principal_point_share_their_focal_length() -> None:
    files, enlarged = [posed(focal) for focal in FOCALS], [0.5, 0.7, 0.5, 0.4]
    scales = shared_focal_scales(files, [photo(*pair) for pair in zip(files, enlarged, strict=True)])
    assert scales is not None
    torch.testing.assert_close(scales, torch.tensor(enlarged).double())


def test_photographs_that_a_network_stretched_alike_share_their_focal_length() -> None:
    stretched = []
    for file in map(posed, FOCALS):
        fx, fy, cx, cy = file.frame.intrinsics
        K = intrinsics_matrix(fx * 518 / 640, fy * 392 / 480, cx * 518 / 640, cy * 392 / 480)
        stretched.append(replace(file, frame=replace(file.frame, K=K, width=518, height=392)))
    scales = shared_focal_scales(stretched, [photo(file, 0.5) for file in stretched])
    assert scales is not None
    torch.testing.assert_close(scales, torch.full((4,), 0.5).double())


@pytest.mark.parametrize(
    "odd",
    [posed(480.0, center=(330.0, 240.0)), posed(480.0, size=(480, 640), center=(240.0, 320.0)), posed(700.0)],
    ids=["cropped", "another size", "zoomed"],
)
def test_other_photographs_do_not_share_it(odd: PosedPhotoFile) -> None:
    files = [posed(480.0), posed(485.0), odd]
    assert shared_focal_scales(files, [photo(each, 0.5) for each in files]) is None
