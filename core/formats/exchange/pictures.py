"""The pictures of frames: found in the sources, and written beside what is exported."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2

from core.errors import BadMedia
from core.formats.exchange.model import BadResults, SeenFrame, VideoResults
from core.formats.exchange.sources import Sources
from core.video.frames import RGB
from core.video.source import open_video, read_ahead

_JPEG_QUALITY = 95


def with_pictures(
    video: VideoResults, sources: Sources | None, max_side: int | None = None
) -> Iterator[tuple[SeenFrame, RGB | None]]:
    """The frames of a video, each with its picture [H, W, 3]; None where no `sources` are given.

    Pictures are scaled down so that no side is longer than `max_side`.

    The video is decoded once, from its start. Raises `BadResults` where it is not there, unreadable, of another size,
    or shorter.
    """
    if sources is None:
        yield from ((frame, None) for frame in video.read())
        return
    path = sources.find(video.name, video.path)
    if path is None:
        reason = f"{video.path} is not there" if video.path else "nothing says where it is"
        raise BadResults(f"{video.name}: no pictures: {reason}; name its video, or the folder it is in, with --videos")
    try:
        with open_video(path) as source, read_ahead(source.frames(None, max_side)) as frames:
            size = (source.info.width, source.info.height)
            if size != (video.width, video.height):
                wanted = f"{video.width}x{video.height}"
                raise BadResults(f"{path}: {size[0]}x{size[1]} pixels, the results are of {wanted}")
            for seen in video.read():
                image = next((f.image for f in frames if f.source_frame == seen.source_frame), None)
                if image is None:
                    raise BadResults(f"{path}: it ends before frame {seen.source_frame} of the results")
                yield seen, image
    except (BadMedia, OSError) as error:
        raise BadResults(f"{path}: {error}") from None


def write_pictures(root: Path, video: VideoResults, sources: Sources, place: Callable[[int], str]) -> None:
    """Write the picture of every frame as JPEG; `place` gives where, by source frame. Raises as `with_pictures`."""
    for seen, image in with_pictures(video, sources):
        if image is not None:
            path = root / place(seen.source_frame)
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
            if not cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]):
                raise BadResults(f"{path.name}: the picture cannot be written: is there room?")
