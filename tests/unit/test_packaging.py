"""The installed package is whole, its entry points work, and the pinned versions are those that it asks for."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import time
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import tomli
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPO = Path(__file__).parents[2]
PYPROJECT = tomli.loads((REPO / "pyproject.toml").read_text())
PYTHONS = ("3.10", "3.11", "3.12")


def pins(python: str) -> dict[str, list[str]]:
    """Versions that constraints.txt names for each package on one Python version; one each, if all is well."""
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    versions: dict[str, list[str]] = {}
    for line in (REPO / "constraints.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pin = Requirement(line)
        assert re.fullmatch(r"==[^,*]+", str(pin.specifier)), f"not one exact version: {line}"
        if pin.marker is None or pin.marker.evaluate(environment):
            versions.setdefault(canonicalize_name(pin.name), []).append(str(pin.specifier)[2:])
    return versions


def requirements() -> list[Requirement]:
    """What pyproject.toml asks for, extras included, without the project itself."""
    project = PYPROJECT["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    return [r for r in map(Requirement, lines) if canonicalize_name(r.name) != canonicalize_name(project["name"])]


def test_every_folder_of_the_package_is_listed() -> None:
    folders = {file.parent for file in (REPO / "sparseags_ns").rglob("*.py")}
    names = {".".join(folder.relative_to(REPO).parts) for folder in folders} | {"sparseags_ns.method_configs"}
    assert names == set(PYPROJECT["tool"]["setuptools"]["packages"])


def test_every_folder_of_the_package_has_an_init() -> None:
    folders = {file.parent for file in (REPO / "sparseags_ns").rglob("*.py")} | {REPO / "method_configs"}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_method_configs_is_imported_below_the_package() -> None:
    module = import_module("sparseags_ns.method_configs.sparseags")
    assert module.__file__ is not None
    assert Path(module.__file__) == REPO / "method_configs" / "sparseags.py"


@pytest.mark.parametrize("name", ["sparseags", "sparseags-paper"])
def test_nerfstudio_finds_the_method(name: str) -> None:
    (entry_point,) = entry_points(group="nerfstudio.method_configs", name=name)
    assert entry_point.load().config.method_name == name


def test_the_command_resolves() -> None:
    (entry_point,) = entry_points(group="console_scripts", name="sparseags")
    assert callable(entry_point.load())


@pytest.mark.parametrize("python", PYTHONS)
def test_every_package_is_pinned_once(python: str) -> None:
    assert {name: versions for name, versions in pins(python).items() if len(versions) != 1} == {}


@pytest.mark.parametrize("python", PYTHONS)
def test_pins_satisfy_what_the_project_asks_for(python: str) -> None:
    pinned = pins(python)
    for requirement in requirements():
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)][0]), requirement


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what scripts/setup.sh reads, and `bin`: what it calls before it installs, less a compiler."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "bin").mkdir()
    for name in ("pyproject.toml", "constraints.txt", "scripts/setup.sh"):
        shutil.copy(REPO / name, tmp_path / name)
    for tool in ("cat", "cut", "dirname", "grep", "id", "tr", "uname"):
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    return tmp_path


def run_setup(checkout: Path) -> subprocess.CompletedProcess[str]:
    """scripts/setup.sh where it can install nothing: no apt-get, no gcc."""
    command = [str(shutil.which("bash")), str(checkout / "scripts" / "setup.sh")]
    return subprocess.run(command, env={"PATH": str(checkout / "bin")}, capture_output=True, text=True, cwd="/")


def pretend_installed(checkout: Path) -> None:
    """Leave what a finished installation leaves: an interpreter and the stamp."""
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to(sys.executable)
    inputs = b"".join((checkout / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    key = f"{hashlib.sha256(inputs).hexdigest()} Python {sys.version.split()[0]} in {checkout.resolve()}"
    (checkout / ".venv" / "setup-stamp").write_text(key)


def test_setup_names_missing_system_packages_in_one_line(checkout: Path) -> None:
    run = run_setup(checkout)
    assert run.returncode == 1
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert "missing system packages: " in line and " gcc " in line and "sudo apt-get install" in line
    assert not (checkout / ".venv").exists()


def test_setup_starts_nothing_in_a_finished_environment(checkout: Path) -> None:
    pretend_installed(checkout)
    start = time.monotonic()
    run = run_setup(checkout)
    assert run.returncode == 0, run.stderr
    assert "installing" not in run.stdout
    assert time.monotonic() - start < 10


def test_setup_starts_again_when_the_pins_changed(checkout: Path) -> None:
    pretend_installed(checkout)
    with (checkout / "constraints.txt").open("a") as file:
        file.write("another-package==1.0\n")
    run = run_setup(checkout)
    assert run.returncode == 1
    assert " gcc " in run.stderr
