import contextlib
import io
import os
import pickle
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


@given(st.binary(max_size=200), st.integers(0, 200))
def test_noise_and_damage_are_refused_or_plain(noise: bytes, at: int) -> None:
    good = pickle.dumps(np.array({"a": np.arange(5), "b": [1, "x"]}, dtype=object), 4)
    for content in (noise, good[:at] + noise + good[at:], good[:at]):
        with contextlib.suppress(UnsafeFile):  # nothing else is raised
            load_pickle(io.BytesIO(content))
