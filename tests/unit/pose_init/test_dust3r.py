"""The adapter to DUSt3R: what it needs no package for, and the real package end to end where it is installed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.pose_init.base import InitialPoses, PoseInitError, PoseRequest
from sparseags_ns.pose_init.estimation import choose_initialiser
from sparseags_ns.pose_init.networks import dust3r, dust3r_package
from sparseags_ns.pose_init.networks.dust3r import Dust3r, pose_confidence
from sparseags_ns.pose_init.networks.dust3r_images import FittedImage, fitting, read_fitted
from sparseags_ns.pose_init.networks.dust3r_package import constructor_arguments, find_weights, load_network
from sparseags_ns.preprocess.store import Store


@pytest.fixture
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing where weights are looked for, and nothing from the hub."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))
    monkeypatch.setattr(dust3r_package, "_in_hub", lambda name: None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def request(scene: Path, count: int = 3, weights: str = "auto") -> PoseRequest:
    return PoseRequest([scene / f"{k}.png" for k in range(count)], scene, Store(scene / "kept"), weights)


@pytest.mark.parametrize(
    ("full", "size", "scaled", "box"),
    [
        ((4000, 3000), 512, (512, 384), (0, 0, 512, 384)),
        ((540, 960), 512, (288, 512), (0, 0, 288, 512)),
        ((1000, 660), 512, (512, 338), (0, 1, 512, 337)),
        ((256, 256), 512, (512, 512), (0, 64, 512, 448)),
        ((400, 300), 224, (299, 224), (37, 0, 261, 224)),
    ],
)
def test_photographs_are_fitted_by_the_rule_of_dust3r(
    full: tuple[int, int], size: int, scaled: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    how = fitting(full, size)
    assert (how.scaled, how.box) == (scaled, box)
    left, top, right, bottom = how.box
    assert size == 224 or ((right - left) % 16, (bottom - top) % 16) == (0, 0)


def test_intrinsics_come_back_to_the_photograph_exactly() -> None:
    """A ray through a fitted pixel's middle is the ray through the same point of the photograph."""
    how = fitting((1000, 660), 512)
    focal, center = 410.0, (250.0, 170.0)
    K = how.full_intrinsics(focal, center)
    for column, row in ((0, 0), (511, 335), (100, 200)):
        # DUSt3R measures from the middle of the first pixel, this project from its corner.
        ray = torch.tensor([(column - center[0]) / focal, (row - center[1]) / focal, 1.0], dtype=torch.float64)
        place = K @ ray
        assert place[0] == pytest.approx((column + 0.5 + 0) * 1000 / 512)
        assert place[1] == pytest.approx((row + 0.5 + 1) * 660 / 338)


def test_a_known_point_of_the_photograph_is_where_the_mapping_says(tmp_path: Path) -> None:
    pixels = np.zeros((660, 1000, 3), np.uint8)
    pixels[400:420, 700:720] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    image = read_fitted(tmp_path / "a.png", 512)
    weights = image.rgb.mean(-1)
    rows, columns = torch.meshgrid(torch.arange(336) + 0.5, torch.arange(512) + 0.5, indexing="ij")
    middle = [float((weights * axis).sum() / weights.sum()) for axis in (columns, rows)]
    how = image.fitting
    found = [(m + c) * f / s for m, c, f, s in zip(middle, how.box[:2], how.full, how.scaled, strict=True)]
    assert found == pytest.approx([710.0, 410.0], abs=0.1)


def test_messages_name_what_is_missing_and_what_to_do(
    empty_caches: Path, monkeypatch: pytest.MonkeyPatch, snapshot: Callable[..., None]
) -> None:
    monkeypatch.setattr(dust3r_package, "find_spec", lambda name: None)
    with pytest.raises(PoseInitError) as error:
        choose_initialiser("dust3r", request(empty_caches))
    snapshot(str(error.value), "package", FOLDER=empty_caches)
    monkeypatch.setattr(dust3r_package, "_root", lambda: "dust3r")
    monkeypatch.setattr(dust3r_package, "find_spec", lambda name: name)
    with pytest.raises(PoseInitError) as error:
        choose_initialiser("dust3r", request(empty_caches))
    snapshot(str(error.value), "weights", FOLDER=empty_caches)
    with pytest.raises(PoseInitError) as error:
        choose_initialiser("dust3r", request(empty_caches, weights="mine.pth"))
    snapshot(str(error.value), "named_weights", FOLDER=empty_caches)


def test_more_photographs_than_a_complete_graph_can_hold(empty_caches: Path, snapshot: Callable[..., None]) -> None:
    with pytest.raises(PoseInitError) as error:
        choose_initialiser("dust3r", request(empty_caches, count=25))
    snapshot(str(error.value), FOLDER=empty_caches)


def test_auto_takes_dust3r_where_package_and_weights_are_here_and_announces_it(
    empty_caches: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dust3r_package, "_root", lambda: "dust3r")
    monkeypatch.setattr(dust3r_package, "find_spec", lambda name: name)
    file = empty_caches / "checkpoints" / "DUSt3R_ViTLarge_BaseDecoder_512_linear.pth"
    file.parent.mkdir()
    file.write_bytes(b"12345")
    chosen = choose_initialiser("auto", request(empty_caches))
    assert isinstance(chosen, Dust3r) and chosen.identity == f"{file.name} 5"
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "package and weights are here" in said
    file.unlink()
    monkeypatch.setattr("sparseags_ns.pose_init.estimation.Features.missing", staticmethod(lambda request: None))
    assert choose_initialiser("auto", request(empty_caches)).name == "features"
    assert "not by dust3r: no DUSt3R weights on this machine)" in capsys.readouterr().err


def test_weights_are_found_by_path_and_by_name_in_every_cache(empty_caches: Path) -> None:
    assert find_weights("auto") is None and find_weights("nowhere.pth") is None
    ours = empty_caches / "home/.cache/sparseags_ns/mine.pth"
    torchs = empty_caches / "torch/checkpoints/DUSt3R_ViTLarge_BaseDecoder_512_dpt.pth"
    for file in (ours, torchs):
        file.parent.mkdir(parents=True)
        file.touch()
    assert find_weights("mine") == find_weights("mine.pth") == ours
    assert find_weights("auto") == find_weights("naver/DUSt3R_ViTLarge_BaseDecoder_512_dpt") == torchs
    assert find_weights(str(ours)) == ours
    folder = empty_caches / "hub"
    folder.mkdir()
    assert find_weights(str(folder)) is None
    for name in ("config.json", "model.safetensors"):
        (folder / name).touch()
    assert find_weights(str(folder)) == folder


def test_the_network_that_a_checkpoint_names_is_read_without_running_code(
    tmp_path: Path, snapshot: Callable[..., None]
) -> None:
    call = (
        "AsymmetricCroCo3DStereo(pos_embed='RoPE100', patch_embed_cls='ManyAR_PatchEmbed', img_size=(512, 512), "
        "head_type='dpt', depth_mode=('exp', -inf, inf), conf_mode=('exp', 1, float('inf')), enc_depth=24)"
    )
    arguments = constructor_arguments(call, tmp_path)
    assert arguments["img_size"] == (512, 512) and arguments["enc_depth"] == 24
    assert arguments["depth_mode"] == ("exp", -float("inf"), float("inf"))
    assert arguments["conf_mode"] == ("exp", 1, float("inf"))
    assert arguments["patch_embed_cls"] == "PatchEmbedDust3R" and arguments["landscape_only"] is False
    for bad in ("AsymmetricCroCo3DStereo(a=__import__('os').getcwd())", "1 + 1", "f("):
        with pytest.raises(PoseInitError, match="does not say what network it holds"):
            constructor_arguments(bad, tmp_path)
    with pytest.raises(PoseInitError) as error:
        constructor_arguments("AsymmetricMASt3R(img_size=(512, 512))", tmp_path / "mast3r.pth")
    snapshot(str(error.value), "other_network", FOLDER=tmp_path)
    with pytest.raises(PoseInitError) as error:
        constructor_arguments("1 + 1", tmp_path / "odd.pth")
    snapshot(str(error.value), "no_network", FOLDER=tmp_path)


def test_a_checkpoint_that_lacks_weights_or_has_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: Callable[..., None]
) -> None:
    class Module:
        @staticmethod
        def AsymmetricCroCo3DStereo(**_: object) -> torch.nn.Module:  # noqa: N802
            return torch.nn.Linear(2, 3)

    monkeypatch.setattr(dust3r_package, "package_module", lambda name: Module)
    settings = argparse.Namespace(model="AsymmetricCroCo3DStereo()")
    for name, state in (("lacks", {"bias": torch.zeros(3)}), ("other_shape", {"weight": torch.zeros(9, 9)})):
        torch.save({"args": settings, "model": state}, tmp_path / f"{name}.pth")
        with pytest.raises(PoseInitError) as error:
            load_network(tmp_path / f"{name}.pth")
        snapshot(str(error.value), name, FOLDER=tmp_path)


def test_a_package_that_is_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: Callable[..., None]
) -> None:
    def fails(name: str) -> None:
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(dust3r_package, "_root", lambda: "dust3r")
    monkeypatch.setattr(dust3r_package, "import_module", fails)
    with pytest.raises(PoseInitError) as error:
        dust3r_package.package_module("model")
    snapshot(str(error.value), FOLDER=tmp_path)


def test_files_that_are_no_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: Callable[..., None]
) -> None:
    class Module:
        AsymmetricCroCo3DStereo = None

    monkeypatch.setattr(dust3r_package, "package_module", lambda name: Module)
    (tmp_path / "text.pth").write_text("not found")
    with pytest.raises(PoseInitError) as error:
        load_network(tmp_path / "text.pth")
    snapshot(str(error.value), "damaged", FOLDER=tmp_path)
    torch.save({"state_dict": {"a": torch.zeros(1)}}, tmp_path / "other.pth")
    with pytest.raises(PoseInitError) as error:
        load_network(tmp_path / "other.pth")
    snapshot(str(error.value), "other_file", FOLDER=tmp_path)


def test_confidence_in_a_pose_is_that_of_the_best_partner() -> None:
    def prediction(confidence: float) -> dict[str, torch.Tensor]:
        return {"conf_other": torch.full((2, 2), confidence)}

    pairs = {(0, 1): prediction(2.0), (2, 1): prediction(4.0), (1, 0): prediction(1.0), (0, 2): prediction(10.0)}
    assert pose_confidence(pairs, 3).tolist() == pytest.approx([0.0, 0.75, 0.9])


class FakeNetwork:
    class patch_embed:  # noqa: N801 - the package's name
        img_size = (64, 64)


def test_an_interrupted_inference_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for index, path in enumerate(paths):
        Image.new("RGB", (64, 48), (80 * index, 0, 0)).save(path)
    work: list[int] = []

    def predict(self: Dust3r, first: FittedImage, second: FittedImage) -> dict[str, torch.Tensor]:
        work.append(len(work))
        if len(work) == 3:
            raise KeyboardInterrupt
        names = (f"{direction}_{name}" for direction in ("forth", "back") for name in dust3r._NAMES)
        return {name: torch.ones(2, 2, 3) * 1e6 for name in names}

    kept: list[Any] = []
    monkeypatch.setattr(Dust3r, "_predict", predict)
    monkeypatch.setattr(Dust3r, "_network", FakeNetwork())
    monkeypatch.setattr(Dust3r, "_align", lambda self, predictions: kept.append(predictions))
    monkeypatch.setattr(dust3r, "_frame", lambda scene, row, image, path: None)
    monkeypatch.setattr(Dust3r, "_points", lambda self, scene, images: None)
    weights = tmp_path / "weights.pth"
    weights.touch()

    def estimate(paths: Sequence[Path]) -> InitialPoses:
        return Dust3r.create(PoseRequest(paths, tmp_path, Store(tmp_path / "kept"), str(weights))).estimate(paths)

    with pytest.raises(KeyboardInterrupt):
        estimate(paths)
    initial = estimate(paths)
    assert len(work) == 4, "one pair was left"
    assert set(kept[0]) == {(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)}
    assert all(value.isfinite().all() for value in kept[0][0, 1].values())
    assert initial.frames == (None,) * 3 and (initial.confidence == 0).all()
    Image.new("RGB", (64, 48), (1, 2, 3)).save(paths[0])
    estimate(paths)
    assert len(work) == 6, "the pairs of the changed photograph"
