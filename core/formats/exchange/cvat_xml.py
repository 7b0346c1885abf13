"""CVAT's XML, read piece by piece, and what stands before its tracks or images."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from core.formats.exchange.model import BadResults
from core.formats.exchange.parsing import telling, whole
from core.video.limits import MAX_FRAMES
from core.video.video_paths import path_parts

OURS = "maskflow"
_ANNOTATIONS = "annotations.xml"
_MOST_BYTES = 16 * 2**30


@dataclass(frozen=True)
class Meta:
    """What stands before the tracks: which frames were looked at, and the size of pictures.

    Attributes:
        name: of the video.
        size: height and width.
        frames: looked at.
        source: the video, as CVAT calls it.
        images: *CVAT for images*: an element each image, no tracks.
        ours: `maskflow export` wrote it: groups of masks are identities.
    """

    name: str
    size: tuple[int, int]
    frames: range
    source: str | None
    images: bool = False
    ours: bool = False


def elements(file: Path) -> Iterator[tuple[str, Any]]:
    """The start and the end of each element, as they come. Raises `BadResults` for what is no XML, or has entities."""
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
        with zipfile.ZipFile(file) as archive, archive.open(_ANNOTATIONS) as stream:
            if archive.getinfo(_ANNOTATIONS).file_size > _MOST_BYTES:
                raise BadResults(f"{_ANNOTATIONS} unpacks to more than {_MOST_BYTES:,} bytes")
            yield stream
    except (zipfile.BadZipFile, KeyError, RuntimeError, NotImplementedError):  # the last two: encrypted, odd packing
        raise BadResults(f"not an archive with {_ANNOTATIONS}, as CVAT hands out") from None


def read_meta(file: Path) -> Meta:
    """What stands before the first track or image, and that image's size. Raises `BadResults`."""
    first_image: tuple[int, int] | None = None
    ours = False
    meta: Any = None
    for event, element in elements(file):
        if event == "start" and element.tag in ("image", "track"):
            if meta is None:
                raise BadResults(f"{file}: no <meta> before the first <{element.tag}>")
            if element.tag == "image" and element.get("width") and element.get("height"):
                with telling(f"{file}, image {element.get('id')}"):
                    first_image = (int(element.get("height")), int(element.get("width")))
            break
        if event == "end" and element.tag == "meta":
            meta = element
        if event == "end" and element.tag == OURS:
            ours = True
    if meta is None:
        raise BadResults(f"{file}: no <meta>: not CVAT's XML")
    with telling(str(file)):
        if meta.find("project") is not None:
            raise BadResults("this is a project's file: export its tasks one by one")
        return _meta_of(file, meta, first_image, ours)


def _meta_of(file: Path, meta: Any, first_image: tuple[int, int] | None, ours: bool) -> Meta:
    """Where exports of tasks and of jobs, of old and new CVAT, describe a video."""
    task = next((one for one in meta if one.tag in ("task", "job")), meta)

    def text(name: str) -> str | None:
        return task.findtext(name) or meta.findtext(name) or None

    size = first_image or tuple(int(text(f"original_size/{side}") or 0) for side in ("height", "width"))
    if 0 in size:
        raise BadResults("nothing gives the size of its pictures: original_size is missing")
    size = (whole(size[0], "height", 1), whole(size[1], "width", 1))
    first = int(text("start_frame") or 0)
    count = int(text("size") or 0)
    step = int((text("frame_filter") or "step=1").rpartition("=")[2])
    last = text("stop_frame")
    stop = first + count * step if last is None else int(last) + 1 if count else first
    source = text("source")
    name = path_parts(source)[-1] if source else text("name") or file.stem
    if stop - first > MAX_FRAMES:
        raise BadResults(f"{stop - first:,} frames, more than the {MAX_FRAMES:,} accepted")
    frames = range(first, stop, whole(step, "step", 1))
    return Meta(name, size, frames, source, text("mode") == "annotation" or first_image is not None, ours)
