"""The focal length in a photograph's EXIF tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image, TiffImagePlugin

from sparseags_ns.preprocess.photo_files import focal_px, read_photo_file

EXIF_IFD, FOCAL, FILM, WIDTH, HEIGHT, DENSITY, UNIT = 0x8769, 0x920A, 0xA405, 0xA002, 0xA003, 0xA20E, 0xA210


def tags(values: dict[int, Any]) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "maker"  # Pillow writes no tags below the first folder where that is empty
    exif.get_ifd(EXIF_IFD).update(values)
    return exif


def ratio(a: int, b: int) -> TiffImagePlugin.IFDRational:
    return TiffImagePlugin.IFDRational(a, b)


def test_film_equivalents_give_the_angle_of_view_over_the_diagonal() -> None:
    assert focal_px(tags({FILM: 36}), (3600, 2400)) == pytest.approx(3600)
    assert focal_px(tags({FILM: 26}), (4000, 3000)) == pytest.approx(26 / 43.2666 * 5000, rel=1e-4)


def test_a_photograph_on_its_side_or_made_smaller_has_the_same_angle_of_view() -> None:
    values = {FILM: 26, WIDTH: 4000, HEIGHT: 3000}
    lying, standing, small = (focal_px(tags(values), size) for size in ((4000, 3000), (3000, 4000), (400, 300)))
    assert lying is not None and small is not None
    assert standing == lying and small == pytest.approx(lying / 10)


@pytest.mark.parametrize(("unit", "density"), [(2, 25400), (3, 10000)])
def test_millimetres_need_the_density_of_the_sensor(unit: int, density: int) -> None:
    # 1000 pixels in a millimetre.
    values = {FOCAL: ratio(50, 10), DENSITY: ratio(density, 1), UNIT: unit, WIDTH: 4000, HEIGHT: 3000}
    assert focal_px(tags(values), (4000, 3000)) == pytest.approx(5000)
    assert focal_px(tags(values), (2000, 1500)) == pytest.approx(2500)
    assert focal_px(tags({FOCAL: ratio(50, 10)}), (4000, 3000)) is None


def test_film_equivalents_go_before_millimetres() -> None:
    values = {FILM: 36, FOCAL: ratio(5, 1), DENSITY: ratio(10000, 1), UNIT: 3, WIDTH: 3600, HEIGHT: 2400}
    assert focal_px(tags(values), (3600, 2400)) == pytest.approx(3600)


@pytest.mark.parametrize("values", [{}, {FILM: 0}, {FILM: "wide"}, {FILM: 1}, {FILM: 5000}, {FOCAL: ratio(1, 0)}])
def test_absurd_tags_say_nothing(values: dict[int, Any]) -> None:
    assert focal_px(tags(values), (4000, 3000)) is None


def test_a_photograph_that_was_cropped_has_lost_its_focal_length() -> None:
    assert focal_px(tags({FILM: 26, WIDTH: 4000, HEIGHT: 3000}), (3000, 3000)) is None


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_the_header_of_a_photograph_has_it(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    Image.new("RGB", (36, 24)).save(path, exif=tags({FILM: 36}))
    assert read_photo_file(path).focal_px == pytest.approx(36)
