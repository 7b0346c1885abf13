"""A tracker's state on disk: the next window's tracker goes on from it as if there were no window."""

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from core.errors import UnsafeFile
from core.masks import Box
from core.masks.appearance import Histogram
from core.models.roles import DetectorSession, VideoSegmenter
from core.models.session_file import SessionInfo, read_session, write_session
from core.tracking.track import Track
from core.tracking.tracker import Tracker

SESSION_FILE = "session.safetensors"
TRACKER_FILE = "tracker.safetensors"
_NAME = "tracker 5"
_NO_MASK = np.zeros((0, 0), np.bool_)  # every step begins with new masks
_SHOWN = "shown"


class _Track(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    obj_id: int
    label: str | None
    detection_score: float | None
    confirmed: bool
    score: float
    rounds: int
    unseen: int
    weak: int
    sound_s: float
    met_s: float
    met: Box | None
    velocity: tuple[float, float] | None
    place: Box | None
    diagonal: float
    twin: int
    apart: dict[int, int]
    begun: int
    shot: int
    kept: bool
    prompted: int


class _Info(SessionInfo):
    frame: int
    time_s: float
    next_id: int
    shot: int
    same_as: dict[int, int]
    live: list[_Track]
    lost: list[_Track]


def save_tracker(tracker: Tracker, folder: Path) -> None:
    """Write the state after the present frame into `folder`."""
    tracker.segmenter.save(folder / SESSION_FILE)
    live, lost = list(tracker.live.values()), list(tracker.lost.values())
    info = _Info(
        model=_NAME,
        frame=tracker.frame,
        time_s=tracker.time_s,
        next_id=tracker.next_id,
        shot=tracker.shot,
        same_as=tracker.same_as,
        live=[_known(track) for track in live],
        lost=[_known(track) for track in lost],
    )
    arrays: dict[str, Any] = {str(track.obj_id): track.appearance for track in [*live, *lost]}
    if tracker.shown is not None:
        arrays[_SHOWN] = np.ascontiguousarray(tracker.shown)
    write_session(folder / TRACKER_FILE, info, arrays, "np")


def restore_tracker(
    folder: Path,
    segmenter: VideoSegmenter,
    detector: DetectorSession | None,
    every: int,
    max_objects: int | None = None,
) -> Tracker:
    """The tracker that was saved in `folder`; the next step is the frame after. Raises `UnsafeFile`.

    Args:
        folder: given to `save_tracker`.
        segmenter: the same model as before.
        detector: a fresh session; it is shown the last frame that its predecessor saw.
        every: as `Tracker.detection_frequency`.
        max_objects: as of the tracker before.
    """
    info, arrays = read_session(folder / TRACKER_FILE, _Info, _NAME, "np")
    tracker = Tracker(segmenter.restore(folder / SESSION_FILE), detector, every, max_objects)
    tracker.frame, tracker.time_s, tracker.next_id = info.frame, info.time_s, info.next_id
    tracker.shot = info.shot
    tracker.same_as = dict(info.same_as)
    try:
        tracker.live.update((one.obj_id, _track(one, arrays[str(one.obj_id)])) for one in info.live)
        tracker.lost.update((one.obj_id, _track(one, arrays[str(one.obj_id)])) for one in info.lost)
    except KeyError as error:
        raise UnsafeFile(f"{folder / TRACKER_FILE}: object {error} is missing") from None
    if detector is not None and _SHOWN in arrays:
        tracker.shown = arrays[_SHOWN]
        detector.detect(arrays[_SHOWN])
    return tracker


def read_appearance(folder: Path) -> dict[int, tuple[str | None, Histogram]]:
    """What each confirmed object looked like last, with its label, by id. Raises `UnsafeFile`."""
    info, arrays = read_session(folder / TRACKER_FILE, _Info, _NAME, "np")
    return {
        one.obj_id: (one.label, arrays[str(one.obj_id)])
        for one in [*info.lost, *info.live]
        if one.confirmed and str(one.obj_id) in arrays
    }


def _known(track: Track) -> _Track:
    return _Track(**{name: getattr(track, name) for name in _Track.model_fields})


def _track(known: _Track, appearance: Histogram) -> Track:
    return Track(**known.model_dump(), appearance=appearance, mask=_NO_MASK, box=None)
