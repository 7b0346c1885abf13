"""What running as a flow costs: `python -m benchmarks.orchestration`.

- 20 videos as a flow on one slot beside the same item function in a plain loop in one process.
- 500 finished tiny videos run again: seconds, and the share that is not our own checking and assembling.
"""

import os
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
            "video": str(video), "text_prompt": "red", "detector": "classical", "segmenter": "classical",
            "detection_frequency": 1, "max_frames": 60,
        }  # fmt: skip
        with commit_item(folder / str(index), "key", {}) as draft:
            track_video(request, draft.folder, lambda done, expected: None)
    return time.monotonic() - started


def _keep_server(folder: Path) -> None:
    """Start the server now and keep it, so that its start is not measured."""
    os.environ.update(environment(folder))
    from tasks.local_server import ensure_server

    ensure_server()


def main() -> None:
    """Print both measurements."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _keep_server(folder)
        videos = [small_clip(folder / f"v{i}.mp4", 90, i, 480, 270) for i in range(20)]
        video_list = write_list(folder / "videos.txt", videos)
        loop_s = _plain_loop(videos, folder / "loop")
        flow_s, _ = timed(track(folder, video_list, folder / "flow" / "results.jsonl", 1))
        again_s, _ = timed(track(folder, video_list, folder / "flow" / "results.jsonl", 1))
        print(f"20 videos of 90 frames: flow {flow_s:.1f} s, plain loop {loop_s:.1f} s, ratio {flow_s / loop_s:.2f}")
        print(f"  of which start, checks, assembly (the same run again): {again_s:.1f} s")
        tiny = [small_clip(folder / "tiny" / f"v{i}.mp4", 2, i, 64, 48) for i in range(count)]
        tiny_list = write_list(folder / "tiny.txt", tiny)
        first_s, _ = timed(track(folder, tiny_list, folder / "tiny_out" / "results.jsonl", 2))
        repeat_s, log = timed(track(folder, tiny_list, folder / "tiny_out" / "results.jsonl", 2))
        ours_s = _own_work(tiny, folder / "tiny_out")
        print(f"{count} tiny videos: first {first_s:.1f} s, again {repeat_s:.1f} s ({log.count('Processing')} tracked)")
        print(f"  checking digests and manifests and assembling take {ours_s:.2f} s of it; Prefect's share is "
              f"{100 * (1 - ours_s / repeat_s):.0f} % (imports and process start included)")  # fmt: skip


def _own_work(videos: list[Path], output: Path) -> float:
    from core.formats.results_jsonl import TrackedVideo, write_results
    from core.store.digests import DigestCache
    from core.store.manifest import Manifest, read_valid

    started = time.monotonic()
    digests = DigestCache(output / ".maskflow" / "digests.json")
    for video in videos:
        digests.content(video)
    folders = sorted((output / ".maskflow" / "track_video").iterdir())
    for folder in folders:
        key = Manifest.model_validate_json((folder / "manifest.json").read_bytes()).key
        assert read_valid(folder, key, digests.file) is not None
    write_results(output / "again.jsonl", (TrackedVideo("x", "red", folder) for folder in folders), "frames", False)
    return time.monotonic() - started


if __name__ == "__main__":
    main()
