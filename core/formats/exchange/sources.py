"""Where the videos are that results are about, and what formats that lack it have to know of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePath

from core.errors import BadMedia
from core.formats.exchange.model import BadResults, VideoResults
from core.formats.exchange.notes import Notes
from core.store.paths import slugify, visible
from core.video.frame_names import FrameNumbers, Origin, common_origin, frame_numbers, match_names, stem_of
from core.video.frames import VideoInfo
from core.video.image_file import SUFFIXES as IMAGE_SUFFIXES
from core.video.image_file import upright_size
from core.video.image_folder import ImageFolder, has_images
from core.video.source import open_video
from core.video.video_paths import Parts, common_tail, pair_up, path_parts, short_names

_VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts"})

_MASKS = frozenset({"Annotations", "obj_ids", "obj_ids_refine", "labels"})


class MissingFacts(BadResults):
    """Size or rate of a video are unknown: neither its results, nor the video itself, nor other results of it."""


@dataclass(frozen=True)
class Sources:
    """Videos a user pointed at.

    Attributes:
        videos: a video, a folder of images, or a folder of either, at any depth; None: none.
        known: other videos, as results name them, to be looked among where `videos` is None.
        like: other results of the same videos, for what neither files nor videos say.
        origin: the number of the first frame in names and rows, where that is known from elsewhere.
        truth: what is read is the truth, that results are judged by.
        alone: the results are of one video: a single video that was pointed at is that one, whatever it is called.
        notes: what is noted while results are read.
    """

    videos: Path | None = None
    known: tuple[str, ...] = ()
    like: tuple[VideoResults, ...] = ()
    origin: Origin | None = None
    truth: bool = False
    alone: bool = False
    notes: Notes = field(default_factory=Notes)

    @property
    def may_be_shown(self) -> bool:
        """Whether no rule has been settled yet for what files do not say: the other side of an evaluation may know."""
        return not self.like

    def of(self, count: int) -> "Sources":
        """The same for results of `count` videos."""
        return replace(self, alone=count == 1)

    @cached_property
    def _paths(self) -> list[tuple[str, Parts, Path]]:
        """All videos: short name, parts below the folder, path."""
        if self.videos is None:
            there = [path for path in (Path(path).expanduser() for path in self.known) if path.exists()]
        elif self.videos.is_file() or has_images(self.videos):
            there = [self.videos]
        else:
            there = _inside(self.videos)
        parts = [path_parts(str(path.absolute())) for path in there]
        return list(zip(short_names(parts), parts, there, strict=True))

    def find(self, name: str, given: str | None = None) -> Path | None:
        """The source of a video: the one that results name by its path, or by name; the only one; as given."""
        wanted = path_parts(given) if given else None
        # A name with folders in it is one of several alike: there the file's own name says nothing.
        least = 1 + (wanted is not None and name.casefold().endswith(f"_{slugify(wanted[-1]).casefold()}"))
        for parts, needed in ((wanted, least), ((name,), 1)):
            scores = [common_tail(parts, own) if parts else 0 for _, own, _ in self._paths]
            best = max(scores, default=0)
            if best >= needed and scores.count(best) == 1:
                return self._paths[scores.index(best)][2]
        called = [path for short, _, path in self._paths if short.casefold() == name.casefold()]
        if len(called) == 1:
            return called[0]
        if len(self._paths) == 1 and self.alone:
            return self._paths[0][2]
        try:
            path = Path(given).expanduser() if given else None
            return path if path is not None and path.exists() else None
        except (OSError, ValueError, RuntimeError):  # no such user, or no path at all
            return None

    def describe(self, name: str, given: str | None = None) -> VideoInfo | None:
        """Size, rate and length of a video; None where it is not there. Raises `BadResults` where it is unreadable."""
        path = self.find(name, given)
        if path is None:
            return self._as_others(name, given)
        try:
            with open_video(path) as source:
                return source.info
        except (BadMedia, OSError) as error:
            raise BadResults(f"{path}: {error}") from None

    def _as_others(self, name: str, given: str | None) -> VideoInfo | None:
        """What other results say of a video."""
        wanted = path_parts(given) if given else (name,)
        paired = [self.like[other] for _, other in pair_up([wanted], [one.parts for one in self.like])]
        paired = paired or [one for one in self.like if one.name.casefold() == name.casefold()]
        if not paired and self.alone and len(self.like) == 1:
            paired = list(self.like)
        if len(paired) != 1:
            return None
        one = paired[0]
        return VideoInfo(one.width, one.height, one.fps, one.length, one.length / one.fps if one.length else None)

    def need(self, name: str, what: str, given: str | None = None) -> VideoInfo:
        """As `describe`. Raises `MissingFacts` where the video is not there; `what` is what is missing."""
        info = self.describe(name, given)
        if info is None:
            named = [short for short, _, _ in self._paths]
            there = f"; those given are {', '.join(named[:5])}" if named else ""
            raise MissingFacts(f"{name}: nothing says {what}: name its video with --videos{there}")
        return info

    def pictures(self, name: str, given: str | None = None) -> list[Path]:
        """The pictures of a video that is a folder of images, in their order; none where it is no such folder."""
        path = self.find(name, given)
        if path is None or not path.is_dir():
            return []
        try:
            return list(ImageFolder(path).paths)
        except BadMedia as error:
            raise BadResults(f"{path}: {error}") from None

    def picture_size(self, folder: Path, name: str) -> tuple[int, int]:
        """Height and width of a picture by its name, below a folder of annotations or the videos' own.

        Raises `BadResults` where it is not there.
        """
        roots = [folder, folder / "images", folder.parent, folder.parent / "images"]
        for root in [*roots, *([self.videos] if self.videos is not None else [])]:
            for path in (root / name, root / PurePath(name).name):
                if name and path.is_file():
                    try:
                        return upright_size(path)
                    except BadMedia as error:
                        raise BadResults(f"{path}: {error}") from None
        raise BadResults(f"{name}: nothing gives its size: width and height are missing, and the picture is not there")

    def over(self, videos: Iterable[Sequence[str]]) -> "Sources":
        """The same, with the origin that the names of all videos of a data set show, where it is not known yet."""
        return self if self.origin is not None else replace(self, origin=common_origin(videos))

    def source_frames(self, where: str, name: str, stems: Sequence[str], given: str | None = None) -> FrameNumbers:
        """Which source frame each file of a video is of.

        By name where the video is a folder of pictures that are called so; else by the number in the name, see
        `core.video.frame_names`.

        Args:
            where: the files' place, for notes and messages.
            name: of the video.
            stems: of the files' names, in natural order.
            given: the video's path, as the results have it.

        Raises:
            BadResults: some of the files are called like pictures of the video, and others are not.
        """
        pictures = [stem_of(path.name) for path in self.pictures(name, given)]
        places = match_names(stems, pictures)
        found = [place for place in places if place is not None]
        if found:
            lost = [stem for stem, place in zip(stems, places, strict=True) if place is None]
            if lost or len(set(found)) < len(stems):
                missing = lost[0] if lost else stems[-1]
                raise BadResults(f"{where}: no picture is called {missing!r} among {pictures[0]} … {pictures[-1]}")
            return FrameNumbers(found)
        numbered = frame_numbers(stems, self.origin)
        if numbered.assumed:
            self.notes.add(where, numbered.assumed)
        return numbered


def _inside(folder: Path) -> list[Path]:
    """Video files and folders of images below a folder, but for those of masks beside them."""
    there = [path for path in visible(folder, "**/*") if not _MASKS & {*path.relative_to(folder).parts[:-1]}]
    found = [path for path in there if path.suffix.lower() in _VIDEO_SUFFIXES and path.is_file()]
    folders = {path.parent for path in there if path.suffix.lower() in IMAGE_SUFFIXES}
    return sorted([*found, *folders])
