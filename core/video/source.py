"""Opening whatever a user calls a video, and reading ahead of whoever consumes its frames."""

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from core.video.file import VideoFile
from core.video.frames import FrameSource
from core.video.image_folder import ImageFolder


T = TypeVar("T")


def open_video(path: Path) -> FrameSource:
    """Open a video file or a folder of images. Raises `BadMedia` with the reason where it cannot be read."""
    return ImageFolder(path) if path.is_dir() else VideoFile(path)


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@contextmanager
def read_ahead(items: Iterable[T], depth: int = 4) -> Iterator[Iterator[T]]:
    """Produce `items` in a thread, at most `depth` ahead, so that decoding overlaps with computing.

    Errors of the producer are raised in the consumer, in their place. Leaving the context stops the thread.
    """
    handed: queue.Queue[T | _End] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def put(item: T | _End) -> bool:
        while not stopped.is_set():
            try:
                handed.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def produce() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(_End(None))
        except BaseException as error:  # noqa: BLE001 - handed over, raised in the consumer
            put(_End(error))

    def consume() -> Iterator[T]:
        while not isinstance(item := handed.get(), _End):
            yield item
        if item.error is not None:
            raise item.error

    thread = threading.Thread(target=produce, name="read-ahead", daemon=True)
    thread.start()
    try:
        yield consume()
    finally:
        stopped.set()
        thread.join()
