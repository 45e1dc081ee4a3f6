"""What README and docs/ tell users to type exists: commands, options, scripts, benchmark suites, linked files."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from sparseags_ns.cli import COMMANDS
from sparseags_ns.scene.reading import ReadingOptions

REPO = Path(__file__).parents[2]
PAGES = [REPO / "README.md", *sorted((REPO / "docs").glob("*.md"))]


def occurrences(pattern: str) -> list[Any]:
    """Every match of a pattern, with the page it is on."""
    found = {(page.name, m.group(1)) for page in PAGES for m in re.finditer(pattern, page.read_text(encoding="utf-8"))}
    assert found, f"no page matches {pattern}: the pattern no longer fits the pages"
    return [pytest.param(text, id=f"{page}: {text}") for page, text in sorted(found)]


@pytest.mark.parametrize("command", occurrences(r"(?:`|    |/)sparseags ([a-z]+)"))
def test_commands_of_ours_exist(command: str) -> None:
    assert command in COMMANDS


@pytest.mark.parametrize("path", occurrences(r"(scripts/[\w.]+)"))
def test_scripts_exist(path: str) -> None:
    assert (REPO / path).is_file()


@pytest.mark.parametrize("suite", occurrences(r"python -m benchmarks ([a-z][a-z_-]+)"))
def test_benchmark_suites_exist(suite: str) -> None:
    module = REPO / "benchmarks" / suite.replace("-", "_")
    assert (module / "__init__.py").is_file() or module.with_suffix(".py").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_linked_files_exist(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if not link.startswith("http") and not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("path", occurrences(r"(sparseags_ns/[\w/]+\.py)"))
def test_source_files_that_are_named_exist(path: str) -> None:
    assert (REPO / path).is_file()


@pytest.mark.parametrize(
    "option", occurrences(r"--((?:pipeline|viewer|machine)[\w.-]+|max-num-iterations|report|load-dir)\b")
)
def test_training_options_exist(option: str) -> None:
    """Found in the registered method by following the option's name through the configuration."""
    from sparseags_ns.method_configs.sparseags import sparseags

    place: Any = sparseags.config
    for part in option.replace("-", "_").split("."):
        assert is_dataclass(place) and part in {field.name for field in fields(place)}, f"--{option}: no {part}"
        place = getattr(place, part)


@pytest.mark.parametrize(
    "option",
    occurrences(
        r"`--(masks|pose-init(?:-uncertain|-alternative)?|pose-weights|masks-drop|num-frames|cache-dir|fix-cameras)\b"
    ),
)
def test_options_of_prepare_exist(option: str) -> None:
    """Those of reading a scene, which `sparseags prepare` takes without a prefix."""
    assert option.replace("-", "_") in {field.name for field in fields(ReadingOptions)}
