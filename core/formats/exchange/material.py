"""What a writer of a format gets: videos sorted into parts, and what one pass over each has found."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.formats.exchange.model import Census, Rule, VideoResults
from core.formats.exchange.sources import Sources

Shape = Literal["mask", "polygon", "box"]
"""The shape of an object. Masks and polygons come with their box where the format has room for it."""


@dataclass(frozen=True)
class Material:
    """What is to be written.

    Attributes:
        parts: names of parts (`train`, `val`, `test`) and the videos in each; no two videos have the same name.
        census: of each video, by name.
        labels: of all videos, sorted: their place is the number of the class.
        shape: of objects.
        pictures: where the videos are, when the frames' pictures are wanted too.
    """

    parts: Mapping[str, Sequence[VideoResults]]
    census: Mapping[str, Census]
    labels: Sequence[str]
    shape: Shape
    pictures: Sources | None = None

    def videos(self) -> Iterator[tuple[str, VideoResults]]:
        """All videos with the part they are in."""
        for part, videos in self.parts.items():
            for video in videos:
                yield part, video


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        name: as the command line has it.
        about: what it is, for people.
        shapes: what it can hold; the first is taken where nothing else is requested.
        loses: what of the neutral model it cannot hold; empty for nothing.
        write: makes its files in a folder.
        read: gives what is in such files. Raises `BadResults`.
        marks: rules of what is not judged that it has a place for.
        picture: where the picture of a frame goes (part, video, source frame), below the folder; None: nowhere.
    """

    name: str
    about: str
    shapes: tuple[Shape, ...]
    loses: str
    write: Callable[[Path, Material], None]
    read: Callable[[Path, Sources], list[VideoResults]]
    picture: Callable[[str, str, int], str] | None = None
    marks: tuple[Rule, ...] = ()
