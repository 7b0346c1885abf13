"""The command that a run from the page is: that which made the results, with corrections, or a first one."""

from pathlib import Path

from core.formats.run_command import read_command
from flows.label.session import Session

_REPLACED = ("--corrections", "--masks")


def command_of(session: Session, text_prompt: str | None, fps: float | None) -> tuple[list[str], Path]:
    """The words after `maskflow`, and the folder to run them in.

    Args:
        session: what the page is about.
        text_prompt: what to look for in a first run, instead of what was pointed at.
        fps: frames a second of a first run.

    Raises:
        ValueError: there is nothing to track.
    """
    places = session.places
    made = read_command(places.results) if places.results.exists() else None
    if made is not None:
        corrections = ["--corrections", str(places.corrections.absolute())] if places.corrections.exists() else []
        return [*made.without(*_REPLACED)[1:], "--masks", *corrections], made.folder
    words = ["track-videos", "--videos"]
    if text_prompt:
        words += [*map(_absolute, session.videos), "--text-prompt", text_prompt]
    else:
        shown = [video for video in session.videos if session.prompts.document.read(video).prompts]
        if not shown:
            raise ValueError("nothing is pointed at yet: draw a box around an object, or give words to look for")
        words += [*map(_absolute, shown), "--prompts", str(places.prompts.absolute())]
    if fps is not None:
        words += ["--fps", f"{fps:g}"]
    return [*words, "--output-jsonl", str(places.results.absolute()), "--masks"], Path.cwd()


def _absolute(video: str) -> str:
    return str(Path(video).expanduser().absolute())
