"""Pickled arrays of other programs, read without running anything.

NumPy pickles arrays of objects. Here such a pickle gives plain containers and inert stand-ins for its arrays; no class
or function that the file names is ever called, except to say that it was refused. Only the opcodes that arrays, plain
containers, numbers and text are made of are known, and time and memory stay in proportion to the file.
"""

import pickle
import struct
from collections.abc import Callable
from typing import IO, Any, ClassVar, cast

import numpy as np
import numpy.typing as npt

from core.errors import UnsafeFile

_MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
# What reading a damaged or hostile pickle raises, depending on which byte is wrong.
_DAMAGED = (
    pickle.UnpicklingError, EOFError, ValueError, LookupError, TypeError, AttributeError, OverflowError, MemoryError,
    RecursionError, struct.error,
)  # fmt: skip
_PLAIN_KINDS = "?bBhHiIlLqQefdSU"
_OPCODES = (
    "PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "DUP",
    "NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2",
    "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "BINBYTES", "SHORT_BINBYTES",
    "BINBYTES8", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST",
    "LIST", "APPEND", "APPENDS", "EMPTY_DICT", "DICT", "SETITEM", "SETITEMS",
    "GET", "BINGET", "LONG_BINGET", "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE",
    "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD",
)  # fmt: skip


class PickledDtype:
    """A data type as a pickle names it."""

    __slots__ = ("_code", "_order")

    def __init__(self, code: object) -> None:
        self._code = code
        self._order: object = "|"

    def build(self, state: Any) -> None:
        """What NumPy's `__setstate__` would be given."""
        self._order = state[1]

    def dtype(self) -> np.dtype[Any]:
        """The real one. Raises `UnsafeFile` for anything but numbers, booleans and text."""
        code, order = self._code, self._order
        if not (isinstance(code, str) and len(code) < 12 and isinstance(order, str) and order in ("<", ">", "=", "|")):
            raise UnsafeFile("an array of an unknown type")
        try:
            found = np.dtype(code if order == "|" else order + code)
        except (TypeError, ValueError, SyntaxError):
            raise UnsafeFile(f"an array of an unknown type {code!r}") from None
        if found.hasobject or found.itemsize == 0 or found.names or found.subdtype or found.char not in _PLAIN_KINDS:
            raise UnsafeFile(f"an array of {found}: only numbers, booleans and text are read")
        return found


class PickledArray:
    """An array as a pickle describes it, not yet an array."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state: Any = None

    def build(self, state: Any) -> None:
        """What NumPy's `__setstate__` would be given: version, shape, type, Fortran order, content."""
        if not (isinstance(state, tuple) and len(state) == 5):
            raise UnsafeFile("an array whose parts do not fit together")
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
        _, shape, dtype, fortran, raw = self._state
        if not isinstance(raw, bytes) or not isinstance(dtype, PickledDtype):
            raise UnsafeFile("an array of objects inside an array of objects")
        if not (isinstance(shape, tuple) and all(isinstance(side, int) and side >= 0 for side in shape)):
            raise UnsafeFile("an array whose parts do not fit together")
        try:
            return np.frombuffer(raw, dtype.dtype()).reshape(shape, order="F" if fortran else "C")
        except (ValueError, OverflowError) as error:
            raise UnsafeFile(f"an array whose parts do not fit together ({error})") from None


class _Token:
    """Something a pickle may name and then call; nothing can be set on it."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call


def _from_buffer(raw: object, dtype: object, shape: object, order: object) -> PickledArray:
    made = PickledArray()
    made.build((1, shape, dtype, order == "F", raw))
    return made


def _scalar(dtype: object, raw: object = b"") -> Any:
    if not (isinstance(dtype, PickledDtype) and isinstance(raw, bytes)):
        raise UnsafeFile("a number whose parts do not fit together")
    return np.frombuffer(raw, dtype.dtype(), count=1)[0].item()


def _encoded(text: object, encoding: object) -> bytes:
    if not (isinstance(text, str) and encoding == "latin1"):
        raise UnsafeFile("text in an encoding that NumPy does not use")
    return text.encode("latin1")


_NAMES = {
    "_reconstruct": _Token(lambda *_: PickledArray()),
    "_frombuffer": _Token(_from_buffer),
    "scalar": _Token(_scalar),
    "ndarray": _Token(lambda *_: PickledArray()),
    "dtype": _Token(lambda code, *_: PickledDtype(code)),
}
_BYTES = _Token(_encoded)  # how bytes were pickled before there was an opcode for them


class _Unpickler(pickle._Unpickler):
    """Python's own in Python: its memo is a dictionary, which the C one's is not: that is as large as a file says."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        getattr(pickle, name)[0]: pickle._Unpickler.dispatch[getattr(pickle, name)[0]] for name in _OPCODES
    }
    # What the base class has and its type does not say.
    stack: list[Any]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]
    read: Callable[[int], bytes]

    def find_class(self, module: str, name: str) -> Any:
        if module in _MODULES and name in _NAMES:
            return _NAMES[name]
        if (module, name) == ("_codecs", "encode"):
            return _BYTES
        raise UnsafeFile(f"it holds code ({module}.{name}), which was not run")

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        if not (isinstance(self.stack[-1], _Token) and isinstance(arguments, tuple)):
            raise UnsafeFile("it calls what is no function")
        self.stack[-1] = self.stack[-1].call(*arguments)

    def load_build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], PickledArray | PickledDtype):
            raise UnsafeFile("it changes what is no array")
        self.stack[-1].build(state)

    def load_bytearray8(self) -> None:
        (size,) = struct.unpack("<Q", self.read(8))
        self.append(self.read(size))  # the base class makes room first, for however much a file says

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def load_setitems(self) -> None:
        self._set(self.pop_mark())

    def load_dict(self) -> None:
        pairs = self.pop_mark()
        self.append({})
        self._set(pairs)

    def _set(self, pairs: list[Any]) -> None:
        """Keys are names or numbers: hashing anything nested could take for ever."""
        if not isinstance(self.stack[-1], dict) or not all(isinstance(key, str | int | bytes) for key in pairs[::2]):
            raise UnsafeFile("a dictionary with keys that are no names")
        self.stack[-1].update(zip(pairs[::2], pairs[1::2], strict=True))

    dispatch |= {
        pickle.REDUCE[0]: load_reduce,
        pickle.BUILD[0]: load_build,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
        pickle.DICT[0]: load_dict,
        pickle.BYTEARRAY8[0]: load_bytearray8,
    }


def load_pickle(stream: IO[bytes]) -> Any:
    """Built-in containers, numbers and text, and `PickledArray`s. Raises `UnsafeFile` for anything else."""
    try:
        return cast(Any, _Unpickler(stream)).load()
    except UnsafeFile:
        raise
    except _DAMAGED as error:
        reason = f"an opcode {error}" if isinstance(error, KeyError) else str(error)
        raise UnsafeFile(f"a damaged pickle, or one of more than arrays ({reason})") from None
