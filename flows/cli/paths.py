"""Paths as people write them on the command line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token


def _expanded(_type: Any, tokens: Sequence[Token]) -> Path:
    return Path(tokens[0].value).expanduser()


HomePath = Annotated[Path, Parameter(converter=_expanded)]
"""`~` is the home folder, also where the shell does not expand it: `--videos=~/clips`."""
