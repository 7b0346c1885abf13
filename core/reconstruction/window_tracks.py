"""Points followed through a network's window: features of some frames, matched with all others.

VGGT's own code tracks with VGGSfM's tracker; that fetches weights and runs code from the network while it works, so it
is not used. Features are COLMAP's SIFT, as for windows without a network; points lie where the network's depth puts
them.
"""

from collections.abc import Sequence

import numpy as np

from core.models.roles import WindowGeometry, WindowTracks
from core.models.vggt.square import TRACK_SIDE
from core.reconstruction.features import Extractor, Features
from core.reconstruction.matching import mutual_matches
from core.reconstruction.settings import FeatureSettings, VggtSettings
from core.video.frames import RGB

_LEAST_VIEWS = 2


def match_points(squares: Sequence[RGB], geometry: WindowGeometry, settings: VggtSettings) -> WindowTracks:
    """Tracks of the features of `query_frame_num` frames, spread over the window, at most `max_query_pts` of each.

    Args:
        squares: the window's frames, uint8 RGB [1024, 1024, 3].
        geometry: what the network says of them.
        settings: how many frames and points.
    """
    extractor = Extractor(FeatureSettings(max_image_size=TRACK_SIDE, max_features=settings.max_query_pts))
    features = [extractor.extract(square) for square in squares]
    descriptors = [one.descriptors.astype(np.float32) for one in features]
    world = geometry.world_points()
    parts: list[WindowTracks] = []
    for query in np.unique(np.linspace(0, len(squares) - 1, settings.query_frame_num).round().astype(int)):
        own = features[query]
        xy = np.zeros((len(squares), len(own.keypoints), 2))
        seen = np.zeros(xy.shape[:2])
        for other, found in enumerate(features):
            if other == query:
                xy[other], seen[other] = own.keypoints[:, :2] - 0.5, 1
                continue
            matches = mutual_matches(descriptors[query], descriptors[other])
            xy[other, matches[:, 0]] = found.keypoints[matches[:, 1], :2] - 0.5
            seen[other, matches[:, 0]] = 1
        kept = seen.sum(0) >= _LEAST_VIEWS
        xyz = _on_surface(own, world[query])
        parts.append(WindowTracks(xy[:, kept], seen[:, kept], xyz[kept], own.colours[kept]))
    return WindowTracks(
        np.concatenate([one.xy for one in parts], 1),
        np.concatenate([one.visibility for one in parts], 1),
        np.concatenate([one.xyz for one in parts]),
        np.concatenate([one.colours for one in parts]),
    )


def _on_surface(features: Features, world: "np.typing.NDArray[np.float32]") -> "np.typing.NDArray[np.float64]":
    """Where the network's depth puts a frame's features: [N, 3] in the window's frame; `world` is [side, side, 3]."""
    side = world.shape[0]
    cell = np.clip((features.keypoints[:, :2] * (side / TRACK_SIDE)).astype(int), 0, side - 1)
    return np.asarray(world[cell[:, 1], cell[:, 0]], np.float64)
