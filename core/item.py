"""Items: functions that a device worker calls by name to fill a folder with the outputs of one piece of work.

    @item(TrackVideoRequest)
    def track_video(request: TrackVideoRequest, folder: Path, report: Progress) -> Record:

They know nothing of Prefect. A flow names one in a `Stage` (`tasks/items.py`).

Long ones go on after a kill: with `@item(…, resumes=True)` they get a second folder as their last argument, in which
they find what they left there when they were interrupted. It is removed once the item is done.
"""

import time
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from core.progress import Progress

Record = dict[str, Any]
"""What there is to say about finished work, JSON-able: counts, notes, names of files."""
Request = TypeVar("Request", bound=BaseModel)
ItemFunction = Callable[..., Record]
"""`(request, folder, report)`, and `begun`, see `item`."""


def item(kind: type[Request], resumes: bool = False) -> Callable[[Callable[..., Record | BaseModel]], ItemFunction]:
    """Make a function an item: it gets a request of this kind, an empty folder for its outputs, and reports progress.

    The request comes as JSON-able values and is validated; the item's `request` is its kind. A record that is a dict
    gets `seconds`, unless it has them; one that is a model is made JSON-able. One that `resumes` (it says so in its
    attribute of that name) gets `begun`, too: a folder for what it needs to go on after a kill, or None where there is
    no such place.
    """

    def decorate(work: Callable[..., Record | BaseModel]) -> ItemFunction:
        @wraps(work)
        def made(
            request: Request | Mapping[str, Any], folder: Path, report: Progress, begun: Path | None = None
        ) -> Record:
            started_s = time.monotonic()
            more = (begun,) if resumes else ()
            record = work(kind.model_validate(request), folder, report, *more)
            if isinstance(record, BaseModel):
                return record.model_dump(mode="json")
            return {"seconds": round(time.monotonic() - started_s, 3), **record}

        made.request = kind  # type: ignore[attr-defined]
        made.resumes = resumes  # type: ignore[attr-defined]
        return made

    return decorate
