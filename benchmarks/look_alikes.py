"""Whether ids stay with their objects where several look alike: `python -m benchmarks.look_alikes`.

Rendered clips of two to six objects of one colour that cross, hide each other and hide behind a pillar, found by the
built-in detector (`red`) and followed by the built-in segmenter: IDF1 and switches by boxes at IoU 0.5.
"""

import sys
from collections.abc import Iterator

import numpy as np

from benchmarks.identity import box_identity
from core.evaluation.clips import Actor, Scene, render_scene
from core.evaluation.identity import IdentityScores
from core.masks import Box
from core.masks.boxes import mask_box
from core.models.classical.detector import ClassicalDetector
from core.models.classical.segmenter import ClassicalSegmenter
from core.tracking.loop import track_frames
from core.tracking.tracker import Tracker
from core.video.frames import Frame

CHOSEN_ON, REPORTED = range(6), range(100, 106)
_LEAST = 60  # pixels of an object in sight from which it counts
_EVERY = 3  # frames to the next detection


def look_alikes(number: int, seed: int) -> Scene:
    """A random clip of so many objects of one colour."""
    rng = np.random.default_rng([number, seed])
    actors = []
    for index in range(number):
        x, y = rng.uniform(40, 440), rng.uniform(40, 230)
        speed = rng.uniform(1.0, 4.5) * (1 if x < 240 else -1)
        half = (float(rng.uniform(16, 30)), float(rng.uniform(16, 30)))
        turns = int(rng.integers(30, 80)) if rng.random() < 0.4 else None
        actors.append(
            Actor(f"red {index}", (x, y), (speed, rng.uniform(-1, 1)), half, rng.uniform(-2, 2), 10, turns, "red")
        )
    pillar = float(rng.uniform(150, 330)) if rng.random() < 0.6 else None
    return Scene(f"{number} alike, {seed}", tuple(actors), pillar=pillar, frames=100)


def tracked(scene: Scene) -> tuple[list[dict[str, Box]], list[dict[str, Box]]]:
    """The true boxes of a scene and those found, by id, frame by frame."""
    frames, truth = [], []
    for index, (image, masks) in enumerate(render_scene(scene)):
        frames.append(Frame(image, index, index / scene.fps))
        there = {name: mask_box(mask) for name, mask in masks.items() if np.count_nonzero(mask) >= _LEAST}
        truth.append({name: box for name, box in there.items() if box is not None})
    tracker = Tracker(ClassicalSegmenter().start(), ClassicalDetector().start("red"), _EVERY)
    found = [
        {
            str(one.obj_id): (float(x), float(y), float(x + w + 1), float(y + h + 1))
            for one in record.objects
            for x, y, w, h in [one.bbox]
        }
        for record in track_frames(frames, tracker)
    ]
    return truth, found


def scores(number: int, seeds: range) -> Iterator[IdentityScores]:
    """Of each clip of so many objects."""
    for seed in seeds:
        yield box_identity(*tracked(look_alikes(number, seed)))


def main() -> None:
    """Print a row for each number of objects, and the means."""
    print("| look-alikes | clips | IDF1 | MOTA | switches a clip |\n|---|---|---|---|---|")
    for half, seeds in (("chosen on", CHOSEN_ON), ("**reported**", REPORTED)):
        every: list[IdentityScores] = []
        for number in range(2, 7):
            found = list(scores(number, seeds))
            every += found
            if "--each" in sys.argv:
                print([f"{one.idf1:.2f}/{one.switches}" for one in found])
            print(_row(f"{number}, {half}", found), flush=True)
        print(_row(f"mean, {half}", every), flush=True)


def _row(name: str, found: list[IdentityScores]) -> str:
    idf1, mota, switches = (np.mean([getattr(one, what) for one in found]) for what in ("idf1", "mota", "switches"))
    return f"| {name} | {len(found)} | {idf1:.3f} | {mota:.3f} | {switches:.1f} |"


if __name__ == "__main__":
    main()
