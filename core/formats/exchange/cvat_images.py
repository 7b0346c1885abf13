"""CVAT for images 1.1: an element for each image, its shapes in it.

    <image id="0" name="walk/frame_000000.jpg" width="640" height="480"><box label="dog" …/></image>

Images of one folder and size are a video; the images' names number the frames. Identity is the attribute `track_id`,
where all shapes have it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.formats.exchange.cvat_shapes import SHAPES, UNREAD, read_shape
from core.formats.exchange.cvat_xml import Meta, elements
from core.formats.exchange.model import BadResults, SeenFrame, VideoResults
from core.formats.exchange.parsing import Lenient, checked_label, telling, whole
from core.formats.exchange.shelf import Shelf
from core.formats.exchange.sources import Sources
from core.video.frame_names import FrameNumbers, stem_of
from core.video.image_file import natural_key
from core.video.image_folder import IMAGE_FOLDER_FPS
from core.video.video_paths import path_parts

_Size = tuple[int, int]


@dataclass(frozen=True)
class ImageGroup:
    """Images of one folder and size (height, width): names in natural order, and whether all shapes have an id."""

    folders: tuple[str, ...]
    size: _Size
    names: list[str]
    tracked: bool


def groups(file: Path, meta: Meta) -> list[ImageGroup]:
    """The videos of a file, in the order of their names. Raises `BadResults`."""
    found: dict[tuple[tuple[str, ...], _Size], list[str]] = {}
    untracked: set[tuple[tuple[str, ...], _Size]] = set()
    key: tuple[tuple[str, ...], _Size] = ((), meta.size)
    for event, element in elements(file):
        if event == "start" and element.tag == "image":
            with telling(f"{file}, image {element.get('name')}"):
                key = (path_parts(element.get("name") or "")[:-1], _size(element, meta))
            found.setdefault(key, []).append(element.get("name") or "")
        elif event == "end" and element.tag in SHAPES and _track_id(element) is None:
            untracked.add(key)
        elif event == "end" and element.tag == "image":
            element.clear()
    return [
        ImageGroup(key[0], key[1], sorted(names, key=natural_key), key not in untracked)
        for key, names in sorted(found.items())
    ]


def video(
    file: Path, name: str, place: tuple[str, ...], meta: Meta, group: ImageGroup, sources: Sources
) -> VideoResults:
    """One video of a file."""
    stems = [stem_of(one) for one in group.names]
    video_name = place[-1] if group.folders else meta.name
    numbered = sources.source_frames(str(file), video_name, stems, "/".join(place) if group.folders else meta.source)
    info = sources.describe(video_name, meta.source)
    fps = info.fps if info is not None else IMAGE_FOLDER_FPS
    return VideoResults(
        name=name, width=group.size[1], height=group.size[0], fps=fps,
        read=lambda: _frames(file, meta, group, numbered, fps, sources),
        length=None if info is None else info.declared_frames, path=None if group.folders else meta.source, place=place,
        tracked=group.tracked, by_number=True, origin=numbered.origin,
    )  # fmt: skip


def _size(image: Any, meta: Meta) -> _Size:
    return int(image.get("height") or meta.size[0]), int(image.get("width") or meta.size[1])


def _frames(
    file: Path, meta: Meta, group: ImageGroup, numbered: FrameNumbers, fps: float, sources: Sources
) -> Iterator[SeenFrame]:
    by_name: Mapping[str, int] = dict(zip(group.names, numbered.frames, strict=True))
    shelf = Shelf()
    lenient = Lenient(sources.notes)
    image: Any = None
    count = 0
    for event, element in elements(file):
        if event == "start" and element.tag == "image":
            own = (element.get("name") or "") in by_name and _size(element, meta) == group.size
            image, count = element if own else None, 0
            if own:
                frame = by_name[element.get("name") or ""]
                shelf.frame("", frame, frame / fps)
        elif event == "end" and element.tag == "image":
            element.clear()
            image = None
        elif image is None:
            continue
        elif event == "end" and element.tag in SHAPES:
            count += 1
            with lenient.entry(f"{file}, image {image.get('name')}, {element.tag} {count}"):
                track_id = _track_id(element) if group.tracked else None
                label = checked_label(element.get("label"))
                seen = read_shape(element, group.size, count if track_id is None else track_id, label)
                shelf.put("", by_name[image.get("name") or ""], seen)
        elif event == "start" and element.tag in UNREAD:
            with lenient.entry(f"{file}, image {image.get('name')}"):
                raise BadResults(f"{element.tag} shapes are not read")
    lenient.check()
    yield from shelf.frames("", shelf.shift(""))


def _track_id(element: Any) -> int | None:
    """The attribute `track_id` of a shape; None where it has none, or one that is no number."""
    track_id = next((one.text for one in element.iter("attribute") if one.get("name") == "track_id"), None)
    try:
        return None if track_id is None else whole(float(track_id), "track_id")
    except ValueError:
        return None
