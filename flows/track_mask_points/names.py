"""What things are called: in files, and in recordings. No two results of a run share a name."""

import re
from collections.abc import Iterable

from core.store.paths import distinct, slugify

MAX_NAME = 60
"""Bytes of each part a file's name is made of: together they stay well under what file systems take."""
_TAKEN = re.compile(r"combined|.*_batch_\d+")


def labels(names: Iterable[str]) -> list[str]:
    """Instances as files call them, in order: never like a batch of another one, nor like the combined recording."""
    slugs = [slugify(name, "instance", MAX_NAME) for name in names]
    return distinct(f"{slug}_instance" if _TAKEN.fullmatch(slug) else slug for slug in slugs)


def of_batch(label: str, number: int, total: int) -> str:
    """An instance's batch as files call it: the instance itself where it was not split."""
    return label if total == 1 else f"{label}_batch_{number}"
