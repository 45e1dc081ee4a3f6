"""Destinations of exports: existing files and folders are never lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sparseags_ns.export.destination import MARK, ExportError, new_file, new_folder, require_free

PLY = (".ply", ".glb")


def test_a_new_path_and_an_empty_folder_are_free(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert require_free(tmp_path / "empty", False, ()) == tmp_path / "empty"
    assert require_free(tmp_path / "a" / "b.PLY", False, PLY) == tmp_path / "a" / "b.PLY"


@pytest.mark.parametrize(
    "name, endings, complaint",
    [
        ("mesh.ply", PLY, "exists already: name another --output, or add --overwrite to replace it"),
        ("other", (), "exists already"),
        ("mesh.stl", PLY, r"mesh\.stl must end in \.ply or \.glb"),
        ("other.ply", PLY, r"is a folder; name a file in it, for example .*export\.ply"),
        ("mesh.ply", (), "is a file; this export is a folder"),
    ],
)
def test_a_taken_path_or_a_wrong_ending_is_refused(
    tmp_path: Path, name: str, endings: tuple[str, ...], complaint: str
) -> None:
    (tmp_path / "mesh.ply").write_text("mine")
    for folder in ("other", "other.ply"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match=complaint):
        require_free(tmp_path / name, False, endings)


def test_a_folder_with_other_files_is_not_replaced_even_on_request(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match="holds other files than an earlier export"):
        require_free(tmp_path, True, ())
    (tmp_path / MARK).write_text('{"made_by": "somebody else"}')
    with pytest.raises(ExportError, match="holds other files"):
        require_free(tmp_path, True, ())


def test_an_earlier_export_is_replaced_as_a_whole_on_request(tmp_path: Path) -> None:
    target = tmp_path / "cameras"
    for name in ("first", "second"):
        with new_folder(require_free(target, True, ()), {"kind": "test"}) as work:
            (work / name).write_text(name)
    assert sorted(file.name for file in target.iterdir()) == [MARK, "second"]
    assert json.loads((target / MARK).read_text()) == {"made_by": "sparseags export", "kind": "test"}


def test_a_failed_export_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "splat.ply").write_text("old")
    with pytest.raises(RuntimeError), new_file(tmp_path / "splat.ply") as work:
        work.write_text("half")
        raise RuntimeError
    with pytest.raises(RuntimeError), new_folder(tmp_path / "cameras", {}) as work:
        (work / "half").write_text("half")
        raise RuntimeError
    assert [file.name for file in tmp_path.iterdir()] == ["splat.ply"]
    assert (tmp_path / "splat.ply").read_text() == "old"


def test_a_file_may_come_with_others_beside_it(tmp_path: Path) -> None:
    with new_file(tmp_path / "new" / "mesh.obj") as work:
        work.write_text("obj")
        work.with_suffix(".mtl").write_text("mtl")
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["mesh.mtl", "mesh.obj"]


def test_two_exports_into_one_folder_at_once_both_succeed(tmp_path: Path) -> None:
    path = tmp_path / "export"
    with new_folder(path, {"kind": "first"}) as first:
        (first / "first").touch()
        with new_folder(path, {"kind": "second"}) as second:
            (second / "second").touch()
    assert sorted(file.name for file in path.iterdir()) == [MARK, "first"]
    assert list(tmp_path.iterdir()) == [path]
