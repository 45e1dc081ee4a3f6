"""Speed and memory of the CPU rasterizer: images, hypotheses, the joint step, threads, cold start.

The scene is `ball_scene` (see `benchmarks.scenes`). Times are CPU milliseconds on one thread per view or
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
from benchmarks.scenes import Scene, ball_scene
from benchmarks.timing import Timing, least, wall_seconds, yardstick_seconds
from sparseags_ns.geometry import se3
from sparseags_ns.rasterizer import Gaussians, Target, photometric_loss, rasterize, score_poses

SIZES_PX = (64, 128, 256, 512)
COUNTS = (2_000, 5_000, 10_000, 25_000, 100_000)
VIEWS = (1, 2, 4, 8, 16)
HYPOTHESES = 64
STEP_VIEWS, STEP_PX, STEP_COUNT = 8, 256, 10_000
THREAD_ROUNDS = 20


def run(quick: bool) -> list[Metric]:
    """All figures; the quick form keeps those of the project's targets."""
    with threads(1):
        metrics = [
            metric
            for size_px in ((256,) if quick else SIZES_PX)
            for count in (COUNTS[1:4] if quick else COUNTS)
            for metric in render_times(count, size_px, 2 if size_px > 256 else 8)
        ]
        metrics += [metric for count in (2_000, 10_000) for metric in scoring_times(count)]
        metrics += joint_step_times()
        if not quick:
            metrics += view_scaling() + [speed_over_twin()]
    metrics += thread_scaling()
    return metrics if quick else metrics + processes.start_and_memory()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Render on so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def time_metric(name: str, timing: Timing, tolerance: float = 0.25) -> Metric:
    """A time, compared in yardsticks."""
    return Metric(name, timing.yardsticks, tolerance, shown=f"{1e3 * timing.seconds:.2f} ms")


def render(scene: Scene, backward: bool) -> None:
    """One call for all views, with gradients to every input but the intrinsics if `backward`."""
    with torch.set_grad_enabled(backward):
        raster = rasterize(scene.gaussians, scene.cameras, scene.background)
        if backward:
            raster.rgb.backward(torch.ones_like(raster.rgb))


def render_times(count: int, size_px: int, views: int) -> list[Metric]:
    """Forward, and forward with backward, of one setting."""
    scene = ball_scene(count, size_px, views)
    leaves = scene.leaves()
    times = {"forward": least(lambda: render(scene, False)), "forward+backward": least(lambda: render(leaves, True))}
    return [time_metric(f"{name}/{size_px}px/{count}", time.each(views)) for name, time in times.items()]


def scoring_times(count: int) -> list[Metric]:
    """Scoring of hypotheses at 64 px, without and with the gradient by the poses."""
    scene = ball_scene(count, 64, HYPOTHESES)
    truth = rasterize(scene.gaussians, scene.cameras[:1])
    mask = truth.alpha[0]
    target = Target(truth.rgb[0], mask, torch.ones_like(mask), scene.cameras.K[0])
    metrics = []
    for name, wanted in (("score", False), ("score+gradient", True)):
        poses = scene.cameras.T_camera_world.clone().requires_grad_(wanted)

        def work(poses: torch.Tensor = poses) -> None:
            score_poses(scene.gaussians, target, poses)

        metrics.append(time_metric(f"{name}/64px/{count}", least(work).each(HYPOTHESES)))
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


def joint_step_times() -> list[Metric]:
    """The step on one thread, and the image loss alone."""
    step = JointStep()
    images, targets = torch.rand(2, STEP_VIEWS, STEP_PX, STEP_PX, 3).unbind()
    images.requires_grad_()
    loss = least(lambda: photometric_loss(images, targets).sum().backward())
    return [time_metric("joint_step", least(step, seconds=2)), time_metric("image_loss/256px", loss.each(STEP_VIEWS))]


def view_scaling() -> list[Metric]:
    """CPU time for each view when more are rendered in one call."""
    metrics = []
    for views in VIEWS:
        leaves = ball_scene(STEP_COUNT, STEP_PX, views).leaves()
        timing = least(lambda leaves=leaves: render(leaves, True))
        metrics.append(time_metric(f"views/{views}", timing.each(views)))
    return metrics


def speed_over_twin() -> Metric:
    """How many times faster than the torch twin, forward and backward."""
    leaves = ball_scene(2_000, 128, 1).leaves()
    kernel = least(lambda: render(leaves, True))

    def twin() -> None:
        raster = rasterize(leaves.gaussians, leaves.cameras, leaves.background, backend="reference")
        raster.rgb.sum().backward()

    ratio = least(twin).seconds / kernel.seconds
    return Metric("times_faster_than_twin/128px/2000", ratio, 0.3, "higher", f"{ratio:.0f} x")


def thread_scaling() -> list[Metric]:
    """Wall-clock speed-up of rendering on 2 and more threads, and the joint step's time; idle machines only."""
    load, allowed = os.getloadavg()[0], 1 + 0.25 * (os.cpu_count() or 1)  # this process itself makes about 1
    if load > allowed:
        print(f"wall-clock figures left out: load average {load:.1f}, they need {allowed:.1f} or less")
        return []
    leaves, step, cores = ball_scene(STEP_COUNT, STEP_PX, STEP_VIEWS).leaves(), JointStep(), os.cpu_count() or 1
    counts = sorted({count for count in (1, 2, cores) if count <= cores})
    images, steps = dict.fromkeys(counts, float("inf")), dict.fromkeys(counts, float("inf"))
    for _ in range(THREAD_ROUNDS):  # taking turns, so that a busy spell hits all of them
        for count in counts:
            with threads(count):
                images[count] = min(images[count], wall_seconds(lambda: render(leaves, True)))
                steps[count] = min(steps[count], wall_seconds(step))
    unit = yardstick_seconds()
    metrics = [time_metric(f"joint_step/wall/{n}_threads", Timing(t, t / unit), 0.4) for n, t in steps.items()]
    ratios = {count: images[1] / images[count] for count in counts[1:]}
    return metrics + [Metric(f"speedup/{n}_threads", r, 0.25, "higher", f"{r:.2f} x") for n, r in ratios.items()]


def plot(metrics: list[Metric], folder: Path) -> list[Path]:
    """Times over the number of Gaussians, one line for each image size."""
    from benchmarks.plots import plot_rasterizer

    return [plot_rasterizer(metrics, folder / "rasterizer.png")]
