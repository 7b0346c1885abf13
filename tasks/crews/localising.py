"""An item's request on a host that shares no files with the flow's: what it names is brought here."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from core.errors import MaskflowError
from tasks.elsewhere import bring, fetch_cache
from tasks.items import Order
from tasks.store import KEY_LENGTH, RunStore


@contextmanager
def localised(order: Order, state: Path, store: RunStore) -> Iterator[dict[str, Any]]:
    """The request with paths of this host; what was fetched for it stays here as long as the context lasts.

    Args:
        order: of the flow's host.
        state: the run's state folder there; what is below it are outputs of earlier items.
        store: the run's state on this host.

    Raises:
        MaskflowError: something is not to be had, or is not any more what the flow's host has read.
    """
    with ExitStack() as held:

        def here(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: here(one) for name, one in value.items()}
            if isinstance(value, list | tuple):
                return [here(one) for one in value]
            if not isinstance(value, str):
                return value
            if value in order.sources:
                return str(_fetched(value, order.sources[value], held))
            return str(_item(Path(value), state, store)) if value.startswith(f"{state}/") else value

        yield {name: here(one) for name, one in order.request.items()}


def _fetched(path: str, address: str, held: ExitStack) -> Path:
    """What the flow's host has at a path of its cache, which is called after its content."""
    found = bring(address)
    held.callback(fetch_cache().release, found.sha256)
    expected = Path(path).parent.name
    if re.fullmatch(r"[0-9a-f]{64}", expected) and found.sha256 != expected:
        raise MaskflowError(f"{address}: it has changed since this run began; run it again")
    return found.path


def _item(path: Path, state: Path, store: RunStore) -> Path:
    """A file or folder of an earlier item, here."""
    task, folder, *below = (*path.relative_to(state).parts, "", "")
    if len(folder) != KEY_LENGTH:
        raise MaskflowError(f"{task}/{folder} is on the flow's host only: a cluster needs shared storage for that")
    own = store.root / task / folder
    if not own.exists() and store.remote is not None and not store.remote.pull(task, own, look=True):
        raise MaskflowError(f"{task}/{folder} is neither here nor where the outputs belong")
    return own.joinpath(*filter(None, below))
