"""Working in pieces as large as memory allows: where a GPU's runs out, it is freed and the next try is smaller."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch

from core.memory import note_memory

T = TypeVar("T")
R = TypeVar("R")


@dataclass
class Sizes:
    """What fits into memory at once, for as long as a model stays loaded: it only ever gets smaller.

    Attributes:
        objects: in one forward pass.
        ahead: the next frame is encoded while the present one is still worked on.
        masks: enlarged to the video's size together.
    """

    objects: int
    ahead: bool = True
    masks: int = 4

    def shrink(self, *order: Literal["objects", "ahead", "masks"]) -> bool:
        """Make the first of these smaller that can be, and note it; whether there was one.

        Another number of objects or masks at once changes results by no more than float rounding, encoding ahead not
        at all.
        """
        for name in order:
            if name == "ahead" and self.ahead:
                self.ahead = False
                note_memory("frames are no longer encoded ahead (the same results)")
                return True
            if name != "ahead" and (size := getattr(self, name)) > 1:
                setattr(self, name, size // 2)
                note_smaller(name, size // 2, size)
                return True
        return False


def until_it_fits(work: Callable[[], T], smaller: Callable[[], bool]) -> T:
    """The result of `work`; it is tried again each time memory runs out and something could be made `smaller`.

    Where nothing can, it is tried once more with what is unused freed.

    Raises:
        torch.OutOfMemoryError: it does not fit.
    """
    tries_left = 1
    while True:
        try:
            return work()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if not smaller():
                if tries_left == 0:
                    raise
                tries_left -= 1
                note_memory("unused memory was freed, and the same tried again (the same results)")
        # Out here, where the error no longer holds the failed try's tensors.
        free_unused()


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a device had no memory left: cuBLAS, cuDNN and Apple's GPU say it in words of their own."""
    message = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in message or "alloc_failed" in message


def note_smaller(what: str, size: int, before: int) -> None:
    """Note that fewer of something go through a model at once from now on."""
    note_memory(f"{what} at once: {size} instead of {before} (results equal but for float rounding)")


def free_unused() -> None:
    """Give back what torch keeps for later."""
    torch.cuda.empty_cache()


def in_batches(items: Sequence[T], most: int, work: Callable[[Sequence[T]], list[R]]) -> Iterator[R]:
    """Results of `work` on batches of at most `most` items, halved for good each time memory runs out.

    A batch may have one result for each of its items, or fewer.

    Raises:
        torch.OutOfMemoryError: one item alone is too much.
    """
    sizes = Sizes(objects=most)
    start = 0
    while start < len(items):
        done: list[R] = until_it_fits(
            lambda start=start: work(items[start : start + sizes.objects]),  # type: ignore[misc] # bound now
            lambda start=start: _halve(sizes, len(items) - start),  # type: ignore[misc]
        )
        yield from done
        start += sizes.objects  # what fitted


def _halve(sizes: Sizes, left: int) -> bool:
    sizes.objects = min(sizes.objects, left)
    if sizes.objects == 1:
        return False
    size, sizes.objects = sizes.objects, (sizes.objects + 1) // 2
    note_smaller("items", sizes.objects, size)
    return True
