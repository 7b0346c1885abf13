"""Reading CVAT for video 1.1, as CVAT exports it or as `core.formats.exchange.cvat` writes it.

What lies between two key frames is read as CVAT shows it.
"""

import math
import zipfile
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from core.formats.exchange.model import OBJECT, BadResults, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.parsing import checked_box, checked_label, telling, whole
from core.formats.exchange.shelf import Shelf
from core.formats.exchange.sources import Sources
from core.formats.exchange.tweening import between
from core.masks import Box, Mask, polygons, rle
from core.masks.region import Region
from core.store.paths import distinct, slugify, visible
from core.video.image_folder import IMAGE_FOLDER_FPS
from core.video.limits import MAX_FRAMES

CORNERS = ("xtl", "ytl", "xbr", "ybr")
_SHAPES = ("box", "polygon", "mask")
_UNREAD = ("ellipse", "polyline", "points", "cuboid", "skeleton")
ANNOTATIONS = "annotations.xml"
_MOST_BYTES = 16 * 2**30


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """See `Format.read`. What lies between two key frames is read as CVAT shows it; masks and polygons stay."""
    files = [path] if path.is_file() else sorted({*visible(path, "**/*.xml"), *visible(path, "*.zip")})
    if not files:
        raise BadResults(f"{path}: no .xml in it")
    metas = [_read_meta(file) for file in files]
    names = distinct(slugify(_name(file, meta)) for file, meta in zip(files, metas, strict=True))
    return [_video(*one, sources) for one in zip(files, names, metas, strict=True)]


def _name(file: Path, meta: "_Meta") -> str:
    """CVAT calls all its files `annotations.xml`: there the video's name, or the task's, tells more."""
    return meta.name if file.stem == "annotations" or file.suffix == ".zip" else file.stem


@dataclass(frozen=True)
class _Meta:
    """What stands before the tracks: which frames were looked at, and the size of pictures."""

    name: str
    size: tuple[int, int]
    frames: range
    source: str | None


def _video(file: Path, name: str, meta: "_Meta", sources: Sources) -> VideoResults:
    info = sources.describe(name, meta.source)
    fps = info.fps if info is not None else IMAGE_FOLDER_FPS
    return VideoResults(
        name=name, width=meta.size[1], height=meta.size[0], fps=fps, read=lambda: _frames(file, meta, fps),
        length=None if info is None else info.declared_frames, path=meta.source,
    )  # fmt: skip


def _elements(file: Path) -> Iterator[tuple[str, Any]]:
    with telling(str(file)), _open(file) as stream:
        try:
            yield from iterparse(stream, events=("start", "end"), forbid_dtd=True)
        except ParseError as error:
            raise BadResults(f"not XML, or cut short ({error})") from None
        except LookupError:
            raise BadResults("its encoding is not known") from None
        except DefusedXmlException as error:
            raise BadResults(f"it has a DTD or entities, which are not read ({type(error).__name__})") from None


@contextmanager
def _open(file: Path) -> Iterator[IO[bytes]]:
    """The XML, also out of the archive that CVAT hands out."""
    if file.suffix.lower() != ".zip":
        with file.open("rb") as stream:
            yield stream
        return
    try:
        with zipfile.ZipFile(file) as archive, archive.open(ANNOTATIONS) as stream:
            if archive.getinfo(ANNOTATIONS).file_size > _MOST_BYTES:
                raise BadResults(f"{ANNOTATIONS} unpacks to more than {_MOST_BYTES:,} bytes")
            yield stream
    except (zipfile.BadZipFile, KeyError):
        raise BadResults(f"not an archive with {ANNOTATIONS}, as CVAT hands out") from None


def _read_meta(file: Path) -> _Meta:
    for event, element in _elements(file):
        if event == "end" and element.tag == "meta":
            break
        if event == "start" and element.tag in ("image", "track"):
            raise BadResults(f"{file}: no <meta> before the first <{element.tag}>")
    else:
        raise BadResults(f"{file}: no <meta>: not CVAT's XML")
    with telling(str(file)):
        task = next((one for one in element if one.tag in ("task", "job")), element)
        if task.findtext("mode") == "annotation":
            raise BadResults("this is *CVAT for images*: export the task as *CVAT for video 1.1*")
        if element.find("project") is not None:
            raise BadResults("this is a project's file: export its tasks one by one")
        size = tuple(whole(int(task.findtext(f"original_size/{side}") or 0), side, 1) for side in ("height", "width"))
        first = int(task.findtext("start_frame") or 0)
        count = int(task.findtext("size") or 0)
        step = int((task.findtext("frame_filter") or "step=1").rpartition("=")[2])
        last = task.findtext("stop_frame")
        stop = first + count * step if last is None else int(last) + 1 if count else first
        source = task.findtext("source") or None
        name = Path(source).stem if source else task.findtext("name") or file.stem
        if stop - first > MAX_FRAMES:
            raise BadResults(f"{stop - first:,} frames, more than the {MAX_FRAMES:,} accepted")
        return _Meta(name, (size[0], size[1]), range(first, stop, whole(step, "step", 1)), source)


def _frames(file: Path, meta: _Meta, fps: float) -> Iterator[SeenFrame]:
    shelf = Shelf()
    for frame in meta.frames:
        shelf.frame("", frame, frame / fps)
    track: Any = None
    before: _Shown | None = None
    seen = obj_id = group = 0
    label = OBJECT
    for event, element in _elements(file):
        if event == "start" and element.tag == "track":
            track, before, seen = element, None, seen + 1
            obj_id, label = _number(element.get("id"), seen), checked_label(element.get("label"))
            group = _number(element.get("group_id"), 0)
        elif event == "end" and element.tag in _SHAPES and track is not None:
            with telling(f"{file}, track {track.get('id')}"):
                grouped = element.tag == "mask" and group
                shown = _shown(element, meta.size, group if grouped else obj_id, label)
            if before is not None:
                if shown.frame <= before.frame:
                    raise BadResults(f"{file}, track {track.get('id')}: frame {shown.frame} after frame {before.frame}")
                _fill(shelf, meta, before, shown, shown.frame)
            before = shown
            element.clear()
            del track[:]
        elif event == "end" and element.tag == "track":
            if before is not None:
                _fill(shelf, meta, before, None, meta.frames.stop)
            track = None
        elif event == "start" and track is not None and element.tag in _UNREAD:
            raise BadResults(f"{file}, track {track.get('id')}: {element.tag} shapes are not read")
    yield from shelf.frames("", shelf.shift(""))  # CVAT counts tracks from 0


def _number(told: str | None, otherwise: int) -> int:
    return int(told) if told and told.isascii() and told.isdigit() else otherwise


@dataclass(frozen=True)
class _Shown:
    """A shape of a track; None: it is out of sight. What `lasts` is there until the next, too: masks are not."""

    frame: int
    seen: SeenObject | None
    lasts: bool = True


def _shown(element: Any, size: tuple[int, int], obj_id: int, label: str) -> _Shown:
    frame = whole(int(element.get("frame")), "frame")
    if size[0] * size[1] > rle.MAX_PIXELS:
        raise BadResults(f"{size[1]}x{size[0]} pixels are too large")
    if element.get("outside") == "1":
        return _Shown(frame, None)
    if element.tag == "box":
        box = checked_box(*(float(element.get(name)) for name in CORNERS))
        turned_deg = float(element.get("rotation") or 0)
        if not turned_deg:
            return _Shown(frame, SeenObject(obj_id, label, box))
        mask = polygons.fill([_turned(box, turned_deg)], *size)
    elif element.tag == "polygon":
        corners = [float(v) for point in element.get("points").split(";") for v in point.split(",")]
        mask = polygons.fill([corners], *size)
    else:
        mask = rle.encode(_unpacked(element, size))
    return _Shown(frame, SeenObject(obj_id, label, rle.box_xyxy(mask), rle=mask), lasts=element.tag != "mask")


def _turned(box: Box, angle_deg: float) -> list[float]:
    """The corners of a box turned clockwise about its centre, x, y, x, y, …"""
    x0, y0, x1, y1 = box
    x, y, turn = (x0 + x1) / 2, (y0 + y1) / 2, math.radians(angle_deg)
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    across, along = math.cos(turn), math.sin(turn)
    return [
        value
        for u, v in corners
        for value in (x + (u - x) * across - (v - y) * along, y + (u - x) * along + (v - y) * across)
    ]


def _unpacked(element: Any, size: tuple[int, int]) -> Mask:
    left, top, width, height = (int(element.get(name)) for name in ("left", "top", "width", "height"))
    runs = np.array([int(run) for run in element.get("rle").split(",")], np.int64)
    inside = 0 <= left <= left + width <= size[1] and 0 <= top <= top + height <= size[0]
    if not inside or runs.min() < 0 or runs.sum() != width * height:
        raise BadResults(
            f"a mask of {width}x{height} at {left}, {top}, whose runs fill it, in a picture of {size[1]}x{size[0]}"
        )
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return Region(left, top, pixels.reshape(height, width)).full(size)


def _fill(shelf: Shelf, meta: _Meta, shown: _Shown, after: _Shown | None, stop: int) -> None:
    """Put down a shape on its frame and on those up to `stop`: boxes on their way to the next, the rest where it is."""
    if shown.frame >= meta.frames.stop:
        raise BadResults(f"frame {shown.frame} after the last, {meta.frames.stop - 1}")
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
