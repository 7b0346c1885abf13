"""Where the videos are that results are about, and what formats that do not tell it have to know of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from core.errors import BadMedia
from core.formats.exchange.model import BadResults
from core.video.frames import VideoInfo
from core.video.image_file import SUFFIXES as IMAGE_SUFFIXES
from core.video.source import open_video


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
        found = (p for p in self.videos.iterdir() if p.name[0] != ".")
        return {path.stem if path.is_file() else path.name: path for path in sorted(found)}

    def find(self, name: str, told: str | None = None) -> Path | None:
        """The source of a video: the one called `name` or as the results tell it; the only one there is; as told."""
        for wanted in (name, Path(told).stem if told else name):
            if wanted in self._by_name:
                return self._by_name[wanted]
        if len(self._by_name) == 1:
            return next(iter(self._by_name.values()))
        path = Path(told).expanduser() if told else None
        return path if path is not None and path.exists() else None

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
            raise BadResults(f"{name}: nothing tells {what}: name its video (or the folder it is in) with --videos")
        return info


def _has_images(folder: Path) -> bool:
    return any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.iterdir())


def only_name(names: Iterable[str]) -> str | None:
    """The name there is, if there is just one."""
    found = list(names)
    return found[0] if len(found) == 1 else None
