"""What `import sparseags_ns` offers, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import sparseags_ns


def imported_after(code: str) -> set[str]:
    """Names of the modules that a fresh interpreter has loaded after running the code."""
    run = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def test_the_package_imports_nothing_by_itself() -> None:
    modules = imported_after("import sparseags_ns; dir(sparseags_ns)")
    assert not {"torch", "numpy", "rich", "nerfstudio"} & modules
    assert {name for name in modules if name.startswith("sparseags_ns")} == {"sparseags_ns"}


def test_public_names_need_no_nerfstudio() -> None:
    modules = imported_after("import sparseags_ns as s; [getattr(s, name) for name in s.__all__]")
    assert "torch" in modules and "nerfstudio" not in modules


@pytest.mark.parametrize("name", sparseags_ns.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    value = getattr(sparseags_ns, name)
    assert value.__name__ == name and value.__doc__
    assert getattr(sparseags_ns, name) is value


def test_an_unknown_name_is_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="module 'sparseags_ns' has no attribute 'nothing'"):
        sparseags_ns.nothing  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]
