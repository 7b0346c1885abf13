"""Text prompts: what a text names."""

import re

from core.errors import RefusedInput

# Also as they are written in Chinese and Japanese.
_ENDS = re.compile(r"[.,;|\n。．｡，､、；｜]")


def phrases(prompt: str) -> list[str]:
    """The things a prompt names, in order, each once: `Red ball. person` gives `red ball`, `person`."""
    parts = (" ".join(part.lower().split()) for part in _ENDS.split(prompt))
    return list(dict.fromkeys(part for part in parts if part))


def check_phrases(prompt: str) -> None:
    """Raises `RefusedInput` for a text that names nothing."""
    if not phrases(prompt):
        raise RefusedInput.of("text_prompt", prompt, "name what to find, as in 'person. red car'")
