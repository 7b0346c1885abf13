"""`maskflow review`: the frames of results a person should look at, where there is no truth."""

from collections.abc import Mapping
from pathlib import Path

from core.errors import BadMedia
from core.formats.exchange.exporting import Report
from core.formats.exchange.model import VideoResults
from core.formats.exchange.registry import read_results
from core.formats.exchange.sources import Sources
from core.formats.review_jsonl import ReviewEntry, write_review
from core.quality.pictures import draw_entries, review_section
from core.quality.review import review, worst_first
from core.report.page import Page, write_page
from core.store.atomic import atomic_file
from flows.cli.console import open_console
from flows.cli.paths import HomePath
from flows.cli.results_options import check_options, count, existing, one_line, print_notes, progress

_MOST_PICTURES = 24


def review_results(
    results: HomePath,
    *,
    output: HomePath | None = None,
    videos: HomePath | None = None,
    format: str | None = None,  # noqa: A002 - what the flag is called
) -> int:
    """Look through results for signs of trouble, and list the objects on frames that a person should look at.

    Signs are jumps, masks in pieces, outlines on no edge of the picture, masks that do not move with it, looks that
    change, low scores. Ten frames a second are looked at; without the videos, shapes and scores are judged alone.

    Args:
        results: what a flow wrote, or anything that `maskflow export` reads.
        output: folder for review.jsonl and review.html; review beside the results when left out.
        videos: the videos, or the folder they are in, where they are no longer where the results say.
        format: what RESULTS is, where it cannot be seen.
    """
    check_options(format, 0.0)
    sources = Sources(existing(videos))
    folder = results.parent / "review" if output is None else output
    with progress() as report, one_line():
        found = read_results(results, format, sources)
        sources = sources.of(len(found))
        paths = {video.name: sources.find(video.name, video.path) for video in found}
        entries = worst_first(entry for video in found for entry in _look_through(video, paths[video.name], report))
        known = {video.name: (video, path) for video in found if (path := paths[video.name]) is not None}
        _write(folder, f"Review of {results.name}", entries, known, len(found))
    console = open_console()
    blind = [name for name, path in paths.items() if path is None]
    if blind:
        names = ", ".join(blind[:5]) + (" …" if len(blind) > 5 else "")
        message = f"Judged by shapes and scores alone, the video was not found (--videos): {names}"
        console.print(message, style="yellow", soft_wrap=True)
    message = f"{count(len(entries), 'frame')} of objects to look at, of {count(len(found), 'video')}"
    console.print(f"{message}: {folder / 'review.html'}, {folder / 'review.jsonl'}", soft_wrap=True)
    print_notes(console, sources.notes)
    return 0


def _look_through(video: VideoResults, path: Path | None, report: Report) -> list[ReviewEntry]:
    def watch(frame: int) -> None:
        report(f"looking at {video.name}", frame + 1, video.length)

    return review(video, None if path is None else Sources(path, alone=True), watch)


def _write(
    folder: Path,
    title: str,
    entries: list[ReviewEntry],
    known: Mapping[str, tuple[VideoResults, Path]],
    videos: int,
) -> None:
    """Write the list and the page."""
    with atomic_file(folder / "review.jsonl") as temporary:
        write_review(temporary, entries)
    try:
        pictures = draw_entries(entries, known, _MOST_PICTURES)
    except (BadMedia, OSError, ValueError):  # another video by now
        pictures = []
    figures = [("videos", f"{videos:,}"), ("to look at", f"{len(entries):,}")]
    with atomic_file(folder / "review.html") as temporary:
        write_page(temporary, Page(title, figures, [review_section(entries, pictures, videos > 1)]))
