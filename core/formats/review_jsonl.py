"""`review.jsonl`: the frames a person should look at, the most suspicious first, a line each."""

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from core.store.atomic import atomic_file


class ReviewEntry(BaseModel):
    """An object on a frame that may be wrong.

    Attributes:
        video: its name.
        obj_id: the object's identity in the results.
        label: what it is called.
        source_frame: which frame.
        time_s: when it is shown.
        suspicion: 0 to 1; for ranking, no probability.
        why: the strongest signs, in words.
        signs: 0 to 1 by name, see `core.quality.signs`; `identity`: 1 less the score of an ambiguous link.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    video: str
    obj_id: str
    label: str
    source_frame: int = Field(ge=0)
    time_s: float
    suspicion: float = Field(ge=0, le=1)
    why: str
    signs: dict[str, float]


def write_review(path: Path, entries: Iterable[ReviewEntry]) -> None:
    """Write a line per entry atomically, in the order given."""
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        for entry in entries:
            line = json.dumps(entry.model_dump(), ensure_ascii=False, separators=(",", ":")) + "\n"
            stream.write(line.encode(errors="backslashreplace"))  # of file names that are no UTF-8


def read_review(path: Path) -> list[ReviewEntry]:
    """All entries of such a file."""
    return [ReviewEntry.model_validate_json(line) for line in path.read_bytes().splitlines()]
