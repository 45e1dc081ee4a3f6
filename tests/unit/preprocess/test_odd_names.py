"""Photographs have names of any bytes."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image

from sparseags_ns.preprocess.mask_plan import plan_masks, read_with_mask
from sparseags_ns.preprocess.photo_files import read_photo_file
from sparseags_ns.preprocess.store import Store


def test_masks_of_photographs_of_any_name_are_computed_and_kept(tmp_path: Path) -> None:
    files = []
    for name in ("#a b.png", "c\nd.png", os.fsdecode(b"\xff.png")):
        image = Image.new("RGB", (64, 64), (200, 200, 200))
        image.paste((150, 30, 20), (20, 20, 44, 44))
        image.save(tmp_path / name)
        files.append(read_photo_file(tmp_path / name))
    plan = plan_masks(files, tmp_path / "masks", Store(tmp_path / "sparseags"), "background")
    for file in files:
        mask = read_with_mask(file, plan, 64)[1]
        assert mask is not None and 0.1 < float(mask.mean()) < 0.2
