"""Archives of arrays (`.npz`) read member by member, in pieces: an array need not fit into memory.

Nothing in them is run; objects that NumPy pickled come through `safe_pickle`.
"""

import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from core.errors import UnsafeFile
from core.store.safe_load import MAX_MEMBERS
from core.store.safe_pickle import PickledArray, load_pickle
from core.text import one_line

MAX_UNPACKED_BYTES = 256 * 2**30
_MAX_IN_MEMORY = 16 * 2**30
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, struct.error, NotImplementedError,
    RuntimeError,
)  # fmt: skip
_UNREADABLE = (*_DAMAGED, OSError)  # of a member: the file itself is open


@dataclass(frozen=True)
class ArrayHeader:
    """What an array says of itself: `objects`: it is pickled; `fortran`: columns come first."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool

    @property
    def objects(self) -> bool:
        """It holds pickled Python objects."""
        return bool(self.dtype.hasobject)


class NpzReader:
    """An open archive. A context manager.

    Args:
        path: the file.

    Raises:
        UnsafeFile: not an archive, or over the ceilings.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except _DAMAGED as error:
            raise UnsafeFile(f"{path}: not an archive of arrays ({one_line(str(error), 200)})") from None
        members = self._archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if len(members) > MAX_MEMBERS or unpacked > MAX_UNPACKED_BYTES:
            self._archive.close()
            raise UnsafeFile(f"{path}: {len(members):,} members, {unpacked:,} bytes unpacked, over the ceiling")
        self.members = {one.filename.removesuffix(".npy"): one for one in members if one.filename.endswith(".npy")}
        if len(self.members) < len(members):
            self._archive.close()
            raise UnsafeFile(f"{path}: two members of one name, or one that is no array")

    def __enter__(self) -> "NpzReader":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._archive.close()

    def header(self, name: str) -> ArrayHeader:
        """Shape and type of an array. Raises `UnsafeFile` where they do not fit its size."""
        with self._open(name) as stream:
            return self._header(name, stream)

    def array(self, name: str, max_bytes: int = _MAX_IN_MEMORY) -> npt.NDArray[Any]:
        """A whole array of numbers, booleans or text. Raises `UnsafeFile` for more than `max_bytes`."""
        header = self.header(name)
        if header.objects:
            raise UnsafeFile(f"{self.path}: {name} holds pickled objects, plain numbers are expected")
        if self.members[name].file_size > max_bytes:
            raise UnsafeFile(f"{self.path}: {name} is larger than the {max_bytes:,} bytes that are read")
        with self._open(name) as stream:
            try:
                return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
            except (*_UNREADABLE, MemoryError) as error:
                raise UnsafeFile(f"{self.path}: {name} is damaged ({one_line(str(error), 200)})") from None

    def blocks(self, name: str, leading: int) -> Iterator[npt.NDArray[Any]]:
        """The array cut along its first `leading` axes: pieces in order, each read when it is reached."""
        header = self.header(name)
        if header.fortran or header.objects:
            whole = self.array(name)
            yield from whole.reshape(-1, *header.shape[leading:])
            return
        shape = header.shape[leading:]
        size = math.prod(shape) * header.dtype.itemsize
        with self._open(name) as stream:
            self._header(name, stream)
            for _ in range(math.prod(header.shape[:leading])):
                yield np.frombuffer(self._exactly(name, stream, size), header.dtype).reshape(shape)

    def plain_object(self, name: str) -> Any:
        """What an array of one object holds, see `objects`."""
        if self.header(name).shape != ():
            raise UnsafeFile(f"{self.path}: {name} is not one object (0-d object array) but {self.header(name).shape}")
        found = self.objects(name)
        if len(found) != 1:
            raise UnsafeFile(f"{self.path}: {name} is not one object (0-d object array) but {len(found)}")
        return found[0]

    def objects(self, name: str) -> list[Any]:
        """What an array of objects holds: containers, numbers, text and `PickledArray`s, see `load_pickle`."""
        if self.members[name].file_size > _MAX_IN_MEMORY:
            raise UnsafeFile(f"{self.path}: {name} is larger than {_MAX_IN_MEMORY:,} bytes")
        with self._open(name) as stream:
            if not self._header(name, stream).objects:
                raise UnsafeFile(f"{self.path}: {name} is not an array of objects")
            try:
                found = load_pickle(stream)
                if not isinstance(found, PickledArray):
                    raise UnsafeFile("not an array of objects")
                return found.items()
            except (UnsafeFile, *_UNREADABLE) as error:
                raise UnsafeFile(f"{self.path}: {name} cannot be read: {one_line(str(error), 200)}") from None

    def copy(self, name: str, into: IO[bytes]) -> None:
        """Copy an array's bytes as they are, whatever they hold."""
        with self._open(name) as stream:
            while part := self._read(name, stream, 2**20):
                into.write(part)

    def _open(self, name: str) -> IO[bytes]:
        try:
            return self._archive.open(self.members[name])
        except KeyError:
            raise UnsafeFile(f"{self.path}: there is no array {name!r}") from None
        except _UNREADABLE as error:
            raise UnsafeFile(f"{self.path}: {name} is damaged ({one_line(str(error), 200)})") from None

    def _header(self, name: str, stream: IO[bytes]) -> ArrayHeader:
        try:
            version = np.lib.format.read_magic(stream)
            reader = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }.get(version)
            if reader is None:
                raise ValueError(f"format {version}")
            shape, fortran, dtype = reader(stream)
        except (*_UNREADABLE, SyntaxError, TypeError, RecursionError, MemoryError) as error:
            raise UnsafeFile(f"{self.path}: {name} is not an array ({one_line(str(error), 200)})") from None
        header = ArrayHeader(tuple(shape), dtype, fortran)
        content = self.members[name].file_size - stream.tell()
        misfit = math.prod(shape) * dtype.itemsize != content or (dtype.itemsize == 0 and math.prod(shape) > 0)
        if min(shape, default=0) < 0 or (not header.objects and misfit):
            raise UnsafeFile(f"{self.path}: {name} says it is {dtype} {list(shape)}, but has {content:,} bytes")
        return header

    def _exactly(self, name: str, stream: IO[bytes], size: int) -> bytes:
        parts = []
        while size > 0:
            part = self._read(name, stream, size)
            if not part:
                raise UnsafeFile(f"{self.path}: {name} is cut short")
            parts.append(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read(self, name: str, stream: IO[bytes], size: int) -> bytes:
        try:
            return stream.read(size)
        except _UNREADABLE as error:
            raise UnsafeFile(f"{self.path}: {name} is damaged ({one_line(str(error), 200)})") from None


def write_blocks(
    stream: IO[bytes], shape: tuple[int, ...], dtype: npt.DTypeLike, parts: Iterable[npt.NDArray[Any]]
) -> None:
    """Write an array as `.npy` from its parts, in order. Raises `ValueError` where they are not all of it."""
    described = {"shape": shape, "fortran_order": False, "descr": np.lib.format.dtype_to_descr(np.dtype(dtype))}
    np.lib.format.write_array_header_2_0(stream, described)
    size = 0
    for part in parts:
        size += part.size
        stream.write(np.ascontiguousarray(part, dtype).data)
    if size != math.prod(shape):
        raise ValueError(f"{size} values for an array {shape}")


class NpzWriter:
    """An archive being written, array by array; equal content gives equal bytes. A context manager.

    Args:
        path: the file to make.
    """

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, allowZip64=True, compresslevel=1)

    def __enter__(self) -> "NpzWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._archive.close()

    def array(self, name: str, values: npt.ArrayLike) -> None:
        """Write a whole array of numbers, booleans or text."""
        whole = np.asarray(values)
        with self.member(name) as stream:
            np.lib.format.write_array(stream, whole, allow_pickle=False)

    def blocks(
        self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike, parts: Iterable[npt.NDArray[Any]]
    ) -> None:
        """Write an array of this shape from its parts, see `write_blocks`."""
        with self.member(name) as stream:
            write_blocks(stream, shape, dtype, parts)

    def member(self, name: str) -> IO[bytes]:
        """A member to write an array's bytes to."""
        return self._archive.open(f"{name}.npy", "w", force_zip64=True)  # by name: without a time of writing
