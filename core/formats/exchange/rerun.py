"""Rerun: a recording each video, with boxes, masks and scores to look at.

    PART/VIDEO.rrd

`video/about` and, on each frame, `video/objects` hold the neutral model as JSON, so that a recording of ours is read
back as it was. Pictures are in the recording where frames were requested.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from core.formats.exchange.material import Format, Material
from core.formats.exchange.model import BadResults, Ignored, Rule, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.parsing import box_from_xyxy, checked_rle, telling, whole
from core.formats.exchange.pictures import with_pictures
from core.formats.exchange.shelf import Shelf
from core.formats.exchange.sources import Sources
from core.store.paths import distinct, slugify, visible

_ABOUT, _OBJECTS = "video/about", "video/objects"
_FACTS = ("width", "height", "fps", "length", "path", "text_prompt", "process_fps", "tracked")


def write(root: Path, material: Material) -> None:
    """See `Format.write`."""
    from core.formats.rerun_recording import record_tracks  # heavy: only where it is used

    for part, video in material.videos():
        facts = {name: getattr(video, name) for name in ("name", *_FACTS)}
        path = root / part / f"{video.name}.rrd"
        with record_tracks(path, video.width, video.height, identity=f"{part}/{video.name}") as recording:
            recording.data(_ABOUT, static=True, about=json.dumps(facts))
            for frame, image in with_pictures(video, material.pictures):
                recording.log(frame, image)
                recording.data(_OBJECTS, record=_dump(frame))


def _dump(frame: SeenFrame) -> str:
    objects = [[o.obj_id, o.label, o.box_xyxy, o.score, o.rle, o.detection_score, o.name] for o in frame.objects]
    ignored = [[o.rule, o.label, o.box_xyxy, o.rle, o.obj_id] for o in frame.ignored]
    return json.dumps([frame.source_frame, frame.time_s, objects, ignored], ensure_ascii=False)


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """See `Format.read`."""
    del sources
    files = [path] if path.is_file() else visible(path, "**/*.rrd")
    if not files:
        raise BadResults(f"{path}: no .rrd in it")
    abouts = [_about(file) for file in files]
    names = distinct(slugify(str(about.get("name", file.stem))) for about, file in zip(abouts, files, strict=True))
    return [_video(*one) for one in zip(names, files, abouts, strict=True)]


def _video(name: str, file: Path, about: dict[str, Any]) -> VideoResults:
    with telling(str(file)):
        facts = {key: about[key] for key in _FACTS}
        size = (whole(facts["height"], "height", 1), whole(facts["width"], "width", 1))
        return VideoResults(name=name, read=lambda: _frames(file, size), **facts)


def _values(file: Path, entity: str, component: str) -> Iterator[str]:
    from rerun.chunk import RrdReader  # heavy: only where it is used

    with telling(str(file)):
        try:
            chunks = RrdReader(file).stream()
        except Exception as error:  # noqa: BLE001 - whatever Rerun's reader raises for a file that is no recording
            raise BadResults(f"not a Rerun recording that can be read ({str(error).splitlines()[0]})") from None
        for chunk in chunks:
            if chunk.entity_path.strip("/") == entity:
                for row in chunk.to_record_batch().column(component).to_pylist():
                    yield from row or ()


def _about(file: Path) -> dict[str, Any]:
    text = next(_values(file, _ABOUT, "about"), None)
    if text is None:
        raise BadResults(f"{file}: a recording without {_ABOUT}: only those of `maskflow export` are read")
    about = json.loads(text)
    return about if isinstance(about, dict) else {}


def _frames(file: Path, size: tuple[int, int]) -> Iterator[SeenFrame]:
    shelf = Shelf()  # chunks come in any order
    with telling(str(file)):
        for record in _values(file, _OBJECTS, "record"):
            frame, time_s, objects, *ignored = json.loads(record)  # recordings of old have no fourth
            shelf.frame("", frame, time_s)
            for obj_id, label, box, score, mask, detection_score, name in objects:
                packed = None if mask is None else checked_rle(mask, size)
                one = SeenObject(obj_id, label, box_from_xyxy(box), score, packed, detection_score, name)
                shelf.put("", frame, one)
            for rule, label, box, mask, obj_id in ignored[0] if ignored else ():
                packed = None if mask is None else checked_rle(mask, size)
                shelf.ignore("", frame, Ignored(rule, label, box_from_xyxy(box), packed, obj_id))
    yield from shelf.frames("")


FORMAT = Format(
    "rerun", "Rerun: a recording each video, to look at", ("mask",), "", write, read,
    marks=get_args(Rule),
)  # fmt: skip
