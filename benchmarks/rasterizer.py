"""Speed and memory of the CPU rasterizer: images, hypotheses, the joint step, threads, cold start.

The scene is `ball_scene` (see `sparseags_ns.rasterizer.scenes`). Times are CPU milliseconds on one thread per view or
hypothesis, compared as ratios to the yardstick; `forward+backward` is both together.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from benchmarks import processes
from benchmarks.metric import Metric
from benchmarks.timing import Yardstick, least, wall_seconds
from sparseags_ns.geometry import se3
from sparseags_ns.rasterizer import Gaussians, photometric_loss, rasterize, score_poses
from sparseags_ns.rasterizer.scenes import Scene, ball_scene

SIZES_PX = (64, 128, 256, 512)
COUNTS = (2_000, 5_000, 10_000, 25_000, 100_000)
VIEWS = (1, 2, 4, 8, 16)
HYPOTHESES = 64
STEP_VIEWS, STEP_PX, STEP_COUNT = 8, 256, 10_000


def run(quick: bool) -> list[Metric]:
    """All figures; the quick form keeps those of the project's targets."""
    yardstick = Yardstick()
    with threads(1):
        metrics = [
            metric
            for size_px in ((256,) if quick else SIZES_PX)
            for count in (COUNTS[1:4] if quick else COUNTS)
            for metric in render_times(count, size_px, 2 if size_px > 256 else 8, yardstick)
        ]
        metrics += [metric for count in (2_000, 10_000) for metric in scoring_times(count, yardstick)]
        metrics += joint_step_times(yardstick)
        if not quick:
            metrics += view_scaling(yardstick) + [speed_over_twin(yardstick)]
    metrics += thread_scaling(yardstick)
    return metrics if quick else metrics + processes.start_and_memory(yardstick)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Render on so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def time_metric(name: str, seconds: float, per: int, yardstick: Yardstick, tolerance: float = 0.25) -> Metric:
    """A time for each of `per` things, as a ratio to the yardstick."""
    each = seconds / per
    return Metric(name, each / yardstick.seconds, tolerance, shown=f"{1e3 * each:.2f} ms")


def render(scene: Scene, backward: bool) -> None:
    """One call for all views, with gradients to every input but the intrinsics if `backward`."""
    with torch.set_grad_enabled(backward):
        raster = rasterize(scene.gaussians, scene.cameras, scene.background)
        if backward:
            raster.rgb.backward(torch.ones_like(raster.rgb))


def render_times(count: int, size_px: int, views: int, yardstick: Yardstick) -> list[Metric]:
    """Forward, and forward with backward, of one setting."""
    scene = ball_scene(count, size_px, views)
    leaves = scene.leaves()
    times = {
        "forward": least(lambda: render(scene, False), yardstick),
        "forward+backward": least(lambda: render(leaves, True), yardstick),
    }
    return [time_metric(f"{name}/{size_px}px/{count}", time, views, yardstick) for name, time in times.items()]


def scoring_times(count: int, yardstick: Yardstick) -> list[Metric]:
    """Scoring of hypotheses at 64 px, without and with the gradient by the poses."""
    scene = ball_scene(count, 64, HYPOTHESES)
    truth = rasterize(scene.gaussians, scene.cameras[:1])
    metrics = []
    for name, wanted in (("score", False), ("score+gradient", True)):
        poses = scene.cameras.T_camera_world.clone().requires_grad_(wanted)

        def work(poses: torch.Tensor = poses) -> None:
            score_poses(scene.gaussians, truth.rgb[0], truth.alpha[0], poses, scene.cameras.K[0])

        metrics.append(time_metric(f"{name}/64px/{count}", least(work, yardstick), HYPOTHESES, yardstick))
    return metrics


class JointStep:
    """One step of the joint optimisation: activations, poses, images, loss, Adam."""

    def __init__(self) -> None:
        scene = ball_scene(STEP_COUNT, STEP_PX, STEP_VIEWS, sh_bases=4)
        truth = rasterize(scene.gaussians, scene.cameras)
        self.cameras, self.images, self.masks = scene.cameras, truth.rgb, truth.alpha
        raw = scene.gaussians
        start = (raw.means + 0.01, raw.quats, raw.scales.log(), torch.logit(raw.opacities, 0.01), raw.colors)
        self.parameters = [value.clone().requires_grad_() for value in (*start, torch.zeros(STEP_VIEWS, 6))]
        self.optimizer = torch.optim.Adam(self.parameters, lr=1e-3)

    def __call__(self) -> None:
        means, quats, scales, opacities, colors, tangents = self.parameters
        gaussians = Gaussians(means, quats, scales.exp(), opacities.sigmoid(), colors)
        poses = self.cameras.T_camera_world @ se3.exp(tangents)
        raster = rasterize(gaussians, self.cameras.with_poses(poses))
        loss = photometric_loss(raster.rgb, self.images).mean() + (raster.alpha - self.masks).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def joint_step_times(yardstick: Yardstick) -> list[Metric]:
    """The step on one thread, and the image loss alone."""
    step = JointStep()
    images, targets = torch.rand(2, STEP_VIEWS, STEP_PX, STEP_PX, 3).unbind()
    images.requires_grad_()
    loss = least(lambda: photometric_loss(images, targets).sum().backward(), yardstick)
    return [
        time_metric("joint_step", least(step, yardstick, seconds=2), 1, yardstick),
        time_metric("image_loss/256px", loss, STEP_VIEWS, yardstick),
    ]


def view_scaling(yardstick: Yardstick) -> list[Metric]:
    """CPU time for each view when more are rendered in one call."""
    metrics = []
    for views in VIEWS:
        leaves = ball_scene(STEP_COUNT, STEP_PX, views).leaves()
        seconds = least(lambda leaves=leaves: render(leaves, True), yardstick)
        metrics.append(time_metric(f"views/{views}", seconds, views, yardstick))
    return metrics


def speed_over_twin(yardstick: Yardstick) -> Metric:
    """How many times faster than the torch twin, forward and backward."""
    leaves = ball_scene(2_000, 128, 1).leaves()
    kernel = least(lambda: render(leaves, True), yardstick)

    def twin() -> None:
        raster = rasterize(leaves.gaussians, leaves.cameras, leaves.background, backend="reference")
        raster.rgb.sum().backward()

    ratio = least(twin, yardstick) / kernel
    return Metric("times_faster_than_twin/128px/2000", ratio, 0.3, "higher", f"{ratio:.0f} x")


def thread_scaling(yardstick: Yardstick) -> list[Metric]:
    """Wall-clock speed-up of rendering and of the joint step on 2 and more threads; busy machines spoil it."""
    leaves, step = ball_scene(STEP_COUNT, STEP_PX, STEP_VIEWS).leaves(), JointStep()
    walls: dict[int, tuple[float, float]] = {}
    for count in sorted({1, 2, os.cpu_count() or 1}):
        if count <= (os.cpu_count() or 1):
            with threads(count):
                walls[count] = (
                    least(lambda: render(leaves, True), yardstick, seconds=3, clock=wall_seconds),
                    least(step, yardstick, seconds=3, clock=wall_seconds),
                )
    metrics = []
    for count, (image, whole) in walls.items():
        metrics.append(
            Metric(f"joint_step/wall/{count}_threads", whole / yardstick.seconds, 0.4, shown=f"{1e3 * whole:.1f} ms")
        )
        if count > 1:
            ratio = walls[1][0] / image
            metrics.append(Metric(f"speedup/{count}_threads", ratio, 0.25, "higher", f"{ratio:.2f} x"))
    return metrics


def plot(metrics: list[Metric], folder: Path) -> list[Path]:
    """Times over the number of Gaussians, one line for each image size."""
    from benchmarks.plots import plot_rasterizer

    return [plot_rasterizer(metrics, folder / "rasterizer.png")]
