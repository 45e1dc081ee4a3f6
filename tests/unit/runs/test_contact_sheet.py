"""The contact sheet of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from sparseags_ns.metrics.images import over_white
from sparseags_ns.runs.contact_sheet import RED, contact_sheet, save_image
from sparseags_ns.runs.record import ViewStatus
from sparseags_ns.views import Views


def test_contact_sheet_frames_outliers_in_red(make_views: Callable[..., Views], tmp_path: Path) -> None:
    views = make_views(3, 32)
    photographs = over_white(views.images, views.masks)
    statuses = [ViewStatus.TRUSTED, ViewStatus.UNTRUSTED, ViewStatus.CORRECTED]
    sheet = contact_sheet(photographs, photographs, ["a", "b", "c"], statuses)
    reds = [x for x in range(sheet.width) if sheet.getpixel((x, sheet.height // 2)) == RED]
    third = sheet.width / 3
    assert reds and all(third <= x < 2 * third for x in reds)
    save_image(sheet, tmp_path / "views.png")
    assert [p.name for p in tmp_path.iterdir()] == ["views.png"]


def test_contact_sheet_wraps_many_views() -> None:
    images = torch.rand(19, 16, 16, 3)
    sheet = contact_sheet(images, images, [str(i) for i in range(19)], [ViewStatus.TRUSTED] * 19)
    assert sheet.width / sheet.height < 8 and sheet.height > 3 * 2 * 192
