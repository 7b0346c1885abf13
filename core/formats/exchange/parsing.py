"""What readers of other people's files share: parts of files, numbers that are numbers, masks that are masks."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import ijson
from pycocotools import mask as coco

from core.errors import MaskflowError
from core.formats.exchange.model import OBJECT, BadResults
from core.formats.exchange.notes import Notes
from core.masks import Box, rle
from core.store.shallow_json import json_items

_LARGEST = 1e7  # pixels: no picture is as wide
_MOST = 2**31


class Part:
    """The bytes of a binary stream from `start` to `end`, as a stream of their own."""

    def __init__(self, stream: IO[bytes], start: int, end: int) -> None:
        stream.seek(start)
        self._stream = stream
        self._left = end - start

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; none at the end."""
        chunk = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(chunk)
        return chunk


@contextmanager
def telling(where: str) -> Iterator[None]:
    """Whatever is wrong with what is read here is reported with its place. Raises `BadResults`."""
    try:
        yield
    except BadResults as error:
        raise error if str(error).startswith(where) else BadResults(f"{where}: {error}") from None
    except MaskflowError as error:
        raise BadResults(f"{where}: {error}") from None
    except KeyError as error:
        raise BadResults(f"{where}: {error} is missing") from None
    except ijson.JSONError as error:
        raise BadResults(f"{where}: not JSON, or cut short: {str(error).splitlines()[0].strip()}") from None
    except (AttributeError, IndexError, TypeError):
        raise BadResults(f"{where}: it is not made as the format has it") from None
    except (ValueError, LookupError, OverflowError, RecursionError) as error:
        raise BadResults(f"{where}: {(str(error) or type(error).__name__).splitlines()[0]}") from None


class Lenient:
    """Entries of a file of which one that cannot be used costs itself alone: it is noted, and left out."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._used = 0
        self._first: BadResults | None = None

    @contextmanager
    def entry(self, where: str, counts: bool = True) -> Iterator[None]:
        """Read one entry; whatever is wrong with it is noted with its place. `counts`: it is of use by itself."""
        try:
            with telling(where):
                yield
            self._used += counts
        except BadResults as error:
            self._first = self._first or error
            self._notes.add(where, f"left out: {str(error).removeprefix(f'{where}: ')}")

    def check(self) -> None:
        """All entries have been read. Raises what was wrong with the first where none could be used."""
        if self._first is not None and not self._used:
            raise self._first


def entries(file: Path, what: str) -> Iterator[dict[str, Any]]:
    """The objects of a list in a JSON file, one in memory at a time. Raises `BadResults` for anything else in it."""
    with file.open("rb") as stream:
        for entry in json_items(stream, f"{what}.item"):
            if not isinstance(entry, dict):
                raise BadResults(f"{what} holds objects, not {str(entry)[:40]!r}")
            yield entry


def whole(value: Any, what: str, least: int = 0) -> int:
    """A whole number of at least `least`. Raises `ValueError`."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or value != int(value) or not least <= value < _MOST:
        raise ValueError(f"{what} is a whole number from {least} up, not {value!r}")
    return int(value)


def box_from_xywh(value: Any) -> Box:
    """x, y, width, height as xyxy. Raises `ValueError` where it is no box."""
    return checked_box(value[0], value[1], value[0] + value[2], value[1] + value[3]) if _four(value) else _no_box(value)


def box_from_xyxy(value: Any) -> Box:
    """Four corners. Raises `ValueError` where they are no box."""
    return checked_box(*value) if _four(value) else _no_box(value)


def checked_box(x0: float, y0: float, x1: float, y1: float) -> Box:
    """The box of these corners. Raises `ValueError` where it is none."""
    if not (x0 <= x1 and y0 <= y1) or not all(math.isfinite(v) and abs(v) < _LARGEST for v in (x0, y0, x1, y1)):
        return _no_box([x0, y0, x1, y1])
    return (x0, y0, x1, y1)


def _four(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 4 and all(isinstance(v, int | float) for v in value)


def _no_box(value: Any) -> Box:
    raise ValueError(f"not a box of four finite numbers with a width and height from 0 up: {value!r}")


def checked_score(value: Any) -> float | None:
    """A score, if there is one. Raises `ValueError` where it is no number."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"a score is a number, not {value!r}")
    return float(value)


def checked_label(value: Any) -> str:
    """A label: some text, else `OBJECT`."""
    return value if isinstance(value, str) and value.strip() else OBJECT


def checked_rle(value: Any, size: tuple[int, int]) -> rle.RLE:
    """A mask of `size` (height, width) from COCO's RLE, packed or as a list. Raises `ValueError`."""
    if not isinstance(value, dict) or set(value) != {"size", "counts"}:
        raise ValueError("a mask is COCO's RLE: size and counts")
    if list(value["size"]) != list(size):
        raise ValueError(f"a mask's size is {list(value['size'])} (height, width), the picture's {list(size)}")
    counts = value["counts"]
    if size[0] * size[1] > rle.MAX_PIXELS:
        raise ValueError(f"a mask of {size[1]}x{size[0]} pixels is too large")
    if isinstance(counts, list):
        if not all(isinstance(n, int) and n >= 0 for n in counts) or sum(counts) != size[0] * size[1]:
            raise ValueError(f"an RLE's runs fill its size {list(size)}")
        counts = coco.frPyObjects({"size": list(size), "counts": counts}, *size)["counts"].decode("ascii")
        return {"size": list(size), "counts": counts}
    return rle.check({"size": list(size), "counts": str(counts)})
