"""Results as the page shows them: any frame at once, with the edits that were made since."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from core.formats.corrections import VideoCorrections
from core.formats.exchange.model import SeenObject, VideoResults
from core.store.paths import slugify


@dataclass(frozen=True)
class Lane:
    """Where an object is: its label, and runs of source frames from first to last, each with its mean score."""

    obj_id: int
    label: str
    runs: list[tuple[int, int, float | None]]


class ShownResults:
    """The results of one video, on disk, with a place for each frame.

    Args:
        video: read once.
        made_with: the corrections that are in them.
    """

    def __init__(self, video: VideoResults, made_with: VideoCorrections) -> None:
        self.made_with = made_with
        self._file = TemporaryFile("w+b", prefix="maskflow-")  # noqa: SIM115 - closed with the page
        self._lock = Lock()
        self._places: dict[int, tuple[int, int]] = {}
        self._labels: dict[int, str] = {}
        seen: list[tuple[int, int, float]] = []  # frame, object, score
        for frame in video.read():
            line = json.dumps([_known(one) for one in frame.objects], separators=(",", ":")).encode()
            self._places[frame.source_frame] = (self._file.tell(), len(line))
            self._file.write(line)
            for one in frame.objects:
                self._labels.setdefault(one.obj_id, one.label)
                seen.append((frame.source_frame, one.obj_id, np.nan if one.score is None else one.score))
        self._seen = np.array(seen, np.float64).reshape(-1, 3)
        self.frames = np.array(sorted(self._places), np.int64)

    @property
    def ids(self) -> set[int]:
        """Of all objects."""
        return set(self._labels)

    @property
    def round(self) -> int:
        """The round of results that they are; without corrections 0."""
        return self.made_with.round

    def frame(self, number: int, now: VideoCorrections) -> list[dict[str, Any]] | None:
        """The objects of a source frame by id, as they are called by now; None where it was not processed."""
        place = self._places.get(number)
        if place is None:
            return None
        with self._lock:
            self._file.seek(place[0])
            line = self._file.read(place[1])
        found: dict[int, dict[str, Any]] = {}
        for one in json.loads(line):
            obj_id = called_by_now(self.made_with, now, one["obj_id"], number)
            if not now.is_absent(obj_id, number) and obj_id not in found:
                found[obj_id] = {**one, "obj_id": obj_id, "label": self._label(obj_id, one["obj_id"], now)}
        return [found[obj_id] for obj_id in sorted(found)]

    def lanes(self, now: VideoCorrections) -> list[Lane]:
        """Where each object is."""
        frames, ids, scores = self._seen[:, 0].astype(np.int64), self._seen[:, 1].astype(np.int64), self._seen[:, 2]
        called_so = ids
        if now.ids or self.made_with.ids:
            places = zip(ids.tolist(), frames.tolist(), strict=True)
            names = (called_by_now(self.made_with, now, *one) for one in places)
            called_so = np.fromiter(names, np.int64, len(ids))
        lanes = []
        for obj_id in np.unique(called_so).tolist():
            own = called_so == obj_id
            if any(span.obj_id == obj_id for span in now.absent):
                own &= np.array([not now.is_absent(obj_id, frame) for frame in frames.tolist()], np.bool_)
            if own.any():
                label = self._label(obj_id, int(ids[own][0]), now)
                lanes.append(Lane(obj_id, label, self._runs(frames[own], scores[own])))
        return lanes

    def _label(self, obj_id: int, tracked: int, now: VideoCorrections) -> str:
        return now.labels.get(obj_id) or self._labels.get(obj_id) or self._labels[tracked]

    def _runs(
        self, frames: "npt.NDArray[np.int64]", scores: "npt.NDArray[np.float64]"
    ) -> list[tuple[int, int, float | None]]:
        """An object's frames, cut where it is not on one that was processed."""
        places = np.searchsorted(self.frames, frames)
        cuts = np.flatnonzero(np.diff(places) > 1) + 1
        runs = []
        for own, of_them in zip(np.split(frames, cuts), np.split(scores, cuts), strict=True):
            known = of_them[~np.isnan(of_them)]
            runs.append((int(own[0]), int(own[-1]), round(float(known.mean()), 3) if len(known) else None))
        return runs

    def close(self) -> None:
        """Remove what is on disk."""
        self._file.close()


def called_by_now(made_with: VideoCorrections, now: VideoCorrections, obj_id: int, frame: int) -> int:
    """What an object of results is called after more edits of identity."""
    tracked = [one.obj_id for one in made_with.ids if one.becomes == obj_id and frame in one]
    if made_with.called(obj_id, frame) == obj_id:
        tracked.append(obj_id)
    return now.called(tracked[0], frame) if tracked else obj_id


def find_video(videos: Sequence[VideoResults], path: Path) -> VideoResults | None:
    """Those of the results that are about a video: by its path, or by its name where they say no path."""
    for one in videos:
        if one.path is not None and Path(one.path).expanduser().resolve() == path.resolve():
            return one
    names = {path.stem, path.name, slugify(path.stem)}
    return next((one for one in videos if one.path is None and one.name in names), None)


def _known(one: SeenObject) -> dict[str, Any]:
    return {"obj_id": one.obj_id, "label": one.label, "box": one.box_xyxy, "score": one.score, "mask": one.rle}
