"""Exports of real runs, opened by independent readers: `python -m benchmarks.exports RUN[:SCENE] ... [--steps 100]`.

For each run, every kind of export is written and read by an independent program: pycolmap, plyfile, trimesh, ffprobe,
nerfstudio's own dataparsers (through which nerfacto is trained on the export for some steps). The mesh of a sample
scene, SCENE, is compared with the true surface. Nothing is downloaded: AlexNet, which nerfacto uses for a metric, has
random weights here.

Figures: PSNR in dB of the exported splat through the exported cameras against nerfstudio's render of the run; Chamfer
distance as a share of the object's size (the diagonal of its box): the mean over both directions of the mean distance
to the nearest point of the other surface. Run and truth are aligned by the similarity that fits the refined camera
centres to the true ones; the mesh takes no part in it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from sparseags_ns.evaluation.cameras import compare_pose_files
from sparseags_ns.export.maps import read_colmap_map
from sparseags_ns.formats.poses import read_poses
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.metrics.images import psnr
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.opening import open_run

KINDS = ("cameras", "splat", "mesh", "video", "depth", "masks", "reprojection")
LEAST_PSNR, MOST_CHAMFER = 40.0, 0.02
SAMPLED = 100_000


def main() -> int:
    """Check all runs; returns 1 if any figure is wrong, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exports", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN[:SCENE]", help="a run's folder, and its sample's folder")
    parser.add_argument("--steps", type=int, default=100, help="steps of nerfacto on each export; 0 for none")
    parser.add_argument("--output", type=Path, help="folder for the exports; by default a temporary one")
    options = parser.parse_args()
    wrong = []
    for text in options.runs:
        run, _, scene = text.partition(":")
        folder = options.output or Path(tempfile.mkdtemp(prefix="exports."))
        wrong += check_run(Path(run), Path(scene) if scene else None, folder / Path(run).parents[1].name, options.steps)
    print("\nall figures are right" if not wrong else "\nWRONG: " + "; ".join(wrong))
    return bool(wrong)


def check_run(run: Path, scene: Path | None, folder: Path, steps: int) -> list[str]:
    """Export and check one run; returns the wrong figures."""
    print(f"\n{run}")
    exports, wrong = export_all(run, folder), []
    for name, figure in figures(run, scene, exports, steps):
        print(f"  {name:44} {figure}", flush=True)
        wrong += [f"{run}: {name}: {figure}"] if figure.startswith("WRONG") else []
    return wrong


def figures(run: Path, scene: Path | None, exports: dict[str, Path], steps: int) -> Iterator[tuple[str, str]]:
    """Names and values of the figures of all readers, one after the other."""
    yield from colmap_figures(exports["cameras"]).items()
    yield from mesh_figures(exports["mesh"], run, scene).items()
    yield from ((kind, video_figures(exports[kind])) for kind in ("video", "reprojection"))
    yield from depth_figures(exports["depth"], exports["cameras"]).items()
    for parser in ("transforms.json", "COLMAP") if steps else ():
        yield f"nerfacto on {parser}, {steps} steps", train_nerfacto(exports["cameras"], parser, steps)
    yield from splat_figures(run, exports["splat"], exports["cameras"]).items()


def export_all(run: Path, folder: Path) -> dict[str, Path]:
    """Write every kind of export with the command; returns their paths by kind."""
    names = {"splat": "splat.ply", "mesh": "mesh.ply", "video": "turntable.mp4", "reprojection": "reprojection.mp4"}
    command = Path(sys.executable).with_name("sparseags")
    exports = {kind: folder / names.get(kind, kind) for kind in KINDS}
    for kind, path in [*exports.items(), *(("mesh", folder / f"mesh{ending}") for ending in (".glb", ".obj"))]:
        subprocess.run([command, "export", run, kind, "--output", path, "--overwrite"], check=True)
    return exports


def colmap_figures(cameras: Path) -> dict[str, str]:
    """Errors of both COLMAP models as pycolmap reads them."""
    import pycolmap

    figures = {}
    true = {Path(frame.file_path).name: frame for frame in read_poses(cameras / "transforms.json")}
    for name in ("sparse", "sparse_text"):
        model = pycolmap.Reconstruction(str(cameras / name / "0"))
        errors, poses = [0.0], []
        for point in model.points3D.values():
            for element in point.track.elements:
                image = model.images[element.image_id]
                written = image.points2D[element.point2D_idx].xy
                errors.append(float(np.abs(image.project_point(point.xyz) - written).max()))
        for image in model.images.values():
            pose = np.asarray(image.cam_from_world().matrix())
            poses.append(np.abs(pose - true[image.name].T_camera_world[:3].numpy()).max())
            poses.append(np.abs(model.cameras[image.camera_id].calibration_matrix() - true[image.name].K.numpy()).max())
        good = max(errors) < 1e-2 and max(poses) < 1e-5 and len(model.images) == len(true)
        figures[f"pycolmap, {name}"] = _judged(
            good,
            f"{model.num_images()} images, {model.num_points3D()} points, mean track "
            f"{model.compute_mean_track_length():.1f}; reprojection {max(errors):.1e} px, poses and K {max(poses):.1e}",
        )
    return figures


def splat_figures(run: Path, splat: Path, cameras: Path) -> dict[str, str]:
    """The exported files against nerfstudio's own renders and nerfstudio's own export."""
    gaussians, frames = read_splat(splat), read_poses(cameras / "transforms.json")
    seen_from = Cameras(
        torch.stack([frame.T_camera_world for frame in frames]).float(),
        torch.stack([frame.K for frame in frames]).float(),
        *(frames[0].width or 0, frames[0].height or 0),
    )
    renders, names = rasterize(gaussians, seen_from, torch.ones(3)).rgb.clamp(0, 1), open_run(run).views.names
    kept = [names.index(frame.name) for frame in frames]
    least = float(psnr(renders, nerfstudio_renders(run)[kept]).min())
    return {
        "exported splat through exported cameras": _judged(least > LEAST_PSNR, f"{least:.1f} dB or more"),
        "ns-export's splat against ours": _against_ns_export(run, splat),
    }


def nerfstudio_renders(run: Path) -> Float[Tensor, "views height width 3"]:
    """The run's views as nerfstudio's evaluation renders them."""
    from nerfstudio.utils.eval_utils import eval_setup

    _, pipeline, _, _ = eval_setup(run / "config.yml", test_mode="test")
    dataset = pipeline.datamanager.eval_dataset  # type: ignore[union-attr]
    assert dataset is not None
    with torch.no_grad():
        views = range(len(dataset))
        return torch.stack([pipeline.model.get_outputs_for_camera(dataset.cameras[i : i + 1])["rgb"] for i in views])


def _against_ns_export(run: Path, splat: Path) -> str:
    """Largest difference between the two .ply files over all properties of nerfstudio's."""
    from nerfstudio.scripts.exporter import ExportGaussianSplat
    from plyfile import PlyData

    with tempfile.TemporaryDirectory() as folder:
        ExportGaussianSplat(load_config=run / "config.yml", output_dir=Path(folder)).main()
        reference = PlyData.read(str(Path(folder) / "splat.ply"))["vertex"]
        ours = PlyData.read(str(splat))["vertex"]
        if len(reference.data) != len(ours.data):
            return f"WRONG: {len(reference.data)} against {len(ours.data)} Gaussians"
        rest = len([p for p in reference.properties if p.name.startswith("f_rest_")]) // 3
        wide = len([p for p in ours.properties if p.name.startswith("f_rest_")]) // 3
        largest = 0.0
        for name in (p.name for p in reference.properties):
            higher = name.startswith("f_rest_")
            channel, index = divmod(int(name[7:]), rest) if higher else (0, 0)
            same = f"f_rest_{channel * wide + index}" if higher else name
            # A logit that went through its sigmoid has lost digits that no render can show.
            pair = [1 / (1 + np.exp(-v)) if name == "opacity" else v for v in (reference[name], ours[same])]
            largest = max(largest, float(np.abs(pair[0] - pair[1]).max()))
    return _judged(largest < 1e-5, f"{len(ours.data)} Gaussians, largest difference {largest:.1e}")


def read_splat(path: Path) -> Gaussians:
    """Gaussians of a .ply file, read by plyfile."""
    from plyfile import PlyData

    vertex = PlyData.read(str(path))["vertex"]

    def stack(prefix: str, count: int) -> Tensor:
        return torch.tensor(np.stack([vertex[f"{prefix}_{i}"] for i in range(count)], axis=1))

    rest = stack("f_rest", 45).reshape(-1, 3, 15).transpose(1, 2)
    return Gaussians(
        means=torch.tensor(np.stack([vertex[axis] for axis in "xyz"], axis=1)),
        quats=stack("rot", 4),
        scales=stack("scale", 3).exp(),
        opacities=torch.tensor(vertex["opacity"].copy()).sigmoid(),
        colors=torch.cat([stack("f_dc", 3)[:, None], rest], dim=1),
    )


def mesh_figures(path: Path, run: Path, scene: Path | None) -> dict[str, str]:
    """Properties of the mesh as trimesh reads it, and its distance from the true surface if that is known."""
    import trimesh

    figures: dict[str, str] = {}
    for ending in (".ply", ".glb", ".obj"):
        mesh: Any = trimesh.load(path.with_suffix(ending), force="mesh", process=ending == ".obj")
        text = f"{len(mesh.faces)} faces, {mesh.body_count} part(s), watertight: {mesh.is_watertight}"
        figures[f"mesh{ending}, trimesh"] = _judged(mesh.is_watertight, text)
    if scene is not None:
        points = trimesh.sample.sample_surface(trimesh.load(path, force="mesh", process=False), SAMPLED, seed=0)[0]
        truth = np.load(scene / "gt" / "surface.npz")["points"]
        there, back = chamfer(points, truth, run, scene)
        text = f"{(there + back) / 2:.2%} of the size (mesh to truth {there:.2%}, truth to mesh {back:.2%})"
        figures["Chamfer distance of the mesh"] = _judged((there + back) / 2 < MOST_CHAMFER, text)
    return figures


def chamfer(points: np.ndarray, truth: np.ndarray, run: Path, scene: Path) -> tuple[float, float]:
    """Mean distances from points to truth and from truth to points, as shares of the object's size."""
    from scipy.spatial import KDTree

    poses = compare_pose_files(run / "sparseags" / "transforms.json", scene / "gt" / "transforms.json").poses
    aligned = poses.alignment.apply_to_points(torch.from_numpy(np.array(points)).double()).numpy()
    size = float(np.linalg.norm(truth.max(0) - truth.min(0)))
    return float(KDTree(truth).query(aligned)[0].mean()) / size, float(KDTree(aligned).query(truth)[0].mean()) / size


def video_figures(path: Path) -> str:
    """Properties of a video as ffprobe reads it; wrong if browsers do not play it."""
    fields = "codec_name,pix_fmt,width,height,nb_frames,r_frame_rate"
    command = ["ffprobe", "-v", "error", "-show_entries", f"stream={fields}", "-of", "json", path]
    stream = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["streams"][0]
    good = (stream["codec_name"], stream["pix_fmt"]) == ("h264", "yuv420p")
    return _judged(good, ", ".join(str(stream[field]) for field in fields.split(",")))


def depth_figures(depth: Path, cameras: Path) -> dict[str, str]:
    """Difference of PNG and .bin, and of the depth maps and the COLMAP model's points that the photographs show."""
    import pycolmap

    unit, differences, distances = json.loads((depth / "export.json").read_text())["units_per_value"], [], []
    model = pycolmap.Reconstruction(str(cameras / "sparse" / "0"))
    for image in model.images.values():
        values = np.asarray(Image.open(depth / image.name)).astype(np.float64) * unit
        metric = read_colmap_map(depth / f"{image.name}.geometric.bin").numpy()
        differences.append(np.abs(values - metric).max())
        for point in (p for p in image.points2D if p.has_point3D()):
            z = (image.cam_from_world() * model.points3D[point.point3D_id].xyz)[2]
            distances.append(abs(z - metric[int(point.xy[1]), int(point.xy[0])]) / z)
    text = f"PNG and .bin differ by {max(differences):.1e}; points lie within {np.median(distances):.2%} (median)"
    return {"depth maps": _judged(max(differences) < 0.6 * unit and np.median(distances) < 0.05, text)}


def train_nerfacto(cameras: Path, parser: str, steps: int) -> str:
    """Train nerfstudio's nerfacto on the export through one of nerfstudio's own dataparsers, in its own process."""
    code = f"from benchmarks.exports import nerfacto; nerfacto({str(cameras)!r}, {parser!r}, {steps})"
    environment = {**os.environ, "TORCH_HOME": tempfile.mkdtemp(prefix="torch-home.")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return "WRONG: " + done.stderr.strip().splitlines()[-1]
    first, last = map(float, done.stdout.strip().splitlines()[-1].split())
    return _judged(last > first + 2, f"PSNR of the batches {first:.1f} dB in the first tenth, {last:.1f} in the last")


def nerfacto(cameras: str, parser: str, steps: int) -> None:
    """Train, and print the batches' PSNR in the first and the last tenth of the steps."""
    from copy import deepcopy

    from nerfstudio.configs.method_configs import method_configs
    from nerfstudio.data.dataparsers.colmap_dataparser import ColmapDataParserConfig
    from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig
    from torchvision.models import alexnet

    weights = Path(torch.hub.get_dir()) / "checkpoints" / "alexnet-owt-7be5be79.pth"
    weights.parent.mkdir(parents=True)
    torch.save(alexnet(weights=None).state_dict(), weights)
    config: Any = deepcopy(method_configs["nerfacto"])
    config.machine.device_type, config.vis, config.output_dir = "cpu", "tensorboard", Path(torch.hub.get_dir())
    config.mixed_precision, config.use_grad_scaler, config.max_num_iterations = False, False, steps
    config.pipeline.model.implementation = "torch"
    # Small, so that a CPU trains it in a minute.
    model, manager = config.pipeline.model, config.pipeline.datamanager
    model.log2_hashmap_size, model.max_res = 15, 256
    model.num_proposal_samples_per_ray, model.num_nerf_samples_per_ray = (64, 32), 24
    manager.train_num_rays_per_batch, manager.data = 256, Path(cameras)
    manager.dataparser = (
        NerfstudioDataParserConfig(data=Path(cameras))
        if parser == "transforms.json"
        else ColmapDataParserConfig(data=Path(cameras), colmap_path=Path("sparse/0"), downscale_factor=1)
    )
    config.set_timestamp()
    trainer = config.setup()
    trainer.setup()
    quality = []
    for step in range(steps):
        trainer.pipeline.train()
        quality.append(float(trainer.train_iteration(step)[2]["psnr"]))
    print(np.mean(quality[: max(1, steps // 10)]), np.mean(quality[-max(1, steps // 10) :]))


def _judged(good: bool | np.bool_, text: str) -> str:
    return text if good else f"WRONG: {text}"


if __name__ == "__main__":
    sys.exit(main())
