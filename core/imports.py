"""Importing large libraries, quickly."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """Around imports: the garbage collector would look through all that they make, again and again, in vain.

    What is there at the end is not looked through any more at all: modules stay. A seventh of the time of importing
    Prefect, see `benchmarks/README.md`.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
