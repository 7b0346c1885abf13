"""Frames from the last to the first: decoded forward piece by piece, each piece once, and handed out backward.

A piece is what one key frame leads to, as decoding begins there. A large one waits on disk, so that memory is bounded.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryFile

import numpy as np

from core.video.frames import Frame, FrameSource
from core.video.index import FrameIndex
from core.video.source import read_ahead

# Three pieces exist at most: one handed out, one waiting, one being decoded.
_PIECE_BYTES = 16_000_000


@contextmanager
def read_backward(
    source: FrameSource, index: FrameIndex, wanted: Sequence[int], max_side: int | None = None
) -> Iterator[Iterator[Frame]]:
    """The frames `wanted` (ascending) of `source` in descending order, decoded ahead in a thread."""
    longer = max(source.info.width, source.info.height)
    scale = min(1.0, (max_side or longer) / longer)
    most = max(1, int(_PIECE_BYTES / (3 * source.info.width * source.info.height * scale**2)))
    pieces = (
        _Piece(source.frames_at(index, numbers, max_side), on_disk=len(numbers) > most)
        for numbers in reversed(_pieces(index, wanted, most))
    )
    with read_ahead(pieces, 1) as ready:
        yield (frame for piece in ready for frame in piece.backward())


class _Piece:
    """Some frames in a row, decoded when it is made."""

    def __init__(self, frames: Iterator[Frame], on_disk: bool) -> None:
        self._frames: list[Frame] = []
        self._file = TemporaryFile(prefix="maskflow-") if on_disk else None  # noqa: SIM115 - closed when handed out
        for frame in frames:
            if self._file is not None:
                self._file.write(np.ascontiguousarray(frame.image).data)
                # The picture is on disk; this stands for its shape.
                frame = Frame(np.broadcast_to(np.uint8(0), frame.image.shape), frame.source_frame, frame.time_s)
            self._frames.append(frame)

    def backward(self) -> Iterator[Frame]:
        """The frames in descending order, each once."""
        while self._frames:
            frame = self._frames.pop()
            if self._file is not None:
                image = np.empty(frame.image.shape, np.uint8)
                self._file.seek(len(self._frames) * image.nbytes)
                self._file.readinto(image.reshape(-1).data)
                frame = Frame(image, frame.source_frame, frame.time_s)
            yield frame
        if self._file is not None:
            self._file.close()


def _pieces(index: FrameIndex, wanted: Sequence[int], most: int) -> list[list[int]]:
    """`wanted`, cut where another key frame begins; neighbours that are small together are one piece."""
    pieces: list[list[int]] = []
    last_key = -1
    group: list[int] = []
    for number in [*wanted, None]:
        key = -2 if number is None else index.key_before(number)
        if key != last_key and group:
            if pieces and len(pieces[-1]) + len(group) <= most:
                pieces[-1] += group
            else:
                pieces.append(group)
            group = []
        if number is not None:
            group.append(number)
        last_key = key
    return pieces
