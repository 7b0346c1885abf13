"""How often the scores of built-in models are right, on real data: `python -m benchmarks.reliability`.

Scores of people: on the half of the MOT15 clip that they were not fitted on (right: IoU of 0.5 with a person that no
better box has), and on boxes of other videos that were looked at by hand (`people_labels.csv`), on which they were.
Scores of masks: from the first frame's box through the DAVIS sequences, beside the IoU with the true mask.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.common import need_data
from benchmarks.people import read_truth
from core.masks import Box
from core.masks.assignment import assign
from core.masks.boxes import iou_matrix, mask_box
from core.masks.clean import clean
from core.models.classical.people import find_people
from core.models.classical.segmenter import ClassicalSegmenter
from core.prompts import Prompt
from core.video.frames import RGB
from core.video.image_folder import image_files
from core.video.source import open_video

_LABELS = Path(__file__).with_name("people_labels.csv")
_RIGHT_IOU, _SAME_IOU = 0.5, 0.9


def _frames(path: Path, wanted: set[int]) -> Iterator[tuple[int, RGB]]:
    with open_video(path) as video:
        for frame in video.frames():
            if frame.source_frame in wanted:
                yield frame.source_frame, frame.image


def _on_street(data: Path) -> Iterator[tuple[float, bool]]:
    folder = data / "mot15_adl_rundle_6"
    truth = read_truth(folder / "gt.txt")
    for number, image in _frames(folder / "video.mp4", set(range(len(truth) // 2, len(truth)))):
        found = find_people(image)
        ious = iou_matrix([box for box, _ in found], [*truth[number].values()])
        right = {row for row, _ in assign(ious, _RIGHT_IOU)} if found else set()
        yield from ((score or 0.0, place in right) for place, (_, score) in enumerate(found))


def _elsewhere(data: Path) -> Iterator[tuple[float, bool]]:
    by_frame: dict[tuple[str, int], list[tuple[Box, bool]]] = {}
    with _LABELS.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            box = (float(row["x0"]), float(row["y0"]), float(row["x1"]), float(row["y1"]))
            by_frame.setdefault((row["clip"], int(row["frame"])), []).append((box, row["person"] == "1"))
    for clip in sorted({clip for clip, _ in by_frame}):
        video = data / "videos" / f"{clip}.mp4"
        path = video if video.is_file() else data / "davis2016" / "JPEGImages" / "480p" / clip
        for number, image in _frames(path, {frame for name, frame in by_frame if name == clip}):
            labelled, found = by_frame[clip, number], find_people(image)
            for one, other in assign(iou_matrix([b for b, _ in found], [b for b, _ in labelled]), _SAME_IOU):
                yield found[one][1] or 0.0, labelled[other][1]


def _masks(data: Path) -> Iterator[tuple[float, float]]:
    """Score and IoU of each mask of each sequence."""
    for sequence in sorted((data / "davis2016" / "JPEGImages" / "480p").iterdir()):
        session = ClassicalSegmenter().start()
        truths = image_files(data / "davis2016" / "Annotations" / "480p" / sequence.name)
        with open_video(sequence) as video:
            for frame, file in zip(video.frames(), truths, strict=True):
                truth = np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)) > 127
                tracked = session.advance(frame.image).get(1) or session.add(1, Prompt(box=mask_box(truth)))
                mask = clean(tracked.mask)
                yield tracked.score, float((mask & truth).sum() / max(1, (mask | truth).sum()))


def _print_right(title: str, scored: Iterable[tuple[float, bool]]) -> None:
    pairs = list(scored)
    print(f"\n{title}\n\n| score | boxes | right |\n|---|---|---|")
    for low in np.arange(0, 1, 0.1):
        right = [ok for score, ok in pairs if low <= score < low + 0.1]
        if right:
            print(f"| {low:.1f}–{low + 0.1:.1f} | {len(right)} | {np.mean(right):.2f} |")


def _print_iou(title: str, pairs: Sequence[tuple[float, float]]) -> None:
    print(f"\n{title}\n\n| score | masks | mean IoU |\n|---|---|---|")
    for low in np.arange(0.3, 0.8, 0.1):
        ious = [iou for score, iou in pairs if low <= score < low + 0.1]
        if ious:
            print(f"| {low:.1f}–{low + 0.1:.1f} | {len(ious)} | {np.mean(ious):.2f} |")


def main() -> None:
    """Print the three tables."""
    data = need_data()
    _print_right("People, street video", _on_street(data))
    _print_right("People, other videos", _elsewhere(data))
    _print_iou("Masks, DAVIS", list(_masks(data)))


if __name__ == "__main__":
    main()
