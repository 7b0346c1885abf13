"""The work of one item: one video's windows put together into its annotations, links, hold-out score and report."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from core.errors import BadMedia
from core.formats.dense_annotations import DenseFrame, dense_line
from core.formats.exchange.model import SeenFrame, VideoResults
from core.formats.links_jsonl import write_links
from core.formats.review_jsonl import ReviewEntry, write_review
from core.formats.sparse_annotations import SparsePrompt
from core.formats.tracks import FRAMES_FILE
from core.item import Record, item
from core.long_video.annotating import Annotated, Annotator, frame_record, seen_frame
from core.long_video.correcting import CorrectionsRequest, Corrector, KnownObjects, every_frame
from core.long_video.hold_out import HoldOut, summary
from core.long_video.linking import annotation_links, link_entries, recognised_links, segment_links
from core.long_video.merge import Identity, Shard, Sighting, best_sightings, merged_rows
from core.long_video.names import Names
from core.long_video.pictures import Chosen, draw_chosen
from core.long_video.report import ReportRequest, write_report
from core.long_video.stitch import Pair
from core.long_video.timeline import Timeline
from core.progress import Progress
from core.quality.pictures import draw_entries
from core.quality.review import review, worst_first
from core.report.page import Picture
from core.video.index import FrameIndex, load_index

DENSE_FILE, LINKS_FILE, REVIEW_FILE = "dense_annotations.jsonl", "links.jsonl", "review.jsonl"
HOLD_OUT_FILE, OBJECTS_FILE = "hold_out.jsonl", "objects.json"
_MOST_DOUBTFUL = 6


class AssembleRequest(BaseModel):
    """What to put together.

    Attributes:
        video: its path, for the pictures in the report.
        video_id: what the review list calls it.
        index: folder of its index.
        size: width and height of the source.
        interval: annotations are on frames whose number is a multiple of it.
        objects: id and name in the annotations, by number; empty where a text prompt found the objects.
        apart: segments have numbered their objects each for itself.
        carried: windows were carried on: it does not matter which one an annotation is from.
        pairs: objects of different segments that are the same.
        held_out: annotations that were kept from following, by number of the object.
        masks: whether annotations hold masks.
        tracks: whether `frames.jsonl` is left too, for a recording.
        report: what the report shows beside the results.
        correct: what a person corrected, and what was tracked again for that; None: nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    video: Path
    video_id: str
    index: Path
    size: tuple[int, int]
    interval: int
    shards: list[Shard]
    objects: dict[int, tuple[str, str]] = Field(default_factory=dict)
    apart: bool = False
    carried: bool = True
    pairs: list[Pair] = Field(default_factory=list)
    held_out: dict[int, list[SparsePrompt]] = Field(default_factory=dict)
    masks: bool = False
    tracks: bool = False
    report: ReportRequest
    correct: CorrectionsRequest | None = None


@item(AssembleRequest)
def assemble_video(request: AssembleRequest, folder: Path, report: Progress) -> Record:
    """Assemble one video; leaves its annotations, links, review list, hold-out list and report in `folder`.

    Returns:
        frames with annotations, objects, boxes, links, ambiguous links, hold-out figures, seconds.

    Raises:
        BadMedia: the pictures for the report cannot be read.
    """
    index = load_index(request.index)
    names = Names(request.objects, request.shards, request.apart, request.pairs)
    annotator = Annotator(names, request.size, request.masks, request.carried)
    hold_out, timeline = HoldOut(request.held_out, request.size), Timeline(request.interval * index.mean_step_s)
    chosen, known = Chosen(len(index)), KnownObjects()
    frames = boxes = 0

    def watch(frame: int, time_s: float, best: dict[Identity, Sighting]) -> None:
        hold_out.add(frame, best)
        timeline.anchor(time_s, best, names)
        known.add(frame, best, names)

    with ExitStack() as stack:
        dense = stack.enter_context((folder / DENSE_FILE).open("w", encoding="utf-8", newline="\n"))
        tracks = stack.enter_context((folder / FRAMES_FILE).open("w", encoding="utf-8")) if request.tracks else None
        for frame, time_s, objects in _annotated(request, index, annotator, names, watch):
            dense.write(dense_line(DenseFrame(frame_number=frame, objects=[one.dense for one in objects])))
            timeline.add(time_s, objects)
            if tracks is not None:
                tracks.write(frame_record(frame, time_s, frames, objects).model_dump_json() + "\n")
            chosen.offer(frame, objects)
            frames += 1
            boxes += len(objects)
            report(frame, len(index))
    known.write(folder / OBJECTS_FILE)
    links = annotation_links(request.shards, names) + recognised_links(request.shards, names)
    links += segment_links(request.pairs, names)
    write_links(folder / LINKS_FILE, links)
    width, height = request.size
    seen = VideoResults(request.video_id, width, height, index.fps, lambda: _seen(request, index, annotator, names))
    doubtful = worst_first([*review(seen, None), *link_entries(links, request.video_id, index)])
    write_review(folder / REVIEW_FILE, doubtful)
    judged = hold_out.judged(request.objects)
    (folder / HOLD_OUT_FILE).write_text("".join(json.dumps(one) + "\n" for one in judged), encoding="utf-8")
    counts = {
        "frames": frames,
        "objects": len(timeline.objects),
        "boxes": boxes,
        "links": len(links),
        "review": len(doubtful),
        "ambiguous": sum(link.ambiguous for link in links),
        "hold_out": summary(judged),
    }
    pictures = draw_chosen(chosen, request.video, index)
    first = _look_first(doubtful, seen, request.video)
    write_report(folder, request.report, counts, timeline, links, doubtful, pictures, first)
    return counts


def _look_first(doubtful: Sequence[ReviewEntry], seen: VideoResults, video: Path) -> list[Picture]:
    """Pictures of the most doubtful frames; none where the video is damaged there: its windows have failed, too."""
    try:
        return draw_entries(doubtful, {seen.name: (seen, video)}, _MOST_DOUBTFUL)
    except (BadMedia, OSError):
        return []


def _annotated(
    request: AssembleRequest,
    index: FrameIndex,
    annotator: Annotator,
    names: Names,
    watch: Callable[[int, float, dict[Identity, Sighting]], None] = lambda *_: None,
) -> Iterator[tuple[int, float, list[Annotated]]]:
    """The frames on which there is something, with everything that was corrected; `watch` sees all, as followed."""
    corrector = None if request.correct is None else Corrector(request.correct, annotator)
    rows = merged_rows(request.shards)
    for frame, time_s, together in rows if corrector is None else every_frame(rows, index, request.interval):
        best = best_sightings(together, names.identify)
        watch(frame, time_s, best)
        if frame % request.interval:
            continue
        objects = annotator.annotate(best)
        if corrector is not None:
            objects = corrector.apply(frame, time_s, objects)
        if objects:
            yield frame, time_s, objects


def _seen(request: AssembleRequest, index: FrameIndex, annotator: Annotator, names: Names) -> Iterator[SeenFrame]:
    for frame, time_s, objects in _annotated(request, index, annotator, names):
        yield seen_frame(frame, time_s, objects)
