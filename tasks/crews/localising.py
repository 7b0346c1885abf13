"""An item's request on a host that shares no files with the flow's: what it names is brought here."""

from pathlib import Path
from typing import Any

from core.errors import MaskflowError
from tasks.inputs import bring
from tasks.items import Order
from tasks.store import RunStore


def localised(order: Order, state: Path, store: RunStore) -> dict[str, Any]:
    """The request with paths of this host.

    Args:
        order: of the flow's host.
        state: the run's state folder there; what is below it are outputs of earlier items.
        store: the run's state on this host.

    Raises:
        MaskflowError: something is not to be had.
    """

    def here(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: here(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [here(one) for one in value]
        if not isinstance(value, str):
            return value
        if value in order.sources:
            return str(bring(order.sources[value]).path)
        return str(_item(Path(value), state, store)) if value.startswith(f"{state}/") else value

    return {name: here(one) for name, one in order.request.items()}


def _item(path: Path, state: Path, store: RunStore) -> Path:
    """A file or folder of an earlier item, here."""
    task, folder, *below = path.relative_to(state).parts
    own = store.root / task / folder
    if not own.exists() and store.remote is not None and not store.remote.pull(task, own, look=True):
        raise MaskflowError(f"{task}/{folder} is neither here nor where the outputs belong")
    return own.joinpath(*below)
