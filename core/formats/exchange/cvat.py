"""CVAT for video 1.1: an XML file for each video, a track each object (docs.cvat.ai, *XML annotation format*).

    PART/VIDEO.xml     images/PART/VIDEO/frame_000123.jpg

Boxes have key frames only where they are needed: between two of them CVAT goes in a straight line, which stays within
half a pixel. Polygons are key frames wherever they change. Masks, of which CVAT has no tracks, are a track of one frame
each; those of one object are a group. Frames are source frames; where every n-th was looked at, `frame_filter` says so.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, count
from pathlib import Path
from typing import Any
from xml.sax.saxutils import XMLGenerator

import numpy as np
import numpy.typing as npt

from core.formats.exchange.cvat_reader import read
from core.formats.exchange.cvat_shapes import CORNERS
from core.formats.exchange.cvat_xml import OURS
from core.formats.exchange.material import Format, Material, Shape
from core.formats.exchange.model import SeenObject, VideoResults
from core.formats.exchange.shelf import Shelf
from core.formats.exchange.tweening import Key, KeyFrames
from core.masks import Mask, polygons, rle
from core.masks.region import Region

_Attributes = dict[str, str]
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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
                    _write_masks(xml, shelf)
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
    return _NO_XML.sub("\ufffd", text)


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
        if material.shape == "mask":
            xml.text(OURS, "masks of one group are one object")


def _write_masks(xml: _Writer, shelf: Shelf) -> None:
    """CVAT has no tracks of masks: of each only the first would be read. So a track for each sighting, grouped."""
    numbers = count(1)
    for obj_id, track in shelf.tracks(""):
        for frame, seen in track:
            attributes = {"id": str(next(numbers)), "label": seen.label, "source": "auto", "group_id": str(obj_id)}
            with xml.element("track", attributes):
                _write_shape(xml, frame, seen, "mask", outside=False)


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
    """Key frames of polygons: where one is not the one before, and the last frame on which it stood still.

    CVAT goes from each key frame to the next in small steps: without the second, it would move all the while.
    """

    def __init__(self) -> None:
        self._last: Key | None = None
        self._is_key = False

    def push(self, frame: int, seen: SeenObject) -> Iterator[Key]:
        changed = self._last is None or seen.rle != self._last[1].rle
        if changed:
            yield from self.finish()
            yield frame, seen
        self._last, self._is_key = (frame, seen), changed

    def finish(self) -> Iterator[Key]:
        if self._last is not None and not self._is_key:
            yield self._last
        self._last = None


def _write_shapes(xml: _Writer, keys: Iterable[Key], shape: Shape) -> None:
    for frame, seen in keys:
        _write_shape(xml, frame, seen, shape, outside=False)


def _write_shape(xml: _Writer, frame: int, seen: SeenObject, shape: Shape, outside: bool) -> None:
    attributes = {"frame": str(frame), "keyframe": "1", "outside": str(int(outside)), "occluded": "0"}
    mask = None if shape == "box" or seen.rle is None else rle.decode(seen.rle)
    name, place = _box(seen) if mask is None else _mask(mask) if shape == "mask" else _polygon(mask)
    if place:
        with xml.element(name, {**attributes, **place, "z_order": "0"}):
            pass


def _box(seen: SeenObject) -> tuple[str, _Attributes]:
    return "box", {name: f"{v:.10g}" for name, v in zip(CORNERS, seen.box_xyxy, strict=True)}


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


FORMAT = Format(
    "cvat", "CVAT for video 1.1: XML with tracks", ("mask", "polygon", "box"),
    "scores, times, what is not judged, "
    "labels that change within a track, empty masks, which frames were looked at where these are not "
    "evenly spaced; boxes to half a pixel; as polygons all but the largest part of a mask, and holes",
    write, read, picture,
)  # fmt: skip
