"""Shot cuts: those found where one DAVIS sequence follows another, and those found where there are none.

`python -m benchmarks.shots`: every sequence after every other (the last 8 frames of one, the first 8 of the next), at
several rates; false ones in all sequences and in the uncut videos of `data/`.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.common import need_data
from core.video.frames import RGB, Frame
from core.video.shots import mark_cuts
from core.video.source import open_video

_AROUND = 8
_STEPS = (1, 3, 6, 15)
_END_IS_CUT = "car.mp4"  # its last frame shows nothing


def _cuts(images: Sequence[RGB], fps: float) -> list[int]:
    frames = (Frame(image, index, index / fps) for index, image in enumerate(images))
    return [frame.source_frame for frame in mark_cuts(frames) if frame.begins_shot]


def _sequence(folder: Path) -> list[RGB]:
    return [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.jpg"))]


def main() -> None:
    """Print a row for each rate."""
    data = need_data()
    sequences = [_sequence(folder) for folder in sorted((data / "davis2016" / "JPEGImages" / "480p").iterdir())]
    uncut = [(24.0, images) for images in sequences]
    for path in [*sorted((data / "videos").glob("*.mp4")), data / "mot15_adl_rundle_6" / "video.mp4"]:
        with open_video(path) as source:
            images = [frame.image[::2, ::2] for frame in source.frames()]
            uncut.append((source.info.fps, images[:-1] if path.name == _END_IS_CUT else images))
    print("| every so many frames | cuts | found | false | of uncut frames |\n|---|---|---|---|---|")
    for step in _STEPS:
        joined = [
            (first[::step][-_AROUND:], second[::step][:_AROUND])
            for first in sequences
            for second in sequences
            if first is not second
        ]
        found = sum(len(first) in _cuts([*first, *second], 24 / step) for first, second in joined)
        false = sum(len(_cuts(images[::step], fps / step)) for fps, images in uncut)
        print(f"| {step} | {len(joined)} | {found} | {false} | {sum(len(i[::step]) for _, i in uncut):,} |", flush=True)
    frames = [np.zeros((1080, 1920, 3), np.uint8)] * 200
    began_s = time.process_time()
    _cuts(frames, 24)
    print(f"\nCPU at 1920x1080: {1000 * (time.process_time() - began_s) / len(frames):.2f} ms a frame")


if __name__ == "__main__":
    main()
