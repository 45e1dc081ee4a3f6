"""Selection of jobs by the options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.accuracy.jobs import Job
from benchmarks.accuracy.options import FAMILIES, HARD, LEVELS, NARROWING, OUTLIERS, SEARCH_SEEDS
from benchmarks.accuracy.recipes import Recipe, choose_recipes
from benchmarks.accuracy.scenes import SHARED, WRONG, Scene, shared_scenes

COUNTS = (3, 4, 6, 16)
"""Numbers of views besides the usual 8."""
COMPARED = ("synthetic", "real")
"""Families on which every recipe runs; the others run the first recipe only, unless families or presets are named."""
OUTLIER_LEVELS = ("outlier1", "outlier2")
"""Levels with outliers: the first recipe runs them on the synthetic scenes, unless levels are named."""
SEEDS = {"sample": 2, "counts": 2, **dict.fromkeys(OUTLIERS, 3)}
"""Number of samples of a kind; 5 for kinds not listed."""
REFERENCE_LEVEL = "dust3r"
QUICK_PX, QUICK_STEPS = 128, 250


def is_own(options: argparse.Namespace) -> bool:
    """Whether the options narrow the selection, so that there is no baseline for it."""
    return any(getattr(options, name) is not None for name in NARROWING)


def selection_name(options: argparse.Namespace) -> str:
    """Prefix of the figures' names; means over different selections cannot be compared."""
    return "own" if is_own(options) else "quick" if options.quick else "search" if options.search else "all"


def select_jobs(options: argparse.Namespace) -> list[Job]:
    """All jobs, recipe by recipe, so that neighbours in time are different scenes.

    Raises:
        ValueError: no scene is left, or a name is unknown.
    """
    name = selection_name(options)
    if name == "quick":
        recipe = choose_recipes(["sparseags"], None)[0]
        scenes = [
            Scene("sample", str(seed), level, size=QUICK_PX) for seed in (0, 1) for level in ("dust3r", "raydiff")
        ]
        return [Job(scene, recipe, steps=QUICK_STEPS) for scene in scenes]
    if name == "search":
        return _search_jobs()
    recipes = choose_recipes(options.presets, options.ablation)
    scenes = select_scenes(options)
    if not scenes:
        raise ValueError("no scene is left: families, levels and scenes exclude each other")
    shared_ground = FAMILIES if options.families or options.presets else COMPARED
    jobs = [
        Job(scene, recipe, steps=options.steps)
        for recipe in recipes
        for scene in scenes
        if recipe is recipes[0] or (scene.family in shared_ground and _is_compared(scene, options))
    ]
    jobs += _references(scenes, recipes[0], options)
    return [replace(job, recipe=job.recipe.seeded(seed)) for seed in options.method_seeds or (0,) for job in jobs]


def _search_jobs() -> list[Job]:
    """All levels of the synthetic scenes, with several seeds of the method, since a view may be lost by chance."""
    recipe = choose_recipes(["sparseags"], None)[0]
    scenes = [Scene("synthetic", name, level) for level in LEVELS for name in _shared("synthetic", None)]
    if not scenes:
        raise ValueError(f"--search needs the scenes of {SHARED}, which are absent")
    return [Job(scene, recipe.seeded(seed)) for seed in SEARCH_SEEDS for scene in scenes]


def select_scenes(options: argparse.Namespace) -> list[Scene]:
    """Scenes of the options; hard samples and other numbers of views have the first level, `wrong` ones their own."""
    several = {"hard": HARD, "wrong": OUTLIERS}
    families = [family for name in options.families or FAMILIES for family in several.get(name, (name,))]
    levels = list(options.levels or ("dust3r", "raydiff"))
    size = options.size or 256
    scenes: list[Scene] = []
    for family in dict.fromkeys(families):
        seeds = [str(seed) for seed in options.seeds or range(SEEDS.get(family, 5))]
        if family in ("synthetic", "real"):
            more = OUTLIER_LEVELS if family == "synthetic" and not options.levels else ()
            names = _shared(family, options.scenes)
            scenes += [Scene(family, name, level) for level in (*levels, *more) for name in names]
        elif family == "counts":
            scenes += [Scene(family, seed, levels[0], views, size) for views in COUNTS for seed in seeds]
        elif family in WRONG:
            scenes += [Scene(family, seed, WRONG[family].level, WRONG[family].views, size) for seed in seeds]
        else:
            of_family = levels if family == "sample" else levels[:1]
            scenes += [Scene(family, seed, level, size=size) for level in of_family for seed in seeds]
    return scenes


def _is_compared(scene: Scene, options: argparse.Namespace) -> bool:
    return scene.level not in OUTLIER_LEVELS or bool(options.levels)


def absent_families(options: argparse.Namespace) -> list[str]:
    """Selected families whose scenes lie in ../shared/data while that is absent."""
    return [f for f in options.families or FAMILIES if f in ("synthetic", "real") and not (SHARED / f).is_dir()]


def _shared(family: str, wanted: Sequence[str] | None) -> list[str]:
    return [name for name in shared_scenes(family) if wanted is None or name in wanted]


def _references(scenes: Sequence[Scene], recipe: Recipe, options: argparse.Namespace) -> list[Job]:
    """The splats to compare novel views with: from the given poses as they are, and from the true ones."""
    where = options.references or "synthetic"
    families = {"none": (), "synthetic": ("synthetic",), "all": FAMILIES}[where]
    chosen = [scene for scene in scenes if scene.family in families and scene.level == REFERENCE_LEVEL]
    return [Job(scene, recipe, poses, options.steps) for poses in ("frozen", "true") for scene in chosen]
