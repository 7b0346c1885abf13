"""What is needed of a place that holds files under addresses, whatever its protocol."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.errors import MaskflowError


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

    def files(self, pattern: str) -> list[RemoteFile]:
        """Those that a pattern (`*`, `?`, `**`) names, or that are below a folder, in order."""
        ...

    def write(self, made: Path, address: str) -> None:
        """Put a file there: others see the old one or the new one."""
        ...

    def remove(self, address: str) -> None:
        """Remove a file, if it is there."""
        ...
