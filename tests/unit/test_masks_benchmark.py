"""The masks suite measures what the command leaves, and draws it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import masks
from sparseags_ns.preprocess import rembg_masks

SIZE = 96


@pytest.fixture
def balls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three photographs of a ball; its makers' masks have a hole."""
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    distance = np.hypot(rows - SIZE / 2, columns - SIZE / 2)
    for name in ("source", "processed"):
        (tmp_path / "balls" / name).mkdir(parents=True)
    for index in range(3):
        pixels = np.where((distance < 24)[..., None], np.array([200, 40, 30 + index]), np.array([210, 208, 200]))
        image = Image.fromarray(pixels.astype(np.uint8))
        image.save(tmp_path / f"balls/source/{index}.png")
        image.putalpha(Image.fromarray(np.where((distance < 24) & (distance > 10), 255, 0).astype(np.uint8)))
        image.save(tmp_path / f"balls/processed/{index}_rgba.png")
    monkeypatch.setattr(masks, "DEMO", tmp_path)
    monkeypatch.setattr(masks, "SETS", ("balls",))
    monkeypatch.setattr(rembg_masks, "missing", lambda: "not installed")
    return tmp_path


def test_stored_masks_are_compared_with_those_of_the_makers(balls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = masks.run(quick=False)
    assert [metric.name for metric in metrics] == [f"balls/{index}/background" for index in range(3)]
    for metric in metrics:
        assert metric.value == pytest.approx(1 - (10 / 24) ** 2, abs=0.03) and metric.better == "higher"
        assert float(metric.shown.split("(")[1].rstrip(")")) > 0.95, "with the hole filled"
    assert "masks below 0.9: balls/0/background 0.8" in capsys.readouterr().out
    (drawn,) = masks.plot(metrics, balls)
    magenta = (np.asarray(Image.open(drawn)).astype(int) - (255, 26, 230)).__abs__().max(-1) < 30
    assert magenta.sum() > 3 * 200, "what is cut out beyond the makers' masks"


def test_nothing_is_measured_without_the_photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masks, "DEMO", tmp_path / "absent")
    assert masks.run(quick=False) == [] and masks.plot([], tmp_path) == []
