"""Annotations of any format made into what the flows take: prompts, results, or scenes of id maps."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from core.errors import RefusedInput
from core.formats.exchange import id_map_scenes, results_lines
from core.formats.exchange.exporting import Report, need_empty
from core.formats.exchange.model import SeenFrame, SeenObject, VideoResults
from core.formats.exchange.pictures import write_pictures
from core.formats.exchange.sources import Sources
from core.formats.prompts import LARGEST_ID
from core.store.atomic import atomic_file, atomic_folder


def write_prompts(
    videos: Sequence[VideoResults], output: Path, sources: Sources, every: int | None
) -> tuple[dict[str, int], list[str]]:
    """Write a prompts file (`core.formats.prompts`): a mask or box for each object on its first frame.

    Keys are the paths of the videos, where these are known, else their names.

    Args:
        videos: what was annotated; ids must mean the same object from frame to frame.
        output: the JSON file to make.
        sources: where the videos are.
        every: prompts also on every so many source frames after an object's first; None: only there.

    Returns:
        The number of prompts by key, and the names of videos whose path is not known.

    Raises:
        RefusedInput: a video's ids mean nothing beyond their frame.
    """
    entries: dict[str, list[dict[str, Any]]] = {}
    unknown = []
    for video in videos:
        if not video.tracked:
            raise RefusedInput(
                f"{video.name}: its boxes have no ids that hold from frame to frame: no prompts from these"
            )
        path = sources.find(video.name, video.path)
        if path is None:
            unknown.append(video.name)
        own = entries.setdefault(str(path) if path is not None else video.name, [])
        taken = max((one["obj_id"] for one in own), default=0)  # two files about one video
        own += [{**one, "obj_id": one["obj_id"] + taken} for one in _prompts(video, every)]
    with atomic_file(output) as temporary:
        temporary.write_text(json.dumps(entries, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return {key: len(own) for key, own in entries.items()}, unknown


def _prompts(video: VideoResults, every: int | None) -> list[dict[str, Any]]:
    """Ids that prompts cannot have are counted anew; boxes without an area show nothing."""
    last_frames: dict[int, int] = {}
    numbers: dict[int, int] = {}
    prompts = []
    for frame in video.read():
        for one in frame.objects:
            if one.rle is None and not (one.box_xyxy[0] < one.box_xyxy[2] and one.box_xyxy[1] < one.box_xyxy[3]):
                continue
            numbers.setdefault(one.obj_id, len(numbers) + 1)
            last = last_frames.get(one.obj_id)
            if last is None or (every is not None and frame.source_frame - last >= every):
                last_frames[one.obj_id] = frame.source_frame
                prompts.append({"frame": frame.source_frame, "obj_id": one.obj_id, "label": one.label, **_shown(one)})
    if max(numbers, default=0) > LARGEST_ID:
        return [{**one, "obj_id": numbers[one["obj_id"]]} for one in prompts]
    return prompts


def _shown(one: SeenObject) -> dict[str, Any]:
    return {"box": list(one.box_xyxy)} if one.rle is None else {"mask": one.rle}


def write_results(videos: Sequence[VideoResults], output: Path) -> int:
    """Write `results.jsonl`, a line for each video; how many marks of what is not judged it has no place for."""
    lost = 0

    def counted(video: VideoResults) -> Iterator[SeenFrame]:
        nonlocal lost
        for frame in video.read():
            lost += len(frame.ignored)
            yield frame

    with atomic_file(output) as temporary:
        results_lines.write(temporary, [video.with_frames(partial(counted, video)) for video in videos])
    return lost


def write_scenes(videos: Sequence[VideoResults], output: Path, sources: Sources, report: Report) -> None:
    """Write a folder of scenes for `refine_masks`: pictures and id maps of every frame with an object.

    Raises:
        RefusedInput: the folder is not empty.
        BadResults: the pictures cannot be read.
    """
    output = output.resolve()
    need_empty(output)
    with atomic_folder(output) as root:
        for video in videos:
            _write_scene(root / video.name, video, sources)
            report(f"scene {video.name}", 1, 1)


def _write_scene(folder: Path, video: VideoResults, sources: Sources) -> None:
    shown = video.with_frames(lambda: (frame for frame in video.read() if frame.objects))
    (folder / id_map_scenes.MAPS).mkdir(parents=True)
    called = id_map_scenes.picture_names(sources.pictures(video.name, video.path))
    id_map_scenes.write_maps(folder / id_map_scenes.MAPS, shown, called)
    write_pictures(folder / id_map_scenes.IMAGES, shown, sources, called)
    frames = {Path(called(frame.source_frame)).stem: frame.source_frame for frame in shown.read()}
    id_map_scenes.write_frames(folder, frames)
