"""The page: it loads nothing, escapes every string of the user's, shows every view, and never costs a run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sparseags_ns.report import writing
from sparseags_ns.report.writing import ASSETS, SCRIPTS, STYLES, report_at_end, write_report
from sparseags_ns.runs.opening import RunError

HOSTILE = "<img src=x onerror=alert(1)>&\"'"
"""A photograph's name that would do harm if it were taken for markup."""
HOSTILE_TITLE = "</title></script><script>alert(2)</script>"
LOADING = {"src", "href", "srcset", "poster", "data", "action", "formaction", "xlink:href", "background", "ping"}
"""Attributes that make a browser fetch or follow something."""
FETCHING = re.compile(r"https?://|[\"'(=]//|@import|url\((?!data:)|\bfetch\(|XMLHttpRequest|WebSocket\(|import\(")
VOID = {"meta", "link", "img", "input", "br", "hr"}


class Parsed(HTMLParser):
    """Tags with their attributes, text, and whether every tag is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.blocks: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            name = self.tags[-1][1].get("id", "program")
            self.blocks[name] = self.blocks.get(name, "") + data
        elif self._open and self._open[-1] != "style":
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def page(full_run: Path, rename_view: Callable[[Path, str, str], None]) -> str:
    """The page about a run with hostile names."""
    rename_view(full_run, "004", HOSTILE)
    config = full_run / "config.yml"
    config.write_text(
        config.read_text().replace("experiment_name: toy", f"experiment_name: {json.dumps(HOSTILE_TITLE)}")
    )
    path = write_report(full_run)
    assert path == full_run / "sparseags" / "report.html"
    return path.read_text(encoding="utf-8")


def test_the_page_loads_nothing(page: str) -> None:
    parsed = Parsed(page)
    for tag, attributes in parsed.tags:
        for name in LOADING & attributes.keys():
            assert attributes[name].startswith(("data:", "#")), (tag, name, attributes[name][:80])
    assert not FETCHING.search(page)
    (policy,) = (one["content"] for one in parsed.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:")


def test_strings_of_the_user_are_text(page: str) -> None:
    parsed = Parsed(page)
    assert HOSTILE in "".join(parsed.text)
    assert HOSTILE_TITLE in "".join(parsed.text)
    assert "onerror" not in {name for _, attributes in parsed.tags for name in attributes}
    assert not any("alert" in block for name, block in parsed.blocks.items() if not name.startswith("data-"))
    assert json.loads(parsed.blocks["data-scene"])["cameras"][4]["name"] == HOSTILE


def test_every_view_appears_with_its_pictures(page: str) -> None:
    parsed = Parsed(page)
    cards = [one["id"] for one in parsed.all("article")]
    assert cards == [f"view-{i}" for i in range(5)]
    alternatives = [one["alt"] for one in parsed.all("img") if "alt" in one and ": " in one["alt"]]
    for name in ("000", "001", "002", "003", HOSTILE):
        assert sum(text.startswith(f"{name}: ") for text in alternatives) == 4
    assert [camera["tone"] for camera in json.loads(parsed.blocks["data-scene"])["cameras"]].count("bad") == 1


def test_everything_to_touch_has_a_name(page: str) -> None:
    parsed = Parsed(page)
    assert all("alt" in one for one in parsed.all("img"))
    assert all(one.get("aria-label") for one in parsed.all("canvas"))
    labelled = [one for one in parsed.all("input") if one["type"] == "range"]
    assert labelled and all(one.get("aria-label") for one in labelled)
    assert parsed.all("html")[0]["lang"] == "en"
    assert any(one.get("name") == "viewport" for one in parsed.all("meta"))


def test_decisions_searches_and_history_are_shown(page: str) -> None:
    text = " ".join("".join(Parsed(page).text).split())
    for words in (
        "001 was given a camera that is rotated by",
        "002 is left out by hand",
        "001 is corrected",
        "By hand, at step 31: 002 is left out",
        "best fit far away, over best fit near its own pose",
        "Where a view was searched",
        "Over the run",
        "ns-train sparseags --data /photographs/toy",
    ):
        assert words in text, words
    assert "chosen 0.05 4.3°" in text and "0.08 3.0°" in text and "optimisation 1.0 s" in text


def test_the_origin_of_the_cameras_and_other_arrangements_are_shown(page: str) -> None:
    parsed = Parsed(page)
    text = " ".join("".join(parsed.text).split())
    for words in (
        "The cameras that the run began with were estimated by ab-initio, arrangement 1 of 2. ab-initio was not sure",
        f"No camera was found for {HOSTILE}.",
        "1 the best in use",
        "2 1.12 times the loss of the best --pose-init-alternative 2",
        "--pipeline.datamanager.dataparser.pose-init-alternative in their place",
    ):
        assert words in text, words
    drawings = [one["aria-label"] for one in parsed.all("svg") if "rrangement" in one.get("aria-label", "")]
    assert drawings == [f"Arrangement {number} of the cameras, seen from above" for number in (1, 2)]
    assert [one.get("class") for one in parsed.all("g")].count("elsewhere") == 2, "the two that are exchanged"


def test_a_run_without_search_and_history_has_a_page_too(make_run: Callable[..., Path], small_turntable: None) -> None:
    parsed = Parsed(write_report(make_run(count=3)).read_text(encoding="utf-8"))
    assert "search" not in [one.get("id") for one in parsed.all("section")]
    assert "came from" not in "".join(parsed.text), "the record does not tell"
    assert json.loads(parsed.blocks["data-chart"]) is None
    assert json.loads(parsed.blocks["data-searches"]) == []


def test_the_page_is_small(page: str) -> None:
    assert len(page) < 300_000


def test_the_file_can_be_named(full_run: Path, tmp_path: Path) -> None:
    path = write_report(full_run / "config.yml", tmp_path / "new" / "page.html")
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [file.name for file in path.parent.iterdir()] == ["page.html"]


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no run"):
        write_report(tmp_path)


def test_an_error_in_the_report_does_not_end_the_run(
    full_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(run: object) -> None:
        raise ZeroDivisionError("no views")

    monkeypatch.setattr(writing, "collect", broken)
    assert report_at_end(full_run) is None
    assert "no report was made (ZeroDivisionError: no views" in capsys.readouterr().err
    assert not (full_run / "sparseags" / "report.html").exists()


def test_every_asset_is_used() -> None:
    templates = {path.name for path in ASSETS.glob("*.html")} - {"page.html"}
    sources = [path.read_text() for path in ASSETS.glob("*.html")]
    named = {name for source in sources for name in re.findall(r'(?:include|from) "(.+?)"', source)}
    assert templates == named
    assert {path.name for path in ASSETS.iterdir() if path.suffix != ".html"} == {*STYLES, *SCRIPTS}


@pytest.mark.parametrize("path", sorted(ASSETS.iterdir()), ids=lambda path: path.name)
def test_assets_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 300
