"""How far work is, reported to whoever waits for it."""

from typing import Protocol


class Progress(Protocol):
    """Called often, from any thread; cheap."""

    def __call__(self, done: int, expected: int | None, /) -> None:
        """So many steps are done, of so many; None: nobody knows of how many."""
        ...
