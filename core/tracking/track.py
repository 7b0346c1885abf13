"""One object of a video while it is tracked, and the rules it lives by."""

from dataclasses import dataclass, field
from math import hypot

from core.masks import Box, Mask
from core.masks.appearance import Histogram, hsv_histogram
from core.masks.boxes import mask_box
from core.masks.clean import clean
from core.prompts import TrackedMask
from core.video.frames import RGB

_SHRINKS = 0.99  # a frame: what goes out of sight bit by bit keeps its size for a while
_STEADY = 0.5  # weight of the last two detections in how fast an object moves
_LEAST_S = 0.005  # between two detections, to tell a speed from
_LONGEST_S = 1.0  # for so long it is expected to go on as it did


@dataclass(frozen=True)
class Rules:
    """When objects are born, set right, lost and known again.

    Attributes:
        match_iou: box IoU from which a detection is a known object.
        covered: share of a detection inside a known object from which it is not a new one.
        confirm_rounds: rounds of detection within which a tentative object must be seen a second time.
        twin_iou: IoU of masks from which two objects of one label lie on each other …
        twin_frames: … and for so many frames in a row are one, or one of them is hidden.
        apart_frames: frames on which two objects have been seen apart, after which they are two for certain.
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
    apart_frames: int = 3
    new_frames: int = 6
    trusted_score: float = 0.5
    weak_score: float = 0.3
    weak_s: float = 0.1
    gone_s: float = 1.0
    look_alike: float = 0.6
    touching: float = 0.85
    away_s: float = 0.3
    forgotten_s: float = 300.0
    speed: float = 3.0
    look_alike_across: float = 0.85
    sure_across: float = 0.8
    remembered: int = 100


@dataclass
class Track:
    """One object. `obj_id` counts up from 1 in the order of first sight; it may turn out not to be confirmed.

    Attributes:
        sound_s: when its mask was last beyond doubt.
        met_s: when it was last detected, or prompted.
        met: its box then, where it was detected.
        velocity: of that box's centre, x and y in pixels a second; None before it was detected twice.
        place: its box when it was last in sight.
        diagonal: of its box in pixels, when it was last in full sight.
        twin: frames in a row on which it has lain on an older object.
        apart: by id of other objects, on how many frames they were seen apart from it.
        begun: number of the step at which it began.
        shot: number of the shot in which it was last beyond doubt.
        kept: prompted by hand: never given up.
        prompted: number of the step at which the segmenter last got a prompt for it.
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
    met: Box | None = None
    velocity: tuple[float, float] | None = None
    place: Box | None = None
    diagonal: float = 0.0
    twin: int = 0
    apart: dict[int, int] = field(default_factory=dict)
    begun: int = 0
    shot: int = 0
    kept: bool = False
    prompted: int = 0

    def put(self, mask: Mask, score: float) -> None:
        """Its mask [H, W] on the present frame."""
        self.mask, self.score, self.box = mask, score, mask_box(mask)

    def mark_sound(self, time_s: float, shot: int) -> None:
        """Its mask is beyond doubt at a time."""
        self.weak, self.sound_s, self.place, self.shot = 0, time_s, self.box, shot
        if self.box is not None:
            x0, y0, x1, y1 = self.box
            self.diagonal = max(_SHRINKS * self.diagonal, hypot(x1 - x0, y1 - y0))

    def meet(self, box: Box, time_s: float) -> None:
        """It is detected in a box."""
        elapsed_s = time_s - self.met_s
        if self.met is not None and abs(elapsed_s) < _LEAST_S:
            self.unseen = 0
            return
        if self.met is not None:
            (x0, y0), (x1, y1) = centre(self.met), centre(box)
            latest = (x1 - x0) / elapsed_s, (y1 - y0) / elapsed_s
            before = self.velocity or latest
            self.velocity = (
                _STEADY * before[0] + (1 - _STEADY) * latest[0],
                _STEADY * before[1] + (1 - _STEADY) * latest[1],
            )
        self.met, self.met_s, self.unseen = box, time_s, 0

    def expected(self, time_s: float) -> Box | None:
        """Where it is if it goes on as it did when it was detected; None where that is not known."""
        if self.met is None or self.velocity is None:
            return None
        went_s = max(-_LONGEST_S, min(_LONGEST_S, time_s - self.met_s))
        dx, dy = self.velocity[0] * went_s, self.velocity[1] * went_s
        x0, y0, x1, y1 = self.met
        return x0 + dx, y0 + dy, x1 + dx, y1 + dy


def centre(box: Box) -> tuple[float, float]:
    """Coordinates x and y of a box's centre."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def new_track(
    obj_id: int, label: str | None, score: float | None, image: RGB, tracked: TrackedMask, as_it_is: bool = False
) -> Track:
    """A track that begins here; a mask that a person gave is taken `as_it_is`."""
    mask = tracked.mask if as_it_is else clean(tracked.mask)
    appearance = hsv_histogram(image, mask)
    return Track(obj_id, label, score, False, appearance, mask, tracked.score, mask_box(mask))
