import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.text import one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("clip{1} %s [bold] 100%.mp4", "clip{1} %s [bold] 100%.mp4"),
        ("two\nlines\tand\0more", "two\\nlines\\tand\\x00more"),
        ("👩‍🍳 ünï", "👩‍🍳 ünï"),
        ("\udce9.mp4", "\\udce9.mp4"),
        ("a\u2028b\u202ec", "a\\u2028b\\u202ec"),
    ],
)
def test_what_breaks_a_line_is_escaped(text: str, shown: str) -> None:
    assert one_line(text) == shown


@given(st.text() | st.text(st.characters(categories=["Cs", "Cc", "L"])), st.integers(1, 50))
def test_it_is_one_line_of_utf8_and_no_longer_than_asked(text: str, most: int) -> None:
    shown = one_line(text, most)
    assert len(shown) <= most
    assert len(one_line(text).splitlines()) <= 1
    shown.encode()


def test_a_long_text_keeps_both_ends() -> None:
    assert one_line("a" * 150 + "z" * 150, 9) == "aaaa…zzzz"
