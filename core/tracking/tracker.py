"""One video's objects over time. The segmenter moves masks; the rules here decide who lives.

- A new detection that is no known object starts a *tentative* one, which counts once detected again.
- An object whose mask is gone or doubtful for several frames is *hidden*: nothing is recorded for it. Where the
  segmenter remembers, it is waited for; then, or where it does not, the object is *lost*.
- A new object that looks like a lost one when it is confirmed is that object: it takes over the old id.
- Objects are added, set right and dropped one at a time; the others are never touched.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from core.masks import Box, Mask
from core.masks.boxes import iou_matrix, mask_box
from core.masks.clean import clean
from core.models.roles import Detection, DetectorSession, Prompt, SegmenterSession, TrackedMask
from core.tracking.appearance import Appearance, appearance, similarity
from core.tracking.association import covered_share, match_detections
from core.video.frames import RGB


@dataclass(frozen=True)
class Rules:
    """When objects are born, set right, lost and known again.

    Attributes:
        match_iou: box IoU from which a detection is a known object.
        covered: share of a detection inside a known object from which it is not a new one.
        min_score: detections under this score start no object.
        confirm_rounds: rounds of detection within which a tentative object must be seen a second time.
        drifted_iou: a mask whose box fits its detection less well than this has drifted and is set right …
        trusted_score: … by detections from this score on.
        weak_score: a mask under this score is doubtful.
        weak_frames: doubtful frames in a row after which an object is hidden.
        unseen_rounds: rounds of detection without a match after which an object is lost.
        look_alike: similarity of appearance from which a newcomer is a lost object.
        remembered: lost objects kept in mind, the latest.
    """

    match_iou: float = 0.3
    covered: float = 0.6
    min_score: float = 0.3
    confirm_rounds: int = 3
    drifted_iou: float = 0.5
    trusted_score: float = 0.5
    weak_score: float = 0.3
    weak_frames: int = 3
    unseen_rounds: int = 30
    look_alike: float = 0.6
    remembered: int = 100


@dataclass
class Track:
    """One object. `obj_id` counts up from 1 in the order of first sight; it may turn out not to be confirmed."""

    obj_id: int
    label: str | None
    detection_score: float | None
    confirmed: bool
    looks: Appearance
    mask: Mask
    score: float
    box: Box | None
    rounds: int = 0
    unseen: int = 0
    weak: int = 0
    kept: bool = False  # prompted by hand: never given up
    prompted: int = 0  # number of the step at which the segmenter was last told where it is


class Tracker:
    """Feed frames in order with `step`; read `live` after each.

    `rejected` holds the ids of tentative objects that came to nothing; `same_as` tells of which known object an
    object turned out to be another appearance, and `likeness` how much they look alike; `arrived` holds the boxes, by
    id, at which objects prompted in this step had arrived by themselves. `frame` counts steps from 0.

    Args:
        segmenter: a fresh session.
        detector: a fresh session, or None where objects come from prompts only.
        detection_frequency: detect on every so many processed frames.
        rules: see `Rules`.
    """

    def __init__(
        self,
        segmenter: SegmenterSession,
        detector: DetectorSession | None,
        detection_frequency: int = 1,
        rules: Rules | None = None,
    ) -> None:
        self.segmenter = segmenter
        self._detector = detector
        self._every = detection_frequency
        self._rules = rules or Rules()
        self.frame = -1
        self.next_id = 1
        self.lost: OrderedDict[int, Track] = OrderedDict()
        self.live: dict[int, Track] = {}
        self.rejected: set[int] = set()
        self.same_as: dict[int, int] = {}
        self.likeness: dict[int, float] = {}
        self.arrived: dict[int, Box] = {}
        self.shown: RGB | None = None

    def step(
        self,
        image: RGB,
        prompts: Mapping[int, tuple[str | None, Prompt]] | None = None,
        upcoming: RGB | None = None,
    ) -> None:
        """Go to the next frame [H, W, 3].

        Args:
            image: the frame.
            prompts: start or set right objects, by id, with a label.
            upcoming: the frame after it, where it is known.
        """
        self.frame += 1
        self._advance(image, upcoming)
        self.arrived = {track.obj_id: track.box for track in self.live.values() if prompts and track.box is not None}
        for obj_id, (label, prompt) in (prompts or {}).items():
            self._prompt(image, obj_id, label, prompt)
        # Out of turn while there is nothing to follow, and to look a second time at what was seen once.
        due = self.frame % self._every == 0 or not self.live or self.tentative()
        if self._detector is not None and due:
            self.shown = image
            self._meet(image, self._detector.detect(image))

    def tentative(self) -> set[int]:
        """Ids of objects that are neither confirmed nor rejected yet."""
        return {track.obj_id for track in self.live.values() if not track.confirmed}

    def visible(self, doubtful: bool = True) -> list[Track]:
        """Objects to be recorded on this frame; those prompted by hand also while `doubtful`."""
        return [
            track
            for track in self.live.values()
            if track.box is not None and ((track.kept and doubtful) or track.weak < self._rules.weak_frames)
        ]

    def drop(self, obj_id: int) -> None:
        """Follow an object no further; nothing that is known of it changes."""
        self.segmenter.drop(obj_id)
        del self.live[obj_id]

    def finish(self) -> None:
        """The video is over: what was detected on the last frame only counts, what was looked for in vain does not."""
        for obj_id in sorted(self.tentative()):
            if self.live[obj_id].rounds:
                self.reject(obj_id)
            else:
                self.live[obj_id].confirmed = True

    def reject(self, obj_id: int) -> None:
        """Give up a tentative object."""
        self.drop(obj_id)
        self.rejected.add(obj_id)

    def _advance(self, image: RGB, upcoming: RGB | None) -> None:
        for obj_id, tracked in self.segmenter.advance(image, upcoming).items():
            track = self.live[obj_id]
            _place(track, clean(tracked.mask), tracked.score)
            weak = track.box is None or tracked.score < self._rules.weak_score
            track.weak = track.weak + 1 if weak else 0
            patience = self.segmenter.patience if track.confirmed else 0
            if track.weak >= max(self._rules.weak_frames, patience) and not track.kept:
                self._lose(track)

    def _lose(self, track: Track) -> None:
        if not track.confirmed:
            self.reject(track.obj_id)
            return
        self.drop(track.obj_id)
        self.lost[track.obj_id] = track
        while len(self.lost) > self._rules.remembered:
            self.lost.popitem(last=False)

    def _prompt(self, image: RGB, obj_id: int, label: str | None, prompt: Prompt) -> None:
        tracked = self.segmenter.add(obj_id, prompt)
        self.lost.pop(obj_id, None)
        self.next_id = max(self.next_id, obj_id + 1)
        track = _new_track(obj_id, label, None, image, tracked)
        track.prompted = self.frame
        track.confirmed = track.kept = True
        self.live[obj_id] = track

    def _meet(self, image: RGB, detections: list[Detection]) -> None:
        live = [track for track in self.live.values() if track.box is not None]
        boxes = [track.box for track in live if track.box is not None]
        pairs = match_detections(boxes, [track.label for track in live], detections, self._rules.match_iou)
        seen = {live[row].obj_id: detections[column] for row, column in pairs}
        for track in live:
            track.rounds += 1
            if track.obj_id in seen:
                self._seen(image, track, seen[track.obj_id])
            else:
                self._unseen(track)
        matched = {column for _, column in pairs}
        newcomers = [
            detection
            for index, detection in enumerate(detections)
            if index not in matched
            and detection.score >= self._rules.min_score
            and covered_share(detection.box, [t.box for t in live if t.box and t.label in (None, detection.label)])
            < self._rules.covered
        ]
        self._welcome(image, newcomers)

    def _seen(self, image: RGB, track: Track, detection: Detection) -> None:
        track.unseen = 0
        if not track.confirmed:
            track.confirmed = True
            self._recognise(track)
        drifted = track.box is not None and iou_matrix([track.box], [detection.box])[0, 0] < self._rules.drifted_iou
        if track.weak or (drifted and detection.score >= self._rules.trusted_score):
            tracked = self.segmenter.add(track.obj_id, Prompt(box=detection.box))
            _place(track, clean(tracked.mask), tracked.score)
            track.weak, track.prompted = 0, self.frame
        elif track.box is not None and track.score > 0.5:
            track.looks = 0.9 * track.looks + 0.1 * appearance(image, track.mask)

    def _unseen(self, track: Track) -> None:
        track.unseen += 1
        if not track.confirmed and track.rounds >= self._rules.confirm_rounds:
            self.reject(track.obj_id)
        elif not track.kept and track.unseen >= self._rules.unseen_rounds:
            self._lose(track)

    def _welcome(self, image: RGB, detections: list[Detection]) -> None:
        """Start a tentative object for each detection in which the segmenter finds one."""
        for detection in detections:
            tracked = self.segmenter.add(self.next_id, Prompt(box=detection.box))
            track = _new_track(self.next_id, detection.label, detection.score, image, tracked)
            track.prompted = self.frame
            if track.box is None:
                self.segmenter.drop(self.next_id)
                continue
            self.next_id += 1
            self.live[track.obj_id] = track

    def _recognise(self, new: Track) -> None:
        """Where a new object looks like one that is gone, it takes over its id."""
        hidden = (track for track in self.live.values() if track.box is None and track.confirmed)
        gone = [old for old in [*self.lost.values(), *hidden] if old.label == new.label]
        old = max(gone, key=lambda track: similarity(track.looks, new.looks), default=None)
        if old is None or similarity(old.looks, new.looks) < self._rules.look_alike:
            return
        if self.lost.pop(old.obj_id, None) is None:
            self.drop(old.obj_id)
        self.same_as[new.obj_id] = self.same_as.get(old.obj_id, old.obj_id)
        self.likeness[new.obj_id] = similarity(old.looks, new.looks)


def _place(track: Track, mask: Mask, score: float) -> None:
    track.mask, track.score, track.box = mask, score, mask_box(mask)


def _new_track(obj_id: int, label: str | None, score: float | None, image: RGB, tracked: TrackedMask) -> Track:
    mask = clean(tracked.mask)
    looks = appearance(image, mask)
    return Track(obj_id, label, score, False, looks, mask, tracked.score, mask_box(mask))
