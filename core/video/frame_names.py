"""Which frame a file is of, by its name: one rule for folders of pictures, masks and labels.

The one number in which the names of a video differ is the frame's: `00005`, `frame_000005`, `P01_frame_0000042133`.
Names counted from 1 without a gap, as FFmpeg and many tools write them, begin with the first frame, source frame 0.
Where there is no such number, as in times of day, names are in the order of their frames.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath

from core.video.image_file import SUFFIXES
from core.video.limits import MAX_FRAMES

_DIGITS = re.compile(r"([0-9]+)")
_DATE = re.compile(r"(19|20)[0-9]{6}")
_WORD = re.compile(r"(?i)[\s._/-]*(frame|image|img)?[\s._-]*$")
_MOST_DIGITS = 19


@dataclass(frozen=True)
class FrameNumbers:
    """Source frames of some names, and what was taken for granted ("" where the names are plain)."""

    frames: Sequence[int]
    assumed: str = ""


def stem_of(name: str) -> str:
    """A file's name without folders, its ending, and a picture's ending below that (`a.jpg.png` is of `a.jpg`)."""
    stem = PurePath(name).stem
    inner = PurePath(stem)
    return inner.stem if inner.suffix.lower() in SUFFIXES else stem


def video_of(name: str) -> str:
    """What is left of a name without the frame's number: `walk/frame_000012` is of `walk`; "" where nothing is."""
    parts = _DIGITS.split(name)
    return _WORD.sub("", "".join(parts[:-2])) if len(parts) > 1 and not parts[-1] else name


def frame_numbers(stems: Sequence[str], exact: bool = False) -> FrameNumbers:
    """Source frames by the names of files, in the order of the names.

    Args:
        stems: of one video, in natural order.
        exact: the numbers are known to be source frames (our own files): none is counted from 1.
    """
    numbers = written_numbers(stems)
    if numbers is None:
        plain = len(stems) == 1
        return FrameNumbers(range(len(stems)), "" if plain else "names are no frame numbers: taken in their order")
    if not exact and len(numbers) > 1 and numbers == list(range(1, len(numbers) + 1)):
        return FrameNumbers(range(len(numbers)), f"frames 1 to {len(numbers)}: taken as counted from 1, frame 1 first")
    return FrameNumbers(numbers)


def written_numbers(stems: Sequence[str]) -> list[int] | None:
    """The frame's number in each name as it stands there; None where the names have no such numbers, ascending."""
    parts = [_DIGITS.split(stem) for stem in stems]
    if not parts or len({len(one) for one in parts}) > 1 or len(parts[0]) == 1:
        return None
    varying = [place for place, tokens in enumerate(zip(*parts, strict=True)) if len(set(tokens)) > 1]
    place = varying[0] if len(varying) == 1 else len(parts[0]) - 2
    if len(varying) > 1 or place % 2 == 0 or _is_time(parts[0], place):
        return None
    tokens = [one[place] for one in parts]
    numbers = [int(token) for token in tokens if len(token) <= _MOST_DIGITS]
    ascending = all(first < second for first, second in pairwise(numbers))
    return numbers if ascending and len(numbers) == len(stems) and numbers[-1] < MAX_FRAMES else None


def _is_time(parts: Sequence[str], place: int) -> bool:
    """Whether a number is a time of day after a date, or the decimals of seconds (`1305031102.175304`)."""
    if place < 2:
        return False
    before, between = parts[place - 2], parts[place - 1]
    after_date = _DATE.fullmatch(before) is not None and len(parts[place]) >= 6
    return after_date or (between == "." and len(before) >= 9)


def match_names(stems: Sequence[str], pictures: Iterable[str]) -> list[int | None]:
    """The place of the picture that each name means: the one of the same name, else the only one of the same number.

    Args:
        stems: names, without ending.
        pictures: names of the pictures of a video, without ending, in their order.
    """
    places = {name: place for place, name in enumerate(pictures)}
    numbers = {number: place for place, number in enumerate(written_numbers(list(places)) or ())}

    def by_number(stem: str) -> int | None:
        alone = written_numbers([stem])
        return numbers.get(alone[0]) if alone else None

    return [places[stem] if stem in places else by_number(stem) for stem in stems]
