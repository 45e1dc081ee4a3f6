"""Files appear whole or not at all, and nothing temporary stays."""

from __future__ import annotations

import errno
import json
import math
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from sparseags_ns import storage
from sparseags_ns.storage import (
    OutputError,
    all_at_once,
    exchange,
    replacing,
    replacing_folder,
    write_bytes,
    write_json,
    write_npz,
    write_text,
)


def test_content_comes_back_and_folders_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "text.txt", "é\n")
    write_bytes(tmp_path / "a" / "bytes", b"\r\n\x00")
    write_json(tmp_path / "a" / "short.json", {"b": [1, 2]}, indent=None)
    write_npz(tmp_path / "a" / "arrays.npz", {"x": np.arange(3)}, compressed=True)
    assert (tmp_path / "a" / "text.txt").read_bytes() == "é\n".encode()
    assert (tmp_path / "a" / "bytes").read_bytes() == b"\r\n\x00"
    assert (tmp_path / "a" / "short.json").read_text() == '{"b":[1,2]}\n'
    with np.load(tmp_path / "a" / "arrays.npz") as arrays:
        assert arrays["x"].tolist() == [0, 1, 2]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["arrays.npz", "bytes", "short.json", "text.txt"]


def test_after_an_error_the_old_file_is_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half of the new")
        raise ZeroDivisionError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    with replacing(path) as first:
        first.write_text("first")
        with replacing(path) as second:
            assert first != second
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first" and list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_whole_once_and_not_after_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    with pytest.raises(ZeroDivisionError), replacing_folder(folder) as part:
        (part / "half").touch()
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with replacing_folder(folder) as first:
        (first / "of the first").touch()
        with replacing_folder(folder) as second:
            (second / "of the second").touch()
        assert not (folder / "of the first").exists()
    assert list(tmp_path.rglob("*")) == [folder, folder / "of the second"], "the one that was there stays"


def test_of_many_writers_of_one_folder_at_once_each_succeeds(tmp_path: Path) -> None:
    writers = 8
    together = Barrier(writers)

    def write(folder: Path) -> None:
        with replacing_folder(folder) as part:
            (part / "whole").touch()
            together.wait(30)

    for round_ in range(20):
        folder = tmp_path / str(round_)
        with ThreadPoolExecutor(writers) as pool:
            assert list(pool.map(write, [folder] * writers)) == [None] * writers
        assert [path.name for path in folder.iterdir()] == ["whole"]
    assert len(list(tmp_path.iterdir())) == 20


def test_of_many_that_exchange_one_folder_at_once_each_succeeds(tmp_path: Path) -> None:
    writers = 8
    together, path = Barrier(writers), tmp_path / "export"

    def write(number: int) -> None:
        own = tmp_path / f"{number}"
        (own / "new").mkdir(parents=True)
        (own / "new" / "file").touch()
        together.wait(30)
        exchange(own / "new", path, own)

    with ThreadPoolExecutor(writers) as pool:
        assert list(pool.map(write, range(8 * writers))) == [None] * 8 * writers
    assert [file.name for file in path.iterdir()] == ["file"]


def test_what_cannot_be_exchanged_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "path").write_text("mine")
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "missing", tmp_path / "path", tmp_path)
    assert (tmp_path / "path").read_text() == "mine", "what was there stays"


def test_the_temporary_file_matches_no_pattern_for_photographs_or_checkpoints(tmp_path: Path) -> None:
    for name in ("photo.png", "step-000000001.ckpt"):
        with replacing(tmp_path / name, folder=tmp_path) as temporary:
            assert temporary.name.startswith(".") and temporary.suffix == ".part"
            temporary.write_text(name)


def test_numbers_that_are_no_json_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "file.json", {"error": math.nan})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
def test_files_have_the_usual_mode(tmp_path: Path) -> None:
    (tmp_path / "usual").write_text("")
    write_json(tmp_path / "file.json", {})
    assert json.loads((tmp_path / "file.json").read_text()) == {}
    assert (tmp_path / "file.json").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_files_written_at_once_take_their_places_together(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_text(tmp_path / name, "old")
    with pytest.raises(ZeroDivisionError), all_at_once():
        write_text(tmp_path / "a", "new")
        raise ZeroDivisionError
    assert [(tmp_path / name).read_text() for name in ("a", "b")] == ["old", "old"]
    with all_at_once():
        write_text(tmp_path / "a", "new")
        assert (tmp_path / "a").read_text() == "old"
        write_text(tmp_path / "b", "new")
    assert [(tmp_path / name).read_text() for name in ("a", "b")] == ["new", "new"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_full_disk_is_one_sentence_with_path_and_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    write_text(tmp_path / "file", "old")
    monkeypatch.setattr(os, "fsync", full)
    message = r"cannot write .*file: No space left on device; it needs 2\.0 MB, and [\d.]+ MB are free there; make room"
    with pytest.raises(OutputError, match=message):
        write_bytes(tmp_path / "file", bytes(2_000_000))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("swaps", [True, False])
def test_an_old_folder_is_there_until_the_new_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swaps: bool
) -> None:
    if not swaps:
        monkeypatch.setattr(storage, "_swapped", lambda *_: False)
    elif sys.platform != "linux":
        pytest.skip("only Linux lets two folders change places at once")
    seen, flush = [], storage.flush_folder
    monkeypatch.setattr(Path, "rename", lambda *paths: seen.append(paths) or os.rename(*paths))
    monkeypatch.setattr(storage, "flush_folder", lambda folder: seen.append(folder) or flush(folder))
    for name in ("work/new", "export"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text(name)
    exchange(tmp_path / "work" / "new", tmp_path / "export", tmp_path / "work")
    assert (tmp_path / "export" / "file").read_text() == "work/new" and seen[-1] == tmp_path
    assert any(isinstance(step, tuple) for step in seen) != swaps
