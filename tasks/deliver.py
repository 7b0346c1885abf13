"""Putting an item's output where the user asked for it."""

from collections.abc import Iterable
from pathlib import Path

from core.store.atomic import link_or_copy, sweep_temporaries
from core.store.digests import DigestCache


def deliver_all(made: Path, names: Iterable[str], wanted: Path, digests: DigestCache) -> None:
    """Make the files `names` in the folder `wanted` the same as those in `made`, see `deliver`."""
    sweep_temporaries(wanted)
    for name in names:
        _same(made / name, wanted / name, digests)


def deliver(made: Path, wanted: Path, digests: DigestCache) -> None:
    """Make `wanted` the same as `made`; nothing is written when it already is.

    A hard link where both are on one file system, so that nothing takes room twice.
    """
    sweep_temporaries(wanted.parent)
    _same(made, wanted, digests)


def _same(made: Path, wanted: Path, digests: DigestCache) -> None:
    if wanted.exists() and (wanted.samefile(made) or digests.file(wanted) == digests.file(made)):
        return
    link_or_copy(made, wanted)
