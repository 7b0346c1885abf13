"""Pickled arrays of other programs, read without running anything.

NumPy pickles arrays of objects. Here such a pickle gives plain containers and inert stand-ins for its arrays; no class
or function that the file names is ever called, except to say that it was refused.
"""

import pickle
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from core.errors import UnsafeFile

_MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
# What reading a damaged or hostile pickle raises, depending on which byte is wrong.
_DAMAGED = (
    pickle.UnpicklingError, EOFError, ValueError, LookupError, TypeError, AttributeError, OverflowError, MemoryError,
    RecursionError, ImportError,
)  # fmt: skip
_PLAIN_KINDS = "?bBhHiIlLqQefdSU"


@dataclass(eq=False)
class PickledDtype:
    """A data type as a pickle names it: `code` such as `f4`, byte order as in NumPy."""

    code: str
    order: str = "|"

    def __setstate__(self, state: Any) -> None:
        self.order = str(state[1])

    def dtype(self) -> np.dtype[Any]:
        """The real one. Raises `UnsafeFile` for anything but numbers, booleans and text."""
        order = "" if self.order == "|" else self.order
        if self.code[:1] == "O" or len(self.code) > 12:
            raise UnsafeFile("an array of objects inside an array of objects")
        found = np.dtype(order + self.code)
        if found.hasobject or found.fields is not None or found.subdtype is not None or found.char not in _PLAIN_KINDS:
            raise UnsafeFile(f"an array of {found}: only numbers, booleans and text are read")
        return found


class PickledArray:
    """An array as a pickle describes it, not yet an array."""

    def __init__(self) -> None:
        self._state: Any = None

    def __setstate__(self, state: Any) -> None:
        self._state = state

    def items(self) -> list[Any]:
        """The elements of an array of objects."""
        if self._state is None or not isinstance(self._state[4], list):
            raise UnsafeFile("not an array of objects")
        return list(self._state[4])

    def array(self) -> npt.NDArray[Any]:
        """The array. Raises `UnsafeFile` where its parts do not fit together."""
        if self._state is None:
            raise UnsafeFile("an array without content")
        try:
            _, shape, dtype, fortran, raw = self._state
            if not isinstance(raw, bytes) or not isinstance(dtype, PickledDtype):
                raise UnsafeFile("an array of objects inside an array of objects")
            flat = np.frombuffer(raw, dtype.dtype())
            return flat.reshape(tuple(int(side) for side in shape), order="F" if fortran else "C")
        except (ValueError, TypeError) as error:
            raise UnsafeFile(f"an array whose parts do not fit together ({error})") from None


def _scalar(dtype: PickledDtype, raw: bytes = b"") -> Any:
    return np.frombuffer(raw, dtype.dtype(), count=1)[0].item()


def _frombuffer(raw: bytes, dtype: PickledDtype, shape: Any, order: str) -> PickledArray:
    made = PickledArray()
    made.__setstate__((1, shape, dtype, order == "F", bytes(raw)))
    return made


_ALLOWED: dict[str, Any] = {
    "_reconstruct": lambda *_: PickledArray(),
    "_frombuffer": _frombuffer,
    "scalar": _scalar,
    "ndarray": PickledArray,
    "dtype": lambda code, *_: PickledDtype(str(code)),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module in _MODULES and name in _ALLOWED:
            return _ALLOWED[name]
        raise UnsafeFile(f"it holds code ({module}.{name}), which was not run")

    def persistent_load(self, pid: Any) -> Any:  # noqa: ARG002
        raise UnsafeFile("it refers to objects outside the file")


def load_pickle(stream: IO[bytes]) -> Any:
    """Built-in containers, numbers and text, and `PickledArray`s. Raises `UnsafeFile` for anything else."""
    try:
        return _Unpickler(stream).load()
    except UnsafeFile:
        raise
    except _DAMAGED as error:
        raise UnsafeFile(f"a damaged pickle ({error})") from None
