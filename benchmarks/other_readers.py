"""Do other people's readers accept what we export? `python -m benchmarks.other_readers`: installs supervision and
datumaro into an environment of their own, and has them read a rendered clip in every format they know. (Masks in
tracks are no part of datumaro's reader of CVAT files, nor MOTS in text, nor interpolation between key frames.)

pycocotools, trackeval and Rerun are installed anyway: `tests/core/formats/exchange/test_other_readers.py`.
"""

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

from core.evaluation.clips import SCENES, clip_truth, render_clip
from core.formats.exchange.exporting import export
from core.formats.exchange.material import Shape
from core.formats.exchange.model import VideoResults
from core.formats.exchange.sources import Sources
from core.masks import rle

_PACKAGES = ("supervision", "datumaro")
_EXPORTS: tuple[tuple[str, str, Shape], ...] = (
    ("coco", "coco", "mask"), ("yolo-polygon", "yolo", "polygon"), ("yolo-box", "yolo", "box"),
    ("cvat-polygon", "cvat", "polygon"), ("cvat-box", "cvat", "box"),
    ("mot", "mot", "box"),
)  # fmt: skip


def _foreign(folder: Path, exports: Path) -> dict[str, dict[str, object]]:
    venv.create(folder / "venv", with_pip=True)
    python = str(folder / "venv" / "bin" / "python")
    quiet = ("--quiet", "--disable-pip-version-check")
    subprocess.run([python, "-m", "pip", "install", *quiet, *_PACKAGES], check=True, stderr=subprocess.DEVNULL)
    script = Path(__file__).with_name("foreign_readers.py")
    done = subprocess.run([python, str(script), str(exports)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    reported: dict[str, dict[str, object]] = json.loads(done.stdout.splitlines()[-1])
    return reported


def _rows(video: VideoResults, reported: dict[str, dict[str, object]]) -> Iterator[str]:
    sightings = [one for frame in video.read() for one in frame.objects]
    pixels = sum(rle.area(one.rle) for one in sightings if one.rle is not None)
    labels = ", ".join(sorted({one.label for one in sightings}))
    frames = sum(1 for _ in video.read())
    yield f"| ours | {frames} | {len(sightings)} | {pixels:,} | {labels} |"
    for reader, found in reported.items():
        names = found["labels"]
        assert isinstance(names, list)
        mask_pixels = f"{found['pixels']:,}" if found["pixels"] else ""
        yield f"| {reader} | {found['frames']} | {found['objects']} | {mask_pixels} | {', '.join(names)} |"


def main() -> None:
    """Print what every reader found beside what was written."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        clip = folder / "crossing.mp4"
        render_clip(SCENES[0], clip)
        video = clip_truth(clip, SCENES[0])
        for name, to, shape in _EXPORTS:
            export([video], to, folder / "exports" / name, shape=shape, pictures=Sources(clip, alone=True))
        reported = _foreign(folder, folder / "exports")
        print("| reader | frames | objects | pixels of masks | labels |\n|---|---|---|---|---|")
        for row in _rows(video, reported):
            print(row)


if __name__ == "__main__":
    main()
