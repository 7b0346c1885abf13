"""Which video a path means: short names that tell videos apart, and which of two lists are the same ones."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import PurePath, PureWindowsPath

from core.store.paths import distinct, slugify
from core.video.image_file import SUFFIXES as IMAGE_SUFFIXES

Parts = tuple[str, ...]
"""A path: its folders, outermost first, and its name without the ending of a video, picture or table."""

VIDEO_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".vob",
    ".flv", ".ogv", ".wmv", ".asf", ".mxf", ".3gp", ".mj2", ".gif", ".apng", ".avif", ".y4m", ".mjpeg",
    ".mjpg", ".ivf", ".obu", ".h264", ".264", ".hevc", ".h265", ".265", ".m2v", ".dv",
})  # fmt: skip
"""What names of video files usually end with, see `core.video.opening.FORMATS`."""

_TABLES = (".json", ".jsonl", ".txt", ".xml", ".zip", ".rrd", ".csv")
_ENDINGS = frozenset((*VIDEO_SUFFIXES, *IMAGE_SUFFIXES, *_TABLES))
_PICTURES = "img1"  # where MOT has a sequence's pictures: the folder above has the name


def path_parts(path: str) -> Parts:
    """The parts of a path as another system may have written it, without drive and root."""
    pure: PurePath = PureWindowsPath(path) if "\\" in path else PurePath(path)
    parts = [part for part in pure.parts if part not in (pure.anchor, ".", "..", "/")]
    if len(parts) > 1 and parts[-1] == _PICTURES:
        parts.pop()
    if not parts:
        return ("",)
    last = PurePath(parts[-1])
    return (*parts[:-1], last.stem if last.suffix.lower() in _ENDINGS else last.name)


def short_names(paths: Sequence[Parts]) -> list[str]:
    """A file name for each path: its own name, and of those that are alike as many folders as tell them apart.

    `cam0/rgb` and `cam1/rgb` become `cam0_rgb` and `cam1_rgb`; equal paths `a` and `a_2`. The order changes no name
    but those of equal paths.
    """
    used = [1] * len(paths)
    while True:
        tails = [parts[-count:] for parts, count in zip(paths, used, strict=True)]
        counts = Counter(tail_key(tail) for tail in tails)
        alike = [place for place, tail in enumerate(tails) if counts[tail_key(tail)] > 1]
        longer = [place for place in alike if used[place] < len(paths[place])]
        if not longer:
            return distinct(slugify("_".join(tail)) for tail in tails)
        for place in longer:
            used[place] += 1


def tail_key(tail: Parts) -> Parts:
    """What two tails are compared by."""
    return tuple(part.casefold() for part in tail)


def common_tail(first: Parts, second: Parts) -> int:
    """How many parts two paths have in common, counted from the end."""
    count = 0
    for one, other in zip(reversed(tail_key(first)), reversed(tail_key(second)), strict=False):
        if one != other:
            break
        count += 1
    return count


def pair_up(first: Sequence[Parts], second: Sequence[Parts]) -> list[tuple[int, int]]:
    """Places of the paths that mean the same: those that have the most in common, on both sides, and no two as much."""
    by_name: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, paths in enumerate((first, second)):
        for place, parts in enumerate(paths):
            by_name[parts[-1].casefold()][side].append(place)
    pairs: list[tuple[int, int]] = []
    for rows, columns in by_name.values():
        table = [[common_tail(first[row], second[column]) for column in columns] for row in rows]
        sides = [list(column) for column in zip(*table, strict=True)]
        for at, scores in enumerate(table):
            for place, score in enumerate(scores):
                if scores.count(score) == sides[place].count(score) == 1 and score == max(scores) == max(sides[place]):
                    pairs.append((rows[at], columns[place]))
    return sorted(pairs)
