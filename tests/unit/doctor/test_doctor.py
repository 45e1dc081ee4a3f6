"""The doctor: what stops the main job, what does not, and a remedy for everything that is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement

from sparseags_ns import doctor
from sparseags_ns.cli import doctor as command
from sparseags_ns.cli.doctor import Doctor, print_checks
from sparseags_ns.console import PlainConsole
from sparseags_ns.doctor import environment, optional
from sparseags_ns.doctor.checks import Check, State, to_json, works
from sparseags_ns.doctor.environment import method_check, package_checks, python_check
from sparseags_ns.metrics import images


def check(state: State, needed: bool) -> Check:
    return Check("Group", "thing", state, "found", "" if state == "ok" else "remedy", needed)


@pytest.mark.parametrize(
    "state, needed, runs",
    [
        ("ok", True, True),
        ("note", True, True),
        ("missing", True, False),
        ("wrong", True, False),
        ("wrong", False, True),
    ],
)
def test_only_what_is_needed_and_absent_or_broken_stops_the_main_job(state: State, needed: bool, runs: bool) -> None:
    assert works([check("ok", True), check(state, needed)]) is runs


@pytest.mark.parametrize("version, state", [((3, 9), "wrong"), ((3, 10), "ok"), ((3, 12), "ok"), ((3, 13), "wrong")])
def test_pythons_outside_the_range_are_refused(version: tuple[int, int], state: State) -> None:
    assert python_check(version).state == state


def test_packages_are_compared_with_range_and_tested_version() -> None:
    lines = ["torch>=2.4", "numpy>=99", "pillow>=1", "surely-not-installed>=1", "tyro>=0.5"]
    pins = {"torch": "0.0.1", "surely-not-installed": "1.2"}
    found = {one.name: one for one in package_checks(map(Requirement, lines), pins)}
    assert found["torch"].state == "note" and "tested with 0.0.1" in found["torch"].found
    assert found["numpy"].state == "wrong" and found["numpy"].stops
    assert found["surely-not-installed"].fix == "pip install 'surely-not-installed==1.2'"
    assert found["2 other packages"].found == "pillow, tyro"


def test_the_method_is_found_in_this_environment() -> None:
    assert method_check().state == "ok"


def test_missing_libraries_come_with_their_package() -> None:
    found = environment.library_checks(lambda name: name != "libGL.so.1")
    assert [(one.name, one.fix) for one in found] == [("libGL.so.1", "sudo apt-get install libgl1")]
    assert not found[0].stops
    assert [one.state for one in environment.library_checks(lambda name: True)] == ["ok"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(environment.os, "access", lambda path, mode: False)
    folders = environment.folder_checks()
    assert {one.state for one in folders} == {"wrong"} and all(one.fix for one in folders)


def test_a_folder_that_does_not_exist_yet_is_judged_by_its_parent(tmp_path: Path) -> None:
    assert environment._folder("new", tmp_path / "a" / "b", "fix").state == "ok"


def test_the_cpu_rasterizer_renders() -> None:
    assert environment.render_check(torch.device("cpu"), "cpu").state == "ok"


@pytest.mark.parametrize("answer, words", [(0.1, "draws wrong"), (RuntimeError("no\nkernel"), "RuntimeError: no")])
def test_a_rasterizer_that_fails_stops_the_main_job(
    answer: float | RuntimeError, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw(device: torch.device) -> float:
        if isinstance(answer, RuntimeError):
            raise answer
        return answer

    monkeypatch.setattr(environment, "_one_gaussian", draw)
    found = environment.render_check(torch.device("cpu"), "cpu")
    assert found.stops and found.found.startswith(words) and found.fix


def test_nothing_optional_stops_anything_and_all_that_is_missing_has_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optional, "find_base", lambda: None)
    monkeypatch.setattr(optional, "find_six_dof", lambda: None)
    monkeypatch.setattr(optional, "find_alexnet", lambda: images.find_alexnet(tmp_path))
    found = optional.optional_checks()
    assert works(found)
    assert all(one.fix for one in found if one.state != "ok")
    assert {"LPIPS", "Zero123 prior", "poses by dust3r", "masks by rembg"} <= {one.name for one in found}


def test_weights_that_are_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "alexnet-owt-7be5be79.pth").touch()
    monkeypatch.setattr(optional, "find_alexnet", lambda: images.find_alexnet(tmp_path))
    found = {one.name: one.found for one in optional.optional_checks()}
    assert found["LPIPS"].endswith("alexnet-owt-7be5be79.pth")


@pytest.mark.parametrize("runs", [True, False])
def test_the_exit_status_and_the_json_say_whether_the_main_job_runs(
    runs: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: [check("ok" if runs else "missing", True)])
    with pytest.raises(SystemExit) as end:
        Doctor(json=True).run()
    said = json.loads(capsys.readouterr().out)
    assert end.value.code == (0 if runs else 1)
    assert said["works"] is runs and said["checks"][0]["name"] == "thing"


def test_every_remedy_is_printed_below_what_it_mends(capsys: pytest.CaptureFixture[str]) -> None:
    print_checks([check("ok", True), check("missing", False), check("wrong", True)], PlainConsole())
    text = capsys.readouterr().out
    assert text.count("→ remedy") == 2
    assert "The main job does not run here: thing." in text
    assert "missing" in command.SIGNS


def test_json_holds_plain_values() -> None:
    said = to_json([check("note", False)], "1.0")
    assert said["checks"] == [
        {"group": "Group", "name": "thing", "state": "note", "found": "found", "fix": "remedy", "needed": False}
    ]
