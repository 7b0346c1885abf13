"""The file a tracking session is saved to: tensors as safetensors, everything else as JSON in its header.

Nothing in it is code, and a restored session goes on as if it had never stopped.
"""

import json
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open

from core.errors import UnsafeFile
from core.store.atomic import atomic_file

_KEY = "maskflow_session"


class SessionInfo(BaseModel):
    """What any session file says about itself; each backend adds its own fields.

    Attributes:
        model: which model, weights and settings the session belongs to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str


Info = TypeVar("Info", bound=SessionInfo)


def write_session(path: Path, info: SessionInfo, tensors: dict[str, Any], framework: Literal["pt", "np"]) -> None:
    """Write atomically. `tensors` are contiguous torch tensors (`pt`) or NumPy arrays (`np`), by name."""
    library = import_module("safetensors.torch" if framework == "pt" else "safetensors.numpy")
    with atomic_file(path) as temporary:
        library.save_file(tensors, temporary, {_KEY: info.model_dump_json()})


def read_session(
    path: Path, info: type[Info], model: str, framework: Literal["pt", "np"]
) -> tuple[Info, dict[str, Any]]:
    """Read what `write_session` wrote.

    Raises:
        UnsafeFile: not such a file, a damaged one, or one of another model (`model` names the one at hand).
    """
    try:
        with safe_open(path, framework=framework) as file:
            found = info.model_validate(json.loads((file.metadata() or {})[_KEY]))
            if found.model != model:
                raise UnsafeFile(f"{path}: saved with {found.model}, and cannot go on with {model}")
            return found, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError, ValidationError) as error:
        raise UnsafeFile(f"{path}: not a saved session that can be read ({str(error).splitlines()[0]})") from None
