"""Where a run keeps its state: `.maskflow/` beside its outputs, shared by all runs that write there."""

import tempfile
from pathlib import Path

from core.errors import RefusedInput
from core.store.atomic import sweep_temporaries
from core.store.cache import STATE
from core.store.digests import DigestCache


class RunStore:
    """The state folder of an output folder.

    Args:
        outputs: the run's output folder; made when it is missing.

    Raises:
        RefusedInput: the folder cannot be made or written.
    """

    def __init__(self, outputs: Path) -> None:
        self.root = outputs.resolve() / STATE
        self.digests = DigestCache(self.root / "digests.json")

    def item_folder(self, task: str, key: str) -> Path:
        """Where the outputs of the item with this key belong."""
        return self.root / task / key[:24]

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
