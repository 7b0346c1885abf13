"""`dense_annotations_ID.jsonl` of `annotate_long_video` as neutral results: see `core.formats.dense_annotations`.

Beside it `video_info_ID.json`, the video's size and rate; where it is missing, masks or the video itself give them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import Field

from core.errors import BadMedia
from core.formats.dense_annotations import DenseFrame, DenseObject, dense_line, read_dense
from core.formats.exchange.material import Format, Material
from core.formats.exchange.model import BadResults, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.parsing import checked_box, checked_label, checked_rle, telling
from core.formats.exchange.sources import Sources
from core.formats.tracks import VideoHead
from core.store.paths import distinct, slugify, visible

DENSE_PREFIX, _INFO = "dense_annotations_", "video_info_{}.json"


class DenseInfo(VideoHead):
    """What `video_info_ID.json` holds: the video's size and rate, its path, and by `assoc_id` the numbers by which
    corrections name objects."""

    video_path: str | None = None
    numbers: dict[str, int] = Field(default_factory=dict)


def info_file(video_id: str) -> str:
    """What the file beside a video's annotations is called that gives its size and rate."""
    return _INFO.format(video_id)


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """The annotations in a file, or in all in a folder. Raises `BadResults` for a line cut short or of another form."""
    files = [path] if path.is_file() else visible(path, f"**/{DENSE_PREFIX}*.jsonl")
    names = distinct(slugify(file.stem.removeprefix(DENSE_PREFIX)) for file in files)
    return [_video(file, name, sources.of(len(files))) for file, name in zip(files, names, strict=True)]


def _video(file: Path, name: str, sources: Sources) -> VideoResults:
    head, source, interval = _head(file, file.stem.removeprefix(DENSE_PREFIX), sources)
    grid = range(0, head.total_frames if interval else 0, interval or 1)
    return VideoResults(
        name=name,
        width=head.width,
        height=head.height,
        fps=head.original_fps,
        read=lambda: _frames(file, head, grid),
        length=head.total_frames,
        path=source,
        process_fps=head.process_fps if interval else None,
        complete=bool(interval),
    )


def _head(path: Path, video_id: str, sources: Sources) -> tuple[DenseInfo, str | None, int | None]:
    """Size and rate of the video, where it is, and how many frames lie between those processed, where known."""
    beside = path.with_name(info_file(video_id))
    found = sources.find(video_id)
    if beside.is_file():
        with telling(str(beside)):
            head = DenseInfo.model_validate_json(beside.read_bytes())
            interval = max(1, round(head.original_fps / head.process_fps))
            return head, head.video_path if found is None else str(found), interval
    info = sources.need(video_id, "its size and rate (no video_info file beside the annotations)")
    frames = info.declared_frames or round((info.duration_s or 0) * info.fps)
    head = DenseInfo(
        width=info.width, height=info.height, original_fps=info.fps, process_fps=info.fps, total_frames=frames
    )  # fmt: skip
    return head, str(found), None


def _frames(path: Path, head: DenseInfo, grid: range) -> Iterator[SeenFrame]:
    """Frames with objects, and those of the grid without; objects have the numbers that are known, else those
    of the order of first sight."""
    numbers = iter(grid)
    number = next(numbers, None)
    for frame in _objects(path, head):
        while number is not None and number <= frame.source_frame:
            if number < frame.source_frame:
                yield SeenFrame(number, number / head.original_fps)
            number = next(numbers, None)
        yield frame
    while number is not None:
        yield SeenFrame(number, number / head.original_fps)
        number = next(numbers, None)


def _objects(path: Path, head: DenseInfo) -> Iterator[SeenFrame]:
    numbers = dict(head.numbers)
    for frame in _lines(path):
        with telling(f"{path}, frame {frame.frame_number}"):
            objects = tuple(_seen(one, _number(one.assoc_id, numbers), head) for one in frame.objects)
            if len({one.obj_id for one in objects}) < len(objects):
                raise BadResults("two objects of one assoc_id")
            yield SeenFrame(frame.frame_number, frame.frame_number / head.original_fps, objects)


def _number(assoc_id: str, numbers: dict[str, int]) -> int:
    """An object's number: the one that is known, or the next one."""
    return numbers.setdefault(assoc_id, max(numbers.values(), default=0) + 1)


def _lines(path: Path) -> Iterator[DenseFrame]:
    try:
        yield from read_dense(path)
    except BadMedia as error:
        raise BadResults(str(error)) from None


def _seen(one: DenseObject, obj_id: int, head: VideoHead) -> SeenObject:
    mask = None if one.segmentation is None else checked_rle(one.segmentation, (head.height, head.width))
    box = checked_box(*one.bbox)
    return SeenObject(obj_id, checked_label(one.assoc_name), box, one.score, mask, name=one.assoc_id)


def write(folder: Path, videos: Sequence[VideoResults]) -> None:
    """Write a file for each video, and what gives its size and rate; frames without objects have no line."""
    for video in videos:
        last = 0
        with (folder / f"{DENSE_PREFIX}{video.name}.jsonl").open("w", encoding="utf-8", newline="\n") as out:
            for frame in video.read():
                last = frame.source_frame
                if frame.objects:
                    objects = [_dense(one) for one in frame.objects]
                    out.write(dense_line(DenseFrame(frame_number=last, objects=objects)))
        head = VideoHead(
            width=video.width, height=video.height, original_fps=video.fps, process_fps=video.process_fps or video.fps,
            total_frames=video.length or last + 1,
        )  # fmt: skip
        (folder / info_file(video.name)).write_text(head.model_dump_json() + "\n", encoding="utf-8")


def _dense(one: SeenObject) -> DenseObject:
    return DenseObject(
        assoc_id=one.name or str(one.obj_id), assoc_name=one.label, bbox=one.box_xyxy,
        score=1.0 if one.score is None else one.score, source="propagated", window=None, prompt_distance_s=0.0,
        segmentation=one.rle,
    )  # fmt: skip


def _write_parts(root: Path, material: Material) -> None:
    for part, videos in material.parts.items():
        folder = root / part if len(material.parts) > 1 else root
        folder.mkdir(exist_ok=True)
        write(folder, videos)


FORMAT = Format(
    "dense", "dense_annotations as annotate-long-video writes them", ("mask", "box"),
    "what is not judged, "
    "which frames were looked at where these are not evenly spaced, times of variable frame rates; ids are counted by "
    "first sight, and kept as names",
    _write_parts, read,
)  # fmt: skip
