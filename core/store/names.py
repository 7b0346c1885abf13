"""Short names of files and folders that tell them apart, and which of two lists are the same ones."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath, PureWindowsPath

from core.store.paths import distinct, slugify

Parts = tuple[str, ...]
"""A path: its folders, outermost first, and its name without ending."""


def path_parts(path: str) -> Parts:
    """The parts of a path as another system may have written it, without drive and root."""
    pure: PurePath = PureWindowsPath(path) if "\\" in path else PurePath(path)
    parts = [part for part in pure.parts if part not in (pure.anchor, ".", "..", "/")]
    return (*parts[:-1], PurePath(parts[-1]).stem) if parts else ("",)


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
    table = [[common_tail(one, other) for other in second] for one in first]
    columns = [[row[column] for row in table] for column in range(len(second))]

    def only_best(scores: Sequence[int], place: int) -> bool:
        return scores[place] > 0 and all(score < scores[place] for at, score in enumerate(scores) if at != place)

    return [
        (row, column)
        for row, scores in enumerate(table)
        for column in range(len(second))
        if only_best(scores, column) and only_best(columns[column], row)
    ]
