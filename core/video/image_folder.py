"""A folder of numbered images, read as a video."""

import logging
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from core.errors import BadMedia
from core.video.frames import RGB, Frame, VideoInfo
from core.video.image_file import SUFFIXES, natural_key, read_image
from core.video.index import FrameIndex
from core.video.limits import check_length
from core.video.sampling import WHOLE, Part, TimeSampler

_DEPTH, _COLOUR = re.compile(r"(?<![A-Za-z])depth(?![A-Za-z])"), ("color", "colour", "rgb")
_log = logging.getLogger("maskflow.video")
IMAGE_FOLDER_FPS = 24.0
"""Images carry no time: a folder plays at this rate."""


def image_files(folder: Path) -> list[Path]:
    """The images directly in a folder, in natural order; of an RGB-D scan the colour images. Raises `OSError`."""
    images = sorted(filter(_is_image, folder.iterdir()), key=lambda path: natural_key(path.name))
    coloured = [path for path in images if not _is_depth_of_one(path, folder)]
    if len(coloured) < len(images):
        _log.warning(
            "%s: %d depth images are left out: frames are its colour images", folder, len(images) - len(coloured)
        )
    return coloured


def _is_depth_of_one(path: Path, folder: Path) -> bool:
    """Whether an image is the depth beside a colour image, as in `NAME.depth.png` and `NAME.color.jpg`."""
    match = _DEPTH.search(path.stem)
    if match is None:
        return False
    names = (f"{path.stem[: match.start()]}{word}{path.stem[match.end() :]}" for word in _COLOUR)
    return any((folder / f"{name}{suffix}").is_file() for name in names for suffix in SUFFIXES)


def has_images(folder: Path) -> bool:
    """Whether an image is directly in a folder; not where there is no such folder."""
    return folder.is_dir() and any(map(_is_image, folder.iterdir()))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.name[0] != "."


class ImageFolder:
    """The images directly in a folder, in natural order, all of one size.

    Attributes:
        paths: of the images, in order.

    Raises:
        BadMedia: no image in the folder, or the first one is unreadable or over the ceiling.
    """

    def __init__(self, path: Path) -> None:
        self.paths = image_files(path)
        if not self.paths:
            raise BadMedia(f"{path.name}: no image in this folder ({', '.join(sorted(SUFFIXES))})")
        height, width = read_image(self.paths[0]).shape[:2]
        count = len(self.paths)
        check_length(path.name, None, count)
        self.info = VideoInfo(width, height, IMAGE_FOLDER_FPS, count, count / IMAGE_FOLDER_FPS)
        self.frames_read = 0

    def frames(
        self,
        fps: float | None = None,
        max_side: int | None = None,
        also: Collection[int] = (),
        part: Part = WHOLE,
    ) -> Iterator[Frame]:
        """See `FrameSource.frames`. Raises `BadMedia` for an image that is unreadable or of another size."""
        sampler = TimeSampler(fps)
        for index, path in enumerate(self.paths):
            time_s = index / IMAGE_FOLDER_FPS
            if part.is_over(time_s):
                return
            self.frames_read += 1
            if time_s in part and (sampler.keeps(time_s) or index in also):
                yield Frame(self._image(path, max_side), index, time_s)

    def index(self) -> FrameIndex:
        """See `FrameSource.index`."""
        count = self.frames_read = len(self.paths)
        return FrameIndex(np.arange(count) / IMAGE_FOLDER_FPS, np.arange(count), np.ones(count, np.bool_))

    def frames_at(self, index: FrameIndex, wanted: Sequence[int], max_side: int | None = None) -> Iterator[Frame]:
        """See `FrameSource.frames_at`. Raises as `frames`."""
        for number in wanted:
            yield Frame(self._image(self.paths[number], max_side), number, float(index.times_s[number]))

    def _image(self, path: Path, max_side: int | None) -> RGB:
        image = read_image(path)
        if image.shape[:2] != (self.info.height, self.info.width):
            size = f"{image.shape[1]}x{image.shape[0]}"
            raise BadMedia(f"{path.name}: {size} pixels, the first is {self.info.width}x{self.info.height}")
        return _shrink(image, max_side)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


def _shrink(image: RGB, max_side: int | None) -> RGB:
    if max_side is None or max(image.shape[:2]) <= max_side:
        return image
    scale = max_side / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))
