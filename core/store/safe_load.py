"""Reading data that others made. Nothing here runs code from a file or fills memory without a ceiling."""

import json
import lzma
import pickle
import re
import struct
import tokenize
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import yaml

from core.errors import UnsafeFile

if TYPE_CHECKING:
    import torch

MAX_TEXT_BYTES = 256 * 2**20
MAX_ARRAY_BYTES = 16 * 2**30
MAX_MEMBERS = 100_000
# What reading a damaged or hostile archive of tensors raises, depending on which byte is wrong.
_DAMAGED = (
    pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError, AssertionError,
    ArithmeticError, MemoryError, struct.error, zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError,
)  # fmt: skip
# What a pickled array of numbers is made of, under the names of NumPy 1 and 2.
_NUMPY: list[Any] = [
    np.ndarray,
    np.dtype,
    *{type(np.dtype(code)) for code in "?bBhHiIlLqQefd"},
    *((np.empty(0).__reduce__()[0], f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
]


def _bounded_text(path: Path, max_bytes: int) -> str:
    size = path.stat().st_size
    if size > max_bytes:
        raise UnsafeFile(f"{path}: {size:,} bytes, more than the {max_bytes:,} that are read")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnsafeFile(f"{path}: not UTF-8 text (byte {error.start})") from None


def load_json(path: Path, max_bytes: int = MAX_TEXT_BYTES) -> Any:
    """Parse a JSON file. Raises `UnsafeFile` where it is not JSON, too deep or too large."""
    text = _bounded_text(path, max_bytes)
    try:
        content = json.loads(text)
        if "\\ud" in text.lower():  # halves of characters can be written nowhere
            json.dumps(content, ensure_ascii=False).encode()
        return content
    except UnicodeEncodeError:
        raise UnsafeFile(f"{path}: not text (it holds half a character, as in \\ud800)") from None
    except json.JSONDecodeError as error:
        raise UnsafeFile(f"{path}: not JSON (line {error.lineno}: {error.msg})") from None
    except (RecursionError, ValueError) as error:  # too deep, or a number of thousands of digits
        raise UnsafeFile(f"{path}: not JSON that can be read ({error})") from None


def load_yaml(path: Path, max_bytes: int = MAX_TEXT_BYTES) -> Any:
    """Parse a YAML file with plain types only."""
    text = _bounded_text(path, max_bytes)
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise UnsafeFile(f"{path}: not plain YAML ({' '.join(str(error).split())})") from None


def load_npz(path: Path, max_bytes: int = MAX_ARRAY_BYTES) -> dict[str, npt.NDArray[Any]]:
    """All arrays of an `.npz` file. Refuses object arrays and archives that unpack to more than `max_bytes`."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            if len(members) > MAX_MEMBERS or unpacked > max_bytes:
                raise UnsafeFile(f"{path}: {len(members)} members, {unpacked:,} bytes unpacked, over the ceiling")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except UnsafeFile:
        raise
    except _DAMAGED as error:
        raise UnsafeFile(f"{path}: not an archive of plain arrays ({error})") from None


def load_pth(
    path: Path, max_bytes: int = MAX_ARRAY_BYTES, device: "torch.device | str" = "cpu", arrays: bool = False
) -> Any:
    """Tensors and plain containers of a `.pth` or `.pt` file. Refuses any other pickled object.

    On the device `meta` only names, types and shapes are read. With `arrays`, NumPy arrays of plain numbers are
    admitted too.
    """
    import torch  # heavy: only where it is used

    size = _unpacked_bytes(path)
    if size > max_bytes:
        raise UnsafeFile(f"{path}: {size:,} bytes, more than the {max_bytes:,} that are read")
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_NUMPY if arrays else []):
            warnings.simplefilter("ignore", UserWarning)  # what it warns of is refused below, or harmless
            return torch.load(path, map_location=device, weights_only=True)
    except _DAMAGED as error:
        raise UnsafeFile(f"{path}: not a file of plain tensors: {_what_it_is(path, error)}") from None


def _unpacked_bytes(path: Path) -> int:
    """Size of a file, or of what an archive unpacks to: PyTorch reads compressed members, too."""
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            return max(size, sum(member.file_size for member in archive.infolist()))
    except _DAMAGED:
        return size


def _what_it_is(path: Path, error: Exception) -> str:
    """What is wrong with a file of tensors, in our words: PyTorch's advise to load it unsafely."""
    with path.open("rb") as stream:
        start = stream.read(64).lstrip()
    if not start:
        return "it is empty"
    if start.startswith(b"<"):
        return "it is a web page"
    if start.startswith(b"\x89PNG"):
        return "it is a PNG image"
    code = re.search(r"GLOBAL (\S+)", str(error))
    if code is not None:
        return f"it holds code ({code[1]}), which was not run"
    return "it is damaged, cut short, or of another kind"
