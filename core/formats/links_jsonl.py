"""`links.jsonl`: why two sightings of an object are one object, and how sure that is."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

LinkKind = Literal["annotations", "overlap", "continued", "gap"]


class Rival(BaseModel):
    """Another object that would have fitted too."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    assoc_id: str
    score: float


class Link(BaseModel):
    """One object on both sides of a stretch of time.

    Attributes:
        assoc_id: which object.
        assoc_name: what it is called.
        kind: `annotations`: followed from one annotation to the next; `overlap`: followed apart by two segments of the
            video, and compared where they overlap; `continued`: followed on from one segment's last mask into the
            next; `gap`: lost, and re-identified by its appearance.
        from_frame, to_frame: source frames of the two sides.
        window: for links between segments, the last window of the earlier one.
        score: 0..1. Annotations: IoU with which following arrived at the annotation's box, in the better direction.
            Overlap: mean mask IoU. Continued: the segmenter's score of the mask. Gap: similarity of appearance.
        forward, backward: of `annotations`, the IoU in either direction.
        rival: the best other object on one side, where there is one.
        ambiguous: a person should look.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    assoc_id: str
    assoc_name: str
    kind: LinkKind
    from_frame: int
    to_frame: int
    window: int | None = None
    score: float
    forward: float | None = None
    backward: float | None = None
    rival: Rival | None = None
    ambiguous: bool


def write_links(path: Path, links: Iterable[Link]) -> None:
    """Write a line per link, in the order given."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for link in links:
            stream.write(link.model_dump_json() + "\n")


def read_links(path: Path) -> list[Link]:
    """All links of such a file."""
    return [Link.model_validate_json(line) for line in path.read_bytes().splitlines()]
