"""Paths as people write them on the command line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token

from core.errors import RefusedInput
from core.store.paths import expanded


def _home_path(_type: Any, tokens: Sequence[Token]) -> Path:
    try:
        return expanded(Path(tokens[0].value))
    except ValueError as error:
        raise RefusedInput.of((tokens[0].keyword or "path").lstrip("-"), tokens[0].value, str(error)) from None


HomePath = Annotated[Path, Parameter(converter=_home_path)]
"""`~` is the home folder, also where the shell does not expand it: `--videos=~/clips`."""
