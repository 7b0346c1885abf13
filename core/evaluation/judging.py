"""Results beside the truth: which video belongs to which, which frames are judged, how objects overlap on them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from core.errors import RefusedInput
from core.evaluation.identity import Overlaps
from core.evaluation.ignoring import without_ignored, without_void
from core.formats.exchange.model import OBJECT, Census, Ignored, SeenFrame, SeenObject, VideoResults, take_census
from core.formats.exchange.shelf import Shelf
from core.masks import rle
from core.masks.boxes import iou_matrix
from core.video.video_paths import pair_up

Both = tuple[SeenFrame, SeenFrame]
"""A frame of the truth, and the same of the results."""


@dataclass(frozen=True, eq=False)
class Judged:
    """A video of which there are results and truth.

    Attributes:
        truth, found: the truth and the results.
        truth_census, found_census: what they hold.
        masks: both have masks for all their objects; else boxes are compared.
        skip_ends: the first and the last common frame are not judged (DAVIS, semi-supervised).
        unjudged: frames of the truth that the results did not look at, and frames of the results without truth.
    """

    truth: VideoResults
    found: VideoResults
    truth_census: Census
    found_census: Census
    masks: bool
    skip_ends: bool
    unjudged: tuple[int, int]

    @property
    def name(self) -> str:
        """Of the video, as the truth has it."""
        return self.truth.name

    def frames(self, but: Collection[str] = ()) -> Iterator[Both]:
        """The frames that are judged, ascending, without what is not judged; they are read anew each time.

        `but` are rules that are left to the measure, see `without_ignored`.
        """
        held: list[Both] = []
        first = True
        for both in common_frames(self.truth, self.found):
            if first and self.skip_ends:
                first = False
                continue
            held.append(both)
            if len(held) > self.skip_ends:
                truth, found = without_void(*held.pop(0))
                yield truth, without_ignored(truth, found, self.masks, but)


def pair_videos(
    truth: Sequence[VideoResults], found: Sequence[VideoResults]
) -> list[tuple[VideoResults, VideoResults]]:
    """Truth and results of the same videos, by their paths (as far as these agree from the end) and names.

    One and one go together anyway. Raises `RefusedInput` where nothing agrees.
    """
    if len(truth) == 1 == len(found):
        return [(truth[0], found[0])]
    by_path = dict(pair_up([one.parts for one in truth], [one.parts for one in found]))
    by_name = {found[place].name.casefold(): place for place in range(len(found)) if place not in by_path.values()}
    for place, video in enumerate(truth):
        if place not in by_path and video.name.casefold() in by_name:
            by_path[place] = by_name[video.name.casefold()]
    if not by_path:
        names = [", ".join(one.name for one in videos[:4]) + " …" * (len(videos) > 4) for videos in (truth, found)]
        raise RefusedInput(f"no video of the truth ({names[0]}) is called like one of the results ({names[1]})")
    return [(truth[place], found[by_path[place]]) for place in sorted(by_path)]


def judge(truth: VideoResults, found: VideoResults, *, foreground: bool, by_label: bool, skip_ends: bool) -> Judged:
    """Set results beside the truth of a video.

    Args:
        truth: what is right.
        found: what is judged.
        foreground: all objects of a frame count as one, on both sides.
        by_label: the labels have to be comparable, see `overlaps`.
        skip_ends: see `Judged`.

    Raises:
        RefusedInput: sizes differ, the truth goes on after the video's end, or no frame is in both.
    """
    name = truth.name
    if (truth.width, truth.height) != (found.width, found.height):
        sizes = f"{truth.width}x{truth.height} pixels, the results are of {found.width}x{found.height}"
        raise RefusedInput(f"{name}: the truth is of {sizes}: these are not the same pictures")
    truth, found = _kept(truth, marks=True), _kept(found, marks=False)
    truth_census, found_census = take_census(truth), take_census(found)
    if found.length is not None and truth_census.last >= found.length:
        extent = f"frame {truth_census.last}, the video of the results only {found.length} frames"
        raise RefusedInput(f"{name}: the truth has {extent}: these are not the same pictures")
    if by_label and truth_census.tracks and not set(truth_census.labels) & set(found_census.labels):
        labels = (", ".join(census.labels[:5]) or "none" for census in (truth_census, found_census))
        extent = "the truth has {}, the results {}".format(*labels)
        raise RefusedInput(f"{name}: no label in common: {extent}; rename with --labels, or leave --by-label out")
    masks = all(census.masks or not census.tracks for census in (truth_census, found_census))
    if foreground and not masks:
        raise RefusedInput(f"{name}: --foreground compares masks, and not every object has one")
    judged = Judged(
        foreground_of(truth) if foreground else truth, foreground_of(found) if foreground else found,
        truth_census, found_census, masks, skip_ends, (0, 0),
    )  # fmt: skip
    common = sum(1 for _ in common_frames(truth, found))
    if common <= 2 * skip_ends:
        raise RefusedInput(f"{name}: {common} frames are in truth and results: nothing to judge")
    return replace(judged, unjudged=(truth_census.frames - common, max(0, found_census.frames - common)))


def common_frames(truth: VideoResults, found: VideoResults) -> Iterator[Both]:
    """Frames that are in both, by source frame.

    Where results do not say on which frames nothing was found, they count as having processed every frame that their
    rate of looking comes by: else what they missed would not count.
    """
    every = max(1, round(found.fps / (found.process_fps or found.fps)))
    others = found.read()
    other = next(others, None)
    for frame in truth.read():
        while other is not None and other.source_frame < frame.source_frame:
            other = next(others, None)
        if other is not None and other.source_frame == frame.source_frame:
            yield frame, other
        elif not found.complete and frame.source_frame % every == 0:
            yield frame, SeenFrame(frame.source_frame, frame.time_s)


def _kept(video: VideoResults, marks: bool) -> VideoResults:
    """Without objects whose mask is empty, as they are not there. Read once, then kept on disk for all passes.

    `marks`: with what is not judged; in results that means nothing.
    """
    shelf = Shelf()
    for frame in video.read():
        seen = tuple(one for one in frame.objects if one.rle is None or rle.area(one.rle))
        kept = replace(frame, objects=seen, ignored=frame.ignored if marks else ())
        shelf.put_frames("", iter([kept]))
    return video.with_frames(lambda: shelf.frames(""))


def foreground_of(video: VideoResults) -> VideoResults:
    """All objects of a frame as one object of id 1; what is not judged becomes void."""

    def read() -> Iterator[SeenFrame]:
        for frame in video.read():
            masks = [one.rle for one in frame.objects if one.rle is not None]
            marks = [one.rle for one in frame.ignored if one.rle is not None]
            objects = tuple(SeenObject(1, "foreground", rle.box_xyxy(one), rle=one) for one in _union(masks))
            ignored = tuple(Ignored("void", OBJECT, rle.box_xyxy(one), one) for one in _union(marks))
            yield replace(frame, objects=objects, ignored=ignored)

    return video.with_frames(read)


def _union(masks: Sequence[rle.RLE]) -> list[rle.RLE]:
    """All masks as one; none where there is none."""
    return [reduce(rle.union, masks)] if masks else []


def overlaps(both: Both, masks: bool, by_label: bool) -> Overlaps:
    """How the objects of a frame overlap.

    Args:
        both: the frame.
        masks: compare masks; else boxes.
        by_label: objects of different labels do not overlap, however they lie.
    """
    truth, found = (frame.objects for frame in both)
    if masks:
        iou = rle.iou_matrix([o.rle for o in truth if o.rle is not None], [o.rle for o in found if o.rle is not None])
    else:
        iou = iou_matrix([one.box_xyxy for one in truth], [one.box_xyxy for one in found])
    if by_label:
        same = np.array([[t.label == f.label for f in found] for t in truth], np.bool_).reshape(iou.shape)
        iou = np.where(same, iou, 0.0)
    return Overlaps([one.obj_id for one in truth], [one.obj_id for one in found], iou)
