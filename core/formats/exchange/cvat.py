"""CVAT for video 1.1: an XML file for each video, a track each object (docs.cvat.ai, *XML annotation format*).

    PART/VIDEO.xml     images/PART/VIDEO/frame_000123.jpg

Boxes have key frames only where they are needed: between two of them CVAT goes in a straight line, which stays within
half a pixel. Polygons are key frames wherever they change. Masks, of which CVAT has no tracks, are a track of one frame
each; those of one object are a group. Frames are source frames; where every n-th was looked at, `frame_filter` says so.
"""

import math
import zipfile
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import IO, Any
from xml.sax.saxutils import XMLGenerator

import numpy as np
import numpy.typing as npt
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from core.formats.exchange.material import Format, Material, Shape
from core.formats.exchange.model import OBJECT, BadResults, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.parsing import checked_box, checked_label, telling, whole
from core.formats.exchange.shelf import Shelf
from core.formats.exchange.sources import Sources
from core.formats.exchange.tweening import Key, KeyFrames, between
from core.masks import Box, Mask, polygons, rle
from core.masks.region import Region
from core.store.paths import distinct, slugify, visible
from core.video.image_folder import IMAGE_FOLDER_FPS
from core.video.limits import MAX_FRAMES

_Attributes = dict[str, str]
_CORNERS = ("xtl", "ytl", "xbr", "ybr")
_SHAPES = ("box", "polygon", "mask")
_UNREAD = ("ellipse", "polyline", "points", "cuboid", "skeleton")
ANNOTATIONS = "annotations.xml"
_MOST_BYTES = 16 * 2**30


def picture(part: str, video: str, frame: int) -> str:
    """See `Format.picture`."""
    return f"images/{part}/{video}/frame_{frame:06}.jpg"


def write(root: Path, material: Material) -> None:
    """See `Format.write`."""
    for part, video in material.videos():
        (root / part).mkdir(exist_ok=True)
        shelf = Shelf()
        shelf.put_frames("", video.read())
        with (root / part / f"{video.name}.xml").open("w", encoding="utf-8", newline="\n") as out:
            xml = _Writer(out)
            with xml.element("annotations"):
                xml.text("version", "1.1")
                _write_meta(xml, video, material)
                looked_at = np.array([frame for frame, _ in shelf.positions("")], np.int64)
                if material.shape == "mask":
                    _write_masks(xml, shelf, looked_at)
                    continue
                for obj_id, track in shelf.tracks(""):
                    _write_track(xml, obj_id, track, looked_at, material.shape)


class _Writer:
    """XML as it comes, nothing kept."""

    def __init__(self, out: Any) -> None:
        self._xml = XMLGenerator(out, "utf-8", short_empty_elements=True)
        self._xml.startDocument()

    def element(self, name: str, attributes: _Attributes | None = None) -> "_Element":
        return _Element(self._xml, name, attributes or {})

    def text(self, name: str, text: str) -> None:
        with self.element(name):
            self._xml.characters(_clean(text))


class _Element:
    def __init__(self, xml: XMLGenerator, name: str, attributes: _Attributes) -> None:
        self._xml, self._name = xml, name
        self._attributes = {key: _clean(value) for key, value in attributes.items()}

    def __enter__(self) -> None:
        self._xml.startElement(self._name, self._attributes)  # type: ignore[arg-type]

    def __exit__(self, *exc: object) -> None:
        self._xml.endElement(self._name)
        self._xml.ignorableWhitespace("\n")


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return "".join(c if (c >= " " and c not in "\ufffe\uffff") or c in "\t\n\r" else "\ufffd" for c in text)


def _write_meta(xml: _Writer, video: VideoResults, material: Material) -> None:
    census = material.census[video.name]
    with xml.element("meta"), xml.element("task"):
        xml.text("name", video.name)
        xml.text("size", str(census.frames))
        xml.text("mode", "interpolation")
        xml.text("start_frame", str(census.first))
        xml.text("stop_frame", str(census.last))
        xml.text("frame_filter", f"step={census.step}" if census.step > 1 else "")
        with xml.element("labels"):
            for label in material.labels:
                with xml.element("label"):
                    xml.text("name", label)
                    with xml.element("attributes"):
                        pass
        with xml.element("original_size"):
            xml.text("width", str(video.width))
            xml.text("height", str(video.height))
        if video.path is not None:
            xml.text("source", video.path)


def _write_masks(xml: _Writer, shelf: Shelf, looked_at: npt.NDArray[np.int64]) -> None:
    """CVAT has no tracks of masks: of each only the first would be read. So a track for each sighting, grouped."""
    numbers = count(1)
    for obj_id, track in shelf.tracks(""):
        for frame, seen in track:
            attributes = {"id": str(next(numbers)), "label": seen.label, "source": "auto", "group_id": str(obj_id)}
            with xml.element("track", attributes):
                _write_shape(xml, frame, seen, "mask", outside=False)
                gone = _next(looked_at, frame)
                if gone is not None:
                    _write_shape(xml, gone, seen, "mask", outside=True)


def _write_track(
    xml: _Writer, obj_id: int, track: Iterator[Key], looked_at: npt.NDArray[np.int64], shape: Shape
) -> None:
    frame, first = next(track)
    with xml.element("track", {"id": str(obj_id), "label": first.label, "source": "auto"}):
        last = frame, first
        keys = KeyFrames() if shape == "box" else _Changes()
        for frame, seen in chain([last], track):
            gone = _next(looked_at, last[0])
            if gone is not None and gone < frame:  # looked at, and not seen
                _write_shapes(xml, keys.finish(), shape)
                _write_shape(xml, gone, last[1], shape, outside=True)
            _write_shapes(xml, keys.push(frame, seen), shape)
            last = frame, seen
        _write_shapes(xml, keys.finish(), shape)
        gone = _next(looked_at, last[0])
        if gone is not None:
            _write_shape(xml, gone, last[1], shape, outside=True)


def _next(looked_at: npt.NDArray[np.int64], frame: int) -> int | None:
    """The frame that was looked at after this one."""
    place = int(np.searchsorted(looked_at, frame, side="right"))
    return int(looked_at[place]) if place < len(looked_at) else None


class _Changes:
    """Key frames of polygons: every one that is not the one before."""

    def __init__(self) -> None:
        self._last: rle.RLE | None = None

    def push(self, frame: int, seen: SeenObject) -> Iterator[Key]:
        if seen.rle != self._last:
            self._last = seen.rle
            yield frame, seen

    def finish(self) -> Iterator[Key]:
        self._last = None
        yield from ()


def _write_shapes(xml: _Writer, keys: Iterable[Key], shape: Shape) -> None:
    for frame, seen in keys:
        _write_shape(xml, frame, seen, shape, outside=False)


def _write_shape(xml: _Writer, frame: int, seen: SeenObject, shape: Shape, outside: bool) -> None:
    told = {"frame": str(frame), "keyframe": "1", "outside": str(int(outside)), "occluded": "0"}
    mask = None if shape == "box" or seen.rle is None else rle.decode(seen.rle)
    name, place = _box(seen) if mask is None else _mask(mask) if shape == "mask" else _polygon(mask)
    if place:
        with xml.element(name, {**told, **place, "z_order": "0"}):
            pass


def _box(seen: SeenObject) -> tuple[str, _Attributes]:
    return "box", {name: f"{v:.10g}" for name, v in zip(_CORNERS, seen.box_xyxy, strict=True)}


def _mask(mask: Mask) -> tuple[str, _Attributes]:
    """CVAT's runs go row by row through the box around the mask, and begin with pixels outside."""
    region = Region.of(mask)
    flat = np.concatenate([[False], region.mask.ravel()])
    runs = np.diff(np.flatnonzero(np.diff(flat)), prepend=0, append=len(flat) - 1)
    height, width = region.mask.shape
    place = {"left": region.x, "top": region.y, "width": width, "height": height}
    return "mask", {"rle": ", ".join(map(str, runs)), **{name: str(v) for name, v in place.items()}} if width else {}


def _polygon(mask: Mask) -> tuple[str, _Attributes]:
    """Its largest part: a track has one shape on a frame."""
    for corners in polygons.outlines(mask):
        points = zip(corners[::2], corners[1::2], strict=True)
        return "polygon", {"points": ";".join(f"{x:g},{y:g}" for x, y in points)}
    return "polygon", {}


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
    """A shape of a track; None: it is out of sight."""

    frame: int
    seen: SeenObject | None


def _shown(element: Any, size: tuple[int, int], obj_id: int, label: str) -> _Shown:
    frame = whole(int(element.get("frame")), "frame")
    if size[0] * size[1] > rle.MAX_PIXELS:
        raise BadResults(f"{size[1]}x{size[0]} pixels are too large")
    if element.get("outside") == "1":
        return _Shown(frame, None)
    if element.tag == "box":
        box = checked_box(*(float(element.get(name)) for name in _CORNERS))
        turned_deg = float(element.get("rotation") or 0)
        if not turned_deg:
            return _Shown(frame, SeenObject(obj_id, label, box))
        mask = polygons.fill([_turned(box, turned_deg)], *size)
    elif element.tag == "polygon":
        corners = [float(v) for point in element.get("points").split(";") for v in point.split(",")]
        mask = polygons.fill([corners], *size)
    else:
        mask = rle.encode(_unpacked(element, size))
    return _Shown(frame, SeenObject(obj_id, label, rle.box_xyxy(mask), rle=mask))


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
    for frame in meta.frames[max(0, bisect_left(meta.frames, shown.frame)) : bisect_left(meta.frames, stop)]:
        seen = shown.seen
        moves = after is not None and after.seen is not None and seen.rle is None and after.seen.rle is None
        if moves and after is not None and after.seen is not None and frame > shown.frame:
            box = between((shown.frame, seen.box_xyxy), (after.frame, after.seen.box_xyxy), frame)
            seen = replace(seen, box_xyxy=box)
        shelf.put("", frame, seen)


FORMAT = Format(
    "cvat", "CVAT for video 1.1: XML with tracks", ("mask", "polygon", "box"),
    "scores, times, labels that change within a track, empty masks, which frames were looked at where these are not "
    "evenly spaced; boxes to half a pixel; as polygons all but the largest part of a mask, and holes",
    write, read, picture,
)  # fmt: skip
