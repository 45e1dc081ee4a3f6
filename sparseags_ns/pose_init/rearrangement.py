"""Arranging the views of a run anew, where its outlier repair ends with some that fit nowhere.

Frame: `world`, normalised.
"""

from __future__ import annotations

import torch

from sparseags_ns.geometry.alignment import normalizing_similarity
from sparseags_ns.outliers.rearrangement import Proposal
from sparseags_ns.pose_init.ab_initio.crops import Crops
from sparseags_ns.pose_init.ab_initio.refinement import refine_all
from sparseags_ns.pose_init.ab_initio.search import ArrangementSearch, SearchSettings
from sparseags_ns.preprocess.photo import Photo
from sparseags_ns.views import Views


def arrange_views(views: Views, settings: SearchSettings | None = None) -> list[Proposal]:
    """Arrangements of the views that show the object, best first, none if they look at no common place.

    Args:
        views: those trusted have poses that are known, from which climbs start, too.
        settings: how long is searched; as for photographs without poses if None.
    """
    shown = views.shows_object.nonzero().flatten().tolist()
    planes = (views.images, views.masks, views.valid, views.cameras.K)
    crops = Crops.of([Photo(*(plane[view].cpu().float() for plane in planes)) for view in shown])
    R = views.cameras.T_camera_world[:, :3, :3].cpu().double().numpy()
    facing = crops.R_camera_facing.swapaxes(1, 2)
    part = {number: facing[number] @ R[view] for number, view in enumerate(shown) if views.trusted[view]}
    arrangements = ArrangementSearch(crops, settings or SearchSettings(), part=part).run()
    proposals = []
    for refined in refine_all(crops, arrangements, lambda: None):
        similarity = normalizing_similarity(refined.T_camera_world[refined.fits])
        poses, fits = views.cameras.T_camera_world.cpu().double().clone(), torch.zeros(len(views), dtype=torch.bool)
        poses[shown] = similarity.apply_to_poses(refined.T_camera_world)
        fits[shown] = refined.fits
        proposals.append(Proposal(poses, fits))
    return proposals
