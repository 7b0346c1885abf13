"""The terminal as commands write to it."""

from rich.console import Console


def open_console(stderr: bool = False) -> Console:
    """A console that shows text as it is: names of files and prompts hold neither markup nor emoji codes."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)
