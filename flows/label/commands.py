"""The command that a run from the page is: that which made the results, with corrections, or a first one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.formats.run_command import read_command
from flows.label.session import Session

_REPLACED = ("--corrections", "--masks")


Flow = Literal["track-videos", "annotate-long-video"]


@dataclass(frozen=True)
class FirstRun:
    """A run where there are no results yet: which flow, a text instead of what was pointed at, and frames a second; all
    of them when left out, or of a long video one."""

    flow: Flow = "track-videos"
    text_prompt: str | None = None
    fps: float | None = None


def command_of(session: Session, number: int, first: FirstRun) -> tuple[list[str], Path]:
    """The words after `maskflow`, and the folder to run them in.

    Args:
        session: what the page is about.
        number: the video that is shown.
        first: what is done where it has no results.

    Raises:
        ValueError: there is nothing to track.
    """
    made = None if session.shown(number) is None else read_command(session.results(number))
    if made is None:
        return _first_run(session, number, first), Path.cwd()
    corrections = session.places.corrections
    given = ["--corrections", str(corrections.absolute())] if corrections.exists() else []
    return [*made.without(*_REPLACED)[1:], "--masks", *given], made.folder


def _first_run(session: Session, number: int, first: FirstRun) -> list[str]:
    places = session.places
    long = first.flow == "annotate-long-video"
    videos = [session.videos[number]] if long else session.videos
    what = ["--text-prompt", first.text_prompt or ""]
    if not first.text_prompt:
        videos = [video for video in videos if session.prompts.document.read(video).prompts]
        what = ["--prompts", str(places.prompts.absolute())]
    if not videos:
        raise ValueError("nothing is pointed at yet: draw a box around an object, or give words to look for")
    named = [str(Path(video).expanduser().absolute()) for video in videos]
    results = places.results.absolute()
    if long:
        interval = max(1, round(session.video(number).info.fps / (first.fps or 1)))
        every = ["--frame-interval", str(interval)]
        return [first.flow, "--video-path", *named, *what, *every, "--output-dir", str(results.parent), "--masks"]
    rate = [] if first.fps is None else ["--fps", f"{first.fps:g}"]
    return [first.flow, "--videos", *named, *what, *rate, "--output-jsonl", str(results), "--masks"]
