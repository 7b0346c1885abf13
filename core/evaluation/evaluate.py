"""Judging results by the truth, by every measure that fits them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from core.errors import RefusedInput
from core.evaluation.average_precision import Precision, average_precision
from core.evaluation.davis import Over, mean_over
from core.evaluation.identity import IdentityScores, Overlaps, score_identity
from core.evaluation.judging import Judged, judge, overlaps, pair_videos
from core.evaluation.mask_scores import Matching, ObjectScore, match_ids, score_objects
from core.formats.exchange.model import VideoResults
from core.video.video_paths import common_tail

Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class How:
    """How results are judged.

    Attributes:
        matching: see `match_ids`.
        foreground: all objects of a frame count as one.
        by_label: objects of different labels do not belong together.
        skip_ends: leave out the first and the last frame of each video (DAVIS, semi-supervised).
    """

    matching: Matching = "optimal"
    foreground: bool = False
    by_label: bool = False
    skip_ends: bool = False


@dataclass(frozen=True, eq=False)
class VideoScore:
    """One video.

    Attributes:
        judged: truth and results.
        source_frames: those judged.
        frames: what overlaps on them.
        matched: ids of the results by ids of the truth.
        objects: of the truth; empty where ids do not hold from frame to frame.
        identity: None likewise.
    """

    judged: Judged
    source_frames: Sequence[int]
    frames: Sequence[Overlaps]
    matched: dict[int, int]
    objects: Sequence[ObjectScore]
    identity: IdentityScores | None

    @property
    def j(self) -> Over | None:
        """J, mean over objects."""
        return mean_over([one.j for one in self.objects]) if self.objects else None

    @property
    def f(self) -> Over | None:
        """F, mean over objects; None for boxes."""
        values = [one.f for one in self.objects if one.f is not None]
        return mean_over(values) if values else None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All videos. J and F are means over the objects of all videos, as in DAVIS."""

    how: How
    videos: Sequence[VideoScore]
    j: Over | None
    f: Over | None
    identity: IdentityScores | None
    precision: Precision
    without_results: Sequence[str]
    without_truth: Sequence[str]

    @property
    def masks(self) -> bool:
        """Whether masks were compared, of all videos; else boxes."""
        return all(one.judged.masks for one in self.videos)

    @property
    def other_names(self) -> list[str]:
        """Pairs of videos that were taken to be the same, though they are called differently."""
        pairs = [(one.judged.truth, one.judged.found) for one in self.videos]
        common = [common_tail(truth.parts, found.parts) for truth, found in pairs]
        return [
            f"{'/'.join(found.parts[-2:])} was judged by the truth of {'/'.join(truth.parts[-2:])}"
            for (truth, found), parts in zip(pairs, common, strict=True)
            if (truth.name != found.name and not parts) or parts < max(common) or _in_other_folder(truth, found, parts)
        ]

    @property
    def jf(self) -> float | None:
        """J&F."""
        return None if self.j is None or self.f is None else (self.j.mean + self.f.mean) / 2


def _in_other_folder(truth: VideoResults, found: VideoResults, common: int) -> bool:
    """Whether two paths begin and end alike, and differ in between: `/data/cam0/rgb` and `/data/cam1/rgb`."""
    one, other = truth.parts, found.parts
    return one != other and len(one) == len(other) > common > 0 and one[0] == other[0]


def evaluate(truth: Sequence[VideoResults], found: Sequence[VideoResults], how: How, report: Report) -> Evaluation:
    """Judge results. Of each frame only ids, overlaps and scores stay in memory, which HOTA and precision need.

    Args:
        truth: what is right.
        found: what is judged.
        how: the rules.
        report: gets the video, videos done, and how many there are.

    Raises:
        RefusedInput: they do not fit together; the message says how.
        BadResults: one of them cannot be read.
    """
    pairs = pair_videos(truth, found)
    scored: list[VideoScore] = []
    for done, (right, other) in enumerate(pairs):
        report(right.name, done, len(pairs))
        options = {"foreground": how.foreground, "by_label": how.by_label, "skip_ends": how.skip_ends}
        scored.append(_score(judge(right, other, **options), how))
    if not any(frame.truth for one in scored for frame in one.frames):
        names = ", ".join(one.judged.name for one in scored[:4]) + " …" * (len(scored) > 4)
        raise RefusedInput(f"{names}: the truth has no object on any frame that is judged")
    report("mean average precision", len(pairs), len(pairs))
    masks = all(one.judged.masks for one in scored)
    tracked = {one.judged.name: one.frames for one in scored if one.identity is not None}
    objects = [one for video in scored for one in video.objects]
    contours = [one.f for one in objects if one.f is not None]
    return Evaluation(
        how=how,
        videos=scored,
        j=mean_over([one.j for one in objects]) if objects else None,
        f=mean_over(contours) if contours and len(contours) == len(objects) else None,
        identity=score_identity(tracked)[1] if tracked else None,
        precision=average_precision(
            chain.from_iterable(one.judged.frames(but=("crowd",)) for one in scored), masks, how.by_label
        ),
        without_results=sorted({one.name for one in truth} - {right.name for right, _ in pairs}),
        without_truth=sorted({one.name for one in found} - {other.name for _, other in pairs}),
    )


def _score(judged: Judged, how: How) -> VideoScore:
    source_frames, frames = [], []
    for both in judged.frames():
        source_frames.append(both[0].source_frame)
        frames.append(overlaps(both, judged.masks, how.by_label))
    if not (judged.truth.tracked and judged.found.tracked):
        return VideoScore(judged, source_frames, frames, {}, (), None)
    matched = match_ids(frames, how.matching, judged.name)
    identity = score_identity({judged.name: frames})[1]
    return VideoScore(judged, source_frames, frames, matched, score_objects(judged, frames, matched), identity)
