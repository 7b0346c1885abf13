"""Items: what a flow's work is split into. Each is made once, in a device worker, and kept with its manifest.

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
        cost: expected work, in a unit of the stage's own: what it will take is learnt from what others took.
        like: what else that depends on besides the models, the most general first, as the prompt.
        after: the item of the same stage whose outputs this one goes on from: it waits for that, and fails with it.
    """

    name: str
    inputs: dict[str, Any]
    request: dict[str, Any]
    cost: float
    after: "Item | None" = None
    like: tuple[str, ...] = ()

    @property
    def kind(self) -> tuple[str, ...]:
        """What it has in common with items that take about as long for the same cost, the most general first."""
        models = (
            " ".join([role, value["backend"], *map(str, value.get("variant", ()))])
            for role, value in sorted(self.inputs.items())
            if isinstance(value, dict) and {"backend", "sha256"} <= set(value)
        )
        return (", ".join(models), *self.like)


@dataclass(frozen=True)
class Order:
    """An item that a worker is to make: all that it takes, small enough to travel to another host.

    Attributes:
        key: the item's, see `item_key`.
        expected_s: how long it may take, where that is known.
        sources: the address of each file of the request that was fetched, by its path: a host that is not the flow's
            fetches it itself.
        anew: what is there of it does not count.
    """

    key: str
    name: str
    inputs: dict[str, Any]
    request: dict[str, Any]
    expected_s: float
    sources: dict[str, str] = field(default_factory=dict)
    anew: bool = False


@dataclass(frozen=True)
class Made:
    """What became of an `Order`.

    Attributes:
        record: the item's, with `ran`; None where there is none.
        reason: why there is none.
        cached: it was there already.
    """

    key: str
    record: dict[str, Any] | None = None
    reason: str = ""
    cached: bool = False


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
