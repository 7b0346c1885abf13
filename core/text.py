"""Text that users bring (names of files, prompts), made fit to be shown on one line anywhere."""

import unicodedata

_NOT_SHOWN = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, halves of characters, separators of lines and paragraphs
# Marks that reorder what stands around them.
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def one_line(text: str, most: int | None = None) -> str:
    """The text with everything escaped that breaks a line, reorders it, or cannot be written as UTF-8.

    Args:
        text: any text, also a file name that is no valid UTF-8.
        most: characters; a longer text is cut in its middle.
    """
    shown = "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in _NOT_SHOWN or char in _TURNING else char
        for char in text
    )
    if most is not None and len(shown) > most:
        head = (most - 1) // 2
        shown = f"{shown[:head]}…{shown[len(shown) - (most - 1 - head) :]}"
    return shown


def clock(seconds: float) -> str:
    """`1:02:03`, or `2:03` under an hour, or `0:02.4` under half a minute, where seconds are long."""
    if 0 < seconds < 30 and abs(seconds - round(seconds)) >= 0.05:
        return f"0:{seconds:04.1f}"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
