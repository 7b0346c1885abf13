"""`annotate_long_video` on real video with ground truth: `python -m benchmarks.long_davis`.

The DAVIS 2016 sequences of the data folder, every frame, at full size, with the built-in segmenter: prompted with the
mask of the first frame; then with those of five frames spread evenly, a fifth of them held out. J&F are over frames
without a prompt, the first and the last left out.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.common import environment, need_data
from core.evaluation.davis import JF, mean_jf, object_jf
from core.formats.dense_annotations import read_dense
from core.masks import Mask, rle


def true_masks(folder: Path) -> list[Mask]:
    """The foreground of every frame of a DAVIS 2016 sequence."""
    return [np.asarray(Image.open(path).convert("L")) > 127 for path in sorted(folder.glob("*.png"))]


def _prompts(truth: dict[str, list[Mask]], places: int) -> dict[str, list[int]]:
    """Frames with a prompt: the first, or so many spread evenly up to the last."""
    return {
        name: [0] if places == 1 else [round(turn * (len(masks) - 1) / (places - 1)) for turn in range(places)]
        for name, masks in truth.items()
    }


def annotate(
    folder: Path, images: Path, truth: dict[str, list[Mask]], shown: dict[str, list[int]], *more: object
) -> None:
    """Run `annotate-long-video` on sequences, prompted with the true masks of some frames, into `folder / "out"`."""
    prompts = {
        name: [{"frame": frame, "obj_id": 1, "mask": rle.encode(truth[name][frame])} for frame in frames]
        for name, frames in shown.items()
    }
    (folder / "prompts.json").write_text(json.dumps(prompts))
    arguments = [
        "annotate-long-video", "--video-id", *truth, "--video-path", images, "--prompts", folder / "prompts.json",
        "--output-dir", folder / "out", "--frame-interval", 1, "--video-scale-factor", 1, "--masks", *more,
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *map(str, arguments)],
        env=environment(folder),
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        sys.exit(done.stderr)


def _score(folder: Path, name: str, truth: Sequence[Mask], shown: Sequence[int]) -> JF:
    found = {
        frame.frame_number: rle.decode(one.segmentation)
        for frame in read_dense(folder / "out" / f"dense_annotations_{name}.jsonl")
        for one in frame.objects
        if one.segmentation is not None
    }
    judged = [frame for frame in range(1, len(truth) - 1) if frame not in shown]
    empty = np.zeros_like(truth[0])
    return object_jf([found.get(frame, empty) for frame in judged], [truth[frame] for frame in judged])


def main() -> None:
    """Print a row for each sequence and the mean."""
    root = need_data() / "davis2016"
    images = root / "JPEGImages" / "480p"
    truth = {one.name: true_masks(root / "Annotations" / "480p" / one.name) for one in sorted(images.iterdir())}
    columns: list[list[JF]] = []
    held: dict[str, list[float]] = {}
    for places, more in ((1, ()), (5, ("--hold-out", 0.2))):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            shown = _prompts(truth, places)
            annotate(folder, images, truth, shown, *more)
            columns.append([_score(folder, name, masks, shown[name]) for name, masks in truth.items()])
            for name in truth if more else ():
                lines = (folder / "out" / f"hold_out_{name}.jsonl").read_text().splitlines()
                held[name] = [json.loads(line)["mask_iou"] for line in lines]
    print(
        "| sequence | frames | J&F, first frame | J&F, four of five frames | mask IoU where held out |\n"
        "|---|---|---|---|---|"
    )
    for number, (name, masks) in enumerate(truth.items()):
        iou = sum(held[name]) / len(held[name])
        print(f"| {name} | {len(masks)} | {columns[0][number].jf:.3f} | {columns[1][number].jf:.3f} | {iou:.3f} |")
    every = [iou for ious in held.values() for iou in ious]
    means = [mean_jf(column).jf for column in columns]
    print(f"| **mean** | | **{means[0]:.3f}** | **{means[1]:.3f}** | **{sum(every) / len(every):.3f}** |")


if __name__ == "__main__":
    main()
