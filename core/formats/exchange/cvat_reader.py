"""Reading CVAT for video 1.1, as CVAT exports it or as `core.formats.exchange.cvat` writes it.

Boxes between two key frames are where CVAT shows them. Of polygons and masks CVAT writes every frame; where one lacks,
they stay where they were.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.formats.exchange import cvat_images
from core.formats.exchange.cvat_shapes import SHAPES, UNREAD, read_shape
from core.formats.exchange.cvat_xml import Meta, elements, read_meta
from core.formats.exchange.model import BadResults, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.parsing import Lenient, checked_label, whole
from core.formats.exchange.shelf import Shelf
from core.formats.exchange.sources import Sources
from core.formats.exchange.tweening import between
from core.store.paths import visible
from core.video.frame_names import stem_of
from core.video.image_folder import IMAGE_FOLDER_FPS
from core.video.video_paths import short_names


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """See `Format.read`."""
    files = [path] if path.is_file() else sorted({*visible(path, "**/*.xml"), *visible(path, "*.zip")})
    if not files:
        raise BadResults(f"{path}: no .xml in it")
    root = path.parent if path.is_file() else path
    found: list[tuple[Path, Meta, cvat_images.ImageGroup | None, tuple[str, ...]]] = []
    for file in files:
        meta = read_meta(file)
        place = (*file.relative_to(root).parts[:-1], _name(file, meta))
        if meta.images:
            found += [(file, meta, one, (*place, *one.folders)) for one in cvat_images.groups(file, meta)]
        else:
            found.append((file, meta, None, place))
    names = short_names([place for _, _, _, place in found])
    stems = [[stem_of(name) for name in one.names] for _, _, one, _ in found if one is not None]
    sources = sources.of(len(found)).over(stems)
    return [
        _video(file, name, meta, sources)
        if group is None
        else cvat_images.video(file, name, place, meta, group, sources)
        for name, (file, meta, group, place) in zip(names, found, strict=True)
    ]


def _name(file: Path, meta: Meta) -> str:
    """CVAT calls all its files `annotations.xml`: there the video's name, or the task's, says more."""
    return meta.name if file.stem == "annotations" or file.suffix == ".zip" else file.stem


def _video(file: Path, name: str, meta: Meta, sources: Sources) -> VideoResults:
    info = sources.describe(meta.name if meta.source else name, meta.source)
    fps = info.fps if info is not None else IMAGE_FOLDER_FPS
    return VideoResults(
        name=name, width=meta.size[1], height=meta.size[0], fps=fps, read=lambda: _frames(file, meta, fps, sources),
        length=None if info is None else info.declared_frames, path=meta.source,
    )  # fmt: skip


def _frames(file: Path, meta: Meta, fps: float, sources: Sources) -> Iterator[SeenFrame]:
    shelf = Shelf()
    for frame in meta.frames:
        shelf.frame("", frame, frame / fps)
    lenient = Lenient(sources.notes)
    reading: _Track | None = None
    seen = 0
    for event, element in elements(file):
        if event == "start" and element.tag == "track":
            seen += 1
            reading = _Track(f"{file}, track {element.get('id')}", element, seen, meta, shelf)
        elif reading is None:
            continue
        elif event == "end" and element.tag in SHAPES:
            with lenient.entry(reading.where):
                reading.shape(element)
        elif event == "end" and element.tag == "track":
            with lenient.entry(reading.where, counts=False):
                reading.finish()
            reading = None
        elif event == "start" and element.tag in UNREAD:
            with lenient.entry(f"{reading.where}, frame {element.get('frame')}"):
                raise BadResults(f"{element.tag} shapes are not read")
    lenient.check()
    yield from shelf.frames("", shelf.shift(""))  # CVAT counts tracks from 0


class _Track:
    """A track as it is read: each shape is put down once it is known how long it lasts."""

    def __init__(self, where: str, element: Any, number: int, meta: Meta, shelf: Shelf) -> None:
        self.where = where
        self._element, self._meta, self._shelf = element, meta, shelf
        self._id, self._label = _number(element.get("id"), number), checked_label(element.get("label"))
        self._group = _number(element.get("group_id"), 0) if meta.ours else 0
        self._before: _Shown | None = None

    def shape(self, element: Any) -> None:
        """Take up its next shape. Raises `BadResults`."""
        grouped = element.tag == "mask" and self._group
        shown = _shown(element, self._meta.size, self._group if grouped else self._id, self._label)
        if shown.frame >= self._meta.frames.stop:
            raise BadResults(f"frame {shown.frame} after the last, {self._meta.frames.stop - 1}")
        if self._before is not None:
            if shown.frame <= self._before.frame:
                raise BadResults(f"frame {shown.frame} after frame {self._before.frame}")
            _fill(self._shelf, self._meta, self._before, shown, shown.frame)
        self._before = shown
        element.clear()
        del self._element[:]

    def finish(self) -> None:
        """It has no more shapes: the last one stays. Raises `BadResults`."""
        if self._before is not None:
            _fill(self._shelf, self._meta, self._before, None, self._meta.frames.stop)


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else otherwise


@dataclass(frozen=True)
class _Shown:
    """A shape of a track; None: it is out of sight. What `lasts` is there until the next, too: masks are not."""

    frame: int
    seen: SeenObject | None
    lasts: bool = True


def _shown(element: Any, size: tuple[int, int], obj_id: int, label: str) -> _Shown:
    frame = whole(int(element.get("frame")), "frame")
    if element.get("outside") == "1":
        return _Shown(frame, None)
    return _Shown(frame, read_shape(element, size, obj_id, label), lasts=element.tag != "mask")


def _fill(shelf: Shelf, meta: Meta, shown: _Shown, after: _Shown | None, stop: int) -> None:
    """Put down a shape on its frame and on those up to `stop`: boxes on their way to the next, the rest where it is."""
    if shown.seen is None:
        return
    stop = stop if shown.lasts else shown.frame + 1
    for frame in meta.frames[max(0, bisect_left(meta.frames, shown.frame)) : bisect_left(meta.frames, stop)]:
        seen = shown.seen
        moves = after is not None and after.seen is not None and seen.rle is None and after.seen.rle is None
        if moves and after is not None and after.seen is not None and frame > shown.frame:
            box = between((shown.frame, seen.box_xyxy), (after.frame, after.seen.box_xyxy), frame)
            seen = replace(seen, box_xyxy=box)
        shelf.put("", frame, seen)
