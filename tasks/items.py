"""Items: what a flow's work is split into. Each is one cached Prefect task that runs in a device worker.

A new flow writes its plan (a list of `Item`) and its item function (in `core`); caching, resume, devices, retries
and progress are in `running.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.store.digests import sha256_json
from core.text import one_line

_LONGEST_NAME = 200


@dataclass(frozen=True)
class Stage:
    """A kind of item.

    Attributes:
        name: for people.
        function: an item function of `core` (see `core/item.py`), as `module:name`.
        describe: lines for the log about an item's record.
        page: its items leave a page about the run (`core.report.page.write_run_page`).
        version: part of the key: raise it when the files or the record that the function leaves change.
    """

    name: str
    function: str
    describe: Callable[[dict[str, Any]], list[str]]
    page: bool = False
    version: int = 1

    @property
    def task_name(self) -> str:
        """Name of the function without its module, and of the folder its items are in; no two stages share one."""
        return self.function.rpartition(":")[2]


@dataclass(frozen=True)
class Item:
    """One piece of work.

    Attributes:
        name: as people know it (the path in the list).
        inputs: everything the result depends on, JSON-able, by content: its digest is the key.
        request: the item function's argument; may hold paths, which the key must not depend on.
        cost: expected work, in any unit; the costliest go first.
        after: the item of the same stage whose outputs this one goes on from: it waits for that, and fails with it.
    """

    name: str
    inputs: dict[str, Any]
    request: dict[str, Any]
    cost: float
    after: "Item | None" = None


@dataclass(frozen=True)
class Outcome:
    """What became of an item: its record and folder, or the reason why there is none.

    Attributes:
        ran: its seconds and memory.
        key: of the outputs, which are called after what they were made from.
    """

    item: Item
    folder: Path
    record: dict[str, Any] | None
    cached: bool
    reason: str | None
    ran: dict[str, Any] = field(default_factory=dict)
    key: str = ""


def item_key(stage: Stage, item: Item) -> str:
    """The item's cache key: function, version and inputs; 64 hex digits."""
    return sha256_json([stage.task_name, stage.version, item.inputs])


def run_name(text: str) -> str:
    """What a flow or task run is called in Prefect: any text, on one line of bounded length."""
    return one_line(text, _LONGEST_NAME)
