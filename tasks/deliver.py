"""Putting an item's output where the user asked for it."""

from pathlib import Path

from core.store.atomic import link_or_copy, sweep_temporaries
from core.store.digests import DigestCache


def deliver(made: Path, wanted: Path, digests: DigestCache) -> None:
    """Make `wanted` the same as `made`; nothing is written when it already is.

    A hard link where both are on one file system, so that nothing takes room twice.
    """
    sweep_temporaries(wanted.parent)
    if wanted.exists() and (wanted.samefile(made) or digests.file(wanted) == digests.file(made)):
        return
    link_or_copy(made, wanted)
