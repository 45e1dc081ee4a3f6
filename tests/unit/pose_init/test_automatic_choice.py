"""Which initialiser `auto` uses: dust3r, features where it places all photographs, ab-initio for objects with masks.

The initialisers are small fakes under the real names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from PIL import Image

from sparseags_ns.formats.frame import Frame, intrinsics_matrix
from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.pose_init.ab_initio.ab_initio import AbInitio
from sparseags_ns.pose_init.base import InitialPoses, NoMasksError, PoseInitError, PoseRequest
from sparseags_ns.pose_init.estimation import INITIALISERS, estimate_poses
from sparseags_ns.preprocess import rembg_masks
from sparseags_ns.preprocess.store import Store

NO_MASKS = NoMasksError("ab-initio looks at objects, and nothing tells the object: cut it out")
NO_ARRANGEMENT = PoseInitError("only 1 of the 4 photographs differ")


def fake(
    name: str,
    placed: int,
    absent: str | None,
    error: Exception | None,
    calls: list[str],
    doubt: str | None = None,
    step_deg: float = 40,
) -> type:
    """An initialiser that places the first photographs on a ring, is absent, or fails."""

    @dataclass(frozen=True)
    class Fake:
        name: ClassVar[str] = ""
        automatic: ClassVar[bool] = True
        uses_masks: ClassVar[bool] = False
        details: ClassVar[str] = "fake"

        @staticmethod
        def missing(request: PoseRequest) -> str | None:
            return absent

        @staticmethod
        def create(request: PoseRequest) -> Fake:
            return Fake()

        def estimate(self, photo_files: Sequence[Path]) -> InitialPoses:
            calls.append(name)
            if error is not None:
                raise error
            K = intrinsics_matrix(9.0, 9.0, 2.0, 2.0)
            angles = torch.arange(placed).double() * step_deg
            poses = orbit(angles, torch.zeros_like(angles), 2.0)
            frames = [Frame(p.stem, p.name, T, K, 4, 4) for p, T in zip(photo_files, poses, strict=False)]
            rest = len(photo_files) - placed
            confidence = torch.tensor([0.5] * placed + [0.0] * rest)
            return InitialPoses((*frames, *(None,) * rest), confidence, doubt=doubt)

    Fake.name = name
    return Fake


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.png" for name in "abcd"]
    for index, path in enumerate(paths):
        Image.new("RGB", (4, 4), (index, 0, 0)).save(path)
    return paths


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """`machine(features=2, ab_initio=NO_MASKS)`: what each initialiser does; returns the list of those that worked.

    A number of placed photographs, the reason why it is absent, or an error.
    """

    def make(
        dust3r: Any = "not installed: dust3r",
        features: Any = 4,
        ab_initio: Any = 4,
        doubt: str | None = None,
        features_doubt: str | None = None,
        features_step_deg: float = 40,
    ) -> list[str]:
        calls: list[str] = []
        for name, does in (("dust3r", dust3r), ("features", features), ("ab-initio", ab_initio)):
            placed, absent = does if isinstance(does, int) else 0, does if isinstance(does, str) else None
            error = does if isinstance(does, Exception) else None
            unsure, step_deg = {"ab-initio": (doubt, 40), "features": (features_doubt, features_step_deg)}.get(
                name, (None, 40)
            )
            monkeypatch.setitem(INITIALISERS, name, fake(name, placed, absent, error, calls, unsure, step_deg))
        return calls

    return make


@pytest.mark.parametrize(
    "does, source, worked",
    [
        ({"dust3r": 4}, "dust3r", ["dust3r"]),
        ({"dust3r": 3}, "dust3r", ["dust3r"]),
        ({}, "features", ["features"]),
        ({"features": 3}, "ab-initio", ["features", "ab-initio"]),
        ({"features": 0}, "ab-initio", ["features", "ab-initio"]),
        ({"features": "not installed: pycolmap; get it"}, "ab-initio", ["ab-initio"]),
        ({"features": 2, "ab_initio": NO_MASKS}, "features", ["features", "ab-initio"]),
        ({"features": 0, "ab_initio": NO_MASKS}, "features", ["features", "ab-initio"]),
        ({"features": 2, "ab_initio": NO_ARRANGEMENT}, "features", ["features", "ab-initio"]),
        ({"features": 1, "ab_initio": "masks are switched off"}, "features", ["features"]),
        ({"features": 3, "doubt": "two arrangements"}, "features", ["features", "ab-initio"]),
        ({"features": 2, "doubt": "two arrangements"}, "ab-initio", ["features", "ab-initio"]),
        ({"features_doubt": "it has moved"}, "ab-initio", ["features", "ab-initio"]),
        ({"features_doubt": "it has moved", "doubt": "two arrangements"}, "ab-initio", ["features", "ab-initio"]),
        ({"features_doubt": "it has moved", "ab_initio": NO_ARRANGEMENT}, "features", ["features", "ab-initio"]),
        ({"features_step_deg": 0.1}, "ab-initio", ["features", "ab-initio"]),
        ({"features_step_deg": 0.1, "ab_initio": NO_MASKS}, "features", ["features", "ab-initio"]),
    ],
)
def test_auto_uses_the_first_whose_result_will_do(
    photographs: list[Path], machine: Callable[..., list[str]], does: dict[str, Any], source: str, worked: list[str]
) -> None:
    calls = machine(**does)
    assert estimate_poses(photographs).source == source and calls == worked


def test_each_turn_prints_one_line_with_its_reason(
    photographs: list[Path], machine: Callable[..., list[str]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    machine(features=2)
    estimate_poses(photographs)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("sparseags: poses: estimated by features (fake) (no pose file in")
    assert second == "sparseags: poses: estimated by ab-initio (fake) (features placed 2 of 4 photographs)"
    for worthless, why in (
        ({"features_doubt": "it has moved"}, ", and is not sure: it has moved"),
        ({"features_step_deg": 0.1}, ", but their cameras look at no common place"),
    ):
        machine(**worthless)
        estimate_poses(photographs, store=Store(tmp_path / why))
        *_, last = capsys.readouterr().err.splitlines()
        assert last.endswith(f"(features placed 4 of 4 photographs{why})")
    machine(features=2, ab_initio=NO_MASKS)
    estimate_poses(photographs, store=Store(tmp_path / "other"))
    *_, last = capsys.readouterr().err.splitlines()
    assert last == f"sparseags: poses: those of features, which placed 2 of 4 photographs ({NO_MASKS})"


def test_where_nothing_works_the_message_says_what_would(
    photographs: list[Path], machine: Callable[..., list[str]], tmp_path: Path, snapshot: Callable[..., None]
) -> None:
    machine(features="not installed: pycolmap; pip install pycolmap", ab_initio=NO_MASKS)
    with pytest.raises(PoseInitError) as error:
        estimate_poses(photographs)
    snapshot(str(error.value), "no_features_no_masks", SCENE=tmp_path)
    machine(features=1, ab_initio=NO_ARRANGEMENT)
    with pytest.raises(PoseInitError) as error:
        estimate_poses(photographs)
    snapshot(str(error.value), "no_arrangement", SCENE=tmp_path)


def test_the_result_of_auto_is_found_again_whatever_works_by_then(
    photographs: list[Path], machine: Callable[..., list[str]], tmp_path: Path
) -> None:
    machine(features=2)
    estimate_poses(photographs)
    calls = machine(dust3r=4, features="not installed", ab_initio=NO_MASKS)
    assert estimate_poses(photographs).source == "ab-initio" and calls == []
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks/a.png").write_bytes(b"another object")
    assert estimate_poses(photographs).source == "dust3r", "other masks, another request"


def test_what_features_placed_gives_way_once_there_are_masks(
    photographs: list[Path], machine: Callable[..., list[str]], tmp_path: Path
) -> None:
    machine(features=2, ab_initio=NO_MASKS)
    assert estimate_poses(photographs).source == "features"
    calls = machine(features=2)
    assert estimate_poses(photographs).source == "features" and calls == []
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks/a.png").write_bytes(b"mask")
    assert estimate_poses(photographs).source == "ab-initio" and calls == ["ab-initio"]


def test_ab_initio_says_that_masks_are_missing(
    photographs: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, snapshot: Callable[..., None]
) -> None:
    monkeypatch.setattr(rembg_masks, "missing", lambda: "the package rembg is not installed")
    for path in photographs:
        Image.effect_noise((32, 32), 80).save(path)
    with pytest.raises(NoMasksError) as error:
        estimate_poses(photographs, "ab-initio")
    snapshot(str(error.value), "none_found", SCENE=tmp_path)
    with pytest.raises(PoseInitError) as error:
        estimate_poses(photographs, "ab-initio", masks="none")
    snapshot(str(error.value), "switched_off", SCENE=tmp_path)


def test_masks_are_read_as_the_scene_reads_them(photographs: list[Path], tmp_path: Path) -> None:
    """The way masks are read is part of the request and of the result's key."""
    plain = PoseRequest(photographs, tmp_path, Store(tmp_path))
    requests = [plain, replace(plain, masks_drop=True), replace(plain, masks="rembg")]
    made = [AbInitio.create(request) for request in requests]
    assert [one.masks_drop for one in made] == [False, True, False] and made[2].mask_source == "rembg"
    assert len({one.masks for one in made}) == 3


def test_a_doubtful_result_is_not_the_answer_to_later_requests(
    photographs: list[Path], machine: Callable[..., list[str]]
) -> None:
    machine(features=0, doubt="two arrangements")
    assert estimate_poses(photographs).source == "ab-initio"
    machine(dust3r=4)
    assert estimate_poses(photographs).source == "dust3r"
