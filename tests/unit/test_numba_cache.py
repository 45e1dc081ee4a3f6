"""Compiled kernels are kept in the first folder that can be written, and compile where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparseags_ns import numba_cache


def test_kernels_compile_where_no_folder_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba_cache, "cache_folder", lambda name, *sources: None)
    kernel = numba_cache.compiler("test", Path(__file__), nogil=True)
    assert kernel(lambda x: x + 1.0)(2.0) == 3.0


def test_kernels_are_kept_in_the_next_folder_where_one_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(blocked))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = numba_cache.cache_folder.__wrapped__("test", Path(__file__))
    assert folder is not None and tmp_path in folder.parents and blocked not in folder.parents


def test_the_folder_changes_with_any_of_the_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    folders = []
    for texts in (("a", "b"), ("a", "c")):
        one.write_text(texts[0])
        two.write_text(texts[1])
        folders.append(numba_cache.cache_folder.__wrapped__("test", one, two))
    assert None not in folders and folders[0] != folders[1]
