"""What one window leaves of its objects, frame by frame, in the order in which it was followed.

On disk: `rows.jsonl` (a `ShardRow` a line), `arrivals.jsonl` (an `Arrival` a line), `facts.json` (the `Facts`).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from core.masks.rle import RLE

ROWS_FILE = "rows.jsonl"
ARRIVALS_FILE = "arrivals.jsonl"
FACTS_FILE = "facts.json"


class ShardObject(BaseModel):
    """An object on one frame.

    Attributes:
        obj_id: its number in this video (found by a text in segments side by side: in this segment).
        label: what it is called.
        score: how sure the segmenter is of the mask, 0..1.
        anchored: an annotation or detection gives its place on this very frame.
        since: source frame of the annotation or detection that it goes back to.
        since_s: the time of that.
        rle: the mask, at the size at which it was followed.
    """

    model_config = ConfigDict(frozen=True)
    obj_id: int
    label: str | None
    score: float
    anchored: bool
    since: int
    since_s: float
    rle: RLE


class ShardRow(BaseModel):
    """One followed frame."""

    model_config = ConfigDict(frozen=True)
    frame: int
    time_s: float
    objects: list[ShardObject]


class Arrival(BaseModel):
    """An object that came to one of its own annotations by itself: how well it arrived.

    Attributes:
        obj_id: which object.
        since: frame of the annotation from which it came.
        frame: frame of the annotation at which it arrived.
        iou: of its box with the annotation's; 0 where it was out of sight.
        rival: the other object whose box fits the annotation best, with its IoU; None where none touches it.
    """

    model_config = ConfigDict(frozen=True)
    obj_id: int
    since: int
    frame: int
    iou: float
    rival: tuple[int, float] | None = None


class Recognised(BaseModel):
    """A newcomer that was found to be an object that was lost.

    Attributes:
        obj_id: the newcomer.
        same_as: the object that was lost.
        from_frame: where that was seen last.
        to_frame: where the newcomer was recognised.
        likeness: similarity of their looks, 0..1.
    """

    model_config = ConfigDict(frozen=True)
    obj_id: int
    same_as: int
    from_frame: int
    to_frame: int
    likeness: float


class Facts(BaseModel):
    """What is known at a window's end.

    Attributes:
        since: of each object that is followed, frame and time of the last annotation or detection.
        last: of objects that a text found, the frame on which each was seen last.
        rejected: objects that came to nothing after all.
        same_as: objects that turned out to be other objects.
        recognised: in this window, how.
    """

    model_config = ConfigDict(frozen=True)
    since: dict[int, tuple[int, float]] = Field(default_factory=dict)
    last: dict[int, int] = Field(default_factory=dict)
    rejected: list[int] = Field(default_factory=list)
    same_as: dict[int, int] = Field(default_factory=dict)
    recognised: list[Recognised] = Field(default_factory=list)


def write_lines(path: Path, records: Iterable[BaseModel]) -> None:
    """Write a line per record as they come."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for record in records:
            stream.write(record.model_dump_json() + "\n")


def read_rows(folder: Path, backward: bool = False) -> Iterator[ShardRow]:
    """A shard's rows with ascending frames, one in memory at a time; `backward` where they were written descending."""
    with (folder / ROWS_FILE).open("rb") as stream:
        if not backward:
            for line in stream:
                yield ShardRow.model_validate_json(line)
            return
        places = [0]
        for line in stream:
            places.append(places[-1] + len(line))
        for place in reversed(places[:-1]):
            stream.seek(place)
            yield ShardRow.model_validate_json(stream.readline())


def read_arrivals(folder: Path) -> list[Arrival]:
    """All arrivals of a shard."""
    lines = (folder / ARRIVALS_FILE).read_bytes().splitlines()
    return [Arrival.model_validate_json(line) for line in lines]


def write_facts(folder: Path, facts: Facts) -> None:
    """Write `facts.json`."""
    (folder / FACTS_FILE).write_text(facts.model_dump_json(), encoding="utf-8")


def read_facts(folder: Path) -> Facts:
    """Read `facts.json`."""
    return Facts.model_validate_json((folder / FACTS_FILE).read_bytes())
