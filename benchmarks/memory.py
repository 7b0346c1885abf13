"""Peak memory of tracking a 720p clip and one four times as long: `python -m benchmarks.memory`."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import small_clip

_CHILD = """
import json, resource, sys
from pathlib import Path
import cv2
cv2.setNumThreads(1)
from core.tracking.video_item import track_video
request = {"video": sys.argv[1], "text_prompt": "red",
           "detector": {"backend": "classical"}, "segmenter": {"backend": "classical"},
           "detection_frequency": 10, "max_frames": 60}
record = track_video(request, Path(sys.argv[2]), lambda done, expected: None)
print(json.dumps([record["frames"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def main() -> None:
    """Print both peaks and how they differ."""
    peaks = []
    for frames in (600, 2400):
        with tempfile.TemporaryDirectory() as folder:
            clip = small_clip(Path(folder) / "clip.mp4", frames, 0, 1280, 720)
            command = [sys.executable, "-c", _CHILD, str(clip), folder]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        counted, peak = json.loads(done.stdout)
        peaks.append(peak)
        print(f"{counted} frames of 1280x720: peak {peak:.0f} MiB", flush=True)
    print(f"difference: {100 * (peaks[1] / peaks[0] - 1):+.1f} %")


if __name__ == "__main__":
    main()
