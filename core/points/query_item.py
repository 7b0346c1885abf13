"""The work of one item: an instance's points, split into batches. Runs in a device worker."""

import json
from pathlib import Path

import numpy as np

from core.formats.clip_npz import QUERY_POINTS
from core.item import Record, item
from core.points.batching import split_indices, support_indices
from core.points.queries import Queries, queries_from_masks
from core.points.settings import QUERY_FILE, SPLIT_FILE, QueryRequest
from core.progress import Progress
from core.rgbd.clip import Clip
from core.store.npz import NpzWriter

OWN_POINTS = QUERY_POINTS
"""What the only instance of a clip without masks is called: it brings its points."""


@item(QueryRequest)
def make_queries(request: QueryRequest, folder: Path, report: Progress) -> Record:
    """Leave `query.npz` with all points, and `query_batch_N.npz` with those of each batch.

    Returns:
        points: how many; sizes: points of each batch; support: points that go with each batch; dropped: pixels left
        out, by reason; moved: points taken to a frame that trackers see.

    Raises:
        BadMedia: there is not one point; the message says why.
    """
    clip = Clip(request.clip)
    stride = request.queries.temporal_stride
    queries, moved = _own(clip, stride) if request.instance is None else (_taken(clip, request), 0)
    batches = split_indices(queries.points, request.split.limit, request.split.strategy, request.split.seed)
    support = queries.points[support_indices(queries.points, request.split.support if len(batches) > 1 else 0)]
    name = request.instance or OWN_POINTS
    config = json.dumps(request.queries.model_dump(), sort_keys=True)
    with NpzWriter(folder / QUERY_FILE) as npz:
        npz.array(QUERY_POINTS, queries.points)
        npz.array("camera_index", queries.cameras)
        npz.array("instance_id", name)
        npz.array("query_generation_config", config)
    for number, chosen in enumerate(batches):
        with NpzWriter(folder / SPLIT_FILE.format(number)) as npz:
            npz.array(QUERY_POINTS, queries.points[chosen])
            npz.array("batch_index", number)
            npz.array("total_batches", len(batches))
            npz.array("point_index", chosen)
            npz.array("support_points", support)
            npz.array("instance_id", name)
    report(1, 1)
    return {
        "points": len(queries.points),
        "sizes": [len(chosen) for chosen in batches],
        "support": len(support),
        "dropped": queries.dropped,
        "moved": moved,
    }


def _taken(clip: Clip, request: QueryRequest) -> Queries:
    assert request.instance is not None
    return queries_from_masks(clip, request.instance, request.queries)


def _own(clip: Clip, stride: int) -> tuple[Queries, int]:
    """The points a clip brings, in the nearest frames that trackers see; and how many that moved."""
    points = np.load(clip.folder / f"{QUERY_POINTS}.npy").astype(np.float32)
    last = (clip.info.frames - 1) // stride * stride
    seen = np.minimum(np.rint(points[:, 0] / stride) * stride, last)
    moved = int((seen != points[:, 0]).sum())
    points[:, 0] = seen
    return Queries(points, np.zeros(len(points), np.int32), {}), moved
