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

from core.masks import Box
from core.masks.appearance import hsv_histogram
from core.masks.boxes import iou_matrix
from core.masks.clean import clean
from core.models.roles import DetectorSession, SegmenterSession
from core.prompts import Detection, Prompt, Trust
from core.tracking.association import covered_share, match_detections
from core.tracking.recognition import is_in_reach, recognise
from core.tracking.track import Rules, Track, new_track
from core.tracking.twins import find_twins, hidden_one
from core.video.frames import RGB

_LEAST_WEAK = 2
_ON_TIME_S = 1e-6  # what differences of times may be off by


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
        for track in self.live.values():
            track.apart.pop(obj_id, None)

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
            track.met = track.velocity = None
            if not track.kept:
                self._lose(track)
        self.segmenter.cut()
        self.shot += 1

    def _advance(self, image: RGB, upcoming: RGB | None) -> None:
        for obj_id, tracked in self.segmenter.advance(image, upcoming).items():
            track = self.live[obj_id]
            track.put(clean(tracked.mask), tracked.score)
            if track.box is None or tracked.score < self._rules.weak_score:
                track.weak += 1
            else:
                self._mark_sound(track)
            patience_s = self.segmenter.patience_s if track.confirmed else 0.0
            if self._in_doubt_for(track, patience_s) and not track.kept:
                self._lose(track)

    def _end_twins(self) -> None:
        """End objects that have turned out to be others, and those that others hide."""
        twins = {one.young.obj_id: one for one in find_twins(self.live.values(), self._rules)}
        for young in list(self.live.values()):
            pair = twins.get(young.obj_id)
            young.twin = 0 if pair is None else young.twin + 1
            if pair is None or young.twin < self._rules.twin_frames or pair.old.obj_id not in self.live:
                continue
            if pair.distinct:
                self._lose(hidden_one(pair, self.time_s))
                continue
            pair.old.confirmed |= young.confirmed
            self.drop(young.obj_id)
            self.same_as[young.obj_id] = self.same_as.get(pair.old.obj_id, pair.old.obj_id)

    def _begins_near_another(self, young: Track) -> bool:
        return any(
            old.obj_id < young.obj_id and old.label in (None, young.label) and is_in_reach(old, young, 0.0, self._rules)
            for old in self.live.values()
        )

    def _mark_sound(self, track: Track) -> None:
        track.mark_sound(self.time_s, self.shot)

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
        track = new_track(obj_id, label, None, image, tracked, as_it_is=prompt.mask is not None)
        track.prompted = self.frame
        track.confirmed = track.kept = True
        self._begins(track)

    def _meet(self, image: RGB, detections: list[Detection]) -> None:
        live = [track for track in self.live.values() if track.box is not None]
        boxes = [track.box for track in live if track.box is not None]
        labels = [track.label for track in live]
        expected = [track.expected(self.time_s) for track in live]
        pairs = match_detections(boxes, expected, labels, detections, self._rules.match_iou)
        seen = {live[row].obj_id: detections[column] for row, column in pairs}
        tentative = self.tentative()
        for track in live:
            track.rounds += 1
            if track.obj_id in seen:
                self._seen(image, track, seen[track.obj_id])
            else:
                self._unseen(track)
        self._recognise([track for track in live if track.confirmed and track.obj_id in tentative])
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
        track.meet(detection.box, self.time_s)
        track.confirmed = True
        least_iou = self._trust_of(track.label).drifted_iou
        drifted = track.box is not None and iou_matrix([track.box], [detection.box])[0, 0] < least_iou
        if track.weak or (drifted and _reaches(detection, self._rules.trusted_score)):
            tracked = self.segmenter.add(track.obj_id, Prompt(box=detection.box))
            track.put(clean(tracked.mask), tracked.score)
            track.prompted = self.frame
            self._mark_sound(track)
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
            track = new_track(self.next_id, detection.label, detection.score, image, tracked)
            track.prompted = self.frame
            if track.box is None:
                self.segmenter.drop(self.next_id)
                continue
            self.next_id += 1
            self._begins(track)
            track.met = detection.box

    def _begins(self, track: Track) -> None:
        track.met_s, track.begun, track.shot = self.time_s, self.frame, self.shot
        self._mark_sound(track)
        self.live[track.obj_id] = track

    def _recognise(self, newcomers: list[Track]) -> None:
        """Where new objects look like ones that are gone, they take over their ids."""
        new = {track.obj_id for track in newcomers}
        hidden = (
            track
            for track in self.live.values()
            if track.obj_id not in new and track.confirmed and (track.box is None or track.weak >= _LEAST_WEAK)
        )
        gone = [old for old in [*self.lost.values(), *hidden] if not old.kept]
        for one in recognise(gone, newcomers, self.time_s, self._rules):
            if self.lost.pop(one.old.obj_id, None) is None:
                self.drop(one.old.obj_id)
            self.same_as[one.new.obj_id] = self.same_as.get(one.old.obj_id, one.old.obj_id)
            self.likeness[one.new.obj_id] = one.likeness


def _reaches(detection: Detection, score: float) -> bool:
    """Whether a detection is that sure; one that cannot say counts as sure."""
    return detection.score is None or detection.score >= score


def _surest(detections: list[Detection], most: int) -> list[Detection]:
    return sorted(detections, key=lambda one: -1.0 if one.score is None else -one.score)[: max(0, most)]
