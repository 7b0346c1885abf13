import io
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.store.shallow_json import MAX_DEPTH, Shallow, json_items, parse_json

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('a"\\[]{}é\n')),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('"\\[{'), inner, max_size=3),
    max_leaves=20,
)


@given(_values, st.integers(1, 9))
def test_the_bytes_go_through_as_they_are_whatever_the_pieces(value: object, size: int) -> None:
    content = json.dumps(value, ensure_ascii=False).encode()
    stream, read = Shallow(io.BytesIO(content)), b""
    while piece := stream.read(size):
        read += piece
    assert read == content


@pytest.mark.parametrize("size", [1, 7, 2**16])
def test_what_is_too_deep_is_refused_and_what_only_looks_so_is_not(size: int) -> None:
    for deep in (b"[" * (MAX_DEPTH + 1), b'{"a": ' * (MAX_DEPTH + 1)):
        stream = Shallow(io.BytesIO(deep))
        with pytest.raises(ValueError, match="too deep"):
            while stream.read(size):
                pass
    wide = json.dumps([["[" * 50, '\\"[[', {"{": "}"}]] * 500).encode()
    stream = Shallow(io.BytesIO(wide))
    while stream.read(size):
        pass
    assert list(json_items(io.BytesIO(wide), "item.item"))[:2] == ["[" * 50, '\\"[[']


def test_brackets_cost_no_memory() -> None:
    code = (
        "import io, resource; from core.store.shallow_json import parse_json\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: list(parse_json(io.BytesIO(b'[' * 100_000)))\n"
        "except ValueError as error: print(error)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    reported = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "too deep" in reported[0]
    assert int(reported[1]) < 100
    with pytest.raises(ValueError, match="too deep"):
        list(parse_json(io.BytesIO(b'[{"a":' * 100_000)))
