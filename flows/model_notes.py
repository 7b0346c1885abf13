"""What a run says about the models it uses."""

from pathlib import Path
from typing import Any

from core.models.registry import Backend
from core.models.spec import ModelOptions

Choice = tuple[str, str, Backend[Any] | None, Backend[Any], Path | None]
"""Role, the name asked for, what came of it (None: not needed), the best there is, and the path the user gave."""


def model_notes(options: ModelOptions, *choices: Choice) -> list[str]:
    """Which models are used, and where `auto` took a lesser one, what the best would need."""
    notes = []
    for role, asked, backend, best, path in choices:
        if backend is None:
            continue
        settings = " ".join(backend.variant(options))
        notes.append(f"{role}: {backend.name}{' (auto)' if asked == 'auto' else ''} {settings}".rstrip())
        if asked == "auto" and backend.name != best.name:
            notes.append(f"{best.name} is not used: {best.missing(options)}")
        elif path is not None and backend.weights is None:
            notes.append(f"{path} is not used: {backend.name} needs no weights")
    return notes
