"""`annotate_long_video` on a rendered 90-minute 1080p video with exact truth, with the built-in segmenter.

    python -m benchmarks.long_video lengths FOLDER     # 10, 30 and 90 minutes, or those given, at the defaults
    python -m benchmarks.long_video modes FOLDER       # carry and parallel, on one slot and two, on 10 minutes
    python -m benchmarks.long_video text FOLDER        # objects found by a text instead, on 20 minutes

The video (600 MB) is rendered into FOLDER when it is not there: a quarter of an hour.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import av
import psutil

from benchmarks.common import environment
from benchmarks.identity import box_identity
from benchmarks.long_scene import LongScene, make_scene, write_annotations, write_video
from core.formats.dense_annotations import DenseFrame, read_dense
from core.formats.links_jsonl import read_links
from core.masks import Box
from core.masks.boxes import iou_matrix

_MINUTES = 90
_GOP = 60
_INTERVAL = 30
_TEXT = "red object. blue object. green object. yellow object. purple object. pink object"


@dataclass(frozen=True)
class Ran:
    """A finished run: wall time, peak memory of flow and workers together and of Prefect's server, and its results."""

    seconds: float
    peak_mib: float
    server_mib: float
    frames: list[DenseFrame]
    output: Path
    video_id: str


def _video(folder: Path, minutes: int) -> tuple[LongScene, str]:
    """The first minutes of the rendered video, with annotations; made when they are not there."""
    scene = make_scene(60.0 * _MINUTES)
    whole = folder / f"long{_MINUTES}.mp4"
    if not whole.exists():
        print(f"rendering {whole} …", file=sys.stderr)
        write_video(scene, whole, _GOP)
    scene = replace(scene, duration_s=60.0 * minutes)
    video_id = f"long{minutes}"
    if not (folder / f"{video_id}.mp4").exists():
        _cut(whole, folder / f"{video_id}.mp4", scene.duration_s)
    (folder / video_id).mkdir(exist_ok=True)
    if not (folder / video_id / "assoc_info.json").exists():
        write_annotations(scene, folder / video_id, video_id)
    return scene, video_id


def _cut(whole: Path, part: Path, seconds: float) -> None:
    """The first seconds of a video, its packets copied as they are."""
    with av.open(str(whole)) as source, av.open(str(part), "w") as out:
        stream = source.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.pts is None or packet.time_base is None or float(packet.pts * packet.time_base) >= seconds - 1e-6:
                continue
            packet.stream = copy
            out.mux(packet)


class _Memory:
    """Peak resident memory of a process and its workers, summed, sampled twice a second; its server's apart."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self.peak = self.server = 0.0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            ours = server = 0.0
            try:
                for process in [self._process, *self._process.children(recursive=True)]:
                    mib = process.memory_info().rss / 2**20
                    if process == self._process or "spawn_main" in " ".join(process.cmdline()):
                        ours += mib
                    else:
                        server += mib
            except psutil.Error:
                continue
            self.peak, self.server = max(self.peak, ours), max(self.server, server)

    def stop(self) -> None:
        self._over.set()
        self._thread.join()


def _run(
    folder: Path, video_id: str, name: str, prompts: Sequence[object], *more: object, one_core: bool = False
) -> Ran:
    output = folder / f"out-{video_id}-{name}"
    arguments = [
        "annotate-long-video", "--video-id", video_id, "--video-path", folder / f"{video_id}.mp4", *prompts,
        "--output-dir", output, "--no-resume", *more,
    ]  # fmt: skip
    started = time.monotonic()
    with (folder / f"{video_id}-{name}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.cli", *map(str, arguments)], env=environment(folder), stdout=log, stderr=log
        )
        if one_core:  # a slot is a device: one that has the machine for itself has two
            psutil.Process(process.pid).cpu_affinity([0])
        memory = _Memory(process.pid)
        code = process.wait()
        memory.stop()
    if code != 0:
        sys.exit(f"the run ended with {code}: see {folder / f'{video_id}-{name}.log'}")
    frames = list(read_dense(output / f"dense_annotations_{video_id}.jsonl"))
    return Ran(time.monotonic() - started, memory.peak, memory.server, frames, output, video_id)


def _annotated(folder: Path, video_id: str) -> list[object]:
    known = folder / video_id
    return [
        "--assoc-info",
        known / "assoc_info.json",
        "--mask-info",
        known / "mask_info.json",
        "--scene-graph-dir",
        known,
    ]


def _truth(scene: LongScene) -> list[dict[str, Box]]:
    return [scene.boxes(frame) for frame in range(0, scene.frames, _INTERVAL)]


def _found(ran: Ran, scene: LongScene) -> list[dict[str, Box]]:
    by_frame = {frame.frame_number: {one.assoc_id: one.bbox for one in frame.objects} for frame in ran.frames}
    return [by_frame.get(frame, {}) for frame in range(0, scene.frames, _INTERVAL)]


def _ious(truth: Sequence[dict[str, Box]], found: Sequence[dict[str, Box]]) -> Iterator[float]:
    """IoU of every box of the truth with the box of the same id; 0 where there is none."""
    for expected, boxes in zip(truth, found, strict=True):
        for assoc_id, box in expected.items():
            yield float(iou_matrix([boxes[assoc_id]], [box])[0, 0]) if assoc_id in boxes else 0.0


def _row(name: str, ran: Ran, scene: LongScene, truth: list[dict[str, Box]], same_ids: bool = True) -> str:
    found = _found(ran, scene)
    metrics = box_identity(truth, found)
    ious = list(_ious(truth, found)) if same_ids else []
    iou = f"{sum(ious) / len(ious):.3f}" if ious else ""
    links = read_links(ran.output / f"links_{ran.video_id}.jsonl")
    doubtful = sum(link.ambiguous for link in links)
    return (
        f"| {name} | {ran.seconds:.0f} | {ran.peak_mib:.0f} | {ran.server_mib:.0f} | {iou} | {metrics.recall:.3f} | "
        f"{metrics.precision:.3f} | {metrics.idf1:.3f} | {metrics.switches:.0f} | {doubtful} of {len(links)} |"
    )


_HEAD = (
    "| run | wall s | peak MiB (flow and workers) | server MiB | mean IoU | recall | precision | IDF1 | switches "
    "| doubtful links |\n|---|---|---|---|---|---|---|---|---|---|"
)


def lengths(folder: Path, *minutes_given: str) -> None:
    """Wall time, memory and accuracy at the documented defaults, for several lengths."""
    print(_HEAD, flush=True)
    peaks = []
    for minutes in [int(one) for one in minutes_given] or [10, 30, 90]:
        scene, video_id = _video(folder, minutes)
        ran = _run(folder, video_id, "defaults", _annotated(folder, video_id))
        peaks.append(ran.peak_mib)
        print(_row(f"{minutes} minutes", ran, scene, _truth(scene)), flush=True)
    if len(peaks) > 1:
        print("memory against the first: " + ", ".join(f"{100 * (peak / peaks[0] - 1):+.1f} %" for peak in peaks[1:]))


def modes(folder: Path) -> None:
    """Carry and parallel against the truth and against each other."""
    scene, video_id = _video(folder, 10)
    truth, prompts = _truth(scene), _annotated(folder, video_id)
    print(_HEAD, flush=True)
    carry = _run(folder, video_id, "carry1", prompts, "--num-workers", 1, one_core=True)
    print(_row("carry, 1 slot with one core", carry, scene, truth), flush=True)
    carry2 = _run(folder, video_id, "carry2", prompts, "--num-workers", 2)
    print(_row("carry, 2 slots", carry2, scene, truth), flush=True)
    parallel = _run(folder, video_id, "parallel2", prompts, "--num-workers", 2, "--mode", "parallel")
    print(_row("parallel, 2 slots", parallel, scene, truth), flush=True)
    same = [iou >= 0.5 for iou in _ious(_found(carry, scene), _found(parallel, scene))]
    print(f"speed-up over carry on 1 slot {carry.seconds / parallel.seconds:.2f}, on 2 slots "
          f"{carry2.seconds / parallel.seconds:.2f}; boxes of carry that parallel has under the same id: "
          f"{sum(same) / len(same):.4f}")  # fmt: skip
    for line in (parallel.output / f"review_{video_id}.jsonl").read_text().splitlines():
        link = json.loads(line)
        print(
            f"  doubtful: {link['assoc_name']} {link['kind']} {link['from_frame']}–{link['to_frame']}: {link['score']}"
        )


def text(folder: Path) -> None:
    """Objects found by colour names, carried on and side by side."""
    scene, video_id = _video(folder, 20)
    truth = _truth(scene)
    print(_HEAD, flush=True)
    for mode in ("carry", "parallel"):
        ran = _run(folder, video_id, f"text-{mode}", ["--text-prompt", _TEXT], "--mode", mode)
        print(_row(f"text, {mode}", ran, scene, truth, same_ids=False), flush=True)


def main() -> None:
    """Run what the command line asks for."""
    known: dict[str, Callable[..., None]] = {"lengths": lengths, "modes": modes, "text": text}
    if len(sys.argv) < 3 or sys.argv[1] not in known:
        sys.exit(__doc__)
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    known[sys.argv[1]](folder, *sys.argv[3:])


if __name__ == "__main__":
    main()
