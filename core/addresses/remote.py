"""What is needed of a place that holds files under addresses, whatever its protocol."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from core.errors import MaskflowError

T = TypeVar("T")
Pause = Callable[[float], None]
_PAUSES_S = (0.5, 1.0, 2.0, 4.0)


class AddressError(MaskflowError):
    """Something at an address cannot be read or written: says which, and what to do."""


class NotThere(AddressError):
    """There is nothing at that address."""


class Interrupted(AddressError):
    """The connection was cut, or the server had a fault: worth another try."""


class Changed(AddressError):
    """What is at an address is not what it was when its reading began."""


@dataclass(frozen=True)
class RemoteFile:
    """A file at an address.

    Attributes:
        size: in bytes; None where it is not known before it has been read.
        version: another one means other bytes (an ETag, a digest); empty where there is none.
        md5: of its bytes in hex, where that is known.
    """

    address: str
    size: int | None
    version: str
    md5: str = ""


class Remote(Protocol):
    """A place that holds files. Every method raises `AddressError`."""

    def info(self, address: str) -> RemoteFile:
        """What is there now."""
        ...

    def read(self, file: RemoteFile, start: int) -> Iterator[tuple[int, bytes]]:
        """Its bytes in pieces, each with its place; from `start`, or from 0 where only that is possible.

        Raises:
            Changed: it is another file meanwhile, where that is noticed.
        """
        ...

    def below(self, folder: str) -> list[RemoteFile]:
        """All files below a folder, in order; none where there is no such folder."""
        ...

    def matching(self, pattern: str) -> list[RemoteFile]:
        """The files that a pattern (`*`, `?`, `**`) names, in order."""
        ...

    def write(self, made: Path, address: str) -> None:
        """Put a file there: others see the old one or the new one."""
        ...

    def remove(self, address: str) -> None:
        """Remove a file, if it is there."""
        ...


def again(call: Callable[[], T], pause: Pause) -> T:
    """Call, and where the connection broke or the server had a fault, again, a few times; `pause` waits in between."""
    for pause_s in _PAUSES_S:
        try:
            return call()
        except Interrupted:
            pause(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 - those that met must not meet again
    return call()
