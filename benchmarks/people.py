"""People found and tracked in real video by the built-in detector and segmenter: `python -m benchmarks.people`.

On the MOT15 sequence: recall and precision of the boxes at IoU 0.5, IDF1, MOTA and identity switches (trackeval's
formulas). On the clip without truth: how many people are seen at once, to hold against the picture.
"""

import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.common import need_data
from benchmarks.identity import box_identity
from core.formats.tracks import FrameRecord, read_frames
from core.masks import Box
from core.tracking.video_item import track_video

_Boxes = dict[str, Box]


def _track(video: Path, fps: float | None, every: int) -> tuple[list[FrameRecord], float]:
    request = {
        "video": str(video), "text_prompt": "person",
            "detector": {"backend": "classical"}, "segmenter": {"backend": "classical"},
        "detection_frequency": every, "max_frames": 60, "fps": fps,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        record = track_video(request, Path(folder), lambda done, expected: None)
        return list(read_frames(Path(folder))), record["frames"] / record["seconds"]


def read_truth(path: Path) -> list[_Boxes]:
    """The boxes of a MOT file, by frame."""
    frames: dict[int, _Boxes] = {}
    for line in path.read_text().splitlines():
        frame, obj_id, x, y, width, height, counts = (float(v) for v in line.split(",")[:7])
        if counts:
            frames.setdefault(int(frame) - 1, {})[str(int(obj_id))] = (x, y, x + width, y + height)
    return [frames.get(index, {}) for index in range(max(frames) + 1)]


def _found(frame: FrameRecord) -> _Boxes:
    return {
        str(o.obj_id): (o.bbox[0], o.bbox[1], o.bbox[0] + o.bbox[2] + 1, o.bbox[1] + o.bbox[3] + 1)
        for o in frame.objects
    }


def main() -> None:
    """Print both clips' figures."""
    data = need_data()
    truth = read_truth(data / "mot15_adl_rundle_6" / "gt.txt")
    frames, speed = _track(data / "mot15_adl_rundle_6" / "video.mp4", None, 3)
    m = box_identity(truth, [_found(frame) for frame in frames][: len(truth)])
    print(
        f"MOT15 ADL-Rundle-6: recall {m.recall:.2f}, precision {m.precision:.2f}, IDF1 {m.idf1:.2f}, "
        f"MOTA {m.mota:.2f}, {m.switches} identity switches, {speed:.1f} frames/s"
    )
    frames, speed = _track(data / "videos" / "one_by_one_person.mp4", 5, 2)
    at_once = Counter(len(frame.objects) for frame in frames)
    ids = {one.obj_id for frame in frames for one in frame.objects}
    print(f"one_by_one_person at 5 fps: {len(ids)} ids; frames by people seen at once: {dict(sorted(at_once.items()))}")
    print(f"  {speed:.1f} frames/s")


if __name__ == "__main__":
    main()
