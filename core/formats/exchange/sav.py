"""SA-V: a folder for each video, in it one for each object with its masks in black and white (Ravi et al., 2024).

VIDEO/000/00000.png     VIDEO/001/00000.png
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from core.formats.exchange.map_files import read_map, seen_mask
from core.formats.exchange.model import SeenFrame
from core.store.paths import files_of

_DIGITS = 3
_RESOLUTION = re.compile(r"(?i)^annotations$|^masks$|^[0-9]+p$|resolution$")  # folders of videos, as DAVIS has them


def is_object(folder: Path, root: Path) -> bool:
    """Whether a folder of PNGs below `root` is one object of a video: called `000`, and in black and white."""
    video = folder.parent
    if not _is_number(folder) or folder == root or _RESOLUTION.search(video.name):
        return False
    if video == root and not root.name.startswith("sav_"):
        return False
    alike = [one for one in video.iterdir() if one.is_dir() and one.name[0] != "."]
    first = "0" * _DIGITS  # where there is none, these are videos that are called by numbers
    if not all(map(_is_number, alike)) or all(one.name != first for one in alike):
        return False
    return len(np.unique(read_map(files_of(folder, (".png",), deep=False)[0]).ids)) <= 2


def _is_number(folder: Path) -> bool:
    return len(folder.name) == _DIGITS and folder.name.isascii() and folder.name.isdigit()


def frames(folders: Sequence[Path], stems: Mapping[int, str], size: tuple[int, int], fps: float) -> Iterator[SeenFrame]:
    """The frames of a video; object 000 gets id 1.

    Args:
        folders: of its objects.
        stems: names of the masks by source frame; an object without a mask of that name is not seen.
        size: height and width.
        fps: of the video.
    """
    for frame, stem in stems.items():
        objects = []
        for folder in folders:
            path = folder / f"{stem}.png"
            if not path.is_file():
                continue
            ids = read_map(path, size).ids
            if ids.any():
                objects.append(seen_mask(int(folder.name) + 1, ids != 0, name=folder.name))
        yield SeenFrame(frame, frame / fps, tuple(objects))
