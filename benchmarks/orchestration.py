"""What running as a flow costs: `python -m benchmarks.orchestration`.

- 20 videos as a flow on one slot, beside what its items took in that slot (tracked, reviewed, reported), and beside a
  plain loop in one process that only tracks them. The second moves with the machine; the first is of one run.
- 500 finished tiny videos run again: seconds, and the share that is not our own checking and assembling.
- Two tiny videos through all stages, beside the same run with nothing left to do.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import environment, small_clip, timed, track, write_list


def _plain_loop(videos: list[Path], folder: Path) -> float:
    from core.store.manifest import commit_item
    from core.tracking.video_item import track_video

    started = time.monotonic()
    for index, video in enumerate(videos):
        request = {
            "video": str(video), "text_prompt": "red",
            "detector": {"backend": "classical"}, "segmenter": {"backend": "classical"},
            "detection_frequency": 1, "max_frames": 60,
        }  # fmt: skip
        with commit_item(folder / str(index), "key", {}) as draft:
            track_video(request, draft.folder, lambda done, expected: None)
    return time.monotonic() - started


def _keep_server(folder: Path) -> None:
    """Start the server now and keep it, so that its start is not measured."""
    os.environ.update(environment(folder))
    from tasks.server.temporary import ensure_server

    ensure_server()


def _twenty(folder: Path) -> None:
    videos = [small_clip(folder / f"v{i}.mp4", 90, i, 480, 270) for i in range(20)]
    video_list = write_list(folder / "videos.txt", videos)
    loop_s = _plain_loop(videos, folder / "loop")
    flow_s, _ = timed(track(folder, video_list, folder / "flow" / "results.jsonl", 1))
    again_s, _ = timed(track(folder, video_list, folder / "flow" / "results.jsonl", 1))
    manifests = (folder / "flow" / ".maskflow").glob("*/*/manifest.json")
    work_s = sum(json.loads(one.read_text())["record"]["ran"]["seconds"] for one in manifests)
    print(f"20 videos of 90 frames: flow {flow_s:.1f} s, its items {work_s:.1f} s, ratio {flow_s / work_s:.3f}")
    print(f"20 videos of 90 frames: flow {flow_s:.1f} s, plain loop {loop_s:.1f} s, ratio {flow_s / loop_s:.2f}")
    print(f"  of which start, checks, assembly (the same run again): {again_s:.1f} s", flush=True)


def _finished(folder: Path, count: int) -> None:
    tiny = [small_clip(folder / "tiny" / f"v{i}.mp4", 2, i, 64, 48) for i in range(count)]
    video_list = write_list(folder / "tiny.txt", tiny)
    first_s, _ = timed(track(folder, video_list, folder / "tiny_out" / "results.jsonl", 2))
    again_s, log = timed(track(folder, video_list, folder / "tiny_out" / "results.jsonl", 2))
    ours_s = _own_work(tiny, folder / "tiny_out")
    tracked = log.count("Processing")
    print(f"{count} tiny videos: first {first_s:.1f} s, again {again_s:.1f} s ({tracked} tracked)")
    share = 100 * (1 - ours_s / again_s)
    print(f"  digests, manifests and assembly take {ours_s:.2f} s; Prefect and starting Python {share:.0f} %")


def _stages(folder: Path, times: int = 5) -> None:
    """What tracking, looking through and reporting take beyond the start, where the work itself is next to nothing."""
    tiny = [small_clip(folder / f"s{i}.mp4", 8, i, 96, 64) for i in range(2)]
    video_list = write_list(folder / "stages.txt", tiny)
    ratios, over_s = [], []
    for number in range(times):
        output = folder / f"stages{number}" / "results.jsonl"
        first_s, _ = timed(track(folder, video_list, output, 2))
        again_s, _ = timed(track(folder, video_list, output, 2))
        ratios.append(first_s / again_s)
        over_s.append(first_s - again_s)
    print(
        f"2 tiny videos, three stages, {times} times: {statistics.median(over_s):.1f} s (up to {max(over_s):.1f}) over "
        f"the run with nothing to do, ratio {statistics.median(ratios):.2f}",
        flush=True,
    )


def main() -> None:
    """Print all measurements; with a number, only the second, for so many videos; with `stages`, only the third."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _keep_server(folder)
        if sys.argv[1:] == ["stages"]:
            _stages(folder)
        elif len(sys.argv) > 1:
            _finished(folder, int(sys.argv[1]))
        else:
            _twenty(folder)
            _finished(folder, 500)
            _stages(folder)


def _own_work(videos: list[Path], output: Path) -> float:
    from core.formats.results_jsonl import TrackedVideo, write_results
    from core.store.digests import DigestCache
    from core.store.manifest import Manifest, read_valid

    started = time.monotonic()
    digests = DigestCache(output / ".maskflow" / "digests.json")
    for video in videos:
        digests.content(video)
    folders = sorted(path.parent for path in (output / ".maskflow" / "track_video").glob("*/manifest.json"))
    for folder in folders:
        key = Manifest.model_validate_json((folder / "manifest.json").read_bytes()).key
        assert read_valid(folder, key, digests.file) is not None
    write_results(output / "again.jsonl", (TrackedVideo("x", "red", folder) for folder in folders), "frames", False)
    return time.monotonic() - started


if __name__ == "__main__":
    main()
