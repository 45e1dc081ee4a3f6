"""Where the cameras came from that a run began with: sentences, and other arrangements as drawings from above.

Frame of the record: normalised worlds (+y up). Drawings: +x to the right, +z downwards, so that azimuth 0 is at the
bottom, as on the dial of the turntable; the same scale for all arrangements, the farthest camera at `RADIUS`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from sparseags_ns.report.command import PARSER
from sparseags_ns.report.content import ArrangementDrawing, DrawnCamera, GivenCameras
from sparseags_ns.runs.record import Arrangement, PoseInitRecord, RunRecord

OPTION = "pose-init-alternative"
RADIUS = 68.0
LINE = 22.0
"""Length of the line from a camera to where it looks, if it looks horizontally."""
LABEL = (18.0, 12.0)
"""Distance of a label from its camera, sideways and upwards: labels are wider than high."""
LONGEST_LABEL = 4
"""Photographs with longer names are labelled by their numbers."""
ELSEWHERE_DEG = 20.0
"""Cameras that are seen in another direction by more than this count as standing elsewhere."""


def given_cameras(record: RunRecord) -> GivenCameras | None:
    """What the page says about the initial cameras; None where the record does not tell."""
    init = record.pose_init
    if init is None:
        return None
    numbered = max(map(len, record.names)) > LONGEST_LABEL
    labels = [str(number) for number in range(1, 1 + len(record.names))] if numbered else record.names
    return GivenCameras(
        sentences=tuple(_sentences(init, record.names)),
        confidence=tuple(f"{sure:.2f}" if sure > 0 else "none" for sure in init.confidence),
        arrangements=_drawings(init, record.names, labels),
        ns_train_option=f"--{PARSER}.{OPTION}",
        numbered=numbered,
    )


def describe_source(init: PoseInitRecord) -> str:
    """Where the cameras came from, in a few words."""
    which = f", arrangement {init.alternative} of {len(init.arrangements)}" if init.arrangements else ""
    return f"estimated by {init.source}{which}" if init.estimated else f"read from {init.source}"


def describe_doubt(init: PoseInitRecord) -> str | None:
    """What was not sure about the initial cameras, or a person's choice of others, in sentences; None if nothing."""
    doubt = None if init.doubt is None else f"{init.source} was not sure of its cameras: {init.doubt}."
    if init.alternative == 1:
        return None if doubt is None else f"{doubt} The run went on because this was allowed."
    loss = init.arrangements[init.alternative - 1].loss
    chosen = (
        f"The run began with arrangement {init.alternative} of {len(init.arrangements)}, which was asked for; "
        f"{_times(loss)}."
    )
    return f"{doubt} {chosen}" if doubt else chosen


def _sentences(init: PoseInitRecord, names: Sequence[str]) -> list[str]:
    """Source, doubt and confidence."""
    said = [f"The cameras that the run began with were {describe_source(init)}."]
    if not init.estimated:
        return said
    doubt = describe_doubt(init)
    said.append(doubt or f"{init.source} reported no doubt about them.")
    found = [sure for sure in init.confidence if sure > 0]
    if found:
        least = init.confidence.index(min(found))
        said.append(
            f"Confidence, 0 to 1: {median(found):.2f} in the median view, least {min(found):.2f} ({names[least]})."
        )
    missing = [name for name, sure in zip(names, init.confidence, strict=True) if sure == 0]
    if missing:
        said.append(f"No camera was found for {', '.join(missing)}.")
    return said


def _times(loss: float) -> str:
    return f"its loss is {loss:.2f} times that of the best"


def _drawings(init: PoseInitRecord, names: Sequence[str], labels: Sequence[str]) -> tuple[ArrangementDrawing, ...]:
    """All arrangements from above, the best first."""
    if not init.arrangements:
        return ()
    used = init.arrangements[init.alternative - 1]
    centers = [center for one in init.arrangements for center in one.camera_centers if center is not None]
    reach = max((math.hypot(center[0], center[2]) for center in centers), default=0.0) or 1.0
    return tuple(
        ArrangementDrawing(
            number=number,
            loss="the best" if number == 1 else f"{one.loss:.2f} times the loss of the best",
            in_use=number == init.alternative,
            option=f"--{OPTION} {number}",
            cameras=_seen_from_above(one, used, names, labels, RADIUS / reach),
        )
        for number, one in enumerate(init.arrangements, start=1)
    )


def _seen_from_above(
    shown: Arrangement, used: Arrangement, names: Sequence[str], labels: Sequence[str], scale: float
) -> tuple[DrawnCamera, ...]:
    rows = zip(names, labels, shown.camera_centers, shown.camera_forward, used.camera_centers, strict=True)
    cameras = []
    for name, label, center, forward, usual in rows:
        if center is None or forward is None:
            continue
        x, y = scale * center[0], scale * center[2]
        out = math.hypot(x, y) or 1.0
        end = (x + LINE * forward[0], y + LINE * forward[2])
        text = (x + LABEL[0] * x / out, y + LABEL[1] * y / out)
        elsewhere = usual is not None and _angle_deg(center, usual) > ELSEWHERE_DEG
        cameras.append(DrawnCamera(name, label, elsewhere, *(_rounded(point) for point in ((x, y), end, text))))
    return tuple(cameras)


def _angle_deg(a: Sequence[float], b: Sequence[float]) -> float:
    """Angle between two directions."""
    cosine = sum(x * y for x, y in zip(a, b, strict=True)) / max(math.hypot(*a) * math.hypot(*b), 1e-12)
    return math.degrees(math.acos(min(max(cosine, -1.0), 1.0)))


def _rounded(point: tuple[float, float]) -> tuple[float, float]:
    return round(point[0], 1), round(point[1], 1)
