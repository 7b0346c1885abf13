"""What each case of `shared/data/faults/video` has to come to."""

import json
from collections.abc import Callable
from typing import Any

from benchmarks.fault_run import Ran


def _box(frame: dict[str, Any], obj_id: int | None = None) -> list[float] | None:
    boxes = [one["bbox"] for one in frame.get("objects", []) if obj_id in (None, one["obj_id"])]
    return boxes[0] if boxes else None


def _on(ran: Ran, source_frame: int, obj_id: int | None = None) -> list[float] | None:
    found = [frame for frame in ran.frames if frame["source_frame"] == source_frame]
    return _box(found[0], obj_id) if found else None


def _near(box: list[float] | None, wanted: list[float], off: float = 4) -> bool:
    return box is not None and all(abs(a - b) <= off for a, b in zip(box, wanted, strict=True))


def _done(frames: int, every_s: float | None = None) -> Callable[[Ran], bool]:
    def judge(ran: Ran) -> bool:
        times = [frame["time_s"] for frame in ran.frames]
        right = every_s is None or all(abs(t - every_s * n) < 0.002 for n, t in enumerate(times))
        return ran.code == 0 and len(ran.frames) == frames and times == sorted(set(times)) and right

    return judge


def _dense_centres(ran: Ran) -> dict[int, float]:
    lines = [json.loads(line) for path in ran.out.glob("dense_annotations_*.jsonl") for line in path.open()]
    return {line["frame_number"]: (o["bbox"][0] + o["bbox"][2]) / 2 for line in lines for o in line["objects"][:1]}


JUDGES: dict[str, Callable[[Ran], bool]] = {
    "brace-hang": lambda ran: ran.code == 0 and len(ran.results()) == 1,
    "cover-first": lambda ran: (
        _done(60, 1 / 30)(ran) and ran.video["video_info"]["width"] == 160 and all(map(_box, ran.frames))
    ),
    "editlist": _done(30, 1 / 30),
    "mkv-segment": _done(15),
    "mkv-late-video": _done(60),
    "avi-skipped": _done(20, 0.1),
    "avi-bframes-fps": lambda ran: (
        _done(20, 0.1)(ran) and [f["source_frame"] for f in ran.frames] == [*range(0, 60, 3)]
    ),
    "avi-bframes-dense": lambda ran: ran.code == 0 and len(_dense_centres(ran)) == 60,
    "avi-bframes-sparse": lambda ran: ran.code == 0 and abs(_dense_centres(ran).get(42, 0) - 105.4) < 1.5,
    "ts-joined": _done(40, 0.1),
    "gray16": lambda ran: ran.code == 0 and len(ran.frames) == 8,
    "float32": lambda ran: ran.code == 0 and len(ran.frames) == 3,
    "gpu-uuid": lambda ran: ran.code == 2 and "GPU-8932f937" in ran.text,
    "prompt-last-fps": lambda ran: ran.code == 0 and _on(ran, 0, 1) is not None and _on(ran, 59, 2) is not None,
    "prompt-shift-fps": lambda ran: ran.code == 0 and _on(ran, 50) is not None,
    "prompt-nothing": lambda ran: (
        "object 1" in ran.text and any("object 1" in p.read_text() for p in ran.out.glob("*.jsonl"))
    ),
    "prompt-twice": lambda ran: ran.code == 0 and _on(ran, 0, 1) is not None,
    "prompt-beyond": lambda ran: ran.code == 0 and _on(ran, 30, 1) is not None and "object 2, frame 600" in ran.text,
    "rle-list": lambda ran: ran.code == 0 and _on(ran, 0) is not None,
    "mirror-h": lambda ran: ran.code == 0 and _near(_on(ran, 0), [118, 14, 23, 23]),
    "one-frame-annotate": lambda ran: ran.code == 0 and len(_dense_centres(ran)) == 1,
    "dangling-link": lambda ran: ran.code == 0 and len(ran.frames) == 3,
    "markup-prompt": lambda ran: "MarkupError" not in ran.text and "[/INST]" in ran.text,
    "fullwidth": lambda ran: "blue cup" in ran.text or ran.code == 0,
    "visor-rate": lambda ran: ran.code == 0 and 10 in _dense_centres(ran),
}
