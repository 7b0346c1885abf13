import contextlib
import io
import os
import pickle
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UnsafeFile
from core.store.safe_pickle import load_pickle


def _load(content: object, protocol: int) -> Any:
    return load_pickle(io.BytesIO(pickle.dumps(content, protocol)))


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("dtype", ["?", "u1", "<i2", ">i4", "i8", "f2", "f4", ">f8", "S3", "U4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_come_back(protocol: int, dtype: str, order: Any) -> None:
    array = np.array(np.arange(24).reshape(2, 3, 4) % 2, dtype=dtype, order=order)
    found = _load({"a": array}, protocol)["a"].array()
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_containers_numbers_and_text_come_back(protocol: int) -> None:
    content = {"a": [1, 2.5, None, True], "b": ("text", {"c": (3, 4)}), "d": -(10**30)}
    assert _load(content, protocol) == content


def test_numbers_of_numpy_become_plain_ones() -> None:
    assert _load({"frame": np.int64(7), "time": np.float32(0.5)}, 4) == {"frame": 7, "time": 0.5}


class _Code:
    def __reduce__(self) -> Any:
        return os.system, ("touch hacked",)


@pytest.mark.parametrize("content", [_Code(), {"a": [_Code()]}, np.array([_Code()], dtype=object)])
def test_code_is_refused_and_not_run(content: object, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsafeFile, match=r"holds code \((posix|nt)\.system\), which was not run"):
        _load(content, 4)
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize("name", ["builtins.eval", "numpy.load", "numpy.core.multiarray.fromfile", "numpy.f2py.main"])
def test_names_of_other_functions_are_refused(name: str) -> None:
    module, _, function = name.rpartition(".")
    with pytest.raises(UnsafeFile, match="holds code"):
        load_pickle(io.BytesIO(f"c{module}\n{function}\n(S'1'\ntR.".encode()))


@pytest.mark.parametrize(
    "state",
    [
        (1, (2**40,), "f8", False, b""),
        (1, (2,), "f8", False, b"1234567"),
        (1, (-1, 2), "u1", False, b"123"),
        (1, "ab", "u1", False, b"12"),
        (1, (1,), "O8", False, b"12345678"),
        (1, (1,), "V8", False, b"12345678"),
        (1, (2,), "u1", False, [1, 2]),
        (1, (2,), "u1"),
        None,
        7,
    ],
)
def test_arrays_whose_parts_do_not_fit_are_refused(state: Any) -> None:
    class Forged:
        def __reduce__(self) -> Any:
            reduced: Any = np.zeros(0, np.uint8).__reduce__()
            made, arguments, _ = reduced
            own: Any = state
            if isinstance(state, tuple) and len(state) == 5:
                own = (*state[:2], np.dtype(state[2]), *state[3:])
            return made, arguments, own

    with pytest.raises(UnsafeFile):
        _load(Forged(), 4).array()


def test_a_small_file_takes_little_time_and_memory() -> None:
    """Bombs: an index that would make the memo huge, and nested tuples that double with each look at them."""
    far = pickle.PROTO + b"\x04" + pickle.NONE + pickle.LONG_BINPUT + struct.pack("<I", 2**31) + pickle.STOP
    assert load_pickle(io.BytesIO(far)) is None
    shared = pickle.EMPTY_TUPLE + pickle.MEMOIZE
    for _ in range(60):
        shared += pickle.DUP + pickle.TUPLE2
    named = b"cnumpy\ndtype\n"
    for bomb in (
        named + shared + pickle.TUPLE1 + pickle.REDUCE + pickle.STOP,  # as a name of a type
        pickle.EMPTY_DICT + shared + pickle.NONE + pickle.SETITEM + pickle.STOP,  # as a key
        named
        + pickle.UNICODE
        + b"f4\n"
        + pickle.TUPLE1
        + pickle.REDUCE
        + pickle.NONE
        + shared
        + pickle.TUPLE2
        + pickle.BUILD
        + pickle.STOP,
    ):
        with contextlib.suppress(UnsafeFile):
            found = load_pickle(io.BytesIO(bomb))
            found.dtype()


def test_nothing_that_a_pickle_names_can_be_changed_by_it() -> None:
    for name in (b"dtype", b"scalar", b"_reconstruct"):
        change = (
            pickle.NONE + pickle.EMPTY_DICT + pickle.UNICODE + b"call\n" + pickle.NONE + pickle.SETITEM + pickle.TUPLE2
        )
        with pytest.raises(UnsafeFile, match="changes what is no array"):
            load_pickle(io.BytesIO(b"cnumpy\n" + name + b"\n" + change + pickle.BUILD + pickle.STOP))


@given(st.binary(max_size=200), st.integers(0, 200))
def test_noise_and_damage_are_refused_or_plain(noise: bytes, at: int) -> None:
    good = pickle.dumps(np.array({"a": np.arange(5), "b": [1, "x"]}, dtype=object), 4)
    for content in (noise, good[:at] + noise + good[at:], good[:at]):
        with contextlib.suppress(UnsafeFile):  # nothing else is raised
            load_pickle(io.BytesIO(content))
