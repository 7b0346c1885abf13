"""Links of one video: from annotation to annotation, and from segment to segment."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from core.formats.links_jsonl import Link, Rival
from core.formats.review_jsonl import ReviewEntry
from core.formats.window_shard import Arrival, read_arrivals, read_facts
from core.long_video.merge import Shard
from core.long_video.names import Names
from core.long_video.stitch import DOUBTFUL_LIKENESS, RIVAL_MARGIN, SAME_IOU, Pair
from core.quality.review import WORDS
from core.video.index import FrameIndex


def annotation_links(shards: Sequence[Shard], names: Names) -> list[Link]:
    """A link for each two neighbouring annotations of an object between which it was followed."""
    between: dict[tuple[int, int, int], dict[str, Arrival]] = defaultdict(dict)
    for shard in shards:
        for arrival in read_arrivals(shard.folder):
            first, last = sorted((arrival.since, arrival.frame))
            between[arrival.obj_id, first, last]["forward" if arrival.frame == last else "backward"] = arrival
    return [_annotation_link(*place, by_way, names) for place, by_way in sorted(between.items())]


def _annotation_link(obj_id: int, first: int, last: int, by_way: dict[str, Arrival], names: Names) -> Link:
    assoc_id, name = names.named((-1, obj_id))
    score = max(arrival.iou for arrival in by_way.values())
    rivals = [arrival.rival for arrival in by_way.values() if arrival.rival is not None]
    rival = max(rivals, key=lambda one: one[1], default=None)
    ways = {way: arrival.iou for way, arrival in by_way.items()}
    return Link(
        assoc_id=assoc_id,
        assoc_name=name,
        kind="annotations",
        from_frame=first,
        to_frame=last,
        score=score,
        forward=ways.get("forward"),
        backward=ways.get("backward"),
        rival=None if rival is None else Rival(assoc_id=names.named((-1, rival[0]))[0], score=rival[1]),
        ambiguous=score < SAME_IOU or (rival is not None and rival[1] > score - RIVAL_MARGIN),
    )


def link_entries(links: Iterable[Link], video: str, index: FrameIndex) -> Iterator[ReviewEntry]:
    """An entry of the review list for each ambiguous link: on the frame on which the object may be another one.

    Always among the more suspicious half: who an object is matters for all frames that follow.
    """
    for link in links:
        if link.ambiguous:
            doubt = min(1.0, max(0.0, 1 - link.score))
            rival = "" if link.rival is None else f" (rather {link.rival.assoc_id}: {link.rival.score:.2f})"
            frame = min(link.to_frame, len(index) - 1)
            yield ReviewEntry(
                video=video, obj_id=link.assoc_id, label=link.assoc_name, source_frame=frame,
                time_s=round(float(index.times_s[frame]), 3), suspicion=round(0.5 + doubt / 2, 3),
                why=f"{WORDS['identity']}{rival}", signs={"identity": round(doubt, 3)},
            )  # fmt: skip


def recognised_links(shards: Iterable[Shard], names: Names) -> list[Link]:
    """A link for each newcomer that was found, within a segment, to be an object that was lost."""
    links = []
    for shard in shards:
        for one in read_facts(shard.folder).recognised:
            named = names.known(shard.segment, one.obj_id)
            if named is not None:
                links.append(
                    Link(
                        assoc_id=named[0],
                        assoc_name=named[1],
                        kind="gap",
                        from_frame=one.from_frame,
                        to_frame=one.to_frame,
                        score=one.likeness,
                        ambiguous=one.likeness < DOUBTFUL_LIKENESS,
                    )
                )
    return links


def segment_links(pairs: Iterable[Pair], names: Names) -> list[Link]:
    """A link for each pair of segments' objects that were found to be one."""
    links = []
    for pair in pairs:
        named = names.known(pair.segment, pair.before)
        if named is None:
            continue
        rival = None if pair.rival is None else names.known(pair.later, pair.rival[0])
        links.append(
            Link(
                assoc_id=named[0],
                assoc_name=named[1],
                kind=pair.kind,
                from_frame=pair.from_frame,
                to_frame=pair.to_frame,
                window=pair.window,
                score=pair.score,
                rival=None if rival is None or pair.rival is None else Rival(assoc_id=rival[0], score=pair.rival[1]),
                ambiguous=pair.ambiguous,
            )
        )
    return links
