"""What all tests share: shapes and types of the package checked at run time, and the shared photographs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

REPO = Path(__file__).parents[1]

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")

NUMBA = re.compile(r"^(?:import|from) (?:numba\b|sparseags_ns\.\S*\bjit\b|sparseags_ns\S* import jit\b)", re.MULTILINE)


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


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--backend`: which rasterizers the tests with a `backend` argument run on."""
    parser.addoption("--backend", choices=("cpu", "cuda", "both"), default="cpu", help="rasterizer back ends to test")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests with a `backend` argument once for each chosen back end; skip CUDA, saying why, without a GPU."""
    if "backend" not in metafunc.fixturenames:
        return
    choice = metafunc.config.getoption("--backend")
    no_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA back end: torch finds no CUDA device")
    cuda = pytest.param("cuda", marks=no_gpu)
    metafunc.parametrize("backend", {"cpu": ["cpu"], "cuda": [cuda], "both": ["cpu", cuda]}[str(choice)])
