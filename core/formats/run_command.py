"""`results_command.json`: the command that made results, so that they can be made again with corrections."""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from core.store.atomic import write_text

SUFFIX = "_command.json"


class RunCommand(BaseModel):
    """The words of a command, and the folder that its relative paths start from."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    words: list[str]
    folder: Path

    def without(self, *flags: str) -> list[str]:
        """The words without these options and their values."""
        kept, dropping = [], False
        for word in self.words:
            if word.startswith("--"):
                dropping = word in flags
            if not dropping:
                kept.append(word)
        return kept


def command_file(results: Path) -> Path:
    """Where the command of a results file stands."""
    return results.with_name(results.stem + SUFFIX)


def write_command(results: Path, command: RunCommand) -> None:
    """Write it beside the results."""
    write_text(command_file(results), json.dumps(command.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n")


def read_command(results: Path) -> RunCommand | None:
    """The command that made results; None where it is not known."""
    try:
        return RunCommand.model_validate_json(command_file(results).read_bytes())
    except (OSError, ValidationError):
        return None
