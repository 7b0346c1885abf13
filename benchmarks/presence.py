"""Whether an object is recorded when it is there, and not when it is gone: `python -m benchmarks.presence`.

Precision and recall of presence, frame by frame, of objects that are prompted by a box and followed by the built-in
segmenter. In clips with masks as truth a record counts only where its mask touches the true one. Three kinds of clips:
real video of people who come and go, labelled by hand; real objects that are cut away from and back to (DAVIS
sequences, one shown for a while in the midst of another); rendered ones that hide, leave and come back.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.common import need_data
from benchmarks.davis import CHOSEN_ON, REPORTED, true_masks
from benchmarks.tiny_sam2.scenes import random_clip
from core.masks import Box, Mask, rle
from core.masks.boxes import mask_box
from core.models.classical.segmenter import ClassicalSegmenter
from core.prompts import ObjectPrompt, Prompt
from core.tracking.loop import track_frames
from core.tracking.tracker import Tracker
from core.video.frames import RGB, Frame
from core.video.shots import mark_cuts
from core.video.source import open_video

LABELS = Path(__file__).parents[1] / "tests" / "core" / "tracking" / "one_by_one_person.csv"
_SIDE, _FRAMES = 256, 75
_LEAST = 30  # pixels of an object under which nobody could say whether it is there


@dataclass(frozen=True, eq=False)
class Case:
    """One clip: its frames, what to prompt on which frame, and by object and frame the truth: its mask, or whether
    it is there; None where that cannot be said."""

    name: str
    frames: Sequence[Frame]
    prompts: Sequence[ObjectPrompt]
    truth: Mapping[int, Sequence[Mask | bool | None]]


@dataclass
class Presence:
    """Counts of records and of frames on which objects are there."""

    right: int = 0
    recorded: int = 0
    there: int = 0

    @property
    def precision(self) -> float:
        """Of the records, how many are of an object that is there."""
        return self.right / max(1, self.recorded)

    @property
    def recall(self) -> float:
        """Of the frames with an object, on how many it is recorded."""
        return self.right / max(1, self.there)

    def __iadd__(self, other: "Presence") -> "Presence":
        self.right, self.recorded = self.right + other.right, self.recorded + other.recorded
        self.there += other.there
        return self


def people(fps: float) -> Case:
    """Six people who come into a room one after the other and leave it again."""
    with LABELS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with open_video(need_data() / "videos" / "one_by_one_person.mp4") as source:
        frames = list(source.frames(fps))
    prompts, truth = [], {}
    for row in rows:
        one = {name: float(value) for name, value in row.items()}
        first = next(frame for frame in frames if frame.time_s >= one["prompt_s"] - 1e-6)
        box: Box = (one["x0"], one["y0"], one["x1"], one["y1"])
        prompts.append(ObjectPrompt(int(one["person"]), first.source_frame, None, Prompt(box=box)))
        truth[int(one["person"])] = [
            one["enters_s"] <= frame.time_s <= one["leaves_s"] if frame.time_s >= first.time_s else None
            for frame in frames
        ]
    return Case(f"people, {fps:g} fps", frames, prompts, truth)


def _read(folder: Path) -> list[RGB]:
    return [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.jpg"))]


def cut_away(names: Sequence[str]) -> Iterator[Case]:
    """Each sequence to its middle, then a second of another one, then the rest."""
    root = need_data() / "davis2016"
    for name, other in zip(names, [*names[1:], names[0]], strict=True):
        images, masks = _read(root / "JPEGImages" / "480p" / name), true_masks(root / "Annotations" / "480p" / name)
        between = _read(root / "JPEGImages" / "480p" / other)[:30]
        half = len(images) // 2
        shown = [*images[:half], *between, *images[half:]]
        truth: list[Mask | bool | None] = [*masks[:half], *([False] * len(between)), *masks[half:]]
        yield _case(f"{name}, {other} in its midst", shown, {1: truth}, 24)


def rendered(seeds: Sequence[int]) -> Iterator[Case]:
    """Random clips of three objects that cross, hide, leave and come back."""
    for seed in seeds:
        clip = random_clip(np.random.default_rng(seed), _FRAMES, _SIDE)
        truth = {row + 1: [_mask_or_not(mask) for mask in clip.masks[:, row]] for row in range(clip.masks.shape[1])}
        yield _case(f"rendered {seed}", list(clip.images), truth, 15)


def _mask_or_not(mask: Mask) -> Mask | bool | None:
    area = int(np.count_nonzero(mask))
    return mask if area >= _LEAST else None if area else False


def _case(name: str, images: Sequence[RGB], truth: dict[int, list[Mask | bool | None]], fps: float) -> Case:
    """Prompts are boxes on the first frame on which an object is to be seen well; before it nothing counts."""
    prompts = []
    for obj_id, seen in list(truth.items()):
        areas = np.array([np.count_nonzero(mask) if isinstance(mask, np.ndarray) else 0 for mask in seen])
        if areas.max() < 10 * _LEAST:
            del truth[obj_id]
            continue
        first = int(np.argmax(areas >= 0.5 * np.quantile(areas[areas > 0], 0.9)))
        mask = seen[first]
        assert isinstance(mask, np.ndarray)
        prompts.append(ObjectPrompt(obj_id, first, None, Prompt(box=mask_box(mask))))
        truth[obj_id] = [None] * first + list(seen[first:])
    frames = [Frame(image, index, index / fps) for index, image in enumerate(images)]
    return Case(name, frames, prompts, truth)


def presence(case: Case) -> Presence:
    """How often objects of a clip are recorded when they are there."""
    tracker = Tracker(ClassicalSegmenter().start(), None)
    counts = Presence()
    for index, record in enumerate(track_frames(mark_cuts(case.frames), tracker, case.prompts)):
        recorded = {one.obj_id: one.rle for one in record.objects}
        for obj_id, seen in case.truth.items():
            there, found = seen[index], recorded.get(obj_id)
            if there is None:
                continue
            is_there = there is not False
            counts.there += is_there
            counts.recorded += found is not None
            touches = isinstance(there, np.ndarray) and found is not None and bool((there & rle.decode(found)).any())
            counts.right += found is not None and (touches if isinstance(there, np.ndarray) else is_there)
    return counts


def main() -> None:
    """Print a row for each kind of clips."""
    print("| clips | precision | recall |\n|---|---|---|")
    kinds: dict[str, Iterator[Case]] = {
        "people who come and go, 5 frames/s": iter([people(5)]),
        # "people who come and go, 10 frames/s": iter([people(10)]),
        "cut away from and back to, chosen on": cut_away(CHOSEN_ON),
        "cut away from and back to, **reported**": cut_away(REPORTED),
        "rendered, chosen on": rendered(range(12)),
        "rendered, **reported**": rendered(range(100, 124)),
    }
    for kind, cases in kinds.items():
        total = Presence()
        for case in cases:
            total += presence(case)
        print(f"| {kind} | {total.precision:.2f} | {total.recall:.2f} |", flush=True)


if __name__ == "__main__":
    main()
