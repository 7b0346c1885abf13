"""J&F of the built-in segmenter on DAVIS 2016 sequences, beside flow alone and a mask that stays.

`python -m benchmarks.davis`: from the first frame's box, and from its true mask. The mean over frames leaves out the
first and the last, as the benchmark does. What is chosen by figures is chosen by those of the sequences in `CHOSEN_ON`;
the others are reported.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from benchmarks.common import need_data
from core.evaluation.davis import JF, mean_jf, object_jf
from core.formats.tracks import read_frames
from core.masks import Mask, rle
from core.masks.boxes import mask_box
from core.tracking.video_item import track_video
from core.video.flow import dense_flow

CHOSEN_ON = ("blackswan", "camel", "dance-twirl", "parkour")
REPORTED = ("bmx-trees", "car-roundabout", "drift-straight", "soapbox")


def true_masks(folder: Path) -> list[Mask]:
    """The masks [H, W] of a sequence, frame by frame."""
    return [np.asarray(Image.open(path).convert("L")) > 127 for path in sorted(folder.glob("*.png"))]


def _tracked(images: Path, prompt: dict[str, Any], empty: Mask) -> list[Mask]:
    request = {
        "video": str(images),
        "prompts": [{"obj_id": 1, **prompt}],
        "segmenter": {"backend": "classical"},
        "detection_frequency": 1,
        "max_frames": 60,
    }
    with tempfile.TemporaryDirectory() as folder:
        track_video(request, Path(folder), lambda done, expected: None)
        return [rle.decode(frame.objects[0].rle) if frame.objects else empty for frame in read_frames(Path(folder))]


def _from_box(images: Path, first: Mask) -> list[Mask]:
    return _tracked(images, {"box": mask_box(first)}, np.zeros_like(first))


def _from_mask(images: Path, first: Mask) -> list[Mask]:
    return _tracked(images, {"mask": rle.encode(first)}, np.zeros_like(first))


def _by_flow(images: Path, first: Mask) -> list[Mask]:
    return list(_carried(images, first))


def _carried(images: Path, first: Mask) -> Iterator[Mask]:
    """The first mask, carried by DIS flow (Kroeger et al., ECCV 2016) and nothing else."""
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    y, x = np.mgrid[: first.shape[0], : first.shape[1]].astype(np.float32)
    mask, last = first.astype(np.float32), None
    for path in sorted(images.glob("*.jpg")):
        grey = np.asarray(Image.open(path).convert("L"))
        if last is not None:
            flow = dense_flow(finder, grey, last)
            mask = np.asarray(cv2.remap(mask, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR), np.float32)
        last = grey
        yield mask > 0.5


def _still(images: Path, first: Mask) -> list[Mask]:
    return [first] * len(list(images.glob("*.jpg")))


WAYS: dict[str, Callable[[Path, Mask], list[Mask]]] = {
    "box": _from_box,
    "mask": _from_mask,
    "mask, flow alone": _by_flow,
    "mask that stays": _still,
}


def main() -> None:
    """Print a row for each sequence, and the means of both halves."""
    root = need_data() / "davis2016"
    print("| sequence | J | F | " + " | ".join(f"J&F: {way}" for way in WAYS) + " | CPU ms a frame |")
    print("|---" * (len(WAYS) + 4) + "|")
    for half, names in (("chosen on", CHOSEN_ON), ("**reported**", REPORTED)):
        scores: dict[str, list[JF]] = {way: [] for way in WAYS}
        for name in names:
            images = root / "JPEGImages" / "480p" / name
            truth = true_masks(root / "Annotations" / "480p" / name)
            seconds = {}
            for way, follow in WAYS.items():
                began_s = time.process_time()
                found = follow(images, truth[0])
                seconds[way] = time.process_time() - began_s
                scores[way].append(object_jf(found[1:-1], truth[1:-1]))
            _row(name, [ours[-1] for ours in scores.values()], f"{1000 * seconds['box'] / len(truth):.0f}")
        _row(f"mean, {half}", [mean_jf(one) for one in scores.values()], "")


def _row(name: str, ways: list[JF], last: str) -> None:
    box = ways[0]
    print(f"| {name} | {box.j:.3f} | {box.f:.3f} | " + " | ".join(f"{one.jf:.3f}" for one in ways) + f" | {last} |")


if __name__ == "__main__":
    main()
