"""Frames from the last to the first, in bounded memory: decoded forward piece by piece, handed out backward."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from core.video.frames import Frame, FrameSource
from core.video.index import FrameIndex
from core.video.source import read_ahead

# Three pieces are in memory at most: one handed out, one waiting, one being decoded.
_PIECE_BYTES = 48_000_000


@contextmanager
def read_backward(
    source: FrameSource, index: FrameIndex, wanted: Sequence[int], max_side: int | None = None
) -> Iterator[Iterator[Frame]]:
    """The frames `wanted` (ascending) of `source` in descending order, decoded ahead in a thread."""
    longer = max(source.info.width, source.info.height)
    scale = min(1.0, (max_side or longer) / longer)
    frame_bytes = 3 * source.info.width * source.info.height * scale**2
    pieces = _pieces(index, wanted, max(1, int(_PIECE_BYTES / frame_bytes)))
    decoded = (list(source.frames_at(index, piece, max_side)) for piece in reversed(pieces))
    with read_ahead(decoded, 1) as ready:
        yield _backward(ready)


def _backward(pieces: Iterator[list[Frame]]) -> Iterator[Frame]:
    for piece in pieces:
        while piece:
            yield piece.pop()


def _pieces(index: FrameIndex, wanted: Sequence[int], most: int) -> list[list[int]]:
    """Runs of `wanted`, at most so many long, cut where another key frame begins as far as that is possible."""
    pieces: list[list[int]] = []
    last_key = -1
    for number in wanted:
        key = index.key_before(number)
        new_key = key != last_key
        if not pieces or len(pieces[-1]) >= most or (new_key and len(pieces[-1]) >= max(1, most // 2)):
            pieces.append([])
        pieces[-1].append(number)
        last_key = key
    return pieces
