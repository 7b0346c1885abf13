"""The frames of a run: found, given features, matched; each once, for all windows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from core.errors import BadMedia
from core.reconstruction.settings import PAIRS_FILE, FeatureSettings, FrameRequest, MatchFile
from core.reconstruction.windowing import Pair, sequential_pairs
from core.store.digests import sha256_json
from flows.reconstruct_windows.plan import Plan, find_mask
from tasks.inputs import Content, read_files
from tasks.items import Item, Outcome, Stage
from tasks.reporting.delivery import deliver_all
from tasks.running import ItemRun, run_items

FRAMES = Stage(
    "frames", "core.reconstruction.frames_item:extract_frames", lambda done: [f"{len(done['frames'])} frames"]
)
FEATURES = Stage(
    "features",
    "core.reconstruction.features_item:extract_features",
    lambda done: [f"{sum(one['features'] for one in done['frames'])} features in {len(done['frames'])} frames"],
)
LOOPS = Stage("loops", "core.reconstruction.loops_item:find_loops", lambda done: [f"{len(done['pairs'])} candidates"])
MATCHES = Stage(
    "matches",
    "core.reconstruction.pairs_item:match_pairs",
    lambda done: [f"{done['verified']} of {done['pairs']} pairs verified, {done['inliers']} matches"],
)
_CHUNK = 8


@dataclass(frozen=True)
class Source:
    """A frame's file, and what its features depend on; None: it cannot be read, `reason` says why."""

    path: Path
    mask: Path | None
    digests: tuple[str, str | None] | None
    reason: str | None = None


@dataclass(frozen=True)
class FrameSequence:
    """All frames, by number, and what is known of them.

    Attributes:
        frames: with their features.
        keys: of each frame's features, by content; None where it has none.
        focals: EXIF's focal lengths as shares of the longer side, of the frames that have one.
        notes: what people should know.
    """

    frames: list[FrameRequest]
    keys: list[str | None]
    focals: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_frames(run: ItemRun, plan: Plan, fps: float | None) -> list[Source]:
    """The images, with their digests; of a video, after its frames were taken, in `images/` of the output folder.

    Raises:
        BadMedia: the video cannot be read.
    """
    images = plan.images
    if images is None:
        item = Item(plan.source.name, {"fps": fps}, {"video": str(plan.source.absolute()), "fps": fps}, 1.0)
        (outcome,) = run_items(run, FRAMES, [item], inputs=Content(run.store, "video"))
        if outcome.record is None:
            raise BadMedia(outcome.reason or "failed")
        names = outcome.record["frames"]
        if run.plan is None:
            _deliver_frames(run, plan, outcome.folder, names)
        images = [outcome.folder / name for name in names]
    read_files(run.store.digests, images)
    found = [_source(run, plan, image) for image in images]
    run.store.digests.save()
    return found


def _deliver_frames(run: ItemRun, plan: Plan, made: Path, names: list[str]) -> None:
    for stale in (plan.output / "images").glob("frame_*.jpg"):
        if stale.name not in names:
            stale.unlink()
    deliver_all(made, names, plan.output / "images", run.store.digests)


def _source(run: ItemRun, plan: Plan, image: Path) -> Source:
    if not image.name.isprintable():
        safe = image.name.encode("unicode_escape").decode()
        return Source(image.with_name(safe), None, None, "its name has characters that cannot be written: rename it")
    try:
        mask = None if plan.mask_dir is None else find_mask(plan.mask_dir, image.name)
        if not image.is_file():
            raise OSError(0, "not a regular file", str(image))
        digests = run.store.digests.file(image), None if mask is None else run.store.digests.file(mask)
    except OSError as error:
        return Source(image, None, None, f"cannot be read: {error.strerror or error}")
    return Source(image, mask, digests)


def extract(
    run: ItemRun, plan: Plan, sources: Sequence[Source], settings: FeatureSettings, shared_camera: bool
) -> FrameSequence:
    """Features of every frame; frames of another size than most have none where one camera took all."""
    chunks = [
        [number for number, _ in chunk]
        for _, chunk in groupby(
            ((number, one) for number, one in enumerate(sources) if one.digests is not None),
            key=lambda pair: pair[0] // _CHUNK,
        )
    ]
    what = {**settings.model_dump(mode="json"), "version": plan.backend.version}
    items = [_features_item(chunk, sources, what) for chunk in chunks]
    frames = [
        FrameRequest(number=number, name=one.path.name, features=None, reason=one.reason)
        for number, one in enumerate(sources)
    ]
    focals = []
    for chunk, outcome in zip(chunks, run_items(run, FEATURES, items), strict=True):
        for place, number in enumerate(chunk):
            frame, focal_px = _frame(frames[number], place, outcome)
            frames[number] = frame
            if focal_px is not None:
                focals.append(focal_px / max(frame.width, frame.height))
    if shared_camera:
        frames = _of_one_size(frames)
    keys = [
        None if frame.features is None else sha256_json([one.digests, what])
        for frame, one in zip(frames, sources, strict=True)
    ]
    notes = _duplicates(sources)
    if plan.mask_dir is not None:
        found = sum(one.mask is not None for one in sources)
        notes.insert(0, f"Masks were found for {found} of {len(sources)} frames")
    return FrameSequence(frames, keys, focals, notes)


def _features_item(chunk: Sequence[int], sources: Sequence[Source], settings: dict[str, Any]) -> Item:
    used = [sources[number] for number in chunk]
    request = [
        {"image": str(one.path.absolute()), "mask": None if one.mask is None else str(one.mask.absolute())}
        for one in used
    ]
    return Item(
        f"{used[0].path.name} … ({len(used)} frames)",
        {"frames": [one.digests for one in used], "settings": settings},
        {"frames": request, "settings": {name: settings[name] for name in FeatureSettings.model_fields}},
        float(len(used)),
    )


def _frame(frame: FrameRequest, place: int, outcome: Outcome) -> tuple[FrameRequest, float | None]:
    if outcome.record is None:
        return frame.model_copy(update={"reason": outcome.reason}), None
    found = outcome.record["frames"][place]
    if found["failed"] is not None:
        return frame.model_copy(update={"reason": found["failed"].removeprefix(f"{frame.name}: ")}), None
    known = {"features": outcome.folder / f"{place}.npz", "width": found["width"], "height": found["height"]}
    return frame.model_copy(update=known), found["focal_px"]


def _of_one_size(frames: list[FrameRequest]) -> list[FrameRequest]:
    sizes = Counter((one.width, one.height) for one in frames if one.features is not None)
    if len(sizes) < 2:
        return frames
    width, height = max(sorted(sizes), key=lambda size: sizes[size])
    hint = f"the others {width}x{height}: frames of several cameras need --no-shared-camera"
    return [
        one
        if one.features is None or (one.width, one.height) == (width, height)
        else one.model_copy(update={"features": None, "reason": f"{one.width}x{one.height} pixels, {hint}"})
        for one in frames
    ]


def _duplicates(sources: Sequence[Source]) -> list[str]:
    first: dict[str, str] = {}
    same = [
        f"{one.path.name} has the same content as {first[one.digests[0]]}"
        for one in sources
        if one.digests is not None and first.setdefault(one.digests[0], one.path.name) != one.path.name
    ]
    more = [f"… and {len(same) - 3} more frames like that"] if len(same) > 3 else []
    return same[:3] + more


def match(
    run: ItemRun, sequence: FrameSequence, overlap: int, window_size: int, loops: bool
) -> tuple[list[MatchFile], list[Pair], list[tuple[str, str]]]:
    """Match each frame with its next ones and, across the sequence, with those that look alike.

    Returns:
        The files of matches, all pairs tried, and what failed, with the reason.
    """
    usable = {frame.number for frame in sequence.frames if frame.features is not None}
    pairs = [pair for pair in sequential_pairs(len(sequence.frames), overlap, window_size) if usable.issuperset(pair)]
    failures = []
    if loops and len(usable) > window_size:
        known = set(pairs)
        outcome = _loops(run, sequence, window_size)
        if outcome.record is None:
            failures.append(("loops", outcome.reason or "failed"))
        else:
            found = [(one, other) for one, other in outcome.record["pairs"]]
            pairs += [pair for pair in found if pair not in known]
    if not pairs:
        return [], [], failures
    batches = [list(chunk) for _, chunk in groupby(sorted(pairs), key=lambda pair: pair[0] // _CHUNK)]
    items = [_pairs_item(batch, sequence) for batch in batches]
    outcomes = run_items(run, MATCHES, items)
    files = [
        MatchFile(path=outcome.folder / PAIRS_FILE, frames=_numbers(batch))
        for batch, outcome in zip(batches, outcomes, strict=True)
        if outcome.record is not None
    ]
    done = [
        pair
        for batch, outcome in zip(batches, outcomes, strict=True)
        if outcome.record is not None
        for pair in batch
    ]  # fmt: skip
    failures += [(one.item.name, one.reason or "failed") for one in outcomes if one.record is None]
    return files, done, failures


def _loops(run: ItemRun, sequence: FrameSequence, window_size: int) -> Outcome:
    features = [None if frame.features is None else str(frame.features) for frame in sequence.frames]
    request = {"features": features, "window": window_size}
    item = Item("loops", {"frames": sequence.keys, "window": window_size}, request, 1.0)
    (outcome,) = run_items(run, LOOPS, [item])
    return outcome


def _numbers(pairs: Sequence[Pair]) -> list[int]:
    return sorted({number for pair in pairs for number in pair})


def _pairs_item(pairs: Sequence[Pair], sequence: FrameSequence) -> Item:
    numbers = _numbers(pairs)
    place = {number: position for position, number in enumerate(numbers)}
    used = [sequence.frames[number] for number in numbers]
    frames = [{"features": str(one.features), "width": one.width, "height": one.height} for one in used]
    which = [[place[one], place[other]] for one, other in pairs]
    inputs = {"frames": [sequence.keys[number] for number in numbers], "pairs": which}
    return Item(f"{used[0].name} … ({len(pairs)} pairs)", inputs, {"frames": frames, "pairs": which}, float(len(pairs)))
