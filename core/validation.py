"""What pydantic found wrong, in words for a person who knows nothing of pydantic."""

from collections.abc import Mapping
from typing import Any

_BOUNDS = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "multiple_of": "a multiple of {multiple_of}",
    "literal_error": "{expected}",
    "too_short": "{min_length} or more",
    "too_long": "{max_length} or fewer",
    "string_too_short": "{min_length} or more characters",
    "string_too_long": "{max_length} or fewer characters",
    "missing_argument": "a value",
}
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string": "text",
    "list": "a list",
    "tuple": "a list",
    "dict": "an object, {…}",
    "model": "an object, {…}",
    "path": "a path",
    "none": "nothing",
}


def explained(error: Mapping[str, Any]) -> str:
    """What is accepted instead, as in `1 or more`, or why not; `error` is one of `ValidationError.errors()`."""
    kind, context = str(error["type"]), error.get("ctx") or {}
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(**{name: _plain(value) for name, value in context.items()})
    if kind == "missing":
        return "it is missing"
    if kind == "extra_forbidden":
        return "no such name is known here"
    if kind == "value_error":
        return str(context.get("error", error["msg"]))
    return _KINDS.get(kind.partition("_")[0], str(error["msg"]))


def expected(error: Mapping[str, Any]) -> str:
    """The same as a clause of its own: `expected a list`, or why not."""
    said = explained(error)
    is_clause = error["type"] in ("missing", "extra_forbidden", "value_error") or said == error["msg"]
    return said if is_clause else f"expected {said}"


def _plain(value: object) -> object:
    return f"{value:g}" if isinstance(value, float) else value
