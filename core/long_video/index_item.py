"""The work of one item: find where each frame of a long video is."""

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from core.video.source import open_video


def index_video(request: dict[str, Any], folder: Path, report: Callable[[int, int | None], None]) -> dict[str, Any]:
    """Read through a video without decoding it (where its container allows); leaves `index.npz` in `folder`.

    Args:
        request: `video`, its path.
        folder: where the index goes.
        report: told frames done and frames expected.

    Returns:
        width, height, fps, frames, duration_s, seconds; `seekable` tells whether frames can be reached directly.

    Raises:
        BadMedia: the video cannot be used; the message says why.
    """
    started, read = time.monotonic(), count(1)
    with open_video(Path(request["video"]), lambda: report(next(read), None)) as source:
        index = source.index()
        info = source.info
    index.save(folder)
    report(len(index), len(index))
    return {
        "width": info.width,
        "height": info.height,
        "fps": info.fps,
        "frames": len(index),
        "duration_s": round(float(index.times_s[-1]), 6),
        "seekable": len(index.pts) > 0,
        "seconds": time.monotonic() - started,
    }
