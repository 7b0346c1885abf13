"""J&F of the built-in segmenter on DAVIS 2016 sequences, prompted with the first frame's box.

`python -m benchmarks.davis`: the mean over frames leaves out the first and the last, as the benchmark does.
"""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.common import need_data
from core.evaluation.davis import JF, mean_jf, object_jf
from core.formats.tracks import read_frames
from core.masks import Mask, rle
from core.masks.boxes import mask_box
from core.tracking.video_item import track_video


def true_masks(folder: Path) -> list[Mask]:
    """The masks [H, W] of a sequence, frame by frame."""
    return [np.asarray(Image.open(path).convert("L")) > 127 for path in sorted(folder.glob("*.png"))]


def score(images: Path, annotations: Path) -> tuple[JF, float]:
    """J&F of one sequence and its frames a second."""
    truth = true_masks(annotations)
    request = {
        "video": str(images),
        "prompts": [{"obj_id": 1, "box": mask_box(truth[0])}],
        "segmenter": {"backend": "classical"},
        "detection_frequency": 1,
        "max_frames": 60,
    }
    with tempfile.TemporaryDirectory() as folder:
        record = track_video(request, Path(folder), lambda done, expected: None)
        empty = np.zeros_like(truth[0])
        found = [rle.decode(frame.objects[0].rle) if frame.objects else empty for frame in read_frames(Path(folder))]
    return object_jf(found[1:-1], truth[1:-1]), record["frames"] / record["seconds"]


def main() -> None:
    """Print a row for each sequence and the mean."""
    root = need_data() / "davis2016"
    scores = []
    print("| sequence | J | F | J&F | frames/s |\n|---|---|---|---|---|")
    for images in sorted((root / "JPEGImages" / "480p").iterdir()):
        jf, speed = score(images, root / "Annotations" / "480p" / images.name)
        scores.append(jf)
        print(f"| {images.name} | {jf.j:.3f} | {jf.f:.3f} | {jf.jf:.3f} | {speed:.1f} |", flush=True)
    mean = mean_jf(scores)
    print(f"| **mean** | {mean.j:.3f} | {mean.f:.3f} | **{mean.jf:.3f}** | |")


if __name__ == "__main__":
    main()
