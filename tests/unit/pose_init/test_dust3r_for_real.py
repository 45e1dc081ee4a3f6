"""The real package of DUSt3R, where it is installed: a small network is trained on three photographs of a corner of a
room, saved as the authors save theirs, and used by the adapter as any checkpoint.

Its class, its inference and its alignment are the package's own. The network has some 300 thousand parameters and has
seen nothing but these photographs, so that what it says of them is nearly right, and cameras can be compared.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import look_at
from sparseags_ns.geometry.pose_errors import pose_errors
from sparseags_ns.pose_init.base import PoseRequest
from sparseags_ns.pose_init.networks.dust3r import Dust3r
from sparseags_ns.pose_init.networks.dust3r_images import read_fitted
from sparseags_ns.pose_init.networks.dust3r_package import missing_package, package_module
from sparseags_ns.preprocess.store import Store
from sparseags_ns.scene.reading import ReadingOptions, read_scene

pytestmark = [
    pytest.mark.skipif(missing_package() is not None, reason=f"DUSt3R is {missing_package()}"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*autocast.*:FutureWarning"),
]

EYES = torch.tensor([[2.0, 1.5, 2.0], [2.4, 1.2, 1.4], [1.3, 1.7, 2.3]])
WIDTH, HEIGHT, FOCAL = 64, 48, 70.0
"""Size and focal length of the images that the network gets; the photographs are two and three times as large."""
SCALES = (2, 2, 3)
CALL = (
    "AsymmetricCroCo3DStereo(pos_embed='RoPE100', patch_embed_cls='ManyAR_PatchEmbed', img_size=(64, 64), "
    "head_type='linear', output_mode='pts3d', depth_mode=('exp', -inf, inf), conf_mode=('exp', 1, inf), "
    "enc_embed_dim=64, enc_depth=1, enc_num_heads=2, dec_embed_dim=64, dec_depth=2, dec_num_heads=2)"
)
SETTINGS: dict[str, Any] = {
    "pos_embed": "RoPE100",
    "img_size": (64, 64),
    "head_type": "linear",
    "enc_embed_dim": 64,
    "enc_depth": 1,
    "enc_num_heads": 2,
    "dec_embed_dim": 64,
    "dec_depth": 2,
    "dec_num_heads": 2,
    "landscape_only": False,
}
STEPS = 160


def poses() -> Float[Tensor, "3 4 4"]:
    return look_at(EYES, torch.tensor([0.3, 0.3, 0.3]).expand(3, 3))


def corner(view: int, scale: int) -> tuple[Tensor, Tensor]:
    """Points that a camera's pixels see of three walls that meet in the origin, and their colours."""
    T_world_camera, eye = se3.inverse(poses())[view], EYES[view]
    columns, rows = torch.arange(WIDTH * scale) + 0.5, torch.arange(HEIGHT * scale) + 0.5
    u, v = torch.meshgrid(columns, rows, indexing="xy")
    middle = WIDTH * scale / 2, HEIGHT * scale / 2
    rays = torch.stack([(u - middle[0]) / FOCAL / scale, (v - middle[1]) / FOCAL / scale, torch.ones_like(u)], dim=-1)
    rays = rays @ T_world_camera[:3, :3].T
    depth = torch.where(rays < 0, -eye / rays, torch.inf).amin(-1)
    points = eye + depth[..., None] * rays
    return points, 0.5 + 0.45 * torch.sin(3 * points + torch.tensor([0.0, 1.0, 2.0]))


def trained_network(images: Tensor, points: Tensor) -> torch.nn.Module:
    """A network that knows these images: trained as DUSt3R is, on the points and how sure it may be of them."""
    torch.manual_seed(0)
    network = package_module("model").AsymmetricCroCo3DStereo(**SETTINGS)
    pairs = torch.tensor(list(permutations(range(3), 2)))
    first, second = pairs.unbind(-1)
    R, t = poses()[first, :3, :3], poses()[first, :3, 3][:, None, None]
    wanted = [torch.einsum("nij,nhwj->nhwi", R, points[of]) + t for of in (first, second)]
    shape = torch.tensor([[HEIGHT, WIDTH]] * len(pairs))

    def views(of: Tensor) -> dict[str, Any]:
        return {"img": images[of], "true_shape": shape, "instance": [str(int(index)) for index in of]}

    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, STEPS)
    for _ in range(STEPS):
        one, other = network(views(first), views(second))
        loss = torch.zeros(())
        for said, key, truth in ((one, "pts3d", wanted[0]), (other, "pts3d_in_other_view", wanted[1])):
            error = (said[key] - truth).norm(dim=-1)
            loss = loss + (said["conf"] * error - 0.6 * said["conf"].log()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photographs, and a checkpoint beside it."""
    folder = tmp_path_factory.mktemp("corner")
    (folder / "photographs").mkdir()
    paths = [folder / "photographs" / f"{view}.png" for view in range(3)]
    for view, path in enumerate(paths):
        colours = corner(view, SCALES[view])[1]
        Image.fromarray((colours * 255).round().byte().numpy()).save(path)
    images = [read_fitted(path, 64) for path in paths]
    assert {image.rgb.shape for image in images} == {(HEIGHT, WIDTH, 3)}
    inputs = torch.cat([image.as_view(0)["img"] for image in images])
    with torch.random.fork_rng(devices=[]):
        network = trained_network(inputs, torch.stack([corner(view, 1)[0] for view in range(3)]))
    content = {"args": argparse.Namespace(model=CALL), "model": network.state_dict(), "epoch": 3}
    torch.save(content, folder / "small.pth")
    return folder


def test_images_are_what_the_package_itself_would_load(tmp_path: Path) -> None:
    noise = (torch.rand(75, 130, 3, generator=torch.Generator().manual_seed(0)) * 255).byte().numpy()
    for size, name in ((64, "a.png"), (224, "b.png")):
        Image.fromarray(noise).save(tmp_path / name)
        (theirs,) = package_module("utils.image").load_images([str(tmp_path / name)], size, verbose=False)
        ours = read_fitted(tmp_path / name, size).as_view(0)
        assert torch.allclose(ours["img"], theirs["img"], atol=1e-6)
        assert (ours["true_shape"] == theirs["true_shape"]).all()


def test_three_photographs_become_a_scene_and_are_estimated_once(
    scene: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ReadingOptions(pose_init="dust3r", pose_weights=str(scene / "small.pth"), masks="none", resolution=48)
    found = read_scene(scene / "photographs", options)
    said = capsys.readouterr().err
    assert said.count("for non-commercial use only") == 1
    views = found.views
    errors = pose_errors(views.cameras.T_camera_world, poses())
    assert errors.pairs_rotation_deg.max() < 8 and errors.center.max() < 0.25
    assert (views.cameras.K[:, 0, 0] / 48).tolist() == pytest.approx([FOCAL / WIDTH] * 3, rel=0.25)
    assert views.trusted.all() and (found.confidence > 0.3).all() and (found.confidence <= 1).all()
    assert views.points is not None and len(views.points) > 100
    # The points lie on the walls, once they are carried to the true world.
    onto = errors.alignment.apply_to_points(views.points.positions)
    assert onto.abs().amin(-1).quantile(0.9) < 0.25
    assert len(list((scene / "photographs/sparseags/dust3r").glob("pair-*.npz"))) == 3
    monkeypatch.setattr(Dust3r, "estimate", lambda self, photo_files: pytest.fail("estimated again"))
    again = read_scene(scene / "photographs", options)
    assert torch.equal(again.views.cameras.T_camera_world, views.cameras.T_camera_world)


def test_the_same_photographs_give_the_same_cameras(scene: Path, tmp_path: Path) -> None:
    paths = sorted((scene / "photographs").glob("*.png"))[:2]
    stores = Store(tmp_path / "first"), Store(tmp_path / "again")
    requests = [PoseRequest(paths, scene, store, str(scene / "small.pth")) for store in stores]
    first, again = (replace(Dust3r.create(request), iterations=20).estimate(paths) for request in requests)
    for one, other in zip(first.frames, again.frames, strict=True):
        assert one is not None and other is not None and torch.equal(one.T_camera_world, other.T_camera_world)
