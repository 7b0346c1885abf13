"""A person who corrects where the review list says, played by a script: `python -m benchmarks.correcting`.

DAVIS 2016 sequences, the built-in segmenter, J&F after the first frame's box and after 1, 2 and 3 corrections (the true
mask of a frame, as somebody paints it; with `--boxes` the true box): on the frame that the review list names first, on
frames at random, and on the worst one, which only the truth knows.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import maskflow
from benchmarks.common import need_data
from core.evaluation.davis import object_jf
from core.formats.review_jsonl import read_review
from core.masks import Mask, rle
from core.masks.boxes import mask_box

_SEQUENCES = ("dance-twirl", "parkour", "camel")
_ROUNDS = 3
_SEEDS = 3
Place = Callable[[Path, list[int], list[float]], int | None]


def _truth(folder: Path) -> list[Mask]:
    return [np.asarray(Image.open(path).convert("L")) > 127 for path in sorted(folder.glob("*.png"))]


def _found(folder: Path, truth: list[Mask]) -> list[Mask]:
    """The object's mask on each frame."""
    (video,) = maskflow.read_results(folder / "results.jsonl")
    masks = [np.zeros_like(truth[0]) for _ in truth]
    for frame in video.read():
        for one in frame.objects:
            if one.rle is not None:
                masks[frame.source_frame] = rle.decode(one.rle)
    return masks


def _drawn(mask: Mask, as_box: bool) -> dict[str, Any]:
    return {"box": mask_box(mask)} if as_box else {"mask": rle.encode(mask)}


def play(images: Path, truth: list[Mask], place: Place, boxes: bool) -> list[float]:
    """J&F after the first box and after each correction."""
    figures, corrected = [], [0]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prompts = {images.name: [{"obj_id": 1, "box": mask_box(truth[0])}]}
        (folder / "prompts.json").write_text(json.dumps(prompts))
        for _ in range(_ROUNDS + 1):
            shown = [{"obj_id": 1, "frame": one, **_drawn(truth[one], boxes)} for one in corrected[1:]]
            content = {"version": 1, "videos": {images.name: {"prompts": shown}}}
            (folder / "corrections.json").write_text(json.dumps(content))
            maskflow.track_videos(
                str(images), prompts=folder / "prompts.json", corrections=folder / "corrections.json",
                output_jsonl=folder / "out" / "results.jsonl", masks=True,
            )  # fmt: skip
            masks = _found(folder / "out", truth)
            figures.append(object_jf(masks[1:-1], truth[1:-1]).jf)
            ious = [float((a & b).sum() / max(1, (a | b).sum())) for a, b in zip(masks, truth, strict=True)]
            frame = place(folder / "out", corrected, ious)
            if frame is None or mask_box(truth[frame]) is None:
                figures += [figures[-1]] * (_ROUNDS + 1 - len(figures))
                break
            corrected.append(frame)
    return figures[: _ROUNDS + 1]


def by_review(folder: Path, corrected: list[int], _: list[float]) -> int | None:
    """The frame that the review list names first; None where it is empty."""
    entries = [one.source_frame for one in read_review(folder / "review.jsonl")]
    return next((frame for frame in entries if frame not in corrected), None)


def at_random(rng: np.random.Generator) -> Place:
    """Any other frame."""
    return lambda _, corrected, ious: int(rng.choice(sorted(set(range(1, len(ious))) - set(corrected))))


def at_worst(_: Path, corrected: list[int], ious: list[float]) -> int | None:
    """The frame with the lowest IoU."""
    return min((frame for frame in range(len(ious)) if frame not in corrected), key=lambda frame: ious[frame])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", nargs="+", default=_SEQUENCES)
    parser.add_argument("--boxes", action="store_true")
    given = parser.parse_args()
    root = need_data() / "davis2016"
    print("| sequence | corrections | first box | 1 | 2 | 3 |\n|---|---|---|---|---|---|")
    sums: dict[str, list[list[float]]] = {}
    for name in given.sequences:
        images, truth = root / "JPEGImages" / "480p" / name, _truth(root / "Annotations" / "480p" / name)
        random = [play(images, truth, at_random(np.random.default_rng(seed)), given.boxes) for seed in range(_SEEDS)]
        rows = {
            "where the review list says": play(images, truth, by_review, given.boxes),
            f"at random (mean of {_SEEDS})": np.mean(random, axis=0).tolist(),
            "on the worst frame": play(images, truth, at_worst, given.boxes),
        }
        for how, figures in rows.items():
            sums.setdefault(how, []).append(figures)
            print(f"| {name} | {how} | " + " | ".join(f"{one:.3f}" for one in figures) + " |", flush=True)
    for how, several in sums.items():
        print(f"| **mean** | {how} | " + " | ".join(f"{one:.3f}" for one in np.mean(several, axis=0)) + " |")


if __name__ == "__main__":
    main()
