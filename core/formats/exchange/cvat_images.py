"""CVAT for images 1.1: an element for each image, its shapes in it.

    <image id="0" name="walk/frame_000000.jpg" width="640" height="480"><box label="dog" …/></image>

Identity is the attribute `track_id`, where shapes have it. Frames are told by the images' names.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.formats.exchange.cvat_shapes import SHAPES, UNREAD, read_shape
from core.formats.exchange.cvat_xml import Meta, elements
from core.formats.exchange.model import BadResults, SeenFrame
from core.formats.exchange.parsing import Lenient, checked_label, whole
from core.formats.exchange.shelf import Shelf
from core.formats.exchange.sources import Sources
from core.video.frame_names import stem_of
from core.video.image_file import natural_key


def tracked(file: Path) -> bool:
    """Whether every shape has a `track_id`."""
    shapes = [element for event, element in elements(file) if event == "end" and element.tag in SHAPES]
    return bool(shapes) and all(_track_id(one) is not None for one in shapes)


def frames(file: Path, meta: Meta, fps: float, sources: Sources) -> Iterator[SeenFrame]:
    """The frames of a file, ascending; images of another size than the first are noted and left out."""
    names = [
        element.get("name") or "" for event, element in elements(file) if event == "start" and element.tag == "image"
    ]
    ordered = sorted(names, key=lambda name: natural_key(stem_of(name)))
    numbers = sources.source_frames(str(file), meta.name, [stem_of(name) for name in ordered], meta.source)
    by_name = dict(zip(ordered, numbers, strict=True))
    keeps_ids = tracked(file)
    shelf = Shelf()
    lenient = Lenient(sources.notes)
    image: Any = None
    for event, element in elements(file):
        if event == "start" and element.tag == "image":
            image, count = element, 0
            shelf.frame("", by_name[element.get("name") or ""], by_name[element.get("name") or ""] / fps)
        elif image is None:
            continue
        elif event == "end" and element.tag in SHAPES:
            count += 1
            with lenient.entry(f"{file}, image {image.get('name')}, {element.tag} {count}"):
                size = (int(image.get("height") or meta.size[0]), int(image.get("width") or meta.size[1]))
                if size != meta.size:
                    raise BadResults(f"{size[1]}x{size[0]} pixels, the first is {meta.size[1]}x{meta.size[0]}")
                obj_id = (_track_id(element) if keeps_ids else count) or count
                seen = read_shape(element, meta.size, obj_id, checked_label(element.get("label")))
                shelf.put("", by_name[image.get("name") or ""], seen)
        elif event == "start" and element.tag in UNREAD:
            with lenient.entry(f"{file}, image {image.get('name')}"):
                raise BadResults(f"{element.tag} shapes are not read")
        elif event == "end" and element.tag == "image":
            image.clear()
            image = None
    lenient.check()
    yield from shelf.frames("", shelf.shift(""))


def _track_id(element: Any) -> int | None:
    told = next((one.text for one in element.iter("attribute") if one.get("name") == "track_id"), None)
    return None if told is None else whole(float(told), "track_id")
