"""Opening whatever a user calls a video, and reading ahead of whoever consumes its frames."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from core.video.file import VideoFile
from core.video.frames import FrameSource
from core.video.image_folder import ImageFolder

T = TypeVar("T")


def open_video(path: Path, on_read: Callable[[], None] = lambda: None) -> FrameSource:
    """Open a video file or a folder of images. Raises `BadMedia` with the reason where it cannot be read.

    `on_read` is called while a file is read, from the thread that reads, see `VideoFile`.
    """
    return ImageFolder(path) if path.is_dir() else VideoFile(path, on_read)


class _End:
    """Handed over last, with the producer's error if there was one."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class _Handover(Generic[T]):
    """A bounded queue whose producer stops when its consumer has gone."""

    def __init__(self, depth: int) -> None:
        self._queue: queue.Queue[T | _End] = queue.Queue(maxsize=depth)
        self.stopped = threading.Event()

    def put(self, item: T | _End) -> None:
        while not self.stopped.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def produce(self, items: Iterable[T]) -> None:
        try:
            for item in items:
                self.put(item)
                if self.stopped.is_set():
                    return
            self.put(_End(None))
        except BaseException as error:  # noqa: BLE001 - handed over, raised in the consumer
            self.put(_End(error))

    def consume(self) -> Iterator[T]:
        while not isinstance(item := self._queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error


@contextmanager
def read_ahead(items: Iterable[T], depth: int = 4) -> Iterator[Iterator[T]]:
    """Produce `items` in a thread, at most `depth` ahead, so that decoding overlaps with computing.

    Errors of the producer are raised in the consumer, in their place. Leaving the context stops the thread.
    """
    handover: _Handover[T] = _Handover(depth)
    thread = threading.Thread(target=handover.produce, args=(items,), name="read-ahead", daemon=True)
    thread.start()
    try:
        yield handover.consume()
    finally:
        handover.stopped.set()
        thread.join()
