"""Runs from somebody else: whatever their files hold, nothing is executed, followed or written elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from sparseags_ns.runs.opening import RunError, open_run, read_run_config
from sparseags_ns.runs.plain_values import require_type
from sparseags_ns.runs.record import RecordError, RunRecord, SearchRecord

CHECKPOINT = "nerfstudio_models/step-000000059.ckpt"


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Change the content of a run's checkpoint."""
    path = folder / CHECKPOINT
    content = torch.load(path)
    change(content)
    torch.save(content, path)
    return folder


@pytest.mark.parametrize("name", ["../../../escaped", "/escaped", "a/../../b", "..", ".", "", "a\0b", "a//b", "./a"])
def test_a_name_that_leads_out_of_the_folder_is_refused(make_run: Callable[..., Path], name: str) -> None:
    folder = rewrite(make_run(3), lambda content: content["views"]["names"].__setitem__(1, name))
    with pytest.raises(RunError, match=r"step-000000059\.ckpt names a view '.*which is no name of a file"):
        open_run(folder)
    assert not list(folder.parent.glob("escaped*"))


def test_names_out_of_an_older_run_are_refused(make_run: Callable[..., Path]) -> None:
    folder = rewrite(make_run(3), lambda content: content.pop("views"))
    path = folder / "sparseags" / "transforms.json"
    path.write_text(path.read_text().replace('"file_path": "images/001.png"', '"name": "../001", "file_path": "a.png"'))
    with pytest.raises(RunError, match=r"transforms\.json names a view '\.\./001'"):
        open_run(folder)


@pytest.mark.parametrize("name", ["left/000", "a b", "über 1", "a\nb", "#1", "..a", "a..", "caf\udce9", "C:x"])
def test_names_of_photographs_are_kept(make_run: Callable[..., Path], name: str) -> None:
    folder, old = make_run(3), "001"
    place = folder / "sparseags" / "images"
    (place / f"{name}.png").parent.mkdir(exist_ok=True)
    (place / f"{old}.png").rename(place / f"{name}.png")

    def rename(content: dict[str, Any]) -> None:
        content["views"]["names"][1] = name
        state = content["pipeline"]["_model._extra_state"]
        for part in ("history", "searches"):
            state["record"][part]["views"][1] = name

    assert open_run(rewrite(folder, rename)).views.names == ("000", name, "002")


@pytest.mark.parametrize(
    "key, change",
    [
        ("gauss_params.means", lambda value: value * torch.nan),
        ("gauss_params.means", lambda value: value[:5]),
        ("gauss_params.means", lambda value: value[:0]),
        ("gauss_params.quats", lambda value: torch.zeros(1).expand(10**9, 4)),
        ("gauss_params.quats", lambda value: value.to_sparse()),
        ("gauss_params.features_rest", lambda value: value[:, :5]),
        ("gauss_params.scales", lambda value: value + 200),
        ("trusted", lambda value: value.float()),
        ("K_initial", lambda value: value * 1e-9),
        ("K_initial", lambda value: value[0]),
        ("T_camera_initial", lambda value: value * 2),
        ("T_camera_initial", lambda value: "none"),
    ],
)
def test_values_that_no_run_has_are_refused(
    make_run: Callable[..., Path], key: str, change: Callable[[torch.Tensor], object]
) -> None:
    def damage(content: dict[str, Any]) -> None:
        content["pipeline"][f"_model.{key}"] = change(content["pipeline"][f"_model.{key}"])

    with pytest.raises(RunError, match=r"step-000000059\.ckpt"):
        open_run(rewrite(make_run(3), damage))


def test_a_folder_in_the_place_of_a_file_is_told(
    make_run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(3)
    (folder / "sparseags" / "summary.json").unlink()
    (folder / "sparseags" / "summary.json").mkdir()
    assert open_run(folder).outcome.steps_done == 60
    assert "is left as it is" in capsys.readouterr().err and (folder / "sparseags" / "summary.json").is_dir()


def test_photographs_of_other_sizes_are_refused_before_they_are_read(make_run: Callable[..., Path]) -> None:
    folder = make_run(3)
    for number, size, complaint in (
        (1, (33, 32), "001.png is not of the size"),
        (0, (6000, 6000), "more than any run"),
    ):
        Image.new("1", size).save(folder / "sparseags" / "images" / f"00{number}.png")
        with pytest.raises(RunError, match=complaint):
            open_run(folder)


@pytest.mark.parametrize(
    "text",
    [
        "pipeline: [1]",
        "pipeline: {model: 3}",
        "pipeline: {}\na: " + "[" * 3000,
        "pipeline: {}\na: " + "1" * 5000,
        "pipeline: {}\na: &a [*a]",
        "pipeline: {}\na: 2020-13-45",
        "pipeline: {}\n? [1]\n: 2",
        "pipeline: {}\na: !unknown 1",
        "pipeline: {}\nl0: &l0 [1]\n" + "\n".join(f"l{i}: &l{i} [{f'*l{i - 1}, ' * 9}]" for i in range(1, 20)),
        "pipeline: {}\n#" + "x" * 300_000,
    ],
)
def test_a_config_that_is_none_is_refused_by_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yml").write_text(text)
    with pytest.raises(RunError, match=r"config\.yml"):
        read_run_config(tmp_path / "config.yml")


@pytest.mark.parametrize(
    "change",
    [{"scale": 0.0}, {"scale": -1}, {"scale": 1e300}, {"transform": [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]]}],
)
def test_a_normalisation_that_is_none_is_refused(make_run: Callable[..., Path], change: dict[str, Any]) -> None:
    folder = make_run(3)
    path = folder / "dataparser_transforms.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=r"dataparser_transforms\.json"):
        open_run(folder)


def test_an_older_run_with_a_damaged_record_names_its_files(make_run: Callable[..., Path]) -> None:
    folder = rewrite(make_run(3), lambda content: content.pop("views"))
    path = folder / "sparseags" / "summary.json"
    summary = json.loads(path.read_text())
    for key, value in (("mse_after", 1e300), ("mse_after", -1), ("rotation_deg", 400), ("trusted", "yes")):
        views = [{**summary["views"][0], key: value}, *summary["views"][1:]]
        path.write_text(json.dumps(summary | {"views": views}))
        with pytest.raises(RunError, match=r"summary\.json"):
            open_run(folder)


def test_a_record_is_read_only_if_its_lists_fit_its_views() -> None:
    places = [[0.0, 0.0, 1.0]] * 2
    search = SearchRecord(0, "quick", "hand", 1, places, places, chosen=0)
    right = replace(search, finalist_centers=places[:1], finalist_forward=places[:1], finalist_scores=[0.1])
    right = replace(right, finalist_rotation_deg=[1.0])
    for one, fits in ((right, True), (search, False), (replace(right, camera_centers=places[:1]), False)):
        content = RunRecord(("a", "b"), searches=[one]).to_json()
        if fits:
            assert RunRecord.from_json(content).searches == [one]
            continue
        with pytest.raises(RecordError):
            RunRecord.from_json(content)


@pytest.mark.parametrize("value, hint", [(True, float), (-1, int), ("x", float), ([1, "a"], list[float]), (None, str)])
def test_a_value_of_another_type_is_told(value: object, hint: Any) -> None:
    with pytest.raises(TypeError, match="'name' must be"):
        require_type(value, hint, "name")
