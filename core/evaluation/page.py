"""The page about an evaluation: figures, how they came about, and the worst frames beside the truth."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from core.evaluation.davis import Over
from core.evaluation.evaluate import Evaluation, How, VideoScore
from core.evaluation.identity import IdentityScores
from core.evaluation.mask_scores import ObjectScore
from core.evaluation.worst import draw_frame, worst_frames
from core.formats.exchange.model import OBJECT
from core.formats.exchange.sources import Sources
from core.report.page import Page, Picture, Section, Table, write_page
from core.report.plot import Plot, Series

_MOST_PICTURES, _MOST_PLOTS, _MOST_ROWS = 12, 8, 500


def write_evaluation(
    path: Path,
    evaluation: Evaluation,
    parameters: Sequence[tuple[str, str]],
    sources: Sources,
    report: Callable[[str, int, int], None],
) -> None:
    """Write the page.

    Args:
        path: the HTML file.
        evaluation: what came out.
        parameters: what was judged by what, and how, for people.
        sources: where the videos are.
        report: gets pictures drawn and expected.
    """
    sections = [*_sections(evaluation, sources, report), Section("Parameters", table=Table(("", ""), parameters))]
    write_page(path, Page("Results against the truth", _figures(evaluation), sections))


def _figures(evaluation: Evaluation) -> list[tuple[str, str]]:
    figures = []
    if evaluation.jf is not None:
        figures.append(("J&F", f"{evaluation.jf:.3f}"))
    if evaluation.j is not None:
        figures.append(("J" if evaluation.masks else "IoU of boxes", f"{evaluation.j.mean:.3f}"))
    if evaluation.f is not None:
        figures.append(("F", f"{evaluation.f.mean:.3f}"))
    if evaluation.identity is not None:
        one = evaluation.identity
        figures += [("HOTA", f"{one.hota:.3f}"), ("IDF1", f"{one.idf1:.3f}"), ("MOTA", f"{one.mota:.3f}")]
        figures.append(("identity switches", f"{one.switches:,}"))
    figures.append(("AP", f"{evaluation.precision.ap:.3f}"))
    if evaluation.without_results:
        figures.append(("videos without results, not judged", f"{len(evaluation.without_results):,}"))
    return figures


def _sections(evaluation: Evaluation, sources: Sources, report: Callable[[str, int, int], None]) -> Iterator[Section]:
    pictures: list[Picture] = []
    worst = worst_frames(evaluation.videos, _MOST_PICTURES)
    for done, bad in enumerate(worst):
        report("pictures of the worst frames", done, len(worst))
        pictures.append(draw_frame(bad, sources))
    if pictures:
        yield Section("The worst frames", _ABOUT_WORST, pictures=pictures)
    left_out = [(name, "no results") for name in evaluation.without_results]
    left_out += [(name, "no truth") for name in evaluation.without_truth]
    if left_out:
        yield Section("Not judged", table=Table(("video", "why"), left_out[:_MOST_ROWS]))
    objects = [(video, one) for video in evaluation.videos for one in video.objects]
    notes = "; ".join(evaluation.other_names)
    if not objects:
        yield Section("Videos", f"Ids do not hold from frame to frame: only precision is judged. {notes}".strip())
        yield from _how(evaluation.how)
        return
    yield Section("Videos", f"{_ABOUT_VIDEOS} {notes}".strip(), table=video_table(evaluation))
    rows = [
        (
            video.judged.name, object_name(one), "none" if one.found_id is None else f"#{one.found_id}",
            *_measures(one.j, one.f),
        )
        for video, one in sorted(objects, key=lambda pair: pair[1].j.mean)
    ]  # fmt: skip
    heads = ("video", "object", "matched with", *_heads(evaluation))
    yield Section("Objects, the worst first", table=_without_empty(Table(heads, rows[:_MOST_ROWS])))
    yield Section("J over time", plots=[_plot(video) for video in evaluation.videos[:_MOST_PLOTS]])
    yield from _how(evaluation.how)


_ABOUT_WORST = (
    "Above the truth, below the results; objects that belong together have one colour. The IoU is the mean over what "
    "is there, in the truth or in the results: what is missing, or too much, counts as 0."
)
_ABOUT_VIDEOS = (
    "J: IoU of regions; F: agreement of outlines within 0.8 % of the diagonal (DAVIS). Recall: share of frames above "
    "0.5; decay: first quarter of the frames less the last. HOTA: geometric mean of DetA (are things found) and AssA "
    "(do they keep their id), over IoU 0.05 to 0.95. IDF1, MOTA and identity switches: at IoU 0.5. J and F count "
    "frames on which an object is rightly absent as 1."
)


def _heads(evaluation: Evaluation) -> tuple[str, ...]:
    j = "J" if evaluation.masks else "box IoU"
    return (j, f"{j} recall", f"{j} decay", "F", "F recall", "F decay")


def _without_empty(table: Table) -> Table:
    """Without the columns in which nothing stands."""
    kept = [place for place in range(len(table.heads)) if any(row[place] for row in table.rows)]
    return Table([table.heads[place] for place in kept], [[row[place] for place in kept] for row in table.rows])


def object_name(one: ObjectScore) -> str:
    """Id and label of an object of the truth; the label where it says something."""
    return f"#{one.truth_id}" if one.label == OBJECT else f"#{one.truth_id} {one.label}"


def matching_text(how: How) -> str:
    """How ids of the results were matched with those of the truth, in words."""
    if how.matching == "same":
        note = "Equal ids belong together."
    else:
        note = (
            "Ids need not be equal: each object of the truth was matched with one object of the results for the whole "
            "video, so that the IoU summed over all frames is largest. One without a match is judged against nothing."
        )
    labels = " Only objects of equal labels belong together." if how.by_label else " Labels are not compared."
    return note + labels + " HOTA, IDF1 and MOTA match by themselves, frame by frame."


def _how(how: How) -> Iterator[Section]:
    rows = [
        ("ids", matching_text(how)),
        ("objects", "all of a frame count as one" if how.foreground else "each by itself"),
        ("frames", "without the first and the last" if how.skip_ends else "all that are in truth and results"),
    ]
    yield Section("How it was judged", table=Table(("", ""), rows))


def short_table(evaluation: Evaluation) -> Table:
    """The columns of `video_table` that matter most, for narrow places."""
    table = video_table(evaluation)
    names = ("video", "J&F", "J", "box IoU", "F", "HOTA", "IDF1", "MOTA", "IDSW")
    kept = [place for place, head in enumerate(table.heads) if head in names]
    return Table([table.heads[place] for place in kept], [[row[place] for place in kept] for row in table.rows])


def video_table(evaluation: Evaluation) -> Table:
    """A row for each video, and one for all."""
    rows = [_row(one.judged.name, str(len(one.source_frames)), one.j, one.f, one.identity) for one in evaluation.videos]
    frames = sum(len(one.source_frames) for one in evaluation.videos)
    rows.append(_row("all", f"{frames:,}", evaluation.j, evaluation.f, evaluation.identity))
    identity = ("HOTA", "DetA", "AssA", "IDF1", "MOTA", "IDSW")
    return _without_empty(Table(("video", "frames", "J&F", *_heads(evaluation), *identity), rows))


def _row(name: str, frames: str, j: Over | None, f: Over | None, identity: IdentityScores | None) -> tuple[str, ...]:
    jf = "" if j is None or f is None else f"{(j.mean + f.mean) / 2:.3f}"
    one = identity
    scores = () if one is None else (one.hota, one.det_a, one.ass_a, one.idf1, one.mota)
    cells = tuple(map(_figure, scores)) or ("",) * 5
    return (name, frames, jf, *_measures(j, f), *cells, "" if one is None else f"{one.switches:,}")


def _measures(j: Over | None, f: Over | None) -> tuple[str, ...]:
    cells = [("",) * 3 if one is None else tuple(map(_figure, (one.mean, one.recall, one.decay))) for one in (j, f)]
    return (*cells[0], *cells[1])


def _figure(value: float) -> str:
    return f"{round(value, 3) + 0.0:.3f}"  # no minus before zero


def _plot(video: VideoScore) -> Plot:
    series = [
        Series(object_name(one), one.truth_id, np.column_stack([video.source_frames, one.per_frame]), True)
        for one in video.objects
    ]
    measure = "J" if video.judged.masks else "box IoU"
    return Plot(video.judged.name, series, x_label="frame", y_label=measure, y_most=1.0)
