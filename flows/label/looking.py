"""What a prompt gives, at once on its frame, and tracked for a few seconds from there."""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from threading import Lock, Thread
from typing import Any

from core.corrections.retrack_item import shown_by
from core.errors import MaskflowError
from core.formats.corrections import CorrectionPrompt
from core.masks import rle
from core.models.registry import SEGMENTERS
from core.models.roles import SegmenterSession
from core.models.spec import ModelSpec
from core.tracking.loop import record_of
from core.tracking.tracker import Tracker
from core.video.frames import Frame
from core.video.source import read_ahead
from flows.label.video import LabelVideo

_PREVIEWED = 1


class Preview:
    """Masks of prompts on one frame at a time: the model reads the picture once, and then each prompt."""

    def __init__(self, segmenter: ModelSpec) -> None:
        self._spec = segmenter
        self._lock = Lock()
        self._at: tuple[LabelVideo, int] | None = None
        self._session: SegmenterSession | None = None

    def mask(self, video: LabelVideo, prompt: CorrectionPrompt) -> dict[str, Any]:
        """The mask that a prompt gives: `mask`, COCO RLE, and `score`."""
        with self._lock:
            if self._session is None or self._at != (video, prompt.frame):
                session = SEGMENTERS.load(self._spec).start()
                session.advance(video.frame(prompt.frame).image)
                self._session, self._at = session, (video, prompt.frame)
            shown = prompt.object_prompt().prompt
            assert shown is not None
            found = self._session.add(_PREVIEWED, shown)
            self._session.drop(_PREVIEWED)
        return {"mask": rle.encode(found.mask), "score": round(found.score, 3)}


class LookAhead:
    """Tracks objects for some seconds from a frame on, in a thread; `take` gives what there is so far.

    Args:
        video: the video.
        segmenter: the model.
        prompts: all on one frame.
        seconds: how far.
    """

    def __init__(
        self, video: LabelVideo, segmenter: ModelSpec, prompts: Sequence[CorrectionPrompt], seconds: float
    ) -> None:
        self._video = video
        self._spec = segmenter
        self._prompts = prompts
        self._first = prompts[0].frame
        times_s = video.times_s
        self._last = max(
            (n for n in range(self._first, len(video)) if times_s[n] <= times_s[self._first] + seconds),
            default=self._first,
        )
        self._found: deque[dict[str, Any]] = deque()
        self._stopped = False
        self.error: str | None = None
        self._thread = Thread(target=self._run, name="look-ahead", daemon=True)
        self._thread.start()

    @property
    def total(self) -> int:
        """Frames that it goes over."""
        return self._last - self._first + 1

    @property
    def running(self) -> bool:
        """Whether more will come."""
        return self._thread.is_alive()

    def take(self, since: int) -> list[dict[str, Any]]:
        """Frames from the one numbered `since` on, each with its objects."""
        return list(islice(self._found, since, None))

    def stop(self) -> None:
        """End it."""
        self._stopped = True
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._video.reading(range(self._first, self._last + 1)) as frames, read_ahead(frames) as ahead:
                self._track(ahead)
        except MaskflowError as error:
            self.error = str(error)
        except Exception as error:  # noqa: BLE001 - shown on the page
            self.error = f"{type(error).__name__}: {error}"

    def _track(self, frames: Iterator[Frame]) -> None:
        tracker = Tracker(SEGMENTERS.load(self._spec).start(), None)
        shown = {key: value for one in self._prompts for key, value in shown_by(one).items()}
        for number, frame in enumerate(frames):
            if self._stopped:
                return
            tracker.step(frame.image, frame.time_s, shown if number == 0 else None)
            objects = [
                {"obj_id": one.obj_id, "label": one.label or "", "score": one.score, "mask": one.rle}
                for one in record_of(number, frame, tracker).objects
            ]
            self._found.append({"frame": frame.source_frame, "objects": objects})
