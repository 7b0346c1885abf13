"""Whether ids stay with their objects where several look alike: `python -m benchmarks.look_alikes`.

Rendered clips of two to six objects of one colour that cross, hide each other and hide behind a pillar; found on every
third frame by their true boxes, moved a little, one of ten missing, and followed by the built-in segmenter. IDF1 and
switches by boxes at IoU 0.5.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from benchmarks.identity import box_identity
from core.evaluation.clips import Actor, Scene, render_scene
from core.evaluation.identity import IdentityScores
from core.masks import Box
from core.masks.boxes import mask_box
from core.models.classical.segmenter import ClassicalSegmenter
from core.prompts import Detection, Trust
from core.tracking.loop import track_frames
from core.tracking.tracker import Tracker
from core.video.frames import RGB, Frame

CHOSEN_ON, REPORTED = range(6), range(100, 106)
_LEAST = 60  # pixels of an object in sight from which it counts
_EVERY = 3  # frames to the next detection
_APART = 62  # pixels between two objects on the first frame
_MOVED, _MISSED = 0.05, 0.1  # of a box's size; of the boxes
_Boxes = dict[str, Box]


class KnownBoxes:
    """Implements `DetectorSession`: boxes known beforehand, by the picture they are in."""

    def __init__(self) -> None:
        self._known: dict[int, list[Detection]] = {}

    def add(self, image: RGB, boxes: Mapping[str, Box], rng: np.random.Generator) -> None:
        """Know the boxes of a picture, most of them and not exactly."""
        found = self._known[id(image)] = []
        for x0, y0, x1, y1 in boxes.values():
            width, height = x1 - x0, y1 - y0
            left, top, right, bottom = rng.normal(0, _MOVED, 4) * [width, height, width, height] + [x0, y0, x1, y1]
            if rng.random() >= _MISSED and right - left > 2 and bottom - top > 2:
                found.append(Detection((left, top, right, bottom), "thing", float(rng.uniform(0.6, 1))))

    def trust_of(self, label: str | None) -> Trust:  # noqa: ARG002 - of all alike
        """See `DetectorSession.trust_of`."""
        return Trust()

    def detect(self, image: RGB) -> list[Detection]:
        """See `DetectorSession.detect`."""
        return self._known[id(image)]


def look_alikes(number: int, seed: int) -> Scene:
    """A random clip of so many objects of one colour, apart from each other on the first frame."""
    rng = np.random.default_rng([number, seed])
    actors: list[Actor] = []
    while len(actors) < number:
        x, y = rng.uniform(40, 440), rng.uniform(40, 230)
        if any(np.hypot(x - one.start[0], y - one.start[1]) < _APART for one in actors):
            continue
        speed = (rng.uniform(1.0, 4.5) * (1 if x < 240 else -1), rng.uniform(-1, 1))
        half = (float(rng.uniform(16, 30)), float(rng.uniform(16, 30)))
        turns = int(rng.integers(30, 80)) if rng.random() < 0.4 else None
        actors.append(Actor(f"red {len(actors)}", (x, y), speed, half, rng.uniform(-2, 2), 10, turns, "red"))
    pillar = float(rng.uniform(150, 330)) if rng.random() < 0.6 else None
    return Scene(f"{number} alike, {seed}", tuple(actors), pillar=pillar, frames=100)


def tracked(scene: Scene, seed: int) -> tuple[list[_Boxes], list[_Boxes]]:
    """The true boxes of a scene and those found, by id, frame by frame."""
    frames, truth = [], []
    known, rng = KnownBoxes(), np.random.default_rng(seed)
    for index, (image, masks) in enumerate(render_scene(scene)):
        frames.append(Frame(image, index, index / scene.fps))
        there = {name: mask_box(mask) for name, mask in masks.items() if np.count_nonzero(mask) >= _LEAST}
        truth.append({name: box for name, box in there.items() if box is not None})
        known.add(image, truth[-1], rng)
    records = track_frames(frames, Tracker(ClassicalSegmenter().start(), known, _EVERY))
    found = []
    for record in records:
        boxes = {str(one.obj_id): one.bbox for one in record.objects}
        found.append({name: (float(x), float(y), x + w + 1.0, y + h + 1.0) for name, (x, y, w, h) in boxes.items()})
    return truth, found


def scores(number: int, seeds: range) -> Iterator[IdentityScores]:
    """Of each clip of so many objects."""
    for seed in seeds:
        yield box_identity(*tracked(look_alikes(number, seed), seed))


def main() -> None:
    """Print a row for each number of objects, and the means."""
    print("| look-alikes | clips | IDF1 | MOTA | switches a clip |\n|---|---|---|---|---|")
    for half, seeds in (("chosen on", CHOSEN_ON), ("**reported**", REPORTED)):
        every: list[IdentityScores] = []
        for number in range(2, 7):
            found = list(scores(number, seeds))
            every += found
            print(_row(f"{number}, {half}", found), flush=True)
        print(_row(f"mean, {half}", every), flush=True)


def _row(name: str, found: list[IdentityScores]) -> str:
    idf1, mota, switches = (np.mean([getattr(one, what) for one in found]) for what in ("idf1", "mota", "switches"))
    return f"| {name} | {len(found)} | {idf1:.3f} | {mota:.3f} | {switches:.1f} |"


if __name__ == "__main__":
    main()
