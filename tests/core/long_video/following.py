"""Following windows without Prefect, for tests: the same items, one after the other, in this process."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.formats.sparse_annotations import AnnotatedObject, SparsePrompt
from core.long_video.index_item import index_video
from core.long_video.merge import Shard
from core.long_video.plan import Direction, Window, carried, cut, plausible
from core.long_video.window_item import follow_window
from core.video.index import load_index

CLASSICAL = {"backend": "classical"}


def silent(done: int, expected: int | None) -> None:
    """Nobody is reported."""


def box_on(frame: int, *box: float) -> SparsePrompt:
    """A box on a frame."""
    return SparsePrompt.model_validate({"frame": frame, "box": box})


def thing(assoc_id: str, *prompts: SparsePrompt) -> AnnotatedObject:
    """An object with these annotations."""
    return AnnotatedObject(assoc_id=assoc_id, name=f"thing {assoc_id}", prompts=prompts)


def indexed(video: Path, folder: Path) -> Path:
    """The folder of a video's index."""
    folder.mkdir(parents=True, exist_ok=True)
    index_video({"video": str(video)}, folder, silent)
    return folder


def carry(
    video: Path,
    index: Path,
    objects: Sequence[AnnotatedObject],
    folder: Path,
    length: int,
    interval: int,
    margin_s: float = 300.0,
    segmenter: dict[str, Any] = CLASSICAL,
) -> list[Shard]:
    """Follow a video in windows of `length` frames, forward and backward, each from the state of the one before."""
    known = load_index(index)
    parts = [plausible(one, number, known, margin_s) for number, one in enumerate(objects, 1)]
    shards = []
    windows = carried(cut(len(known), length, 0))
    ways: tuple[tuple[Direction, list[Window]], ...] = (("forward", windows), ("backward", windows[::-1]))
    for direction, ordered in ways:
        before: Path | None = None
        for window in ordered:
            followed = [part for one in parts if (part := one.within(window, direction)) is not None]
            if not followed:
                continue
            made = folder / f"{direction}-{window.index}"
            made.mkdir(parents=True)
            request = {
                "video": video, "index": index, "direction": direction, "first": window.first, "end": window.end,
                "interval": interval, "max_side": 96, "objects": followed, "before": before, "segmenter": segmenter,
            }  # fmt: skip
            follow_window(request, made, silent)
            shards.append(Shard(folder=made, segment=0, window=window.index, direction=direction, first=window.first))
            before = made
    return shards


def find(video: Path, index: Path, text: str, folder: Path, length: int, detect_every: int, **more: Any) -> list[Shard]:
    """Find and follow what a text names in windows of `length` frames, each from the state of the one before."""
    shards: list[Shard] = []
    windows = carried(cut(len(load_index(index)), length, 0))
    for window in windows:
        made = folder / str(window.index)
        made.mkdir(parents=True)
        request = {
            "video": video, "index": index, "direction": "forward", "first": window.first, "end": window.end,
            "interval": 1, "max_side": 96, "before": shards[-1].folder if shards else None, "segmenter": CLASSICAL,
            "detector": CLASSICAL, "text_prompt": text, "detect_every": detect_every, "last": window is windows[-1],
            **more,
        }  # fmt: skip
        follow_window(request, made, silent)
        shards.append(Shard(folder=made, segment=0, window=window.index, direction="forward", first=window.first))
    return shards
