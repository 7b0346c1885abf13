"""`maskflow evaluate`: how good results are, by the field's own measures."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.evaluation.as_json import as_json
from core.evaluation.evaluate import Evaluation, How, evaluate
from core.evaluation.page import object_name, short_table, write_evaluation
from core.formats.exchange.reading import read_both
from core.formats.exchange.selecting import Choice
from core.formats.exchange.sources import Sources
from core.store.atomic import atomic_file, write_text
from flows.cli.console import open_console
from flows.cli.paths import HomePath
from flows.cli.results_options import check_options, existing, one_line, print_notes, progress, read_labels

_MOST_OBJECTS = 30


def evaluate_results(
    results: HomePath,
    *,
    truth: HomePath,
    output: HomePath | None = None,
    match: Literal["optimal", "same"] = "optimal",
    foreground: bool = False,
    by_label: bool = False,
    skip_ends: bool = False,
    videos: HomePath | None = None,
    labels: list[str] | None = None,
    min_score: float = 0.0,
    format: str | None = None,  # noqa: A002 - what the flag is called
    truth_format: str | None = None,
) -> int:
    """Judge results by the truth: J&F, HOTA, IDF1, MOTA, average precision; a table, a JSON file, a page with pictures.

    Videos belong together by name; frames by their number in the source; those in one of the two only are not judged.

    Args:
        results: what a flow wrote, or annotations in any format that `maskflow export` writes.
        truth: what is right, in any of these formats.
        output: folder for evaluation.json and evaluation.html; evaluation beside the results when left out.
        match: optimal finds which id of the results is which of the truth; same takes equal ids.
        foreground: judge all objects of a frame as one.
        by_label: only objects of equal labels belong together; labels are not compared when left out.
        skip_ends: leave out each video's first and last frame, as DAVIS does where the first was given.
        videos: the videos, or the folder they are in, for the pictures, and what formats do not hold.
        labels: new names of the results' labels, as in "person=pedestrian"; "car=" leaves it out.
        min_score: leave out objects of the results on frames where their score is lower.
        format: what RESULTS is, where it cannot be seen.
        truth_format: what the truth is, where it cannot be seen.
    """
    check_options(format, min_score)
    check_options(truth_format, 0.0, "truth_format")
    sources = Sources(existing(videos))
    folder = results.parent / "evaluation" if output is None else output
    renamed = read_labels(labels)
    with progress() as report, one_line():
        choice = Choice(renamed, min_score)
        found, right, sources = read_both(results, format, truth, truth_format, sources)
        found = [choice.of(one) for one in found]
        evaluation = evaluate(right, found, How(match, foreground, by_label, skip_ends), report)
        choice.check()
        parameters = _parameters_set(
            results=results, format=format, truth=truth, truth_format=truth_format, videos=videos, match=match,
            foreground=foreground, by_label=by_label, skip_ends=skip_ends, labels=labels, min_score=min_score,
        )  # fmt: skip
        text = json.dumps(as_json(evaluation, parameters, list(sources.notes)), ensure_ascii=False, indent=1)
        write_text(folder / "evaluation.json", f"{text}\n")
        with atomic_file(folder / "evaluation.html") as temporary:
            write_evaluation(temporary, evaluation, parameters, sources, report)
    console = open_console()
    _print(console, evaluation, folder)
    print_notes(console, sources.notes)
    return 0


def _parameters_set(**parameters: object) -> list[tuple[str, str]]:
    """The parameters that were set, and the version."""
    shown = [(name, str(value)) for name, value in parameters.items() if value not in (None, False, 0.0)]
    return [*shown, ("maskflow", version("maskflow"))]


def _print(console: Console, evaluation: Evaluation, folder: Path) -> None:
    for names, what in ((evaluation.without_results, "results"), (evaluation.without_truth, "truth")):
        if names:
            some = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
            console.print(Text(f"Not judged, no {what}: {some}", style="yellow"), soft_wrap=True)
    for differing in evaluation.other_names:
        console.print(Text(f"Names differ: {differing}", style="yellow"), soft_wrap=True)
    videos = short_table(evaluation)
    if evaluation.j is not None:
        console.print(_table("Videos", videos.heads, videos.rows))
    else:
        console.print("Ids do not hold from frame to frame: only average precision is judged", style="yellow")
    objects = [(video, one) for video in evaluation.videos for one in video.objects]
    if 1 < len(objects) <= _MOST_OBJECTS:
        rows = [
            (
                video.judged.name, object_name(one), "none" if one.found_id is None else f"#{one.found_id}",
                f"{one.j.mean:.3f}", "" if one.f is None else f"{one.f.mean:.3f}",
            )
            for video, one in objects
        ]  # fmt: skip
        console.print(
            _table("Objects", ("video", "object", "matched with", "J" if evaluation.masks else "box IoU", "F"), rows)
        )
    p = evaluation.precision
    lines = [f"Average precision {p.ap:.3f} (at IoU 0.50 {p.ap50:.3f}, at 0.75 {p.ap75:.3f}), recall {p.ar100:.3f}"]
    for video in evaluation.videos:
        missed, more = video.judged.unjudged
        if missed or more:
            counts = f"{missed} frames of the truth were not looked at, {more} frames of the results have no truth"
            lines.append(f"{video.judged.name}: {counts}")
    for line in [*lines, f"Page: {folder / 'evaluation.html'}", f"Figures: {folder / 'evaluation.json'}"]:
        console.print(Text(line), soft_wrap=True)


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left")
    for place, head in enumerate(heads):
        table.add_column(head, justify="left" if place == 0 else "right")
    for row in rows:
        table.add_row(*(Text(cell, overflow="fold") for cell in row))
    return table
