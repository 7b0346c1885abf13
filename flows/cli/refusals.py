"""What a person is told whose command cannot be run: one line that names the flag, what is wrong and what to do."""

import re
from difflib import SequenceMatcher
from types import NoneType, UnionType
from typing import Literal, Union, get_args, get_origin

from cyclopts.exceptions import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from core.errors import RefusedInput

_ALIKE = 0.6
_WITHOUT_FLAG = {"name", "names", "url"}
_TYPES: dict[object, str] = {int: "a whole number", float: "a number", bool: "true or false"}


def refusal(refused: RefusedInput) -> str:
    """The message of a refused parameter, called as its flag."""
    if refused.parameter is None:
        return str(refused)
    return refused.said_of(flag_of(refused.parameter))


def flag_of(parameter: str) -> str:
    """`text_prompt` is `--text-prompt`; what has no flag is shown as in the usage line."""
    if parameter in _WITHOUT_FLAG:
        return parameter.upper()
    return f"--{parameter.lstrip('-').replace('_', '-')}"


def misuse(error: CycloptsError) -> str:
    """The message of a command line that cannot be understood."""
    command = " ".join(["maskflow", *(error.command_chain or ())])
    more = f"`{command} --help` lists what there is"
    match error:
        case UnknownOptionError(token=token):
            return f"{token.keyword or token.value}: there is no such option{_alike(error)}; {more}"
        case UnknownCommandError():
            unknown = (error.unused_tokens or [""])[0]
            return f"{unknown}: there is no such command{_alike(error)}; {more}"
        case UnusedCliTokensError():
            return f"{' '.join(error.unused_tokens or ())}: no option takes this; {more}"
        case MissingArgumentError() if error.argument is not None:
            flag = error.keyword or error.argument.name
            given = error.keyword is not None or any(token.keyword for token in error.argument.tokens)
            return f"{flag}: {'its value' if given else 'this option'} is missing; {more}"
        case CoercionError() if error.token is not None:
            flag = error.token.keyword or (error.argument.name if error.argument is not None else "")
            return f"{flag}: {error.token.value!r} is not accepted: {_accepted(error.target_type)}"
        case RepeatArgumentError():
            return f"{error.token.keyword}: give it once; {more}"
    return " ".join(str(error).split())


def _accepted(wanted: object) -> str:
    """What a type accepts; of alternatives, each."""
    if get_origin(wanted) is Literal:
        return ", ".join(map(str, get_args(wanted)))
    if get_origin(wanted) in (Union, UnionType):
        return ", or ".join(_accepted(one) for one in get_args(wanted) if one is not NoneType)
    return _TYPES.get(wanted, "a value of another form")


def _alike(error: CycloptsError) -> str:
    """The name that was meant, where one is much like it."""
    match = re.search(r'Did you mean "?([\w-]+)', str(error))
    wrong = error.token.keyword if isinstance(error, UnknownOptionError) else (error.unused_tokens or [""])[0]
    if match is None or SequenceMatcher(None, wrong or "", match[1]).ratio() < _ALIKE:
        return ""
    return f"; did you mean {match[1]}?"
