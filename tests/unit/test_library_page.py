"""The examples of docs/library.md run as they stand."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import sparseags_ns
from sparseags_ns.optimization.reconstruct import reconstruct
from sparseags_ns.sample import SampleConfig, make_sample

PAGE = Path(__file__).parents[2] / "docs" / "library.md"


def example(title: str) -> str:
    """The Python code below a heading of the page."""
    page = PAGE.read_text(encoding="utf-8")
    match = re.search(rf"^## {title}\n\n```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert match is not None, f"docs/library.md has no example below '{title}'"
    return match.group(1)


def run_example(code: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    # Few steps: the examples are checked for what they call, not for how good the result is.
    monkeypatch.setitem(vars(sparseags_ns), "reconstruct", partial(reconstruct, steps=6))
    names: dict[str, Any] = {}
    exec(code, names)
    return names


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos") / "sample"
    make_sample(SampleConfig(size=64, num_views=5, num_test_views=1, samples=1, surface_points=1000), folder)
    return folder


@pytest.mark.parametrize("title", ["Refine poses", "Search one pose"])
def test_examples_on_photographs_run(title: str, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = example(title).replace('"PHOTOS"', repr(str(photos)))
    if title == "Refine poses":
        code = code.replace("repair_poses=repair, ", "")  # The repair takes a minute, and has tests of its own.
    names = run_example(code, monkeypatch)
    found = names["result"].cameras.T_camera_world if title == "Refine poses" else names["found"].poses
    assert found.shape[1:] == (4, 4) and len(found) > 0


def test_example_on_a_run_renders(make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    names = run_example(example("Render").replace('"RUN"', repr(str(make_run()))), monkeypatch)
    assert names["raster"].rgb.shape == (4, 32, 32, 3)
