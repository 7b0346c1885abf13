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
from typing import Literal

from core.video.image_file import SUFFIXES
from core.video.limits import MAX_FRAMES

_DIGITS = re.compile(r"([0-9]+)")
_DATE = re.compile(r"(19|20)[0-9]{2}([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12][0-9]|3[01])")
_WORD = re.compile(r"(?i)[\s._/()-]*(frame|image|img)?[\s._()-]*$")
_ROBOFLOW = re.compile(r"_(jpg|jpeg|png)\.rf\.[0-9A-Za-z]+$")
_MOST_DIGITS = 19
_PADDED = 4  # digits, in a name that stands alone
Origin = Literal[0, 1]
"""The number of a video's first frame."""


@dataclass(frozen=True)
class FrameNumbers:
    """Source frames of some names.

    Attributes:
        frames: of each name.
        assumed: what was taken for granted, in words; "" where the names are plain.
        origin: the number of the first frame, 0 or 1; None: neither is certain, or the names have no numbers.
    """

    frames: Sequence[int]
    assumed: str = ""
    origin: Origin | None = None


def stem_of(name: str) -> str:
    """A file's name without folders, its ending, and a picture's ending below that (`a.jpg.png` is of `a.jpg`).

    So is what Roboflow puts behind names: `walk-0001_jpg.rf.8f3a12.jpg` is of `walk-0001`.
    """
    stem = PurePath(name).stem
    inner = PurePath(stem)
    return inner.stem if inner.suffix.lower() in SUFFIXES else _ROBOFLOW.sub("", stem)


def video_names(names: Sequence[str]) -> list[str]:
    """What video each of many names is of: what is left of it without the frame's number; "" where nothing is.

    Names that differ in one number only are of one video; where they differ in several, in the last.
    """
    parts = [_DIGITS.split(name) for name in names]
    patterns: dict[tuple[str, ...], list[int]] = {}
    for number, tokens in enumerate(parts):
        patterns.setdefault((str(len(tokens)), *tokens[::2]), []).append(number)
    videos = [""] * len(names)
    for numbers in patterns.values():
        tokens = [parts[number] for number in numbers]
        varying = [place for place in range(1, len(tokens[0]), 2) if len({one[place] for one in tokens}) > 1]
        last = varying[-1] if varying else len(tokens[0]) - 2
        for number in numbers:
            own = parts[number]
            if len(own) < 2 or _DATE.search(names[number]):
                videos[number] = names[number] if len(own) < 2 else _before_date(names[number])
                continue
            head, tail = "".join(own[:last]), "".join(own[last + 1 :])
            videos[number] = _WORD.sub("", head) + (tail if not _WORD.fullmatch(tail) else "")
    return videos


def _before_date(name: str) -> str:
    match = _DATE.search(name)
    return _WORD.sub("", name[: match.start()]) if match else name


def frame_numbers(stems: Sequence[str], origin: Origin | None = None) -> FrameNumbers:
    """Source frames by the names of files, in the order of the names.

    Args:
        stems: of one video, in natural order.
        origin: the number of the first frame, where that is known from elsewhere.
    """
    numbers = written_numbers(stems)
    if numbers is None:
        assumed = "" if len(stems) == 1 else "names are no frame numbers: taken in their order"
        return FrameNumbers(range(len(stems)), assumed)
    first = origin_of(numbers) if origin is None else origin
    if first == 1 and numbers[0] >= 1:
        note = f"names {stems[0]} to {stems[-1]}: taken as counted from 1"
        return FrameNumbers([number - 1 for number in numbers], note if origin is None else "", 1)
    note = f"names {stems[0]} …: taken as counted from 0" if first is None else ""
    return FrameNumbers(numbers, note, 0 if first == 0 else None)


def origin_of(numbers: Sequence[int]) -> Origin | None:
    """0 where there is a frame 0; 1 where numbers go from 1 without a gap; else None: neither is certain."""
    if numbers and numbers[0] == 0:
        return 0
    return 1 if len(numbers) > 1 and list(numbers) == list(range(1, len(numbers) + 1)) else None


def common_origin(videos: Iterable[Sequence[str]]) -> Origin | None:
    """The number of the first frame in all videos of a data set: 0 where one has a frame 0, 1 where one is whole."""
    return agreed_origin(origin_of(written_numbers(stems) or ()) for stems in videos)


def agreed_origin(origins: Iterable[Origin | None]) -> Origin | None:
    """What the names of several videos show together: 0 is certain, 1 likely, and None leaves it open."""
    found = {*origins}
    return 0 if 0 in found else 1 if 1 in found else None


def written_numbers(stems: Sequence[str]) -> list[int] | None:
    """The frame's number in each name as it stands there; None where the names have no such numbers, ascending."""
    parts = [_DIGITS.split(stem) for stem in stems]
    if not parts or len({len(one) for one in parts}) > 1 or len(parts[0]) == 1:
        return None
    varying = [place for place, tokens in enumerate(zip(*parts, strict=True)) if len(set(tokens)) > 1]
    if len(varying) > 1 or (varying and varying[0] % 2 == 0):
        return None
    place = varying[0] if varying else _place_alone(parts[0])
    if place is None or _is_time(stems[0], parts[0], place):
        return None
    tokens = [one[place] for one in parts]
    numbers = [int(token) for token in tokens if len(token) <= _MOST_DIGITS]
    ascending = all(first < second for first, second in pairwise(numbers))
    return numbers if ascending and len(numbers) == len(stems) and numbers[-1] < MAX_FRAMES else None


def _place_alone(tokens: Sequence[str]) -> int | None:
    """Which number of a name that stands alone is the frame's: after `frame`, padded, or all there is; else none."""
    places = range(1, len(tokens), 2)
    after_word = [place for place in places if re.search(r"(?i)(frame|img|image)[\s._-]*$", tokens[place - 1])]
    padded = [place for place in places if len(tokens[place]) >= _PADDED]
    if after_word or padded:
        return (after_word or padded)[-1]
    return 1 if len(tokens) == 3 and not tokens[0] and not tokens[2] else None


def _is_time(stem: str, parts: Sequence[str], place: int) -> bool:
    """Whether a number is a time of day after a date, or the decimals of seconds (`1305031102.175304`, `0.033`)."""
    if _DATE.search("".join(parts[:place])) is not None:
        return True
    seconds = place >= 3 and parts[place - 1] == "." and not parts[place - 3].strip("0123456789")
    return seconds or re.fullmatch(r"[0-9]+\.[0-9]+", stem) is not None


def match_names(stems: Sequence[str], pictures: Iterable[str]) -> list[int | None]:
    """The place of the picture that each name means: the one of the same name, else the only one of the same number.

    Args:
        stems: names, without ending.
        pictures: names of the pictures of a video, without ending, in their order.
    """
    places = {name: place for place, name in enumerate(pictures)}
    numbers = {number: place for place, number in enumerate(written_numbers(list(places)) or ())}
    written: Sequence[int | None] = written_numbers(stems) or [None] * len(stems)

    def by_number(stem: str, number: int | None) -> int | None:
        alone = [number] if number is not None else written_numbers([stem])
        return numbers.get(alone[0]) if alone else None

    return [places[s] if s in places else by_number(s, n) for s, n in zip(stems, written, strict=True)]
