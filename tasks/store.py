"""Where a run keeps its state: `.maskflow/` beside its outputs, shared by all runs that write there."""

import tempfile
from pathlib import Path

from core.addresses.mirror import address_of
from core.addresses.opening import remote_of
from core.addresses.publishing import RemoteState, deliver_folder
from core.addresses.remote import AddressError
from core.errors import RefusedInput, reason_of
from core.store.atomic import sweep_temporaries
from core.store.cache import STATE
from core.store.digests import DigestCache
from core.store.manifest import MANIFEST

KEY_LENGTH = 24
"""Of the names of items' folders."""


class RunStore:
    """The state folder of an output folder.

    Args:
        outputs: the run's output folder; where it is the mirror of an address, the state belongs there, too.
        more: other folders that outputs go to.

    Attributes:
        remote: the state at that address.
    """

    def __init__(self, outputs: Path, *more: Path | None) -> None:
        self.root = outputs.resolve() / STATE
        self.digests = DigestCache(self.root / "digests.json")
        self.outputs = [outputs, *(one for one in more if one is not None)]
        address = address_of(outputs)
        self.remote = None if address is None else RemoteState(remote_of(address), address)

    def has_items(self, task: str) -> bool:
        """Whether anything is kept of a task."""
        return any((self.root / task).glob(f"*/{MANIFEST}")) or (
            self.remote is not None and bool(self.remote.known(task))
        )

    def item_folder(self, task: str, key: str) -> Path:
        """Where the outputs of the item with this key belong."""
        return self.root / task / key[:KEY_LENGTH]

    def deliver(self) -> dict[str, str]:
        """Make what is at addresses the same as the outputs here; the reason for each file that could not be."""
        failed: dict[str, str] = {}
        for outputs in reversed(dict.fromkeys(self.outputs)):  # results last: they name the others
            address = address_of(outputs)
            if address is not None:
                try:
                    failed |= deliver_folder(remote_of(address), address, outputs, self.digests)
                except (AddressError, OSError) as error:
                    failed[address] = f"cannot be delivered: {reason_of(error)}"
        self.digests.save()
        return failed

    def sweep(self, task: str) -> None:
        """Remove what killed runs left half done."""
        sweep_temporaries(self.root.parent)
        sweep_temporaries(self.root)
        sweep_temporaries(self.root / task)


def check_writable(parameter: str, folder: Path) -> None:
    """Refuse an output folder that cannot be written, before any work is done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = f"a folder that can be written ({error.strerror})"
        raise RefusedInput.of(parameter, str(folder), reason) from None
