"""Small inputs for all five flows, and the command of each: what `fault_injection` breaks."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.common import small_clip, write_list

_PATTERN = np.random.default_rng(7).integers(0, 256, (96, 128, 3), np.uint8).repeat(4, 0).repeat(4, 1)


@dataclass(frozen=True)
class Case:
    """A flow's command line, without its output folder, and the files whose bytes must be the same whatever happens."""

    name: str
    arguments: list[str]
    output: Callable[[Path], list[str]]
    same: tuple[str, ...]

    def command(self, out: Path) -> list[str]:
        """The whole command."""
        return [sys.executable, "-m", "flows.cli", *self.arguments, *self.output(out)]


def _track_videos(folder: Path) -> Case:
    clips = [small_clip(folder / f"clip{number}.mp4", 40 + 10 * number, number) for number in range(4)]
    arguments = [
        "track-videos",
        "--video-list",
        str(write_list(folder / "list.txt", clips)),
        "--text-prompt",
        "red object",
    ]
    return Case(
        "track-videos",
        [*arguments, "--num-workers", "2"],
        lambda out: ["--output-jsonl", str(out / "results.jsonl"), "--output-video-dir", str(out / "drawn")],
        ("results.jsonl", "review.jsonl", "failures.jsonl", "drawn/**/*.mp4"),
    )


def _annotate(folder: Path) -> Case:
    small_clip(folder / "long.mp4", 300, 3)
    prompts = {
        "long": [{"frame": 0, "label": "thing", "box": [17, 34, 49, 62]}, {"frame": 150, "box": [40, 34, 75, 62]}]
    }
    (folder / "prompts.json").write_text(json.dumps(prompts))
    arguments = ["annotate-long-video", "--video-id", "long", "--video-path", str(folder), "--prompts"]
    arguments += [str(folder / "prompts.json"), "--window-duration", "3", "--window-overlap", "1"]
    arguments += ["--frame-interval", "3", "--video-scale-factor", "1"]
    same = ("dense_annotations_*.jsonl", "links_*.jsonl", "review_*.jsonl")
    return Case("annotate-long-video", arguments, lambda out: ["--output-dir", str(out)], same)


def _refine(folder: Path) -> Case:
    for shade, scene in enumerate("abcdef"):  # no two alike: an item is looked up by its content
        for sub in ("images", "obj_ids"):
            (folder / "scenes" / scene / sub).mkdir(parents=True)
        for number in range(3):
            image = np.full((96, 128, 3), 60 + shade, np.uint8)
            image[20:70, 20 + 5 * number : 70 + 5 * number] = (200, 40, 40)
            ids = np.zeros((96, 128), np.uint16)
            ids[22:72, 22 + 5 * number : 72 + 5 * number] = 3
            Image.fromarray(image).save(folder / "scenes" / scene / "images" / f"{number}.png")
            Image.fromarray(ids).save(folder / "scenes" / scene / "obj_ids" / f"{number}.png")
    arguments = ["refine-masks", "--data-root", str(folder / "scenes"), "--generator", "classical"]
    return Case(
        "refine-masks", arguments, lambda out: ["--output-dir", str(out)], ("*/obj_ids_refine/*", "failures.jsonl")
    )


def _reconstruct(folder: Path) -> Case:
    (folder / "frames").mkdir()
    for number in range(6):  # a textured wall, seen while moving sideways
        view = _PATTERN[40 : 40 + 240, 20 + 12 * number : 20 + 12 * number + 320]
        Image.fromarray(view).save(folder / "frames" / f"{number}.png")
    arguments = ["reconstruct-windows", "--input-dir", str(folder / "frames"), "--backend", "colmap"]
    arguments += ["--window-size", "4", "--window-stride", "2", "--max-features", "400"]
    return Case(
        "reconstruct-windows",
        arguments,
        lambda out: ["--output-dir", str(out)],
        ("**/window_info.json", "failures.jsonl"),
    )


def _points(folder: Path) -> Case:
    frames, height, width = 6, 48, 64
    rgbs = np.stack([np.roll(_PATTERN[:height, :width].transpose(2, 0, 1), 2 * n, 2) for n in range(frames)])[None]
    masks = np.zeros((1, frames, height, width), np.bool_)
    masks[:, :, 10:30, 20:44] = True
    np.savez(
        folder / "clip.npz",
        rgbs=rgbs,
        depths=np.full((1, frames, 1, height, width), 2, np.float32),
        intrs=np.tile(np.array([[60, 0, 32], [0, 60, 24], [0, 0, 1]], np.float32), (1, frames, 1, 1)),
        extrs=np.tile(np.eye(4, dtype=np.float32)[:3], (1, frames, 1, 1)),
        camera_ids=np.array(["cam"]),
        sam2_masks=np.array({"thing": masks}, object),
    )
    arguments = ["track-mask-points", "--npz", str(folder / "clip.npz"), "--tracker", "lk", "--use-first-frame"]
    arguments += ["--max-query-points-per-batch", "200"]
    return Case(
        "track-mask-points", arguments, lambda out: ["--output-dir", str(out)], ("*_tracked.npz", "failures.jsonl")
    )


_MAKE = {
    "track-videos": _track_videos,
    "annotate-long-video": _annotate,
    "refine-masks": _refine,
    "reconstruct-windows": _reconstruct,
    "track-mask-points": _points,
}
FLOWS = tuple(_MAKE)


def make_case(name: str, folder: Path) -> Case:
    """The inputs of a flow, made in `folder`."""
    folder.mkdir(parents=True)
    return _MAKE[name](folder)


if __name__ == "__main__":  # each flow once, to see that the inputs are sound
    import tempfile

    for flow in FLOWS:
        with tempfile.TemporaryDirectory() as place:
            case = make_case(flow, Path(place) / "in")
            done = subprocess.run(case.command(Path(place) / "out"), capture_output=True, text=True, check=False)
            found = sorted(str(p) for pattern in case.same for p in (Path(place) / "out").glob(pattern))
            print(flow, done.returncode, len(found), "files")
            if done.returncode:
                print(done.stdout[-1500:], done.stderr[-1500:])
