"""The `sparseags` command itself: its help, what it imports, and how it ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import is_dataclass
from importlib import import_module
from pathlib import Path

import pytest

from sparseags_ns import __version__
from sparseags_ns.cli import COMMANDS, main
from sparseags_ns.cli.train import Train

HEAVY = "[name for name in ('torch', 'numpy', 'rich', 'tyro', 'nerfstudio') if name in sys.modules]"


def test_help_lists_all_commands_and_imports_nothing() -> None:
    code = f"import sys\nfrom sparseags_ns.cli import main\ntry: main(['--help'])\nfinally: print({HEAVY})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *lines, imported = run.stdout.splitlines()
    assert imported == "[]"
    assert [line.split()[0] for line in lines if line.startswith("  ") and "sparseags" != line.split()[0]][:-2] == list(
        COMMANDS
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_begins_with_its_line_in_the_list(name: str) -> None:
    command = getattr(import_module(f"sparseags_ns.cli.{name}"), name.capitalize())
    assert is_dataclass(command) and (command.__doc__ or "").startswith(COMMANDS[name])


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["exprot", "run"], "unknown command 'exprot'; expected one of demo, train, view"),
        (["doctor", "--", "--data", "x"], "sparseags doctor takes nothing after --"),
    ],
)
def test_a_wrong_command_line_ends_in_one_sentence(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(f"sparseags: error: {complaint}")


def test_no_command_shows_the_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 2 and capsys.readouterr().out.startswith("usage: sparseags COMMAND")


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--version"])
    assert capsys.readouterr().out == f"sparseags {__version__}\n"


@pytest.mark.parametrize(
    "error, status", [(ValueError("bad input"), "sparseags: error: bad input"), (KeyboardInterrupt(), 130)]
)
def test_what_ends_a_command_decides_its_exit_status(
    error: BaseException, status: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(self: Train, passed_on: list[str]) -> None:
        raise error

    monkeypatch.setattr(Train, "run", run)
    with pytest.raises(SystemExit) as end:
        main(["train", "photographs"])
    assert end.value.code == status


@pytest.mark.parametrize("before", [True, False])
def test_verbose_may_stand_before_and_after_the_command(
    passed_on: list[list[str]], monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    monkeypatch.setenv("SPARSEAGS_VERBOSE", "")
    words = ["train", "photographs", "--", "--verbose"]
    words.insert(0 if before else 2, "--verbose")
    main(words)
    assert os.environ["SPARSEAGS_VERBOSE"] == "1"
    assert passed_on == [["--data", "photographs", "--output-dir", "outputs", "--verbose"]], "what follows -- is kept"


@pytest.mark.parametrize(
    "command",
    [
        ["prepare", "PHOTOS", "--output", "FOLDER"],
        ["prepare", "PHOTOS", "--output", "FILE/a.png"],
        ["poses", "PHOTOS", "--output", "FILE"],
        ["poses", "PHOTOS", "--output", "FILE/found"],
        ["train", "PHOTOS", "-o", "FILE"],
        ["train", "PHOTOS", "-o", "FILE/runs"],
        ["demo", "FILE"],
        ["sample", "FILE"],
        ["sample", "FILE/sample"],
        ["eval", "PHOTOS", "PHOTOS", "--output", "FOLDER"],
        ["eval", "PHOTOS", "PHOTOS", "--output", "FILE/a.json"],
        ["report", "PHOTOS", "--output", "FOLDER"],
        ["report", "PHOTOS", "--output", "FILE/a.html"],
        ["export", "PHOTOS", "splat", "--output", "FILE/a.ply"],
        ["export", "PHOTOS", "cameras", "--output", "FILE"],
        ["export", "PHOTOS", "cameras", "--output", "FILE/a"],
    ],
)
def test_an_output_of_the_wrong_kind_is_refused_before_anything_is_read(tmp_path: Path, command: list[str]) -> None:
    places = {"PHOTOS": tmp_path / "photos", "FOLDER": tmp_path / "folder", "FILE": tmp_path / "file"}
    places["PHOTOS"].mkdir()
    places["FOLDER"].mkdir()
    places["FILE"].write_text("mine")
    for name, place in places.items():
        command = [word.replace(name, str(place)) for word in command]
    with pytest.raises(SystemExit) as end:
        main(command)
    kinds = rf"{places['FILE']} is a file|{places['FOLDER']} is a folder"
    assert re.match(rf"sparseags: error: .*({kinds})", str(end.value.code)), end.value.code
    assert "Errno" not in str(end.value.code) and places["FILE"].read_text() == "mine"


@pytest.fixture
def passed_on(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The arguments for ns-train of every `sparseags train` in a test."""
    calls: list[list[str]] = []
    monkeypatch.setattr(Train, "run", lambda self, more: calls.append([*self.arguments(), *more]))
    return calls


def test_train_translates_its_own_flags_and_passes_on_all_others(passed_on: list[list[str]]) -> None:
    main(["train", "photographs"])
    main(["train", "photographs", "-o", "runs", "--steps", "50", "--no-viewer", "--pipeline.model.sh-degree", "1"])
    main(["train", "photographs", "--masks", "none", "--verbose", "--", "--steps-per-save", "10"])
    main(["train", "photographs", "--pose-init", "ab-initio", "--pose-init-uncertain", "allow"])
    main(["train", "photographs", "--match-on", "object"])
    whole = ["--data", "photographs", "--output-dir", "outputs"]
    ending = ["--vis", "tensorboard", "--viewer.quit-on-train-completion", "True", "--pipeline.model.sh-degree", "1"]
    assert passed_on[0] == whole
    assert passed_on[1] == ["--data", "photographs", "--output-dir", "runs", "--max-num-iterations", "50", *ending]
    assert passed_on[2] == [*whole, "--pipeline.datamanager.dataparser.masks", "none", "--steps-per-save", "10"]
    pose_init = "--pipeline.datamanager.dataparser.pose-init"
    assert passed_on[3] == [*whole, pose_init, "ab-initio", f"{pose_init}-uncertain", "allow"]
    assert passed_on[4] == [*whole, f"{pose_init}-match-on", "object"]


def test_train_without_photographs_ends_before_nerfstudio_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="sparseags: error: no such folder or video: nowhere"):
        main(["train", "nowhere"])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["view", "run", "--port", "65536"], "port must lie between 1 and 65535, is 65536"),
        (["view", "run", "--port", "0"], "port must lie between 1 and 65535, is 0"),
        (["train", "photographs", "--steps", "-3"], "steps must not be negative, is -3"),
    ],
)
def test_a_number_out_of_range_is_refused_before_anything_is_loaded(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert message in " ".join("".join(capsys.readouterr()).split())
