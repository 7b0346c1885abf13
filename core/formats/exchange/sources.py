"""Where the videos are that results are about, and what formats that do not tell it have to know of them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from core.errors import BadMedia
from core.formats.exchange.model import BadResults
from core.store.paths import visible
from core.video.frames import VideoInfo
from core.video.image_file import SUFFIXES as IMAGE_SUFFIXES
from core.video.source import open_video

_VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts"})


@dataclass(frozen=True)
class Sources:
    """Videos a user pointed at.

    Attributes:
        videos: a video, a folder of images, or a folder of either; None: none.
        known: other videos, as results name them, to be looked among where `videos` is None.
    """

    videos: Path | None = None
    known: tuple[str, ...] = ()

    @cached_property
    def _by_name(self) -> dict[str, Path]:
        if self.videos is None:
            paths = (Path(path).expanduser() for path in self.known)
            return {path.stem: path for path in paths if path.exists()}
        if self.videos.is_file() or _has_images(self.videos):
            return {self.videos.stem: self.videos}
        found = _inside(self.videos)
        while len(found) == 1 and found[0].is_dir() and not _has_images(found[0]):  # as DAVIS has JPEGImages/480p
            found = _inside(found[0])
        return {path.stem if path.is_file() else path.name: path for path in found}

    def find(self, name: str, told: str | None = None) -> Path | None:
        """The source of a video: the one called `name` or as the results tell it; the only one there is; as told."""
        for wanted in (name, Path(told).stem if told else name):
            if wanted in self._by_name:
                return self._by_name[wanted]
        if len(self._by_name) == 1:
            return next(iter(self._by_name.values()))
        try:
            path = Path(told).expanduser() if told else None
            return path if path is not None and path.exists() else None
        except (OSError, ValueError, RuntimeError):  # no such user, or no path at all
            return None

    def describe(self, name: str, told: str | None = None) -> VideoInfo | None:
        """Size, rate and length of a video; None where it is not there. Raises `BadResults` where it is unreadable."""
        path = self.find(name, told)
        if path is None:
            return None
        try:
            with open_video(path) as source:
                return source.info
        except (BadMedia, OSError) as error:
            raise BadResults(f"{path}: {error}") from None

    def need(self, name: str, what: str, told: str | None = None) -> VideoInfo:
        """As `describe`. Raises `BadResults` where the video is not there; `what` is what nothing else tells."""
        info = self.describe(name, told)
        if info is None:
            there = f"; those given are {', '.join(list(self._by_name)[:5])}" if self._by_name else ""
            raise BadResults(f"{name}: nothing tells {what}: name its video with --videos{there}")
        return info


def _has_images(folder: Path) -> bool:
    return any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.iterdir())


def _inside(folder: Path) -> list[Path]:
    """What may be a video in a folder."""
    return [path for path in visible(folder, "*") if path.is_dir() or path.suffix.lower() in _VIDEO_SUFFIXES]
