"""Working in batches as large as memory allows."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


def in_batches(items: Sequence[T], most: int, work: Callable[[Sequence[T]], list[R]]) -> Iterator[R]:
    """Results of `work` on batches of at most `most` items, halved for good each time memory runs out.

    Raises:
        torch.OutOfMemoryError: one item alone is too much.
    """
    start = 0
    while start < len(items):
        batch = items[start : start + most]
        results: list[R] | None = None
        try:
            results = work(batch)
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                raise
        if results is None:
            # Out here, where the error no longer holds the failed try's tensors.
            most = (len(batch) + 1) // 2
            torch.cuda.empty_cache()
            continue
        yield from results
        start += len(batch)
