"""JSON read piece by piece, and never deeper than it may go: the depth is known before a parser sees the bytes."""

import codecs
import re
from collections.abc import Iterator
from typing import Any, Protocol

import ijson
import numpy as np

MAX_DEPTH = 20
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


class Stream(Protocol):
    """What bytes are read from."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        ...


class Shallow:
    """A stream of JSON that raises `ValueError` as soon as it is nested deeper than `MAX_DEPTH`.

    Parsers build what they were given in one piece before its depth is known: 64 kB of brackets are
    gigabytes of names by then.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._depth = 0
        self._begins = True
        self._open = b""  # the quote of a string that goes on, and the backslash it ended with

    def read(self, size: int = -1) -> bytes:
        """See `Stream.read`."""
        chunk = self._stream.read(size)
        if self._begins and chunk:  # parsers read nothing first, to see of what kind it is
            chunk, self._begins = chunk.removeprefix(codecs.BOM_UTF8), False
        plain = _STRING.sub(b"", self._open + chunk)
        quote = plain.find(b'"')
        self._open = b""
        if quote >= 0:
            tail = plain[quote:]
            escaping = (len(tail) - len(tail.rstrip(b"\\"))) % 2
            self._open, plain = b'"' + b"\\" * escaping, plain[:quote]
        codes = np.frombuffer(plain, np.uint8) | 0x20  # brackets become braces
        steps = (codes == ord("{")).astype(np.int64) - (codes == ord("}"))
        depths = self._depth + np.cumsum(steps)
        if len(depths):
            if int(depths.max()) > MAX_DEPTH:
                raise ValueError(f"nested too deep, more than {MAX_DEPTH} levels")
            self._depth = int(depths[-1])
        return chunk


def parse_json(stream: Stream, **options: Any) -> Iterator[tuple[str, str, Any]]:
    """`ijson.parse` of a shallow stream: prefix, event, value. Raises `ValueError`, `ijson.JSONError`."""
    yield from ijson.parse(Shallow(stream), use_float=True, **options)


def json_items(stream: Stream, prefix: str) -> Iterator[Any]:
    """`ijson.items` of a shallow stream: the values at `prefix`, one in memory at a time. Raises as `parse_json`."""
    yield from ijson.items(Shallow(stream), prefix, use_float=True)
