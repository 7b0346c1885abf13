"""Lists of videos as people write them: a line each, with comments, quotes, patterns and folders."""

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path

from core.store.paths import expanded, files_of
from core.video.image_file import natural_key
from core.video.image_folder import has_images
from core.video.video_paths import VIDEO_SUFFIXES

_PATTERN = set("*?[")


def read_video_list(file: Path) -> list[str]:
    """The videos of a list, in its order, each once.

    A line is the path of a video, or of a folder of images or of videos. One that is no such path as it stands may be a
    comment (`#`), or be in quotes, begin with `~`, be relative to the list's folder, or a pattern (`walks/*.mp4`).

    Raises:
        OSError, UnicodeDecodeError: it cannot be read.
    """
    if file.exists() and not file.is_file():
        raise OSError("not a regular file")
    lines = (line.strip() for line in file.read_text(encoding="utf-8-sig").split("\n"))
    return named_videos((line for line in lines if line), file.parent)


def named_videos(names: Iterable[str], beside: Path = Path()) -> list[str]:
    """The videos that names mean, each once: paths, folders and patterns as in a list, relative to a folder."""
    return list(dict.fromkeys(video for name in names for video in _videos(name, beside)))


def _videos(line: str, beside: Path) -> Iterator[str]:
    if _exists(line):
        yield from _below(line)
    elif not line.startswith("#"):
        for path in _meant(_unquoted(line), beside):
            yield from _below(path)


def _meant(text: str, beside: Path) -> list[str]:
    """What a line means that is no path as it stands; the line itself where that is nowhere."""
    try:
        path = str(expanded(Path(text)))
    except ValueError:  # of nobody here: it is missing
        return [text]
    places = [path] if Path(path).is_absolute() else [path, str(beside / path)]
    for place in places:
        if _exists(place):
            return [place]
    if _PATTERN & set(path):
        for place in places:
            if found := sorted(filter(_is_input, glob.glob(place, recursive=True)), key=natural_key):  # noqa: PTH207 - absolute, too
                return found
    return [text]


def _below(path: str) -> list[str]:
    """The path; of a folder that holds videos and no images, the videos."""
    folder = Path(path)
    try:
        if not folder.is_dir() or has_images(folder):
            return [path]
        videos = files_of(folder, VIDEO_SUFFIXES, deep=False)
    except OSError:  # it may not be looked into: its item says so
        return [path]
    return sorted(map(str, videos), key=natural_key) or [path]


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # no path at all: too long, or with a null
        return False


def _is_input(path: str) -> bool:
    return Path(path).suffix.lower() in VIDEO_SUFFIXES or Path(path).is_dir()


def _unquoted(line: str) -> str:
    return line[1:-1].strip() if len(line) > 2 and line[0] == line[-1] and line[0] in "\"'" else line
