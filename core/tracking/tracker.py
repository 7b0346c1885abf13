"""One video's objects over time. The segmenter moves masks; the rules here manage tracks.

- A new detection that is no known object starts a *tentative* track, *confirmed* once it is detected again.
- An object whose mask is gone or doubtful for several frames is *hidden*: nothing is recorded for it. Where the
  segmenter remembers, it is waited for; then, or where it does not, the object is *lost*.
- A new object that resembles a lost one when it is confirmed, and could have come from where that was last seen in the
  time between, is *re-identified*: it takes over the old id. An object that a person prompted keeps its id for itself.
- Two objects that lie on each other for several frames are one: the younger was begun while the segmenter had lost the
  older for a moment. It ends, and what was recorded of it belongs to the older.
- At a cut objects end with their shot. One that is detected in another shot is known again by what it looks like alone.
- Objects are added, set right and dropped one at a time; the others are never touched.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot

import numpy as np

from core.masks import Box, Mask
from core.masks.appearance import Histogram, histogram_overlap, hsv_histogram
from core.masks.boxes import iou_matrix, mask_box
from core.masks.clean import clean
from core.masks.overlap import mask_iou
from core.models.roles import DetectorSession, SegmenterSession
from core.prompts import Detection, Prompt, TrackedMask, Trust
from core.tracking.association import covered_share, match_detections
from core.video.frames import RGB

_LEAST_WEAK = 2
_SHRINKS = 0.99  # a frame: what goes out of sight bit by bit keeps its size for a while
_ON_TIME_S = 1e-6  # what differences of times may be off by


@dataclass(frozen=True)
class Rules:
    """When objects are born, set right, lost and known again.

    Attributes:
        match_iou: box IoU from which a detection is a known object.
        covered: share of a detection inside a known object from which it is not a new one.
        confirm_rounds: rounds of detection within which a tentative object must be seen a second time.
        twin_iou: IoU of masks from which two objects of one label lie on each other …
        twin_frames: … and for so many frames in a row are one.
        new_frames: frames for which an object that begins near an older one of its label may turn out to be that.
        trusted_score: a mask that has drifted is set right by detections from this score on.
        weak_score: a mask under this score is doubtful.
        weak_s: seconds in doubt, and at least two frames, after which an object is hidden …
        gone_s: … and one that a person prompted.
        look_alike: similarity of appearance from which a newcomer is a lost object …
        touching: … where it is no farther than so many of its diagonals from where that was last seen …
        away_s: … or, for one away for so many seconds at least …
        forgotten_s: … and at most …
        speed: … no farther than this, in diagonals a second.
        look_alike_across: similarity from which it is a lost object of another shot, wherever it is …
        sure_across: … and how much of the similarity counts there.
        remembered: lost objects kept in mind, the latest.
    """

    match_iou: float = 0.3
    covered: float = 0.6
    confirm_rounds: int = 3
    twin_iou: float = 0.7
    twin_frames: int = 3
    new_frames: int = 6
    trusted_score: float = 0.5
    weak_score: float = 0.3
    weak_s: float = 0.1
    gone_s: float = 1.0
    look_alike: float = 0.6
    look_alike_across: float = 0.85
    sure_across: float = 0.8
    touching: float = 0.85
    away_s: float = 0.3
    forgotten_s: float = 300.0
    speed: float = 3.0
    remembered: int = 100


@dataclass
class Track:
    """One object. `obj_id` counts up from 1 in the order of first sight; it may turn out not to be confirmed.

    Attributes:
        sound_s: when its mask was last beyond doubt.
        met_s: when it was last detected, or prompted.
        place: its box when it was last in sight.
        diagonal: of its box in pixels, when it was last in full sight.
        twin: frames in a row on which it has lain on an older object.
        begun: number of the step at which it began.
        shot: number of the shot in which it was last beyond doubt.
    """

    obj_id: int
    label: str | None
    detection_score: float | None
    confirmed: bool
    appearance: Histogram
    mask: Mask
    score: float
    box: Box | None
    rounds: int = 0
    unseen: int = 0
    weak: int = 0
    sound_s: float = 0.0
    met_s: float = 0.0
    place: Box | None = None
    diagonal: float = 0.0
    twin: int = 0
    begun: int = 0
    shot: int = 0
    kept: bool = False  # prompted by hand: never given up
    prompted: int = 0  # number of the step at which the segmenter last got a prompt for it


class Tracker:
    """Feed frames in order with `step`; read `live` after each.

    `rejected` holds the ids of tentative objects that came to nothing; `same_as` says of which known object an
    object turned out to be another appearance, and `likeness` how much they look alike; `arrived` holds the boxes, by
    id, at which objects prompted in this step had arrived by themselves. `frame` counts steps from 0.

    Args:
        segmenter: a fresh session.
        detector: a fresh session, or None where objects come from prompts only.
        detection_frequency: detect on every so many processed frames.
        max_objects: most objects at once; detections beyond start none.
    """

    def __init__(
        self,
        segmenter: SegmenterSession,
        detector: DetectorSession | None,
        detection_frequency: int = 1,
        max_objects: int | None = None,
    ) -> None:
        self.segmenter = segmenter
        self._detector = detector
        self._every = detection_frequency
        self._most = max_objects
        self._rules = Rules()
        self.frame = -1
        self.time_s = 0.0
        self.next_id = 1
        self.lost: OrderedDict[int, Track] = OrderedDict()
        self.live: dict[int, Track] = {}
        self.rejected: set[int] = set()
        self.same_as: dict[int, int] = {}
        self.likeness: dict[int, float] = {}
        self.arrived: dict[int, Box] = {}
        self.shown: RGB | None = None
        self.shot = 0

    def step(
        self,
        image: RGB,
        time_s: float,
        prompts: Mapping[int, tuple[str | None, Prompt | None]] | None = None,
        upcoming: RGB | None = None,
        begins_shot: bool = False,
    ) -> None:
        """Go to the next frame [H, W, 3].

        Args:
            image: the frame.
            time_s: when it is shown; times may run either way.
            prompts: start or set right objects, by id, with a label; None: it is gone from here on.
            upcoming: the frame after it, where it is known.
            begins_shot: it shows another shot than the frame before.
        """
        self.frame += 1
        self.time_s = time_s
        if begins_shot:
            self._cut()
        self._advance(image, upcoming)
        self.arrived = {track.obj_id: track.box for track in self.live.values() if prompts and track.box is not None}
        for obj_id, (label, prompt) in (prompts or {}).items():
            if prompt is not None:
                self._prompt(image, obj_id, label, prompt)
            elif obj_id in self.live:
                self.drop(obj_id)
        # Out of turn while there is nothing to follow, and to look a second time at what was seen once.
        due = self.frame % self._every == 0 or not self.live or self.tentative() or begins_shot
        if self._detector is not None and due:
            self.shown = image
            self._meet(image, self._detector.detect(image))
        self._end_twins()

    def tentative(self) -> set[int]:
        """Ids of objects that are neither confirmed nor rejected yet."""
        return {track.obj_id for track in self.live.values() if not track.confirmed}

    def unsettled(self) -> set[int]:
        """Ids of objects whose identity is not certain yet: they are tentative, or may turn out to be older ones."""
        return self.tentative() | {
            track.obj_id
            for track in self.live.values()
            if not track.kept
            and (track.twin or (self.frame - track.begun < self._rules.new_frames and self._begins_near_another(track)))
        }

    def visible(self, doubtful: bool = True) -> list[Track]:
        """Objects to be recorded on this frame; those prompted by hand also while `doubtful`."""
        return [
            track
            for track in self.live.values()
            if track.box is not None
            and not self._in_doubt_for(track, self._rules.gone_s if track.kept and doubtful else 0.0)
        ]

    def drop(self, obj_id: int) -> None:
        """Follow an object no further; nothing that is known of it changes."""
        self.segmenter.drop(obj_id)
        del self.live[obj_id]

    def finish(self) -> None:
        """Video or shot are over: what was detected on the last frame only counts, what was looked for in vain not."""
        for obj_id in sorted(self.tentative()):
            if self.live[obj_id].rounds:
                self.reject(obj_id)
            else:
                self.live[obj_id].confirmed = True

    def reject(self, obj_id: int) -> None:
        """Give up a tentative object."""
        self.drop(obj_id)
        self.rejected.add(obj_id)

    def _cut(self) -> None:
        """Objects end with their shot; those prompted by hand are waited for."""
        self.finish()
        for track in list(self.live.values()):
            if not track.kept:
                self._lose(track)
        self.segmenter.cut()
        self.shot += 1

    def _advance(self, image: RGB, upcoming: RGB | None) -> None:
        for obj_id, tracked in self.segmenter.advance(image, upcoming).items():
            track = self.live[obj_id]
            _place(track, clean(tracked.mask), tracked.score)
            if track.box is None or tracked.score < self._rules.weak_score:
                track.weak += 1
            else:
                self._is_sound(track)
            patience_s = self.segmenter.patience_s if track.confirmed else 0.0
            if self._in_doubt_for(track, patience_s) and not track.kept:
                self._lose(track)

    def _end_twins(self) -> None:
        """End objects that have turned out to be others."""
        twins = self._twins()
        for young in list(self.live.values()):
            old = twins.get(young.obj_id)
            young.twin = 0 if old is None else young.twin + 1
            if old is not None and young.twin >= self._rules.twin_frames:
                old.confirmed |= young.confirmed
                self.drop(young.obj_id)
                self.same_as[young.obj_id] = self.same_as.get(old.obj_id, old.obj_id)

    def _twins(self) -> dict[int, Track]:
        """By id of an object, the one prompted by hand or begun earlier that it lies on."""
        seen = sorted((t for t in self.live.values() if t.box is not None), key=lambda t: (not t.kept, t.obj_id))
        boxes = [track.box for track in seen if track.box is not None]
        # Masks are compared only where boxes have a good part in common, which costs nothing to see.
        near = np.triu(iou_matrix(boxes, boxes) >= self._rules.twin_iou / 2, k=1)
        twins: dict[int, Track] = {}
        for row, column in np.argwhere(near):
            old, young = seen[row], seen[column]
            if young.kept or young.obj_id in twins or old.label not in (None, young.label):
                continue
            if mask_iou(old.mask, young.mask) >= self._rules.twin_iou:
                twins[young.obj_id] = old
        return twins

    def _begins_near_another(self, young: Track) -> bool:
        return any(
            old.obj_id < young.obj_id and old.label in (None, young.label) and self._is_in_reach(old, young, 0.0)
            for old in self.live.values()
        )

    def _is_sound(self, track: Track) -> None:
        track.weak, track.sound_s, track.place, track.shot = 0, self.time_s, track.box, self.shot
        if track.box is not None:
            x0, y0, x1, y1 = track.box
            track.diagonal = max(_SHRINKS * track.diagonal, hypot(x1 - x0, y1 - y0))

    def _in_doubt_for(self, track: Track, seconds: float) -> bool:
        """Whether its mask has been in doubt for so long, and long enough to count at all."""
        doubtful_s = abs(self.time_s - track.sound_s) + _ON_TIME_S
        return track.weak >= _LEAST_WEAK and doubtful_s >= max(self._rules.weak_s, seconds)

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
        track = _new_track(obj_id, label, None, image, tracked, as_it_is=prompt.mask is not None)
        track.prompted = self.frame
        track.confirmed = track.kept = True
        self._begins(track)

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
            and _reaches(detection, self._trust_of(detection.label).min_score)
            and covered_share(detection.box, [t.box for t in live if t.box and t.label in (None, detection.label)])
            < self._rules.covered
        ]
        self._welcome(image, newcomers)

    def _seen(self, image: RGB, track: Track, detection: Detection) -> None:
        track.unseen, track.met_s = 0, self.time_s
        if not track.confirmed:
            track.confirmed = True
            self._recognise(track)
        least_iou = self._trust_of(track.label).drifted_iou
        drifted = track.box is not None and iou_matrix([track.box], [detection.box])[0, 0] < least_iou
        if track.weak or (drifted and _reaches(detection, self._rules.trusted_score)):
            tracked = self.segmenter.add(track.obj_id, Prompt(box=detection.box))
            _place(track, clean(tracked.mask), tracked.score)
            track.prompted = self.frame
            self._is_sound(track)
        elif track.box is not None and track.score > 0.5:
            track.appearance = 0.9 * track.appearance + 0.1 * hsv_histogram(image, track.mask)

    def _unseen(self, track: Track) -> None:
        track.unseen += 1
        if not track.confirmed and track.rounds >= self._rules.confirm_rounds:
            self.reject(track.obj_id)
            return
        unseen_s, trust = abs(self.time_s - track.met_s) + _ON_TIME_S, self._trust_of(track.label)
        if not track.kept and track.unseen >= trust.unseen_rounds and unseen_s >= trust.unseen_s:
            self._lose(track)

    def _trust_of(self, label: str | None) -> Trust:
        return Trust() if self._detector is None else self._detector.trust_of(label)

    def _welcome(self, image: RGB, detections: list[Detection]) -> None:
        """Start a tentative object for each detection in which the segmenter finds one."""
        for detection in detections if self._most is None else _surest(detections, self._most - len(self.live)):
            tracked = self.segmenter.add(self.next_id, Prompt(box=detection.box))
            track = _new_track(self.next_id, detection.label, detection.score, image, tracked)
            track.prompted = self.frame
            if track.box is None:
                self.segmenter.drop(self.next_id)
                continue
            self.next_id += 1
            self._begins(track)

    def _begins(self, track: Track) -> None:
        track.met_s, track.begun, track.shot = self.time_s, self.frame, self.shot
        self._is_sound(track)
        self.live[track.obj_id] = track

    def _recognise(self, new: Track) -> None:
        """Where a new object looks like one that is gone, it takes over its id."""
        hidden = (
            track
            for track in self.live.values()
            if track is not new and track.confirmed and (track.box is None or track.weak >= _LEAST_WEAK)
        )
        gone = [
            old
            for old in [*self.lost.values(), *hidden]
            if old.label == new.label and not old.kept and self._can_be(old, new)
        ]
        old = max(gone, key=lambda track: histogram_overlap(track.appearance, new.appearance), default=None)
        if old is None:
            return
        rules, likeness = self._rules, histogram_overlap(old.appearance, new.appearance)
        across = old.shot != new.shot
        if likeness < (rules.look_alike_across if across else rules.look_alike):
            return
        if self.lost.pop(old.obj_id, None) is None:
            self.drop(old.obj_id)
        self.same_as[new.obj_id] = self.same_as.get(old.obj_id, old.obj_id)
        self.likeness[new.obj_id] = likeness * (rules.sure_across if across else 1.0)

    def _can_be(self, old: Track, new: Track) -> bool:
        """Whether an object could have come from where it was last seen to where a new one is, in the time between."""
        away_s = abs(self.time_s - old.sound_s)
        if away_s > self._rules.forgotten_s:
            return False
        if old.shot != new.shot:  # where it was says nothing
            return True
        return self._is_in_reach(old, new, self._rules.speed * away_s if away_s >= self._rules.away_s else 0.0)

    def _is_in_reach(self, old: Track, new: Track, went: float) -> bool:
        """Whether a new object is near where an old one was last in sight, which `went` so many of its diagonals."""
        if old.place is None or new.box is None:
            return False
        (x0, y0, x1, y1), (u0, v0, u1, v1) = old.place, new.box
        distance = hypot(x0 + x1 - u0 - u1, y0 + y1 - v0 - v1) / 2
        return distance <= (self._rules.touching + went) * old.diagonal


def _reaches(detection: Detection, score: float) -> bool:
    """Whether a detection is that sure; one that cannot say counts as sure."""
    return detection.score is None or detection.score >= score


def _surest(detections: list[Detection], most: int) -> list[Detection]:
    return sorted(detections, key=lambda one: -1.0 if one.score is None else -one.score)[: max(0, most)]


def _place(track: Track, mask: Mask, score: float) -> None:
    track.mask, track.score, track.box = mask, score, mask_box(mask)


def _new_track(
    obj_id: int, label: str | None, score: float | None, image: RGB, tracked: TrackedMask, as_it_is: bool = False
) -> Track:
    """A track that begins here; a mask that a person gave is taken `as_it_is`."""
    mask = tracked.mask if as_it_is else clean(tracked.mask)
    appearance = hsv_histogram(image, mask)
    return Track(obj_id, label, score, False, appearance, mask, tracked.score, mask_box(mask))
