"""The rules of the house, read from the source: who may import whom, and what occurs nowhere.

Rooms are the folders and single modules of `sparseags_ns`, plus `method_configs`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "sparseags_ns").rglob("*.py")) + sorted((ROOT / "method_configs").rglob("*.py"))

DOWNSTREAM = (
    "console",
    "signals",
    "storage",
    "numba_cache",
    "geometry",
    "rasterizer",
    "views",
    "metrics",
    "formats",
    "preprocess",
    "guidance",
    "optimization",
    "runs",
    "pose_search",
    "outliers",
    "pose_init",
    "scene",
    "evaluation",
    "export",
    "report",
    "viewer",
    "plugin",
    "sample",
    "doctor",
    "method_configs",
    "cli",
)
"""The rooms as data flows through them: a room imports only from rooms before it."""

NARROW = {
    "geometry": set(),
    "rasterizer": {"numba_cache", "geometry"},
    "views": {"geometry"},
    "metrics": {"console", "geometry", "rasterizer", "views"},
    "formats": {"storage", "geometry"},
    "guidance": {"console", "storage", "geometry"},
    "pose_search": {"console", "geometry", "rasterizer", "views", "optimization"},
    "sample": {"console", "storage", "numba_cache", "geometry", "views", "formats"},
}
"""Rooms that may use less than the order allows, so that each can be tested with ten lines and swapped."""

NERFSTUDIO_PLACES = ("plugin/", "viewer/", "method_configs/")
"""The only places that know nerfstudio."""

FLIPS = "geometry/cameras.py"
"""The only file that changes the direction of axes."""


def place(path: Path) -> str:
    """A source's path inside the package: `optimization/losses.py`, `method_configs/sparseags.py`."""
    relative = path.relative_to(ROOT)
    return relative.as_posix().removeprefix("sparseags_ns/")


def room(place_or_module: str) -> str:
    return place_or_module.replace(".", "/").split("/")[0]


def imported_modules(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of every module that a source imports, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "sparseags_ns":
            yield from ((node.lineno, f"sparseags_ns.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def rooms_imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for line, module in imported_modules(tree):
        inner = module.removeprefix("sparseags_ns.")
        if inner != module and not inner.startswith("__"):
            yield line, room(inner)


def may_import(importer: str, imported: str) -> bool:
    own = room(importer)
    if own in (imported, "__init__"):  # the package itself names the public names of all rooms and imports them lazily
        return True
    if own in NARROW:
        return imported in NARROW[own]
    return DOWNSTREAM.index(imported) < DOWNSTREAM.index(own)


def is_sign(node: ast.AST) -> bool:
    """The constant 1 or -1, whole or not."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value == 1


def is_axis_flip(node: ast.AST) -> bool:
    """A list of three or four signs that are not all the same, or the multiplication of a part in place by -1."""
    if isinstance(node, ast.List | ast.Tuple):
        minus = sum(isinstance(element, ast.UnaryOp) for element in node.elts)
        return len(node.elts) in (3, 4) and all(map(is_sign, node.elts)) and 0 < minus < len(node.elts)
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Mult):
        return isinstance(node.value, ast.UnaryOp) and is_sign(node.value)
    return False


def forbidden(node: ast.AST) -> str | None:
    """What the house does not do, as the reason that is shown."""
    if isinstance(node, ast.Attribute):
        text = ast.unparse(node)
        if node.attr == "cuda" and text != "torch.cuda":
            return "device and dtype come from inputs, not from .cuda"
        if text in ("sys.path", "os.system"):
            return f"{text} is not used"
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Console", "rich.print", "rich.console.Console"):
        return "rich takes brackets for markup: print through console.PlainConsole"
    if isinstance(node, ast.ExceptHandler) and node.type is None:
        return "a bare except hides our own bugs"
    if isinstance(node, ast.ImportFrom) and node.level:
        return "imports are absolute"
    if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
        return "star imports hide where names come from"
    return None


def complaints(path: Path, tree: ast.AST) -> list[str]:
    """Everything in one source that breaks a rule, with its line."""
    here, found = place(path), []
    if room(here).removesuffix(".py") not in (*DOWNSTREAM, "__init__"):
        return ["a new room: give it its place in DOWNSTREAM"]
    importer = here if "/" in here else here.removesuffix(".py")
    for line, imported in rooms_imported(tree):
        if imported not in DOWNSTREAM:
            found.append(f"{line}: imports {imported}, which has no place in DOWNSTREAM")
        elif not may_import(importer, imported):
            found.append(f"{line}: {room(importer)} must not import {imported}")
    for line, module in imported_modules(tree):
        if room(module) == "nerfstudio" and not here.startswith(NERFSTUDIO_PLACES):
            found.append(f"{line}: nerfstudio has no place here")
    for node in ast.walk(tree):
        reason = forbidden(node)
        if reason is None and here != FLIPS and is_axis_flip(node):
            reason = f"axes are flipped in {FLIPS} only"
        if reason is not None:
            found.append(f"{getattr(node, 'lineno', 0)}: {reason}")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_source_keeps_the_rules_of_the_house(path: Path) -> None:
    found = complaints(path, ast.parse(path.read_text(encoding="utf-8")))
    assert not found, "\n".join(f"{place(path)}:{line}" for line in found)


@pytest.mark.parametrize(
    "where, source, complaint",
    [
        ("geometry/se3.py", "from sparseags_ns.views import Views", "geometry must not import views"),
        ("rasterizer/cpu.py", "import sparseags_ns.formats.poses", "rasterizer must not import formats"),
        ("optimization/losses.py", "from sparseags_ns.plugin import pipeline", "optimization must not import plugin"),
        ("views.py", "def f():\n    from sparseags_ns.cli import main", "views must not import cli"),
        ("optimization/losses.py", "from nerfstudio.cameras import cameras", "nerfstudio has no place here"),
        ("optimization/losses.py", "from . import seeding", "imports are absolute"),
        ("optimization/losses.py", "x = y.cuda()", "not from .cuda"),
        ("optimization/losses.py", "import sys\nsys.path.insert(0, 'x')", "sys.path is not used"),
        ("export/a.py", "T[..., 1:3] *= -1", "axes are flipped in geometry/cameras.py only"),
        ("export/a.py", "F = torch.diag(torch.tensor([1.0, -1, -1, 1]))", "axes are flipped in geometry/cameras.py"),
        ("cli/eval.py", "from rich.console import Console\nConsole().print(path)", "PlainConsole"),
        ("brand_new/a.py", "x = 1", "a new room"),
    ],
)
def test_broken_rules_are_noticed(where: str, source: str, complaint: str) -> None:
    found = complaints(ROOT / "sparseags_ns" / where, ast.parse(source))
    assert any(complaint in line for line in found), found


@pytest.mark.parametrize(
    "where, source",
    [
        ("geometry/cameras.py", "signs = (1.0, -1.0, -1.0)"),
        ("optimization/losses.py", "from sparseags_ns.rasterizer.types import Raster\nx = torch.cuda.is_available()"),
        ("plugin/outlier_callback.py", "from sparseags_ns.plugin import model\nimport nerfstudio"),
        ("cli/main.py", "from sparseags_ns import __version__"),
        ("optimization/losses.py", "x = y.reshape(-1, 3, 1)\nz = (-1, 3)\nlowest = [-1.0, -1.0, -1.0]"),
    ],
)
def test_rules_let_honest_code_pass(where: str, source: str) -> None:
    assert complaints(ROOT / "sparseags_ns" / where, ast.parse(source)) == []
