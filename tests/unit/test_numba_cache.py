"""Compiled kernels are kept in the first folder that can be written, and compile where there is none."""

from __future__ import annotations

from collections.abc import Callable
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


@pytest.mark.parametrize("ending", [".nbi", ".nbc"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-40] + bytes([content[-40] ^ 1]) + content[-39:],
        lambda content: b"\x80\x04N.",
        lambda content: content[:99] + bytes([content[99] ^ 16]) + content[100:],
    ],
)
def test_damaged_machine_code_is_compiled_again_and_named(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    ending: str,
    damage: Callable[[bytes], bytes],
) -> None:
    monkeypatch.setattr(numba_cache, "cache_folder", lambda name, *sources: tmp_path)
    decorate = numba_cache.compiler("test", Path(__file__))
    assert decorate(doubled)(2.0) == 4.0
    (file,) = tmp_path.rglob(f"*{ending}")
    content = file.read_bytes()
    file.write_bytes(damage(content))
    again = decorate(doubled)
    assert again(2.0) == 4.0 and not again.stats.cache_hits
    assert f"warning: {file} is damaged (its kernel is compiled again)" in capsys.readouterr().err
    loaded = decorate(doubled)
    assert loaded(2.0) == 4.0 and loaded.stats.cache_hits, "it was written anew"
    assert capsys.readouterr().err == ""


def test_kernels_compile_where_their_code_can_no_longer_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(numba_cache, "cache_folder", lambda name, *sources: tmp_path)
    monkeypatch.setattr("os.replace", full)
    assert numba_cache.compiler("test", Path(__file__))(doubled)(2.0) == 4.0
    assert "warning: compiled code is not kept in" in capsys.readouterr().err


def doubled(x: float) -> float:
    return 2 * x
