"""What all tests share: run-time checks of shapes and types, snapshots of messages, and the shared photographs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

REPO = Path(__file__).parents[1]

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")

NUMBA = re.compile(r"^(?:(?:import|from) numba\b|from \S+ import (?:compiler|jit|kernel)\b)", re.MULTILINE)


def _is_checked(module: str) -> bool:
    """Whether the hook may wrap a module's functions: numba cannot compile a function that is wrapped."""
    package, _, rest = module.partition(".")
    if package != "sparseags_ns":
        return False
    file = REPO / package / rest.replace(".", "/")
    source = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
    return not source.is_file() or not NUMBA.search(source.read_text())


# An int is a float to beartype, as it is to every other reader of annotations.
CHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"

# Before anything imports the package: what is imported earlier stays unchecked.
_hook = install_import_hook("sparseags_ns", CHECKER)
_hook.hook.should_instrument = _is_checked  # pyright: ignore[reportAttributeAccessIssue]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of shared photographs, which lies beside the repository on development machines only."""
    path = REPO.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"needs the shared photographs, and {path} is absent")
    return path


SNAPSHOT_FILE = "messages.snap"
"""Beside the tests of a folder: a headed block for each text that a test of that folder compares."""
_HEAD = "=== "


def _read_snapshots(file: Path) -> dict[str, str]:
    """Texts by the heads of their blocks, `test_file.py::test_function name`."""
    blocks = ("\n" + file.read_text(encoding="utf-8")).split(f"\n{_HEAD}")[1:] if file.is_file() else []
    return {head: text.rstrip("\n") for head, _, text in (block.partition("\n") for block in blocks)}


@pytest.fixture
def snapshot(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`snapshot(text, name, SCENE=folder)`: compare a text with its block in the folder's `messages.snap`.

    Paths are replaced by the keywords' names first, in their order. A test that compares several texts names them.
    `--update-snapshots` writes the texts in place of comparing them.
    """
    file = request.path.with_name(SNAPSHOT_FILE)

    def check(text: str, name: str = "", **paths: Path) -> None:
        for label, path in paths.items():
            text = text.replace(str(path), label)
        head, text = f"{request.path.name}::{request.function.__name__} {name}".rstrip(), text.rstrip("\n")
        request.node.user_properties.append(("snapshot", (str(file), head, text)))
        if not request.config.getoption("--update-snapshots"):
            known = _read_snapshots(file)
            assert head in known, f"no block '{head}' in {file}; write it with --update-snapshots"
            assert text == known[head]

    return check


class _SnapshotFiles:
    """What became of the blocks in one run of pytest: updates them where asked to, and fails for stale ones.

    It is registered in the process that the user started only; reports bring the texts there from xdist's workers.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.update = bool(config.getoption("--update-snapshots"))
        option = config.option
        self.whole = not (
            option.keyword or option.markexpr or getattr(option, "lf", False) or any("::" in arg for arg in config.args)
        )
        self.seen: dict[Path, dict[str, str]] = {}
        self.passed: dict[str, bool] = {}
        """Whether all cases of a test function passed; by node id."""
        self.stale: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        function = report.nodeid.partition("[")[0]
        self.passed[function] = self.passed.get(function, True) and report.passed
        if report.when == "call":
            properties: list[Any] = report.user_properties
            for file, head, text in (value for name, value in properties if name == "snapshot"):
                self.seen.setdefault(Path(file), {})[head] = text

    def is_stale(self, file: Path, head: str) -> bool:
        """Whether the test of a block is gone, or ran in all its cases without asking for the block."""
        test_file, _, function = head.partition(" ")[0].partition("::")
        source = file.with_name(test_file)
        if not source.is_file() or f"def {function}(" not in source.read_text(encoding="utf-8"):
            return True
        ran = self.passed.get(f"{source.relative_to(REPO).as_posix()}::{function}", False)
        return self.whole and ran and head not in self.seen.get(file, {})

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus != pytest.ExitCode.OK:
            return
        for file in {*self.seen, *(REPO / "tests").rglob(SNAPSHOT_FILE)}:
            known = _read_snapshots(file)
            stale = [head for head in known if self.is_stale(file, head)]
            if self.update:
                blocks = {head: text for head, text in known.items() if head not in stale} | self.seen.get(file, {})
                text = "\n".join(f"{_HEAD}{head}\n{blocks[head]}\n" for head in sorted(blocks))
                file.write_text(text, encoding="utf-8")
            else:
                self.stale += [f"{file.relative_to(REPO)}: {head}" for head in stale]
        if self.stale:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for block in self.stale:
            terminalreporter.write_line(f"stale snapshot, remove it with --update-snapshots: {block}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_SnapshotFiles(config))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--backend`: which rasterizers the tests with a `backend` argument run on; `--update-snapshots`."""
    parser.addoption("--backend", choices=("cpu", "cuda", "both"), default="cpu", help="rasterizer back ends to test")
    parser.addoption("--update-snapshots", action="store_true", help=f"write each folder's {SNAPSHOT_FILE} anew")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests with a `backend` argument once for each chosen back end; skip CUDA, saying why, without a GPU."""
    if "backend" not in metafunc.fixturenames:
        return
    choice = metafunc.config.getoption("--backend")
    no_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA back end: torch finds no CUDA device")
    cuda = pytest.param("cuda", marks=no_gpu)
    metafunc.parametrize("backend", {"cpu": ["cpu"], "cuda": [cuda], "both": ["cpu", cuda]}[str(choice)])
